"""What one activation does, gathered from the batches that go through it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from transfer.analysis.diagnosis import ActivationReport, InputReport
from transfer.analysis.effective_rank import Scatter
from transfer.analysis.moments import Moments
from transfer.analysis.responses import Response, response_of
from transfer.analysis.saturation import Saturation, confident
from transfer.graphs.activation_sites import Site

_SOFTMAX = ("softmax", "log_softmax")
_BLOCK = 2**17  # numbers that are worked on at a time: they stay in the cache
_ROWS = 256  # features that are gathered at a time
_MOST_CHANNELS = 65_536  # of an input, that are reported one by one


@dataclass(slots=True)
class ActivationWatch:
    """Sums over the batches so far; `update` changes them.

    Attributes:
        site: where the activation stands.
        units: of what comes out.
        seed: of the units drawn for the effective rank, where there are very many.
    """

    site: Site
    units: int
    seed: int = 0
    _response: Response | None = field(init=False)
    _saturation: Saturation = field(init=False)
    _entering: Moments = field(init=False)
    _leaving: Moments = field(init=False)
    _scatter: Scatter = field(init=False)
    _waiting: list[NDArray[Any]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._response = response_of(self.site.activation, self.site.options)
        self._saturation = Saturation.empty(self.units if self._response is not None else 1)
        self._entering, self._leaving = Moments.empty(1), Moments.empty(1)
        self._scatter = Scatter.empty(self.units, seed=self.seed)

    def update(self, before: NDArray[Any], after: NDArray[Any]) -> None:
        """Take a batch in.

        Args:
            before: (n, …, units), what goes into the activation.
            after: (n, …, units), what comes out.
        """
        response = self._response
        if response is not None:
            self._saturation = self._saturation.update(before, response)
            if response.squashes or self.site.is_first:
                self._entering = self._entering.merge(moments_of_all(before))
        elif self.site.activation in _SOFTMAX:
            probabilities = np.exp(after) if self.site.activation == "log_softmax" else after
            self._saturation = self._saturation.merge(confident(probabilities))
        self._leaving = self._leaving.merge(moments_of_all(after))
        self._waiting.append(after.reshape(len(after), -1, self.units).mean(axis=1))
        if sum(map(len, self._waiting)) >= _ROWS:
            self._gather()

    def _gather(self) -> None:
        """Many features at once: each time costs a product of the size of the covariance."""
        if self._waiting:
            self._scatter = self._scatter.update(np.concatenate(self._waiting))
            self._waiting.clear()

    def report(self, name: str, weighted: str = "") -> ActivationReport:
        """All that was seen.

        Args:
            name: of the layer, for people.
            weighted: that of the layer whose weights feed it.
        """
        self._gather()
        seen, leaving, response = self._saturation, self._leaving, self._response
        dies = response is not None and response.dies
        role: Literal["hidden", "output", "gate"] = "output" if self.site.is_output else "hidden"
        return ActivationReport(
            layer=name,
            activation=self.site.activation,
            units=self.units,
            low=seen.low_share,
            high=seen.high_share,
            examples=seen.example_share,
            slope=seen.slope if seen.seen else math.nan,
            input_rms=rms_of(self._entering),
            mean=float(leaving.mean[0]),
            std=float(leaving.std[0]),
            kurtosis=float(leaving.kurtosis[0]),
            effective_rank=self._scatter.effective_rank,
            dead=seen.dead if dies else (),
            flat_units=seen.flat_units if response is not None else 0,
            stuck=len(seen.stuck) if response is not None else 0,
            never_silent=len(seen.never_silent) if dies else 0,
            nonfinite=int(leaving.nonfinite[0]),
            role="gate" if self.site.is_gate else role,
            is_first=self.site.is_first,
            squashes=response is not None and response.squashes,
            weighted=weighted,
        )


def moments_of_all(values: NDArray[Any]) -> Moments:
    """The moments of all values of an array as those of one unit; a few times as fast as unit by unit.

    Distances are taken from the mean of each block in the type of the values, and summed in theirs; blocks are merged
    in float64.
    """
    flat, found = np.ascontiguousarray(values).ravel(), Moments.empty(1)
    for start in range(0, len(flat), _BLOCK):
        block = flat[start : start + _BLOCK]
        mean = block.mean(dtype=np.float64)
        if not np.isfinite(mean):  # NaN and infinities are counted there
            found = found.update(block[:, None])
            continue
        distances = block - block.dtype.type(mean)
        off = distances.mean(dtype=np.float64)  # what rounding the mean left
        squares = distances * distances
        m2, m3, m4 = (float(a @ b) for a, b in ((distances, distances), (squares, distances), (squares, squares)))
        n = len(block)
        found = found.merge(
            Moments(
                np.array([n]),
                np.array([block.dtype.type(mean) + off]),
                np.array([m2 - n * off**2]),
                np.array([m3 - 3 * off * m2 + 2 * n * off**3]),
                np.array([m4 - 4 * off * m3 + 6 * off**2 * m2 - 3 * n * off**4]),
                block.min(keepdims=True).astype(np.float64),
                block.max(keepdims=True).astype(np.float64),
                np.zeros(1, np.int64),
            )
        )
    return found


def rms_of(moments: Moments) -> float:
    """Root mean square over all units; NaN where nothing was seen."""
    count = moments.count.sum()
    return float(np.sqrt((moments.m2 + moments.count * moments.mean**2).sum() / count)) if count else math.nan


def report_input(moments: Moments) -> InputReport:
    """What entered, from the moments of each channel."""
    count = moments.count.sum()
    mean = float((moments.count * moments.mean).sum() / count) if count else math.nan
    std = math.sqrt(max(0.0, rms_of(moments) ** 2 - mean**2)) if count else math.nan
    channels = zip(moments.mean.tolist(), moments.std.tolist(), strict=True)
    return InputReport(
        mean,
        std,
        float(moments.low.min(initial=math.inf)),
        float(moments.high.max(initial=-math.inf)),
        tuple(channels) if moments.units <= _MOST_CHANNELS else (),
    )
