"""What one activation does, gathered from the batches that go through it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from transfer.analysis.diagnosis import ActivationReport, InputReport
from transfer.analysis.effective_rank import Scatter
from transfer.analysis.moments import Moments, moments_of_all
from transfer.analysis.responses import Response, response_of
from transfer.analysis.saturation import Saturation, confident
from transfer.graphs.activation_sites import Site

_SOFTMAX = ("softmax", "log_softmax")
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
            before: (n, …, units), what goes into the activation. Positions that are masked count as all others.
            after: (n, …, units), what comes out; of a softmax its own axis is the last.
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
            input_rms=self._entering.rms,
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


def report_input(moments: Moments) -> InputReport:
    """What entered, from the moments of each channel."""
    whole = moments.pooled
    channels = zip(moments.mean.tolist(), moments.std.tolist(), strict=True)
    return InputReport(
        float(whole.mean[0]) if whole.count[0] else math.nan,
        float(whole.std[0]),
        float(whole.low[0]),
        float(whole.high[0]),
        tuple(channels) if moments.units <= _MOST_CHANNELS else (),
    )
