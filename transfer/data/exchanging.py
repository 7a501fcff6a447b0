"""Units moved or exchanged between parts for as long as the shares of the parts come closer to those wanted.

With l_pt what part p lacks of thing t, and w_t = 1 / (how much there is of t), the distance is

    D = sum_pt w_t l_pt²

Moving x_t of each thing from part a to part b changes it by 2 sum_t w_t (x_t (l_at - l_bt) + x_t²). Each step takes the
move of one unit, or the exchange of two, by which D falls most.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

STEPS = 200  # at the most
_WORK = 2**23  # multiplications of a step at the most: so many units of a part are tried
_LEAST = 1e-9  # by which D must fall

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Step:
    """A move or an exchange.

    Attributes:
        gain: by how much D falls.
        units: that leave their part; one or two.
        parts: to which each of them goes.
    """

    gain: float
    units: tuple[int, ...]
    parts: tuple[int, ...]


def exchange_units(counts: Counts, parts: Counts, lacking: Floats, seed: int) -> Counts:
    """The parts of units, (u,), changed so that each part has closer to what it should have.

    Args:
        counts: (u, m), how much a unit has of each thing.
        parts: (u,), before.
        lacking: (p, m), how much each part should get in all.
        seed: of the choice among very many units.
    """
    parts, has = parts.copy(), counts.astype(np.float64)
    missing = lacking - np.stack([has[parts == part].sum(0) for part in range(len(lacking))])
    weights = 1 / np.maximum(has.sum(0), 1)
    order = np.random.default_rng(seed).permutation(len(parts))
    tried = int((_WORK / missing.size / len(missing)) ** 0.5)
    for _ in range(STEPS):
        step = _best_step(has, parts, missing, weights, order, max(tried, 2))
        if step is None:
            break
        for unit, part in zip(step.units, step.parts, strict=True):
            missing[parts[unit]] += has[unit]
            missing[part] -= has[unit]
            parts[unit] = part
    return parts


def _best_step(has: Floats, parts: Counts, missing: Floats, weights: Floats, order: Counts, most: int) -> Step | None:
    tried = [order[parts[order] == part][:most] for part in range(len(missing))]
    steps = [
        step
        for a, b in permutations(range(len(missing)), 2)
        if len(tried[a])
        for step in _steps(has, (a, b), tried[a], tried[b], missing[a] - missing[b], weights)
    ]
    best = max(steps, key=lambda step: step.gain, default=None)
    return best if best and best.gain > _LEAST else None


def _steps(
    has: Floats, parts: tuple[int, int], of_a: Counts, of_b: Counts, apart: Floats, weights: Floats
) -> list[Step]:
    """The best move from a to b, and the best exchange, once for the two: `apart` is what a lacks less what b lacks."""
    (a, b), one, other = parts, has[of_a], has[of_b]
    own, others = ((each**2) @ weights for each in (one, other))
    moves = one @ (weights * apart) + own
    first = int(moves.argmin())
    steps = [Step(-2 * float(moves[first]), (int(of_a[first]),), (b,))]
    if a < b and len(of_b):
        backward = others - other @ (weights * apart)
        pairs = moves[:, None] + backward[None] - 2 * (one * weights) @ other.T
        i, j = np.unravel_index(int(pairs.argmin()), pairs.shape)
        steps.append(Step(-2 * float(pairs[i, j]), (int(of_a[i]), int(of_b[j])), (b, a)))
    return steps
