"""Examples dealt into folds several times over, the same for all candidates that are to be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.grouping import number_groups
from transfer.errors import DataError, Problem
from transfer.labellings import Labelling
from transfer.training.labelled_folds import folds_labelled

Rows = NDArray[np.int64]
FOLDS = 5
REPEATS = 5


@dataclass(frozen=True, slots=True, eq=False)
class RepeatedFolds:
    """Which examples are tested on when; all others are then learnt from.

    Iterating gives the indices to learn from and those to test on, fold by fold, repeat by repeat.

    Attributes:
        dealt: (r, n), the fold of each example in each of r repeats, 0 to K - 1, none of which is empty.
        units: (n,), the group of each example, from 0 on; each its own where there are none.
    """

    dealt: Rows
    units: Rows

    @property
    def test_sizes(self) -> Rows:
        """(rK,), groups tested on, in the order of iteration: examples of one tell no more than one."""
        first = np.unique(self.units, return_index=True)[1]
        return np.concatenate([np.bincount(folds[first]) for folds in self.dealt])

    @property
    def train_sizes(self) -> Rows:
        """(rK,), groups learnt from."""
        return np.asarray(int(self.units.max()) + 1 - self.test_sizes, np.int64)

    def __len__(self) -> int:
        return len(self.test_sizes)

    def __iter__(self) -> Iterator[tuple[Rows, Rows]]:
        for folds in self.dealt:
            for fold in range(int(folds.max()) + 1):
                yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)


def deal_repeatedly(
    labelling: Labelling,
    targets: Sequence[NDArray[Any]],
    *,
    seed: int,
    folds: int = FOLDS,
    repeats: int = REPEATS,
    groups: Rows | None = None,
) -> RepeatedFolds:
    """Deal examples into folds with about the same share of every class, each time anew.

    Args:
        labelling: the outputs.
        targets: their labels, of n examples.
        seed: zero or above. A repeat has a seed of its own, from this one and its number: more repeats change none of
            the first.
        folds: K, at least 2; fewer where there are fewer examples (or groups) than that.
        repeats: r, at least 1.
        groups: (n,), numbers of groups that stay together.

    Raises:
        DataError: if there are not two examples (or groups), or, of one class each, all of some class are in one fold,
            so that it could not be learnt.
        ValueError: if a number lies outside its range.
    """
    if folds < 2 or repeats < 1:
        raise ValueError(f"at least 2 folds and 1 repeat: {folds}, {repeats}")
    units = number_groups(groups, len(targets[0]))
    count = len(np.unique(units))
    if count < 2:
        what = "examples" if groups is None else "groups (copies count as one)"
        raise DataError(f"Folds need at least two {what}, and there are {count}.", next_step=f"add {what}")
    dealt = np.stack(
        [
            folds_labelled(labelling, targets, min(folds, count), _seed(seed, repeat), groups)
            for repeat in range(repeats)
        ]
    )
    if labelling.is_single:
        _refuse_gathered(labelling, targets[0], dealt, "example" if groups is None else "group")
    return RepeatedFolds(dealt, units)


def _seed(seed: int, repeat: int) -> int:
    return int(np.random.SeedSequence([seed, repeat]).generate_state(1)[0])


def _refuse_gathered(labelling: Labelling, labels: NDArray[Any], dealt: Rows, unit: str) -> None:
    problems = [
        Problem(f"class {name!r}", "examples in at least two folds", f"{int((labels == place).sum())} in one")
        for place, name in enumerate(labelling.outputs[0].classes)
        if (labels == place).any() and (np.ptp(dealt[:, labels == place], axis=1) == 0).any()
    ]
    if problems:
        copies = " (copies count as one)" if unit == "group" else ""
        raise DataError(
            "Some classes cannot be learnt where they are tested.",
            problems,
            next_step=f"give each class at least two {unit}s{copies}, better as many as folds, or leave the class out",
        )
