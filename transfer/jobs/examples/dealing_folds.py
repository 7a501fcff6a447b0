"""The examples of a set dealt into repeated folds, copies in one, and what is learnt from in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, Problem
from transfer.evidence.near_duplicates import group_duplicates
from transfer.evidence.repeated_folds import RepeatedFolds, deal_repeatedly
from transfer.tabulating import counted

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class DealtExamples:
    """Which examples are learnt from and which are answered, fold by fold, repeat by repeat, in iterating.

    Attributes:
        folds: of all examples.
        alike: (n,), groups of examples that are in one fold; None for none.
        learnt: (J,), rows that are learnt from in each.
    """

    folds: RepeatedFolds
    alike: Rows | None
    learnt: tuple[Rows, ...]

    @property
    def fewest(self) -> int:
        """Examples that are learnt from in any fold."""
        return min(len(each) for each in self.learnt)

    def __len__(self) -> int:
        return len(self.learnt)

    def __iter__(self) -> Iterator[tuple[Rows, Rows]]:
        for learnt, (_, tested) in zip(self.learnt, self.folds, strict=True):
            yield learnt, tested


def deal_examples(examples: LabelledSet, *, shots: int | None, folds: int, repeats: int, seed: int) -> DealtExamples:
    """Deal examples of one class each.

    Args:
        examples: all of which can be read.
        shots: of each class to learn from; None for all that are not tested on.
        folds: as for `deal_repeatedly`.
        repeats: likewise.
        seed: likewise; draws of later folds follow it.

    Raises:
        DataError: if there are too few.
    """
    alike = group_duplicates(_copies(examples.digests()), len(examples), examples.groups)
    dealt = deal_repeatedly(examples.labelling, examples.targets, seed=seed, folds=folds, repeats=repeats, groups=alike)
    pools = [pool for pool, _ in dealt]
    if shots is not None:
        pools = [draw_shots(examples, pool, shots, seed + number) for number, pool in enumerate(pools)]
    return DealtExamples(dealt, alike, tuple(pools))


def draw_shots(examples: LabelledSet, pool: Rows, shots: int, seed: int) -> Rows:
    """So many rows of each class out of those that are not tested on.

    Raises:
        DataError: if a class has fewer there.
    """
    labels = examples.labels[pool]
    counts = np.bincount(labels, minlength=len(examples.classes))
    lacking = [
        Problem(f"class {name!r}", f"{counted(shots, 'example')} not tested on", str(count))
        for name, count in zip(examples.classes, counts.tolist(), strict=True)
        if count < shots
    ]
    if lacking:
        raise DataError(
            f"{examples.source} has too few examples for {counted(shots, 'shot')} in each fold.",
            lacking,
            "ask for fewer shots, or more folds, of which each then leaves more to learn from",
        )
    order = np.random.default_rng(seed).permutation(pool)
    kinds = examples.labels[order]
    return np.sort(np.concatenate([order[kinds == each][:shots] for each in range(len(examples.classes))]))


def _copies(digests: Sequence[str]) -> Rows:
    """(p, 2) places of examples with the same bytes, each with the first of them."""
    first: dict[str, int] = {}
    pairs = [(first.setdefault(digest, place), place) for place, digest in enumerate(digests)]
    return np.array([pair for pair in pairs if pair[0] != pair[1]], np.int64).reshape(-1, 2)
