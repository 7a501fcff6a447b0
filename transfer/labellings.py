"""What the labels of a set are: one output, several of one example, or a class first and finer ones within it.

    Labelling((Output("topic", classes=("art", "sport")), Output("tags", "sigmoid", ("loud", "old"))))

An output may stand under another one. Each of its classes then belongs to one class of that parent, and what it says
counts within that class alone:

    food = Output("food", classes=("fruit", "dessert"))
    kind = Output("kind", classes=("apple", "pear", "cake"), parent="food", under=("fruit", "fruit", "dessert"))

    p(apple) = p(fruit) p(apple | fruit)

A class without finer ones (`drink`, say) ends there. Attributes of one class are outputs whose classes all stand under
it: `Output("glasses", "sigmoid", ("glasses",), parent="what", under=("person",))`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, asdict, dataclass
from itertools import groupby, pairwise
from math import isfinite
from typing import Literal, TypeAlias

from transfer.html_tables import as_html
from transfer.specs import Json, is_layer_name

Kind: TypeAlias = Literal["softmax", "sigmoid", "regression"]
ClassWeights: TypeAlias = Literal["none", "balanced"]
KINDS = ("softmax", "sigmoid", "regression")
SINGLE = "label"  # the output of a set that has one, where nobody calls it otherwise


@dataclass(frozen=True, slots=True)
class Output:
    """One thing that is said of each example.

    Attributes:
        name: of the output, and of its head.
        kind: `softmax`, one class of several; `sigmoid`, any of them, each for itself; `regression`, numbers.
        classes: names, in the order of the logits; of a regression, what its numbers are called.
        parent: name of the softmax output under which it stands; empty for none.
        under: for each class the parent's class to which it belongs; those of one class stand together, in the order
            of the parent's. Empty without a parent. All that a regression says belongs to one class.
        weight: factor on its loss beside that of other outputs, above 0.
        class_weights: `balanced` weighs an answer by the reciprocal of its count in training, 1 on average: of classes
            within their parent's class, of yes and no for each label.
        focal: gamma of the focal loss, which multiplies an answer of probability p by (1 - p)^gamma; 0 for none.
            Source: Lin et al. (2017), section 3.
    """

    name: str
    kind: Kind = "softmax"
    classes: tuple[str, ...] = ()
    _: KW_ONLY
    parent: str = ""
    under: tuple[str, ...] = ()
    weight: float = 1.0
    class_weights: ClassWeights = "none"
    focal: float = 0.0

    def __post_init__(self) -> None:
        classes = (self.name,) if self.kind == "regression" and not self.classes else tuple(self.classes)
        object.__setattr__(self, "classes", classes)
        object.__setattr__(self, "under", tuple(self.under))
        faults = [*_faults_of_names(self), *_faults_of_numbers(self)]
        if faults:
            raise ValueError(f"output {self.name!r}: {'; '.join(faults)}")

    @property
    def groups(self) -> tuple[tuple[str, slice], ...]:
        """(parent's class, places of the classes under it), in order; without a parent one of all, called ''."""
        if not self.parent:
            return (("", slice(0, len(self.classes))),)
        counts = [(name, len(list(several))) for name, several in groupby(self.under)]
        ends = [sum(count for _, count in counts[: place + 1]) for place in range(len(counts))]
        return tuple((name, slice(end - count, end)) for (name, count), end in zip(counts, ends, strict=True))


@dataclass(frozen=True, slots=True)
class Labelling:
    """All outputs, a parent before what stands under it."""

    outputs: tuple[Output, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "outputs", tuple(self.outputs))
        faults = [*_faults_between(self.outputs)]
        if faults:
            raise ValueError(f"a labelling: {'; '.join(faults)}")

    def __iter__(self) -> Iterator[Output]:
        return iter(self.outputs)

    def __len__(self) -> int:
        return len(self.outputs)

    def __getitem__(self, name: str) -> Output:
        return next(each for each in self.outputs if each.name == name)

    def __str__(self) -> str:
        return "\n".join(map(show_output, self.outputs))

    def _repr_html_(self) -> str:
        return as_html([str(self)])

    @classmethod
    def of_classes(cls, classes: tuple[str, ...], name: str = SINGLE) -> Labelling:
        """One class of several for each example, and nothing else."""
        return cls((Output(name, classes=classes),))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the outputs."""
        return tuple(each.name for each in self.outputs)

    @property
    def is_single(self) -> bool:
        """Whether it is one class of several for each example, and nothing else."""
        return len(self.outputs) == 1 and self.outputs[0].kind == "softmax"

    @property
    def is_plain(self) -> bool:
        """Whether it is such, and its answers weigh alike whatever the output is called."""
        return self.is_single and self == Labelling.of_classes(self.outputs[0].classes, self.outputs[0].name)

    def place(self, name: str) -> int:
        """Of an output among all."""
        return self.names.index(name)

    def children(self, name: str) -> tuple[Output, ...]:
        """The outputs that stand under one."""
        return tuple(each for each in self.outputs if each.parent == name)

    def to_json(self) -> Json:
        """As plain values."""
        return {"outputs": [asdict(each) for each in self.outputs]}

    @classmethod
    def from_json(cls, values: Json) -> Labelling:
        """The inverse of `to_json`."""
        return cls(tuple(Output(**each) for each in values["outputs"]))


def _faults_of_names(output: Output) -> Iterator[str]:
    if not is_layer_name(output.name):
        yield "a name has letters of ASCII, digits, '_', '.' and '-', and begins with a letter or a digit"
    if output.kind not in KINDS:
        yield f"kind is softmax, sigmoid or regression, not {output.kind!r}"
    if not all(isinstance(each, str) and each for each in output.classes):
        yield f"classes are names, none empty: {output.classes}"
    if len(set(output.classes)) < len(output.classes):
        yield f"a class is named twice: {', '.join(output.classes)}"
    if not output.classes:
        yield "it has no class"
    if bool(output.parent) != bool(output.under) or len(output.under) not in (0, len(output.classes)):
        yield "with a parent, each class stands under one of its classes; without one, under none"
    names = [name for name, _ in groupby(output.under)]
    if len(set(names)) < len(names):
        yield f"classes under {_twice(names)!r} do not stand together"
    if output.kind == "regression" and len(set(output.under)) > 1:
        yield "a regression stands under one class"


def _faults_of_numbers(output: Output) -> Iterator[str]:
    if not (_is_number(output.weight) and output.weight > 0):
        yield f"weight is a number above 0, not {output.weight!r}"
    if not (_is_number(output.focal) and output.focal >= 0):
        yield f"focal is a number of at least 0, not {output.focal!r}"
    if output.class_weights not in ("none", "balanced"):
        yield f"class_weights is 'none' or 'balanced', not {output.class_weights!r}"
    if output.kind == "regression" and (output.focal or output.class_weights != "none"):
        yield "focal and class_weights are for classes"


def _faults_between(outputs: tuple[Output, ...]) -> Iterator[str]:
    if not outputs:
        yield "it has no output"
    names = [each.name for each in outputs]
    if len(set(names)) < len(names):
        yield f"the output {_twice(names)!r} comes twice"
    for place, output in enumerate(outputs):
        if not output.parent:
            continue
        parent = next((each for each in outputs[:place] if each.name == output.parent), None)
        if parent is None or parent.kind != "softmax":
            yield f"{output.name!r} stands under {output.parent!r}, which is no softmax output before it"
        elif strange := [name for name in dict.fromkeys(output.under) if name not in parent.classes]:
            yield f"{output.name!r} has classes under {strange[0]!r}, which is no class of {parent.name!r}"
        elif any(parent.classes.index(a) > parent.classes.index(b) for a, b in pairwise(output.under)):
            yield f"classes of {output.name!r} do not stand in the order of those of {parent.name!r}"


def _twice(names: list[str]) -> str:
    return next(name for place, name in enumerate(names) if name in names[:place])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def show_output(output: Output) -> str:
    """In a line: its name, kind and classes."""
    what = {"softmax": "one of", "sigmoid": "any of", "regression": "numbers"}[output.kind]
    if output.parent:
        parts = [f"{name} ({', '.join(output.classes[places])})" for name, places in output.groups]
        return f"{output.name}: {what}, under {output.parent}: {', '.join(parts)}"
    if output.kind == "regression" and len(output.classes) == 1:
        return f"{output.name}: a number"
    return f"{output.name}: {what} {', '.join(output.classes)}"
