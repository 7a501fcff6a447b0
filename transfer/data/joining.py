"""Two labelled sets as one: examples to learn from, and those to test on behind them."""

from __future__ import annotations

from typing import Any

import numpy as np

from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, Problem


def join_sets(data: LabelledSet, test: LabelledSet) -> LabelledSet:
    """All examples of both; the names of the second begin with `test/`.

    Raises:
        DataError: if they have other classes, or do not hold the same kind of examples.
    """
    refuse_other_classes(data, test)
    if data.kind != test.kind:
        raise DataError(
            f"{test.source} holds {test.kind}, {data.source} {data.kind}.",
            next_step="test on the same kind of examples",
        )
    if isinstance(data.inputs, tuple) and isinstance(test.inputs, tuple):
        inputs: Any = (*data.inputs, *test.inputs)
    else:
        ours, theirs = np.asarray(data.inputs), np.asarray(test.inputs)
        if ours.dtype != theirs.dtype or ours.shape[1:] != theirs.shape[1:]:
            raise DataError(
                f"{test.source} holds other arrays than {data.source}.",
                [Problem("x", f"{ours.shape[1:]} {ours.dtype}", f"{theirs.shape[1:]} {theirs.dtype}")],
                next_step="write both alike",
            )
        inputs = np.concatenate([ours, theirs])
    labels = np.concatenate([data.labels, test.labels])
    names = (*data.names, *(f"test/{name}" for name in test.names))
    return LabelledSet(data.source, names, labels, data.classes, inputs)


def refuse_other_classes(data: LabelledSet, test: LabelledSet) -> None:
    """Refuse to test on examples of other classes than those that are learnt.

    Raises:
        DataError: in that case.
    """
    if test.classes != data.classes:
        raise DataError(
            f"{test.source} has other classes than {data.source}.",
            [Problem("classes", ", ".join(data.classes[:8]), ", ".join(test.classes[:8]))],
            "name them alike",
        )
