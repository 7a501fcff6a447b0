"""Two labelled sets as one: examples to learn from, and those to test on behind them."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import numpy as np

from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, Problem
from transfer.labellings import Labelling, show_output
from transfer.tabulating import shorten


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
    targets = tuple(np.concatenate(both) for both in zip(data.targets, test.targets, strict=True))
    names = (*data.names, *(f"test/{name}" for name in test.names))
    return LabelledSet(data.source, names, data.labelling, targets, inputs)


def refuse_other_classes(data: LabelledSet, test: LabelledSet) -> None:
    """Refuse to test on examples of other classes than those that are learnt.

    Raises:
        DataError: in that case.
    """
    if _meanings(test.labelling) == _meanings(data.labelling):
        return
    if data.labelling.is_single and test.labelling.is_single:
        problems = [Problem("classes", shorten(data.classes), shorten(test.classes))]
        raise DataError(f"{test.source} has other classes than {data.source}.", problems, "name them alike")
    pairs = zip_longest(data.labelling, test.labelling)
    shown = [("none" if each is None else show_output(each) for each in pair) for pair in pairs if pair[0] != pair[1]]
    problems = [Problem("output", *each) for each in shown]
    raise DataError(
        f"{test.source} has other outputs than {data.source}.",
        problems,
        "read both by one labelling (--labelling, labelling=…)",
    )


def _meanings(labelling: Labelling) -> list[tuple[object, ...]]:
    """What labels mean, whatever they weigh."""
    return [(each.name, each.kind, each.classes, each.parent, each.under) for each in labelling]
