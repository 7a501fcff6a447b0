"""Where an activation responds to its input, and where it is flat: read off its derivative."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.specs import Json

FLAT = 0.05  # of the steepest slope: two such layers in a row pass on less than 1/400 of a gradient
_REACH = 30.0  # inputs farther out than this are taken for the tail
_STEP = 0.01
_NOTHING = 1e-6  # of the steepest slope

Values = NDArray[Any]
Derivative = Callable[[Values], Values]


@dataclass(frozen=True, slots=True)
class Response:
    """The range of inputs to which an activation responds.

    Attributes:
        low: at and below it the slope stays under `FLAT` of the steepest; minus infinity where it never does.
        high: likewise at and above it.
        steepest: the largest slope.
        slope: the derivative, of an array.
        squashes: whether it is flat at both ends alike, as a sigmoid is.
        dies: whether it is flat below alone and no gradient passes far below, as in a ReLU; a leaky one passes a little
            on.
        constant: whether the slope is the steepest all over the range and 0 outside.
    """

    low: float
    high: float
    steepest: float
    slope: Derivative
    squashes: bool
    dies: bool
    constant: bool


def response_of(activation: str, options: Mapping[str, Json] | None = None) -> Response | None:
    """How an activation of Keras responds; None for one that is not known here, or that mixes units (softmax).

    Args:
        activation: its name in Keras.
        options: `negative_slope`, `max_value`, `threshold` and `alpha`, where it has them.
    """
    numbers = {key: float(value) for key, value in (options or {}).items() if isinstance(value, int | float)}
    if activation in _RELUS:
        given = _RELUS[activation] | {key: numbers[key] for key in _OF_RELU if key in numbers}
        return _rectifier(**given)
    if activation not in _SLOPES:
        return None
    slope: Derivative = _SLOPES[activation]
    if activation in ("elu", "celu") and "alpha" in numbers:
        slope = partial(_SLOPES[activation], alpha=numbers["alpha"])
    return _response(slope, activation in _SQUASHING)


def _rectifier(negative_slope: float = 0.0, max_value: float = np.inf, threshold: float = 0.0) -> Response:
    """Of three pieces: `negative_slope` up to the threshold, 1, and 0 from the largest value on."""
    slope = partial(_relu, negative_slope=negative_slope, max_value=max_value, threshold=threshold)
    below = abs(negative_slope)
    steepest = max(1.0, below)
    leaks = below >= FLAT * steepest
    return Response(
        -np.inf if leaks else threshold,
        max_value,
        steepest,
        slope,
        squashes=False,
        dies=below < _NOTHING,
        constant=below in (0.0, 1.0),
    )


def _response(slope: Derivative, squashes: bool) -> Response:
    """Found on a grid and by bisection: one rule for all activations that are no rectifiers."""
    grid = np.arange(-round(_REACH / _STEP), round(_REACH / _STEP) + 1) * _STEP
    slopes = np.abs(slope(grid))
    steepest = float(slopes.max())
    steep = np.flatnonzero(slopes >= FLAT * steepest)

    def edge(inside: float, outside: float) -> float:
        for _ in range(60):
            middle = (inside + outside) / 2
            is_steep = abs(float(slope(np.array([middle]))[0])) >= FLAT * steepest
            inside, outside = (middle, outside) if is_steep else (inside, middle)
        return round(outside, 9)

    first, last = int(steep[0]), int(steep[-1])
    low = edge(grid[first], grid[first - 1]) if first else -np.inf
    high = edge(grid[last], grid[last + 1]) if last + 1 < len(grid) else np.inf
    dies = bool(first and not squashes and slopes[0] < _NOTHING * steepest)
    constant = bool((slopes[first : last + 1] == steepest).all() and not slopes[:first].any())
    return Response(float(low), float(high), steepest, slope, squashes, dies, constant)


# Derivatives by the names of keras.activations


def _relu(x: Values, /, *, negative_slope: float = 0.0, max_value: float = np.inf, threshold: float = 0.0) -> Values:
    return np.where(x >= max_value, 0.0, np.where(x > threshold, 1.0, negative_slope))


def _sigmoid(x: Values) -> Values:
    half: Values = np.tanh(x / 2)
    return 0.5 * (1 + half)


def _gelu(x: Values) -> Values:
    """Of `x Φ(x)` in its approximation by tanh, with which the exact one agrees to 0.001.

    Source: Hendrycks & Gimpel (2016), section 2.
    """
    c, d = np.sqrt(2 / np.pi), 0.044715
    inner: Values = np.tanh(c * (x + d * x * x * x))
    slope: Values = 0.5 * (1 + inner) + 0.5 * x * (1 - inner * inner) * c * (1 + 3 * d * x * x)
    return slope


def _silu(x: Values) -> Values:
    s = _sigmoid(x)
    slope: Values = s * (1 + x * (1 - s))
    return slope


def _mish(x: Values) -> Values:
    """Of `x tanh(softplus(x))`. Source: Misra (2019), section 2."""
    t: Values = np.tanh(np.logaddexp(0, x))
    slope: Values = t + x * (1 - t * t) * _sigmoid(x)
    return slope


def _elu(x: Values, *, alpha: float = 1.0) -> Values:
    return np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0)))


def _celu(x: Values, *, alpha: float = 1.0) -> Values:
    return np.where(x > 0, 1.0, np.exp(np.minimum(x, 0) / alpha))


def _selu(x: Values) -> Values:
    """Source: Klambauer et al. (2017), section 2."""
    return 1.0507009873554805 * _elu(x, alpha=1.6732632423543772)


def _within(x: Values, *, edge: float, slope: float) -> Values:
    return np.where(np.abs(x) < edge, slope, 0.0)


_SQUASHING = ("sigmoid", "tanh", "hard_sigmoid", "hard_tanh", "sparse_sigmoid", "softsign")
_RELUS: dict[str, dict[str, float]] = {"relu": {}, "relu6": {"max_value": 6.0}, "leaky_relu": {"negative_slope": 0.2}}
_OF_RELU = ("negative_slope", "max_value", "threshold")
_SLOPES: dict[str, Callable[..., Values]] = {
    "sigmoid": lambda x: _sigmoid(x) * _sigmoid(-x),
    "tanh": lambda x: 1 - np.tanh(x) ** 2,
    "hard_sigmoid": partial(_within, edge=3.0, slope=1 / 6),
    "hard_tanh": partial(_within, edge=1.0, slope=1.0),
    "sparse_sigmoid": partial(_within, edge=1.0, slope=0.5),
    "softsign": lambda x: 1 / (1 + np.abs(x)) ** 2,
    "softplus": _sigmoid,
    "log_sigmoid": lambda x: _sigmoid(-x),
    "elu": _elu,
    "celu": _celu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": _silu,
    "swish": _silu,
    "hard_silu": lambda x: np.where(x <= -3, 0.0, np.where(x >= 3, 1.0, (2 * x + 3) / 6)),
    "hard_swish": lambda x: np.where(x <= -3, 0.0, np.where(x >= 3, 1.0, (2 * x + 3) / 6)),
    "mish": _mish,
}
