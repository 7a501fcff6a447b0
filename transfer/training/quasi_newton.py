"""Limited-memory BFGS on many problems at once, that share each pass over the data but nothing else.

Each has steps, a memory and an end of its own, so none waits for a line search of another, and the number of passes is
what the hardest of them needs. One optimiser over their sum, as it would be with scipy, takes more passes, and more
time between them than they take.

Source: Nocedal & Wright (2006), "Numerical Optimization", 2nd ed., algorithms 7.4 (two-loop recursion) and 3.1
(backtracking); near the optimum, where losses differ by no more than rounding, a step is taken by its slopes instead:
Hager & Zhang (2005), "A new conjugate gradient method with guaranteed descent", SIAM J. Optim. 16, eq. 4.1.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Objective = Callable[[Array], tuple[Array, Array]]

_MEMORY = 10  # pairs of steps and changes of slopes
_ENOUGH = 1e-4  # of the decrease that the slope promises
_ROUNDING = 1e-10  # of a loss
_SHORTEST = 1e-8  # of the first step tried, before a problem is left where it is
_PASSES = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """What one pass taught each problem; zero where it took no step.

    Attributes:
        step: (r, f, k).
        change: of the slopes, (r, f, k).
        scale: 1 / their product, by problem.
        length: their product / the square of the change, by problem: about 1 / curvature.
    """

    step: Array
    change: Array
    scale: Array
    length: Array


def minimise_each(objective: Objective, start: Array, axes: tuple[int, ...], tolerance: float) -> Array:
    """The minimum of each of several smooth convex functions.

    Args:
        objective: gives the losses of all, of the shape of `start` with 1 along `axes`, and their slopes, like `start`.
        start: (r, f, k), in units in which each function curves by about 1.
        axes: along which the variables of one function lie.
        tolerance: the largest slope at which one is at its minimum.
    """
    here, (losses, slopes) = start, objective(start)
    pairs: deque[_Pair] = deque(maxlen=_MEMORY)
    ways, lengths = -slopes, np.ones_like(losses)
    is_over = np.abs(slopes).max(axes, keepdims=True) <= tolerance
    for _ in range(_PASSES):
        if is_over.all():
            break
        promised = _product(ways, slopes, axes)
        steps = np.where(is_over, 0, lengths) * ways
        found, found_slopes = objective(here + steps)
        is_taken = ~is_over & (
            (found <= losses + _ENOUGH * lengths * promised)
            | ((found <= losses + _ROUNDING * np.abs(losses)) & (_product(ways, found_slopes, axes) <= -0.8 * promised))
        )
        shorter = _shorter(lengths, found - losses, promised)
        here = here + np.where(is_taken, steps, 0)
        pairs.append(_pair(np.where(is_taken, steps, 0), np.where(is_taken, found_slopes - slopes, 0), axes))
        losses, slopes = np.where(is_taken, found, losses), np.where(is_taken, found_slopes, slopes)
        ways = np.where(is_taken, _towards_minimum(slopes, pairs, axes), ways)
        lengths = np.where(is_taken, 1, shorter)
        is_over |= (np.abs(slopes).max(axes, keepdims=True) <= tolerance) | (lengths < _SHORTEST)
    return here


def _towards_minimum(slopes: Array, pairs: deque[_Pair], axes: tuple[int, ...]) -> Array:
    """Against the slopes, by the inverse curvature that the pairs tell of."""
    way, length, weights = -slopes, np.ones_like(pairs[0].scale), []
    for pair in reversed(pairs):
        weight = pair.scale * _product(pair.step, way, axes)
        way -= weight * pair.change
        weights.append(weight)
    for pair in pairs:
        length = np.where(pair.scale > 0, pair.length, length)
    way *= length
    for pair in pairs:
        way += (weights.pop() - pair.scale * _product(pair.change, way, axes)) * pair.step
    return way


def _pair(step: Array, change: Array, axes: tuple[int, ...]) -> _Pair:
    product, square = _product(step, change, axes), _product(change, change, axes)
    is_known = (product > 0) & (square > 0)
    safe, safe_square = np.where(is_known, product, 1), np.where(is_known, square, 1)
    return _Pair(step, change, is_known / safe, np.where(is_known, safe / safe_square, 1))


def _shorter(lengths: Array, risen: Array, promised: Array) -> Array:
    """Where the parabola through what was seen is least, a tenth to a half of the step tried."""
    missed = np.maximum(risen - lengths * promised, np.finfo(float).tiny)
    with np.errstate(over="ignore"):
        least = -promised * lengths**2 / (2 * missed)
    return np.asarray(np.clip(least, 0.1 * lengths, 0.5 * lengths))


def _product(a: Array, b: Array, axes: tuple[int, ...]) -> Array:
    """Of the variables of each function, with 1 along `axes`."""
    product: Array = np.einsum("rfk,rfk->fk", a, b)[None]
    return product.sum(2, keepdims=True) if 2 in axes else product
