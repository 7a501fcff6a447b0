"""Two answers to the same examples, held against each other."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Paired:
    """How two answers to each of some examples differ.

    Attributes:
        first_alone: examples on which the first is right and the second wrong.
        second_alone: the other way round.
        examples: in all.
    """

    first_alone: int
    second_alone: int
    examples: int

    @property
    def p_value(self) -> float:
        """Of McNemar's exact test: how often a coin thrown for each of these examples would part them as unevenly.

        Source: McNemar (1947), with the binomial distribution in the place of the normal one.
        """
        count, fewer = self.first_alone + self.second_alone, min(self.first_alone, self.second_alone)
        part: float = sum(comb(count, each) for each in range(fewer + 1)) / 2**count
        return min(1.0, 2 * part)


def compare_answers(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Paired:
    """Hold two answers to the same examples against each other.

    Args:
        first: (n,), n > 0, whether each is right.
        second: the same of the other.

    Raises:
        ValueError: if there are none, or their numbers differ.
    """
    if first.shape != second.shape or not first.size:
        raise ValueError(f"{first.shape} and {second.shape} answers")
    return Paired(int((first & ~second).sum()), int((second & ~first).sum()), first.size)
