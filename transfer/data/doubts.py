"""What is doubtful about a labelled set, told before anything is learnt from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from textwrap import fill

import numpy as np
from numpy.typing import NDArray

from transfer.data.spelling import Misspelling, find_misspellings, spelling_warning
from transfer.data.targets import Values, known, shown_label
from transfer.errors import DataError, Problem
from transfer.labellings import Labelling, Output
from transfer.specs import Json
from transfer.tabulating import shorten

FEW = 5  # examples to learn a class from; answers on a class of fewer are mostly chance
_WIDTH = 90  # of a sentence in print; a line that names an example stays one
UNEVEN = 10.0  # times that the largest class is larger than the smallest

Places = NDArray[np.integer] | Sequence[int]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Examples that are the same to the bit and not of one class.

    Attributes:
        names: of the examples.
        classes: of each; of an output of tags or numbers what it says.
        output: of which they are; empty where there is one of classes alone.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    output: str = ""

    def __str__(self) -> str:
        pairs = " = ".join(f"{name} ({kind})" for name, kind in zip(self.names, self.classes, strict=True))
        return f"{self.output}: {pairs}" if self.output else pairs

    def to_json(self) -> Json:
        """As plain values."""
        named = {"output": self.output} if self.output else {}
        return {"names": list(self.names), "classes": list(self.classes), **named}


@dataclass(frozen=True, slots=True)
class Doubts:
    """What digests and labels show, and what looking at the examples showed.

    Attributes:
        conflicts: examples of the same bytes and different classes, output by output; what is not known differs from
            nothing.
        repeated: examples whose bytes have come before with the same labels.
        leaked: names of test examples whose bytes are learnt from; they are left out of the test.
        counts: (class, examples to learn from), in the order of the classes, where there is one output of classes.
        outputs: where there are others (output, such pairs); of tags the examples that have one. None of numbers.
        misspelled: classes among the examples to learn from that look like misspelled ones.
        unreadable: each example that cannot be read, and why.
        left_out: what lies among the examples and takes no part, and why.
        blank: names of examples that are one value throughout.
        seen: examples that were looked at for these two.
        examples: in all, those to test on among them.
    """

    conflicts: tuple[Conflict, ...] = ()
    repeated: int = 0
    leaked: tuple[str, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    outputs: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] = ()
    misspelled: tuple[Misspelling, ...] = ()
    unreadable: tuple[Problem, ...] = ()
    left_out: tuple[Problem, ...] = ()
    blank: tuple[str, ...] = ()
    seen: int = 0
    examples: int = 0

    @property
    def small(self) -> tuple[tuple[str, int], ...]:
        """Classes with few examples to learn from; those of an output among several begin with its name."""
        several = ((f"{output} {name}", count) for output, counts in self.outputs for name, count in counts)
        return tuple((name, count) for name, count in (*self.counts, *several) if count < FEW)

    @property
    def ratio(self) -> float:
        """Examples to learn from of the largest class to those of the smallest of its output; 1 for none."""
        return _ratio(self._most_uneven)

    @property
    def _most_uneven(self) -> tuple[tuple[str, int], ...]:
        return max([self.counts, *(counts for _, counts in self.outputs)], key=_ratio)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What digests and labels show to be wrong, and what to do, in a sentence each."""
        return (*_of_conflicts(self.conflicts), *self._of_counts())

    def _of_counts(self) -> Iterator[str]:
        if self.misspelled:
            yield spelling_warning(self.misspelled)
        if self.small:
            named = shorten([f"{name} ({count})" for name, count in self.small])
            yield f"classes with fewer than {FEW} examples to learn from: {named}; add some, or leave the class out"
        if self.ratio > UNEVEN:
            most, least = (pick(self._most_uneven, key=lambda each: each[1]) for pick in (max, min))
            yield (
                f"classes of very different size: {most[1]} examples of {most[0]!r} and {least[1]} of {least[0]!r}; "
                "accuracy over all examples says little of the small ones"
            )

    def __str__(self) -> str:
        fate = f"{len(self.unreadable)} cannot be read" if self.unreadable else "each can be read"
        lines = [f"{self._looked}; {fate}"]
        lines += map(str, self.unreadable)
        if self.left_out:
            lines += [f"{len(self.left_out)} left out:", *map(str, self.left_out)]
        if self.conflicts:
            lines += [f"{_summary(self.conflicts)}:", *(f"  {each}" for each in self.conflicts)]
        if self.repeated:
            lines.append(f"{_examples(self.repeated)} with the bytes of another of the same class")
        if self.leaked:
            lines.append(
                f"{_examples(len(self.leaked))} to test on with bytes that are learnt from, left out of the test"
            )
        if self.blank:
            lines.append(f"{_examples(len(self.blank))} of one value throughout: {shorten(self.blank)}")
        folded = (fill(each, _WIDTH, subsequent_indent="  ", break_on_hyphens=False) for each in self._of_counts())
        return "\n".join([*lines, *folded])

    @property
    def _looked(self) -> str:
        return (
            f"all {self.examples} examples were tried"
            if self.seen == self.examples
            else f"{self.seen} of {self.examples} examples were tried, drawn at random"
        )

    def to_json(self) -> Json:
        """As plain values."""
        return {
            "examples": self.examples,
            "examples_read": self.seen,
            "unreadable": [asdict(each) for each in self.unreadable],
            "left_out": [asdict(each) for each in self.left_out],
            "same_bytes_other_class": [each.to_json() for each in self.conflicts],
            "same_bytes_same_class": self.repeated,
            "test_examples_learnt_from": list(self.leaked),
            "one_value_throughout": list(self.blank),
            "examples_to_learn_from": {name: dict(counts) for name, counts in self.outputs} or dict(self.counts),
            "largest_to_smallest_class": self.ratio,
            "look_misspelled": [each.to_json() for each in self.misspelled],
        }


def find_doubts(
    digests: Sequence[str],
    labelling: Labelling,
    targets: Sequence[Values],
    names: Sequence[str],
    *,
    train: Places | None = None,
    test: Places = (),
) -> Doubts:
    """What digests and labels show.

    Args:
        digests: of each example's bytes.
        labelling: what labels are.
        targets: labels of each output, as a `LabelledSet` has them.
        names: of the examples.
        train: places of the examples to learn from; None for all.
        test: of those to test on.
    """
    groups: dict[str, list[int]] = {}
    for place, digest in enumerate(digests):
        groups.setdefault(digest, []).append(place)
    several = [places for places in groups.values() if len(places) > 1]
    kinds = [len({b"".join(values[place].tobytes() for values in targets) for place in places}) for places in several]
    learnt = np.arange(len(digests)) if train is None else np.asarray(train, np.int64)
    seen = {digests[place] for place in learnt.tolist()}
    counts = tuple(
        (output.name, tuple(zip(output.classes, _counts(output, values[learnt]), strict=True)))
        for output, values in zip(labelling, targets, strict=True)
        if output.kind != "regression"
    )
    return Doubts(
        conflicts=tuple(
            _conflicts(
                [each for each, count in zip(several, kinds, strict=True) if count > 1], labelling, targets, names
            )
        ),
        repeated=sum(map(len, several)) - sum(kinds),
        leaked=tuple(names[place] for place in np.asarray(test, np.int64).tolist() if digests[place] in seen),
        counts=counts[0][1] if labelling.is_single else (),
        outputs=() if labelling.is_single else counts,
        misspelled=find_misspellings(
            labelling, [values[learnt] for values in targets], [names[place] for place in learnt.tolist()]
        ),
        seen=len(digests),
        examples=len(digests),
    )


def _ratio(counts: Sequence[tuple[str, int]]) -> float:
    """The largest to the smallest, which counts as at least 1."""
    sizes = [count for _, count in counts]
    return max(sizes) / max(1, min(sizes)) if sizes else 1.0


def _counts(output: Output, values: Values) -> list[int]:
    """Examples of each class, or those that have each label."""
    if output.kind == "softmax":
        counts = np.bincount(values[values >= 0], minlength=len(output.classes))
    else:
        counts = (values == 1).sum(0)
    return [int(count) for count in counts]


def _conflicts(
    several: Sequence[Sequence[int]], labelling: Labelling, targets: Sequence[Values], names: Sequence[str]
) -> Iterator[Conflict]:
    """Of examples with the same bytes those of which an output says different things."""
    for places in several:
        for output, values in zip(labelling, targets, strict=True):
            rows = [place for place in places if known(values[place : place + 1]).any()]
            if _differ(values[rows]):
                called = "" if labelling.is_single else output.name
                said = tuple(shown_label(output, values[place]) for place in rows)
                yield Conflict(tuple(names[place] for place in rows), said, called)


def _differ(values: Values) -> bool:
    """Whether labels of the same thing, where they are known, are not all the same."""
    columns = values.reshape(len(values), -1).T
    return any(len(np.unique(column[known(column)])) > 1 for column in columns)


def refuse_unreadable(unreadable: Sequence[Problem], count: int, source: str) -> None:
    """Refuse a set of which nothing may be left out.

    Args:
        unreadable: examples that cannot be read.
        count: of all.
        source: of them.

    Raises:
        DataError: if there are some.
    """
    if unreadable:
        raise DataError(
            f"{len(unreadable)} of {count} examples of {source} cannot be read.",
            unreadable,
            next_step="remove them, or leave them out with --skip-unreadable (skip_unreadable=True)",
        )


def refuse_known(unknown: int) -> None:
    """Refuse to test on nothing but what is learnt from.

    Args:
        unknown: test examples with other bytes.

    Raises:
        DataError: if there are none.
    """
    if not unknown:
        raise DataError("Every test example is also learnt from.", next_step="test on other examples")


def _of_conflicts(conflicts: Sequence[Conflict]) -> Iterable[str]:
    if conflicts:
        yield f"{_summary(conflicts)}: {shorten([*map(str, conflicts)], separator='; ')}"


def _summary(conflicts: Sequence[Conflict]) -> str:
    count = sum(len(each.names) for each in conflicts)
    other = "with other labels" if any(each.output for each in conflicts) else "of another class"
    return f"{count} examples with the bytes of one {other}; label them alike, or leave them out"


def _examples(count: int) -> str:
    return "1 example" if count == 1 else f"{count} examples"
