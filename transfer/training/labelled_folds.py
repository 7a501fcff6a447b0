"""Examples with any labels dealt into folds, groups of them kept together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.grouping import number_groups, sum_units
from transfer.data.label_columns import label_columns
from transfer.data.labelled_splits import deal
from transfer.labellings import Labelling
from transfer.training.stratified_folds import stratified_folds


def folds_labelled(
    labelling: Labelling,
    targets: Sequence[NDArray[Any]],
    folds: int,
    seed: int,
    groups: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """The fold of each example, (n,), from 0 to folds - 1, each with about the same share of everything.

    One class each and no groups: what `stratified_folds` gives, to the bit.

    Args:
        labelling: the outputs.
        targets: their labels, of n examples, n > 0.
        folds: at least 1.
        seed: of the choice.
        groups: (n,), numbers of groups that stay together.
    """
    if labelling.is_single and groups is None:
        return stratified_folds(targets[0], folds, seed)
    units = number_groups(groups, len(targets[0]))
    counts = sum_units(label_columns(labelling, targets).has, units)
    lacking, room = np.tile(counts.sum(0) / folds, (folds, 1)), np.full(folds, len(units) / folds)
    return deal(counts, np.bincount(units), lacking, room, seed)[units]
