"""What examples have, side by side over all outputs: the columns of which parts of a set should have equal shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import UNKNOWN
from transfer.labellings import Labelling, Output

Values = NDArray[Any]
_QUARTERS = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True, eq=False)
class LabelColumns:
    """Which examples have what.

    Attributes:
        names: (m,), `tags: loud`; of one output alone, `class 'loud'`.
        has: (n, m), whether an example has it; what is not known nobody has.
        classes: number of the first columns that are classes and labels. After them stand the noes of labels that are
            not known of all examples, and the quarters of numbers.
    """

    names: tuple[str, ...]
    has: NDArray[np.bool_]
    classes: int


def label_columns(labelling: Labelling, targets: Sequence[Values]) -> LabelColumns:
    """Classes and labels of all outputs, then what else should be shared out evenly."""
    pairs = list(zip(labelling, targets, strict=True))
    classes = [each for output, values in pairs for each in _classes(output, values, alone=len(labelling) == 1)]
    others = [each for output, values in pairs for each in _others(output, values)]
    columns = [*classes, *others]
    has = np.stack([each for _, each in columns], axis=1) if columns else np.zeros((len(targets[0]), 0), np.bool_)
    return LabelColumns(tuple(name for name, _ in columns), has, len(classes))


def _classes(output: Output, values: Values, *, alone: bool) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    if output.kind == "regression":
        return
    for place, name in enumerate(output.classes):
        has = values == place if output.kind == "softmax" else values[:, place] == 1
        yield f"class {name!r}" if alone else f"{output.name}: {name}", has


def _others(output: Output, values: Values) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for place, name in enumerate(output.classes):
        if output.kind == "sigmoid" and (values[:, place] == UNKNOWN).any():
            yield f"{output.name}: not {name}", values[:, place] == 0
        if output.kind == "regression":
            yield from _quarters(f"{output.name}: {name}", values[:, place])


def _quarters(name: str, numbers: Values) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Which numbers lie in which quarter of those that are known; fewer where many are equal."""
    known = np.isfinite(numbers)
    if not known.any():
        return
    edges = np.unique(np.quantile(numbers[known], _QUARTERS))
    quarters = np.searchsorted(edges, numbers, side="left")  # NaN comes last
    for quarter in np.unique(quarters[known]).tolist():
        yield f"{name}, part {quarter + 1}", known & (quarters == quarter)
