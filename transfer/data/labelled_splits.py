"""Dividing examples with any labels into some to train on and some to test with, groups of them kept together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.exchanging import exchange_units
from transfer.data.grouping import number_groups, sum_units
from transfer.data.label_columns import LabelColumns, label_columns
from transfer.data.splitting import refuse_small, split_stratified
from transfer.data.stratifying import deal_units, draw_shots, mend_sides
from transfer.errors import DataError, Problem
from transfer.labellings import Labelling

Values = NDArray[Any]
Rows = NDArray[np.int64]


def split_labelled(
    labelling: Labelling,
    targets: Sequence[Values],
    *,
    seed: int,
    groups: Rows | None = None,
    test_share: float = 0.25,
    shots: int | None = None,
    names: Sequence[str] = (),
) -> tuple[Rows, Rows]:
    """Indices to train on and indices to test with, about the same share of every class, label and quarter of numbers.

    One class each and no groups: what `split_stratified` gives, to the bit. Otherwise what is not known counts for
    nothing, whatever two examples have (two groups, where there are groups) stands on both sides where that can be, and
    what one has is learnt from.

    Args:
        labelling: the outputs.
        targets: their labels, of n examples.
        seed: zero or above.
        groups: (n,), numbers of groups that stay together.
        test_share: above 0 and below 1.
        shots: at least that many of each class and label to train on, all others to test with; `test_share` then
            counts for nothing.
        names: of the examples, for messages.

    Returns:
        Two arrays of indices, each sorted; together every example once.

    Raises:
        DataError: if there is nothing to divide, or a class has too few examples for so many shots.
        ValueError: if a number lies outside its range.
    """
    if labelling.is_single and groups is None:
        classes = labelling.outputs[0].classes
        return split_stratified(targets[0], seed=seed, test_share=test_share, shots=shots, classes=classes, names=names)
    if not 0 < test_share < 1 or (shots is not None and shots < 1):
        raise ValueError(f"test_share lies between 0 and 1 and shots is at least 1: {test_share}, {shots}")
    columns = label_columns(labelling, targets)
    units = number_groups(groups, len(targets[0]))
    _refuse_one(units, groups is not None)
    tested = _by_shots(columns, units, shots, seed) if shots else _by_share(columns, units, test_share, seed)
    if tested.all() or not tested.any():
        raise DataError("No example would be left to test on.", next_step="use fewer shots, or add examples")
    return np.flatnonzero(~tested), np.flatnonzero(tested)


def one_sided(labelling: Labelling, targets: Sequence[Values], train: Rows, test: Rows) -> tuple[Problem, ...]:
    """The classes and labels that cannot be learnt, or not be tested, as no example on that side has them."""
    columns = label_columns(labelling, targets)
    learnt, tested = (columns.has[rows, : columns.classes].sum(0).tolist() for rows in (train, test))
    return tuple(
        Problem(name, "examples on both sides", f"{one} to learn from, {other} to test on")
        for name, one, other in zip(columns.names, learnt, tested, strict=False)
        if not (one and other)
    )


def deal(counts: Rows, sizes: Rows, lacking: NDArray[np.float64], room: NDArray[np.float64], seed: int) -> Rows:
    """The part of each unit, dealt and then exchanged: see `deal_units`. Sizes are one more thing to share."""
    parts = deal_units(counts, sizes, lacking, room, seed)
    return exchange_units(np.column_stack([counts, sizes]), parts, np.column_stack([lacking, room]), seed)


def _refuse_one(units: Rows, grouped: bool) -> None:
    if not len(units):
        raise DataError("There is no example to split.")
    if units.max() < 1:
        what = "group" if grouped else "example"
        raise DataError(f"There is one {what} to split.", next_step=f"give more {what}s")


def _by_share(columns: LabelColumns, units: Rows, share: float, seed: int) -> NDArray[np.bool_]:
    """(n,), whether an example is to test with."""
    counts = sum_units(columns.has, units)
    total, having = counts.sum(0), (counts > 0).sum(0)
    mean = np.divide(total, having, out=np.zeros(len(total)), where=having > 0)
    tested = np.where(having > 1, np.clip(total * share, mean, total - mean), 0)  # at least one unit on either side
    shares = np.array([1 - share, share]) * len(units)
    parts = deal(counts, np.bincount(units), np.stack([total - tested, tested]), shares, seed)
    return np.asarray(_fill_both(mend_sides(counts, parts), np.bincount(units))[units] == 1)


def _fill_both(parts: Rows, sizes: Rows) -> Rows:
    """The smallest unit on the other side where one side has none."""
    if 0 < parts.sum() < len(parts):
        return parts
    filled = parts.copy()
    filled[sizes.argmin()] = 1 - parts[0]
    return filled


def _by_shots(columns: LabelColumns, units: Rows, shots: int, seed: int) -> NDArray[np.bool_]:
    """(n,), whether an example is to test with."""
    if not columns.classes:
        raise DataError(
            "Shots count examples of a class, and these are numbers.", next_step="give a test share instead"
        )
    has = columns.has[:, : columns.classes]
    refuse_small(dict(zip(columns.names, has.sum(0).tolist(), strict=False)), shots)
    return np.asarray(~draw_shots(sum_units(has, units), shots, seed)[units])
