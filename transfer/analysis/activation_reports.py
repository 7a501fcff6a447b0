"""What one activation does, gathered from the batches that go through it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from transfer.analysis.activation_slopes import Response, response_of
from transfer.analysis.effective_rank import Scatter
from transfer.analysis.moments import Moments, moments_of_all
from transfer.analysis.saturation import Saturation, confident
from transfer.graphs.activation_sites import Site

_SOFTMAX = ("softmax", "log_softmax")
_ROWS = 256  # features that are gathered at a time


@dataclass(frozen=True, slots=True)
class ActivationReport:
    """One activation while all examples went through it. The unit of a convolution is a channel.

    Attributes:
        layer: its layer, or the one that holds it; the second call of a shared one is `name (2)`.
        activation: its name in Keras.
        units: of them all that follows speaks.
        low: share of the values at the low end, where it is flat, in [0, 1]; for ReLU those that are not active.
        high: share at the high end, likewise; for softmax answers without doubt.
        examples: share of the examples for which more than half of the values were flat.
        slope: root mean square of the derivative.
        input_rms: root mean square of what goes in; NaN where it was not looked at.
        mean: of what comes out, over all units.
        std: likewise.
        kurtosis: likewise, 0 for a Gaussian; NaN where nothing varies.
        effective_rank: of what comes out, averaged over positions: at most the units or the examples less one.
        dead: units that never left the flat low end; none where a little gradient passes there.
        flat_units: number of units that were flat on more than half of their values.
        stuck: number of units that were flat on every value.
        never_silent: number of units that never were at the low end.
        nonfinite: number of values that are NaN or infinite.
        role: `hidden`, `output` of the network, or `gate`, which is only multiplied with something else.
        is_first: whether it is fed by the input through one layer alone.
        squashes: whether it is flat at both ends alike, as a sigmoid is.
        weighted: the layer with weights that feeds it; empty where there is none, or several.
    """

    layer: str
    activation: str
    units: int
    low: float
    high: float
    examples: float
    slope: float
    input_rms: float
    mean: float
    std: float
    kurtosis: float
    effective_rank: float
    dead: tuple[int, ...]
    flat_units: int
    stuck: int
    never_silent: int
    nonfinite: int
    role: Literal["hidden", "output", "gate"]
    is_first: bool
    squashes: bool
    weighted: str = ""

    @property
    def saturated(self) -> float:
        """Share of the values that are saturated: both ends of a sigmoid, the upper one of a ReLU."""
        return self.low + self.high if self.squashes else self.high


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
