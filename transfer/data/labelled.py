"""A labelled set: examples, their classes, and what was left out on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from transfer.errors import DataError, Problem
from transfer.tabulating import shorten


@dataclass(frozen=True, slots=True, eq=False)
class LabelledSet:
    """Examples with one label each.

    Attributes:
        source: where they come from, for messages.
        names: one for each example: its path below `source`, '/' between the parts, or `x[17]`.
        labels: (n,), places in `classes`.
        classes: names, each once.
        inputs: picture files, not yet decoded; or an array (n, …).
        problems: what was left out of `source`, and why.
    """

    source: str
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    inputs: tuple[Path, ...] | NDArray[Any]
    problems: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        if self.labels.ndim != 1 or self.labels.dtype != np.int64:
            raise ValueError(f"labels are (n,) int64, not {self.labels.shape} {self.labels.dtype}")
        if not len(self.names) == len(self.labels) == len(self.inputs):
            counts = f"{len(self.names)} names, {len(self.labels)} labels and {len(self.inputs)} inputs"
            raise ValueError(f"{counts}; expected as many of each")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"a class is named twice: {self.classes}")
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
            raise ValueError(f"labels lie outside 0 to {len(self.classes) - 1}")

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        counts = np.bincount(self.labels, minlength=len(self.classes))
        named = shorten([f"{name} ({count})" for name, count in zip(self.classes, counts, strict=True)])
        left_out = f"; {len(self.problems)} left out" if self.problems else ""
        return f"<LabelledSet {self.source}: {self._inputs}, {len(self.classes)} classes: {named}{left_out}>"

    @property
    def _inputs(self) -> str:
        if isinstance(self.inputs, tuple):
            return f"{len(self):,} pictures"
        return f"{len(self):,} arrays {self.inputs.shape[1:]} {self.inputs.dtype}"

    @property
    def kind(self) -> Literal["images", "arrays"]:
        """Whether the inputs are picture files or an array."""
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
        return replace(self, names=names, labels=self.labels[places], inputs=inputs)

    def digests(self) -> tuple[str, ...]:
        """32 hex digits of SHA-256 for each example: of a file's bytes, or of a row's type, shape and bytes.

        Raises:
            DataError: if files have gone or cannot be read.
        """
        if not isinstance(self.inputs, tuple):
            return tuple(_row_digest(np.asarray(row)) for row in self.inputs)
        digests, problems = [], []
        for name, path in zip(self.names, self.inputs, strict=True):
            try:
                with path.open("rb") as stream:
                    digests.append(hashlib.file_digest(stream, "sha256").hexdigest()[:32])
            except OSError as error:
                problems.append(Problem(name, found=error.strerror or str(error)))
        if problems:
            raise DataError(
                f"{len(problems)} of {len(self)} files of {self.source} cannot be read any more.",
                problems,
                "leave the files in place while they are used",
            )
        return tuple(digests)


def _row_digest(row: NDArray[Any]) -> str:
    return hashlib.sha256(f"{row.dtype.str}{row.shape}".encode() + row.tobytes()).hexdigest()[:32]
