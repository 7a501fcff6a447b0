"""Some examples that stand for a set."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from transfer.data.inputs import Examples

Set = TypeVar("Set", bound=Examples)


def draw(examples: Set, most: int, seed: int) -> Set:
    """At most so many examples of a set, in its order.

    Args:
        examples: the set itself comes back where it has no more.
        most: examples.
        seed: the same draws the same.
    """
    if len(examples) <= most:
        return examples
    return examples.subset(np.sort(np.random.default_rng(seed).permutation(len(examples))[:most]))


def draw_stratified(labels: NDArray[np.integer], most: int, seed: int) -> NDArray[np.int64]:
    """Places of about `most` examples, in order: the same share of each class, and at least one of each.

    Args:
        labels: (n,); all places come back where there are no more.
        most: examples.
        seed: the same draws the same.
    """
    if len(labels) <= most:
        return np.arange(len(labels))
    random, chosen = np.random.default_rng(seed), []
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        chosen.append(rows[: max(1, round(len(rows) * most / len(labels)))])
    return np.sort(np.concatenate(chosen))
