"""A labelled set: examples, what is known of each, and what was left out on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from transfer.data.example_digests import digest_examples
from transfer.data.named_arrays import NamedArrays
from transfer.data.targets import check_targets, faults_of_parents, known_rows
from transfer.errors import DataError, Problem
from transfer.html_tables import as_html
from transfer.labellings import Labelling, Output
from transfer.tabulating import Part, shorten


@dataclass(frozen=True, slots=True, eq=False)
class LabelledSet:
    """Examples with labels.

    Attributes:
        source: where they come from, for messages.
        names: one for each example: its path below `source`, '/' between the parts, or `x[17]`.
        labelling: what its labels are.
        targets: for each output of the labelling the labels of all examples. Of softmax (n,) int64, places in its
            classes; of sigmoid (n, k) int64 of 1 and 0; both -1 where it is not known, or does not apply. Of regression
            (n, k) float64, NaN where it is not known.
        inputs: picture files, not yet decoded; or an array (n, …); or several by name.
        problems: what was left out of `source`, and why.
        groups: (n,) numbers of groups that stay together when the set is divided; None for none.
        notes: what the labels may have been misread for, and what to do, in a sentence each.
        digested: of each example its digest, where it is known beforehand, so that no file is opened for it.
    """

    source: str
    names: tuple[str, ...]
    labelling: Labelling
    targets: tuple[NDArray[Any], ...]
    inputs: tuple[Path, ...] | NDArray[Any] | NamedArrays
    problems: tuple[Problem, ...] = ()
    groups: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()
    digested: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        counts = [len(self.names), len(self.inputs), *map(len, self.targets)]
        if len(set(counts)) > 1 or len(self.targets) != len(self.labelling):
            counted = f"{counts[0]} names, {counts[2:]} labels of each output and {counts[1]} inputs"
            raise ValueError(f"{counted}; expected as many of each")
        if self.groups is not None and (self.groups.shape != (len(self),) or self.groups.dtype != np.int64):
            raise ValueError(f"groups are (n,) int64, not {self.groups.shape} {self.groups.dtype}")
        for output, values in zip(self.labelling, self.targets, strict=True):
            check_targets(output, values)
        if self.labelling.is_single and (self.targets[0] < 0).any():
            raise ValueError(f"labels of a single output are all known: they lie outside 0 to {len(self.classes) - 1}")
        if faults := faults_of_parents(self.labelling, self.targets):
            raise ValueError(f"x[{faults[0][0]}]: {faults[0][1]}")

    @classmethod
    def of_labels(
        cls,
        source: str,
        names: tuple[str, ...],
        labels: NDArray[np.int64],
        classes: tuple[str, ...],
        inputs: tuple[Path, ...] | NDArray[Any] | NamedArrays,
        problems: tuple[Problem, ...] = (),
    ) -> LabelledSet:
        """Examples with one label each: `labels` (n,) are places in `classes`."""
        return cls(source, names, Labelling.of_classes(classes), (labels,), inputs, problems)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        left_out = f"; {len(self.problems)} left out" if self.problems else ""
        if self.labelling.is_single:
            counts = np.bincount(self.labels, minlength=len(self.classes))
            named = shorten([f"{name} ({count})" for name, count in zip(self.classes, counts, strict=True)])
            return f"<LabelledSet {self.source}: {self._inputs}, {len(self.classes)} classes: {named}{left_out}>"
        outputs = "; ".join(
            f"{each.name} ({each.kind} of {len(each.classes)}, {known_rows(values).sum():,} known)"
            for each, values in zip(self.labelling, self.targets, strict=True)
        )
        counted = "1 output" if len(self.labelling) == 1 else f"{len(self.labelling)} outputs"
        return f"<LabelledSet {self.source}: {self._inputs}, {counted}: {outputs}{left_out}>"

    def _repr_html_(self) -> str:
        left_out = f"; {len(self.problems)} left out" if self.problems else ""
        kinds = () if self.labelling.is_single else ("output", "kind")
        rows = [
            (*((output.name, output.kind) if kinds else ()), *cells)
            for output, values in zip(self.labelling, self.targets, strict=True)
            for cells in _counted(output, values)
        ]
        table: Part = ((*kinds, "class", "examples"), rows, ("examples",))
        return as_html([f"{self.source}: {self._inputs}{left_out}", table, *(f"note      {n}" for n in self.notes)])

    @property
    def labels(self) -> NDArray[np.int64]:
        """(n,), places in `classes`, where each example has one class and nothing else.

        Raises:
            DataError: if the set has other labels.
        """
        self._refuse_several("labels")
        return self.targets[0]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, each once, where each example has one class and nothing else.

        Raises:
            DataError: if the set has other labels.
        """
        self._refuse_several("classes")
        return self.labelling.outputs[0].classes

    def with_classes(self, classes: tuple[str, ...]) -> LabelledSet:
        """The same examples with their classes among others, to which they all belong by name; for one softmax output.

        Raises:
            ValueError: if a class is not among them.
        """
        places = np.array([classes.index(name) for name in self.classes], np.int64)
        return replace(
            self, labelling=Labelling.of_classes(classes, self.labelling.names[0]), targets=(places[self.labels],)
        )

    def only(self, *names: str) -> LabelledSet:
        """The same examples with some of the outputs; those of which nothing of these is known are left out.

        Raises:
            DataError: if there is no such output, or one stands under another that is not named.
        """
        unknown = [Problem(name, f"one of {', '.join(self.labelling.names)}", "no such output") for name in names]
        if unknown := [each for each in unknown if each.where not in self.labelling.names]:
            raise DataError(f"{self.source} has other outputs.", unknown)
        places = [self.labelling.place(name) for name in self.labelling.names if name in names]
        try:
            labelling = Labelling(tuple(self.labelling.outputs[place] for place in places))
        except ValueError as error:
            raise DataError(f"These outputs do not go alone: {error}.", next_step="name the parent too") from error
        targets = tuple(self.targets[place] for place in places)
        kept = np.flatnonzero(np.any([known_rows(values) for values in targets], axis=0))
        whole = self.subset(kept)
        return replace(whole, labelling=labelling, targets=tuple(values[kept] for values in targets))

    def renamed(self, name: str) -> LabelledSet:
        """The same with another name for its single output."""
        (output,) = self.labelling.outputs
        return replace(self, labelling=Labelling((replace(output, name=name),)))

    def _refuse_several(self, what: str) -> None:
        if not self.labelling.is_single:
            raise DataError(
                f"{self.source} has the outputs {', '.join(self.labelling.names)}; {what} are of one softmax output.",
                next_step="look at .labelling and .targets",
            )

    @property
    def _inputs(self) -> str:
        if isinstance(self.inputs, tuple):
            return f"{len(self):,} pictures"
        if isinstance(self.inputs, NamedArrays):
            return f"{len(self):,} examples of {self.inputs}"
        return f"{len(self):,} arrays {self.inputs.shape[1:]} {self.inputs.dtype}"

    @property
    def kind(self) -> Literal["images", "arrays"]:
        """Whether the inputs are picture files, or an array or several."""
        return "images" if isinstance(self.inputs, tuple) else "arrays"

    def subset(self, indices: Sequence[int] | NDArray[np.integer]) -> LabelledSet:
        """The examples at `indices`, in that order; classes and problems stay.

        Raises:
            ValueError: if `indices` are not whole numbers.
            IndexError: if one lies outside the set.
        """
        places = np.asarray(indices)
        if places.size and places.dtype.kind not in "iu":
            raise ValueError(f"indices are whole numbers, not {places.dtype}; for a mask use np.flatnonzero(mask)")
        places = places.astype(np.int64)
        names = tuple(self.names[i] for i in places)
        inputs = tuple(self.inputs[i] for i in places) if isinstance(self.inputs, tuple) else self.inputs[places]
        targets = tuple(values[places] for values in self.targets)
        groups = None if self.groups is None else self.groups[places]
        digested = None if self.digested is None else tuple(self.digested[i] for i in places)
        return replace(self, names=names, targets=targets, inputs=inputs, groups=groups, digested=digested)

    def digests(self) -> tuple[str, ...]:
        """32 hex digits of SHA-256 for each example: of a file's bytes, or of a row's type, shape and bytes.

        Raises:
            DataError: if files have gone or cannot be read.
        """
        return digest_examples(self) if self.digested is None else self.digested


def _counted(output: Output, values: NDArray[Any]) -> list[tuple[str, str]]:
    """For each class of an output how many examples have it; of numbers how many are known."""
    if output.kind == "softmax":
        counts = np.bincount(values[values >= 0], minlength=len(output.classes))
    else:
        counts = (~np.isnan(values) if output.kind == "regression" else values == 1).sum(axis=0)
    return [(name, f"{count:,}") for name, count in zip(output.classes, counts, strict=True)]
