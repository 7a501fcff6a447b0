"""Units dealt to parts so that each part has its share of everything that units have, several things at a time.

The rarest thing is dealt first, as later there is no choice left: each unit that has it goes to the part that still
lacks most of it.

Source: Sechidis, Tsoumakas & Vlahavas (2011), "On the stratification of multi-label data", section 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_EQUAL = 1e-9

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


def deal_units(counts: Counts, sizes: Counts, lacking: Floats, room: Floats, seed: int) -> Counts:
    """The part to which each unit goes, (u,).

    Args:
        counts: (u, m), how many examples of a unit have each thing.
        sizes: (u,), how many examples each unit is of.
        lacking: (p, m), how many examples with each thing each part should get.
        room: (p,), how many examples it should get in all.
        seed: of the order among equals.
    """
    random = np.random.default_rng(seed)
    lacking, room, left = lacking.copy(), room.copy(), counts.sum(0)
    parts = np.full(len(counts), -1, np.int64)
    order = random.permutation(len(counts))

    def give(unit: int, part: int) -> None:
        parts[unit] = part
        lacking[part] -= counts[unit]
        room[part] -= sizes[unit]

    while left.any():
        rarest = int(np.where(left > 0, left, np.iinfo(np.int64).max).argmin())
        units = order[(parts[order] < 0) & (counts[order, rarest] > 0)]
        for unit in units[np.argsort(-counts[units, rarest], kind="stable")].tolist():
            give(unit, _neediest(lacking[:, rarest], room, random))
        left -= counts[units].sum(0)
    rest = order[parts[order] < 0]
    for unit in rest[np.argsort(-sizes[rest], kind="stable")].tolist():
        give(unit, _neediest(room, room, random))
    return parts


def _neediest(lacking: Floats, room: Floats, random: np.random.Generator) -> int:
    """The part that lacks most; of equals the one with most room, of equals among these any."""
    most = np.flatnonzero(lacking >= lacking.max() - _EQUAL)
    if len(most) > 1:
        most = most[room[most] >= room[most].max() - _EQUAL]
    return int(most[0] if len(most) == 1 else random.choice(most))


def mend_sides(counts: Counts, parts: Counts) -> Counts:
    """Parts 0 and 1 changed so that everything which two units have stands in both, where one unit can be moved for it.

    A unit is moved only where nothing else goes missing by it; of several the one that has fewest things.
    """
    parts, has = parts.copy(), counts > 0
    present = np.stack([has[parts == side].sum(0) for side in (0, 1)])
    for thing in np.argsort(present.sum(0), kind="stable").tolist():
        if present[:, thing].sum() < 2 or present[:, thing].all():
            continue
        giver = int(present[0, thing] == 0)
        units = np.flatnonzero((parts == giver) & has[:, thing])
        free = units[~(has[units] & (present[giver] < 2)).any(1)]
        if len(free):
            unit = free[has[free].sum(1).argmin()]
            parts[unit] = 1 - giver
            present[giver] -= has[unit]
            present[1 - giver] += has[unit]
    return parts


def draw_shots(counts: Counts, shots: int, seed: int) -> NDArray[np.bool_]:
    """(u,), some units that together have everything `shots` times at least, the rarest first.

    Each time the unit is drawn that has least of what there is enough of already, and leaves nothing without a unit if
    that can be.

    Args:
        counts: (u, m), how many examples of a unit have each thing.
        shots: of each thing.
        seed: of the order among equals.
    """
    order, has = np.random.default_rng(seed).permutation(len(counts)), counts > 0
    taken, having, left = np.zeros(len(counts), np.bool_), np.zeros(counts.shape[1], np.int64), has.sum(0)
    for thing in np.argsort(counts.sum(0), kind="stable").tolist():
        units = order[has[order, thing]]
        while having[thing] < shots and not taken[units].all():
            free = units[~taken[units]]
            cost = counts[free] @ (having >= shots) + has[free] @ (left == 1) * (counts.sum() + 1)
            unit = free[cost.argmin()]
            taken[unit] = True
            having += counts[unit]
            left -= has[unit]
    return taken
