"""How often units sit where their activation is flat, streamed over batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.analysis.activation_slopes import FLAT, Response

_BLOCK = 2**18  # numbers that are worked on at a time


@dataclass(frozen=True, slots=True)
class Saturation:
    """What was seen of an activation's input so far. The unit of a convolution is a channel.

    Attributes:
        seen: values of each unit: examples times positions.
        low: (units,), those at the low end, where the activation is flat.
        high: (units,), those at the high end.
        examples: examples seen.
        flat_examples: those for which more than half of all values were flat.
        square_slope: sum over all values of the squared derivative.
    """

    seen: int
    low: NDArray[np.int64] = field(repr=False)
    high: NDArray[np.int64] = field(repr=False)
    examples: int
    flat_examples: int
    square_slope: float

    @classmethod
    def empty(cls, units: int) -> Saturation:
        """Nothing seen of `units` units."""
        none = np.zeros(units, np.int64)
        return cls(0, none, none, 0, 0, 0.0)

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.low)

    @property
    def low_share(self) -> float:
        """Share of all values at the low end, in [0, 1]."""
        return float(self.low.sum() / max(1, self.seen * self.units))

    @property
    def high_share(self) -> float:
        """Share of all values at the high end, in [0, 1]."""
        return float(self.high.sum() / max(1, self.seen * self.units))

    @property
    def example_share(self) -> float:
        """Share of the examples for which more than half of the values were flat, in [0, 1]."""
        return self.flat_examples / max(1, self.examples)

    @property
    def slope(self) -> float:
        """Root mean square of the derivative: what a gradient is multiplied by on its way back, on average.

        Source: Poole et al. (2016), section 3, whose χ is its square times that of the weights.
        """
        return float(np.sqrt(self.square_slope / max(1, self.seen * self.units)))

    @property
    def flat_units(self) -> int:
        """Number of units that were flat on more than half of their values."""
        return int((2 * (self.low + self.high) > self.seen).sum())

    @property
    def stuck(self) -> tuple[int, ...]:
        """Units that were flat for every example at every position: no gradient passes."""
        return tuple(map(int, np.flatnonzero((self.low + self.high == self.seen) & (self.seen > 0))))

    @property
    def dead(self) -> tuple[int, ...]:
        """Units that never left the low end: those of a ReLU that were never active."""
        return tuple(map(int, np.flatnonzero((self.low == self.seen) & (self.seen > 0))))

    @property
    def never_silent(self) -> tuple[int, ...]:
        """Units that were never at the low end: those of a ReLU that did nothing to their input."""
        return tuple(map(int, np.flatnonzero((self.low == 0) & (self.seen > 0))))

    def update(self, inputs: NDArray[Any], response: Response) -> Saturation:
        """These and the numbers of some more examples.

        Args:
            inputs: (n, …, units), before the activation. NaN is flat nowhere.
            response: of the activation.

        Raises:
            ValueError: if the last axis is not of `units`.
        """
        if inputs.ndim < 2 or inputs.shape[-1] != self.units:
            raise ValueError(f"expected (n, …, {self.units}), found {inputs.shape}")
        found, step = self, max(1, _BLOCK // max(1, inputs[:1].size))
        for start in range(0, len(inputs), step):
            found = found.merge(_of_block(inputs[start : start + step], response))
        return found

    def merge(self, other: Saturation) -> Saturation:
        """Both together.

        Raises:
            ValueError: if they are of different numbers of units.
        """
        if self.units != other.units:
            raise ValueError(f"{self.units} units and {other.units}")
        return Saturation(
            self.seen + other.seen,
            self.low + other.low,
            self.high + other.high,
            self.examples + other.examples,
            self.flat_examples + other.flat_examples,
            self.square_slope + other.square_slope,
        )


def _of_block(inputs: NDArray[Any], response: Response) -> Saturation:
    examples, units = len(inputs), inputs.shape[-1]
    low, high = inputs <= response.low, inputs >= response.high
    flat = (low | high).reshape(examples, -1)
    if response.constant:
        square_slope = response.steepest**2 * (flat.size - np.count_nonzero(flat))
    else:
        square_slope = np.nansum(response.slope(inputs).astype(np.float64) ** 2)
    return Saturation(
        seen=inputs.size // max(1, units),
        low=low.reshape(-1, units).sum(0),
        high=high.reshape(-1, units).sum(0),
        examples=examples,
        flat_examples=int((2 * flat.sum(1) > flat.shape[1]).sum()),
        square_slope=float(square_slope),
    )


def confident(probabilities: NDArray[Any]) -> Saturation:
    """Softmax outputs whose entropy is next to nothing, as a `Saturation` of one unit with these at its high end.

    A softmax passes on little where one probability is near 1: its entropy is below `FLAT` of the largest, ln k.

    Args:
        probabilities: (n, …, k), with k of at least 2.

    Source: the Jacobian diag(p) - p pᵀ, which vanishes with the entropy of p.
    """
    p = probabilities.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(p > 0, p * np.log(p), 0.0).sum(-1)
    flat = (entropy < FLAT * np.log(p.shape[-1])).reshape(len(p), -1)
    slopes = (p * (1 - p)).sum(-1)
    return Saturation(
        seen=flat.size,
        low=np.zeros(1, np.int64),
        high=np.array([flat.sum()], np.int64),
        examples=len(p),
        flat_examples=int((2 * flat.sum(1) > flat.shape[1]).sum()),
        square_slope=float((slopes**2).sum()),
    )
