"""Some examples that stand for a set."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

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
