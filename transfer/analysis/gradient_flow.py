"""Whether gradients reach the layers of a network, from the gradients of some batches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

# With one rate for all layers, one whose gradient is 100 times smaller beside its weights takes 100 times as many steps
# for the same change. Measured on plain networks and on nine of keras.applications, new and trained: healthy ones lose
# at most 0.5 decades from output to input, sigmoid networks half a decade a layer. New ones of a hundred layers with
# batch normalization, which train well, gain up to 2.1.
STEEP = 2.0  # decades from output to input
STEEP_UP = 3.0  # from input to output
WEAK, STRONG = 1e-4, 1e2  # of the median ratio where the error counts 1; healthy ones lie from 1e-3 to 10
NEGLIGIBLE = 1e-6  # error: about where single precision ends beside probabilities of 1
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class LayerGradient:
    """The gradient of one layer's weights over some batches.

    Attributes:
        layer: its name.
        gradient: norm of a batch's gradient, root mean square over the batches.
        weights: norm of the weights.
        signal_to_noise: squared norm of the mean gradient over the variance between batches, both without bias; NaN
            for a single batch, and where no gradient arrives.
    """

    layer: str
    gradient: float
    weights: float
    signal_to_noise: float

    @property
    def ratio(self) -> float:
        """Norm of the gradient over the norm of the weights; 0 for weights that are all 0."""
        return self.gradient / self.weights if self.weights else 0.0

    @property
    def is_closed(self) -> bool:
        """Whether its weights are all 0 but get a gradient: it lets one pass after the first step."""
        return not self.weights and self.gradient > 0


@dataclass(frozen=True, slots=True)
class GradientFlow:
    """Gradients from the input to the output.

    Attributes:
        layers: in the order of the network.
        decades: by how many powers of ten the ratio grows from the first layer to the last, as the median slope over
            all pairs of layers has it: above 0 it vanishes on its way to the input, below it explodes. Infinite where
            most pairs are of a layer that no gradient reaches and one that some does.
        strength: median of the layers' ratios, divided by the error: the mean norm over the examples of the loss's
            derivative by the logits. NaN where the error is next to nothing, so that there is nothing to judge.
        loss: mean over the batches, in nats an example.
        batches: how many.
    """

    layers: tuple[LayerGradient, ...]
    decades: float
    strength: float
    loss: float
    batches: int

    @property
    def verdict(self) -> Literal["healthy", "vanishing", "exploding", "not finite"]:
        """What becomes of the gradient."""
        ratios = [each.ratio for each in self.layers]
        if not np.isfinite([*ratios, self.loss]).all():
            return "not finite"
        if not self.is_judged:
            return "healthy"
        if self.decades >= STEEP or self.strength < WEAK or self.cut_off:
            return "vanishing"
        if self.decades <= -STEEP_UP or self.strength > STRONG:
            return "exploding"
        return "vanishing" if self.starts_starved else "healthy"

    @property
    def is_judged(self) -> bool:
        """Whether there is an error that gradients could come from."""
        return not math.isnan(self.strength)

    @property
    def starved(self) -> tuple[str, ...]:
        """Layers whose ratio is a hundredth of the last one's or less."""
        judged = judged_of(self.layers)
        limit = judged[-1].ratio * 10**-STEEP if judged else 0.0
        return tuple(each.layer for each in judged if each.ratio <= limit and (each.weights or not each.gradient))

    @property
    def starts_starved(self) -> bool:
        """Whether these are the first layers: one alone may be of another kind, as an embedding is."""
        starved = self.starved
        return len(starved) > 1 and starved == tuple(each.layer for each in self.layers[: len(starved)])

    @property
    def cut_off(self) -> tuple[str, ...]:
        """Layers that no gradient reaches at all, where the last one gets some."""
        if not self.layers or not self.layers[-1].gradient:
            return ()
        return tuple(each.layer for each in judged_of(self.layers) if not each.gradient)

    @property
    def notes(self) -> tuple[str, ...]:
        """Of layers that let gradients pass after the first step, as what was mended does."""
        judged = judged_of(self.layers)
        closed = [each.layer for each in self.layers if each.is_closed]
        waits = any(each not in judged and not each.is_closed for each in self.layers)
        what = "its kernel is 0: gradients reach what is before it after the first step"
        return tuple(f"{layer}: {what}" for layer in closed) if waits else ()


@dataclass(slots=True)
class GradientSums:
    """Sums over the gradients of some batches; `add` changes them.

    Attributes:
        total: for each layer the summed gradients of its weights, in single precision; no other copy is kept.
        squares: for each layer the squared norms of all its weights' gradients, one a batch.
        losses: one a batch.
        errors: one a batch.
    """

    total: dict[str, list[NDArray[np.float32]]] = field(default_factory=dict)
    squares: dict[str, list[float]] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)

    def add(self, gradients: Mapping[str, Sequence[NDArray[Any]]], loss: float, error: float) -> None:
        """Take one batch in.

        Args:
            gradients: of each layer those of its weights, of any shapes.
            loss: mean over its examples.
            error: mean norm of the loss's derivative by the logits.
        """
        for layer, values in gradients.items():
            self.squares.setdefault(layer, []).append(sum(map(_square, values)))
            if layer not in self.total:
                self.total[layer] = [np.array(each, np.float32) for each in values]
                continue
            for total, each in zip(self.total[layer], values, strict=True):
                total += each
        self.losses.append(loss)
        self.errors.append(error)

    def flow(self, weights: Mapping[str, float]) -> GradientFlow:
        """What the batches gave together.

        Args:
            weights: norm of each layer's weights, in the order of the network.
        """
        layers = tuple(
            LayerGradient(layer, float(np.sqrt(np.mean(self.squares[layer]))), norm, self._signal_to_noise(layer))
            for layer, norm in weights.items()
            if layer in self.total
        )
        ratios = [each.ratio for each in judged_of(layers)]
        error = float(np.mean(self.errors)) if self.errors else 0.0
        strength = float(np.median(ratios) / error) if ratios and not error < NEGLIGIBLE else math.nan
        return GradientFlow(layers, decades_of(ratios), strength, float(np.mean(self.losses)), len(self.losses))

    def _signal_to_noise(self, layer: str) -> float:
        """‖E g‖² / tr Cov g, with ‖ḡ‖² - tr Cov / b for the former, at least 0.

        Source: McCandlish et al. (2018), "An empirical model of large-batch training", appendix A.1.
        """
        squares, b = self.squares[layer], len(self.losses)
        if b < 2:
            return float("nan")
        mean_square = sum(map(_square, self.total[layer])) / b**2
        noise = (float(np.mean(squares)) - mean_square) * b / (b - 1)
        if noise <= 0:
            return float("inf") if mean_square else float("nan")
        return max(0.0, mean_square - noise / b) / noise


def judged_of(layers: Sequence[LayerGradient]) -> tuple[LayerGradient, ...]:
    """Without closed layers, and those right before one that no gradient reaches for that reason."""
    kept: list[LayerGradient] = []
    is_waiting = False
    for each in reversed(layers):
        is_waiting = each.is_closed or (is_waiting and not each.gradient)
        if not is_waiting:
            kept.append(each)
    return tuple(reversed(kept))


def _square(values: NDArray[Any]) -> float:
    """Squared norm, in double precision and without a copy."""
    flat = values.reshape(-1)
    return float(np.einsum("i,i->", flat, flat, dtype=np.float64))


def decades_of(ratios: Sequence[float]) -> float:
    """Growth from the first to the last in powers of ten: the median slope over all pairs, times the steps.

    A single layer of another kind does not decide it. Infinite, with its sign, where zeros do.

    Source: Sen (1968), section 2.
    """
    if len(ratios) < 2:
        return 0.0
    logs = np.log10(np.maximum(np.asarray(ratios, np.float64), _TINY))
    slopes = [(logs[j] - logs[i]) / (j - i) for i, j in combinations(range(len(logs)), 2)]
    decades = float(np.median(slopes)) * (len(logs) - 1)
    return decades if abs(decades) < 100 else float(np.copysign(np.inf, decades))
