"""Few and more labels of the same divisions of a set: more shots hold those of fewer, the test parts stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transfer.data.labelled import LabelledSet
from transfer.data.labelled_splits import split_labelled
from transfer.errors import DataError, Problem
from transfer.tabulating import counted

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class DealtShots:
    """Which examples are learnt from at each number of shots, and which are tested on at all of them.

    Attributes:
        data: the set.
        splits: (to learn from, to test on) of each division; no copy of the former is among the latter.
        shots: that every class has in every division, rising.
        seed: of the first division; the others follow.
        left_out: numbers of shots that cannot be tried, and why.
    """

    data: LabelledSet
    splits: tuple[tuple[Rows, Rows], ...]
    shots: tuple[int, ...]
    seed: int
    left_out: tuple[Problem, ...]

    @property
    def pools(self) -> tuple[int, ...]:
        """Examples of each division that could be learnt from."""
        return tuple(len(train) for train, _ in self.splits)

    def learnt(self, number: int, count: int) -> Rows:
        """Rows that are learnt from in a division with so many shots; those of fewer are among them."""
        return first_of_each(self.data.labels, self.splits[number][0], count, self.seed + number)

    def tested(self, number: int) -> Rows:
        """Rows that are tested on in a division."""
        return self.splits[number][1]


def deal_shots(data: LabelledSet, shots: Sequence[int], *, divisions: int, seed: int, test_share: float) -> DealtShots:
    """Divide a set, and see which numbers of shots can be tried.

    Args:
        data: one class each; groups stay together.
        shots: labels a class, each at least 1.
        divisions: at least 2.
        seed: of the first; the others follow.
        test_share: to test on in each.

    Raises:
        DataError: if no number of shots can be tried.
        ValueError: if a number lies outside its range.
    """
    if divisions < 2 or not shots or min(shots) < 1:
        raise ValueError(f"at least 2 divisions and 1 shot: {divisions}, {shots}")
    digests = data.digests()
    splits = tuple(_divided(data, digests, seed + each, test_share) for each in range(divisions))
    tried, left_out = _possible(sorted(set(shots)), data, [train for train, _ in splits])
    return DealtShots(data, splits, tried, seed, left_out)


def _possible(
    shots: Sequence[int], data: LabelledSet, trains: Sequence[Rows]
) -> tuple[tuple[int, ...], tuple[Problem, ...]]:
    """Numbers of shots that every class has in every division, and what is said of the others.

    Raises:
        DataError: if there is none.
    """
    least = min(int(np.bincount(data.labels[train], minlength=len(data.classes)).min()) for train in trains)
    tried = tuple(each for each in shots if each <= least)
    if not tried:
        raise DataError(
            f"{data.source} has too few examples for {counted(shots[0], 'shot')}.",
            [Problem("smallest class", f"{counted(shots[0], 'example')} to learn from", str(least))],
            "ask for fewer shots, or add examples",
        )
    found = f"the smallest class has {least} to learn from"
    others = (each for each in shots if each > least)
    return tried, tuple(
        Problem(counted(each, "shot"), f"{counted(each, 'example')} of each class", found) for each in others
    )


def _divided(data: LabelledSet, digests: Sequence[str], seed: int, test_share: float) -> tuple[Rows, Rows]:
    """Rows to learn from, and those to test on that are no copies of these."""
    train, test = split_labelled(data.labelling, data.targets, seed=seed, groups=data.groups, test_share=test_share)
    learnt = {digests[place] for place in train}
    return train, np.array([place for place in test if digests[place] not in learnt], np.int64)


def first_of_each(labels: Rows, train: Rows, count: int, seed: int) -> Rows:
    """So many rows of each class, in order; those of a smaller count are among them."""
    order = np.random.default_rng(seed).permutation(train)
    return np.sort(np.concatenate([order[labels[order] == each][:count] for each in np.unique(labels[train])]))
