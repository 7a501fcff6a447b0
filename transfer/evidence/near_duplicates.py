"""Examples that are almost the same: pairs far nearer to each other in feature space than examples of their class are.

Features are standardised, z = (f - mean) / deviation, and the distance of two examples is 1 - cos(z, z'). What is usual
is taken from the examples themselves: of each class the median distance d to the fifth nearest neighbour, which three
copies of a picture do not change. If examples lie evenly, the number of neighbours within a distance grows as its
power g, so that log(d_5 / d_4) of fifth and fourth neighbour has the median log 2 / (4 g), and n examples have

    n / 2 · 5 c^g

pairs nearer than c d by chance. Near is a pair below c d in both its classes, where c is such that this is one half of
a pair, and at most a fifth. Such pairs are held out together. Where examples come in series, road signs in one frame or
playing cards, they are as near to many as to one: so for the pairs that are named d is no more than an example's own
distance to its fifth nearest neighbour, yet no less than a tenth of what is usual. Of six or more versions of a picture
only the very near ones are named then, while all are held out together. Of one or two features that vary nothing is
said: with one all directions are the same two, with two there are many pairs as near to each other as rounding tells.

On the shipped MobileNetV2 (tests/benchmarks/bench_near_duplicates.py), of copies of 20 clip-art pictures those that are
cropped by 4 of 160 pixels or shifted by 3 are all found, of those mirrored 17, of those darkened, rotated by 5 degrees
or stored as JPEG of quality 30 about half, of those scaled to three quarters 4; of the 300 pictures themselves no pair
is near. Of 2,500 pictures of the whole collection, pairs of the same bytes and one series of stars aside, 37 pairs are
near, of which 31 look like one drawing, copied, mirrored or changed a little; without an example's own distance they
were 145, of which 40.

Source of the growth: Levina & Bickel (2004), "Maximum likelihood estimation of intrinsic dimension", NIPS 17.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.resampling import Floats
from transfer.specs import Progress, silent

NEIGHBOURS = 5
_LARGEST = 0.2  # of the distance to the last of these
_BY_CHANCE = 0.5  # pairs
_AMONG_MANY = 0.1  # of what is usual: nearer than c times that is near, however many others are as near
_SAME = 1e-10  # what rounding leaves of 0
FEWEST = 10  # examples of a class, or in all, whose distances say what is usual
MOST = 50_000  # examples that are held against each other: the time grows as the square of their number
_FEATURES = 3  # that vary, at least
_BLOCK = 2**23  # distances at once


@dataclass(frozen=True, slots=True, eq=False)
class NearDuplicates:
    """Pairs that are near, the nearest first.

    Attributes:
        pairs: (p, 2) places, the lower first, that are named: near also beside each example's own surroundings.
        distances: (p,) of these, 0 to 2.
        together: (q, 2), all that are near by what is usual, series of alike examples among them: so near that one may
            confirm the label of the other. The pairs that are named are among them.
        note: what was not looked at; empty if nothing.
    """

    pairs: NDArray[np.int64]
    distances: Floats
    together: NDArray[np.int64]
    note: str = ""


def find_near_duplicates(
    features: NDArray[np.floating[Any]],
    kinds: NDArray[np.integer[Any]],
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> NearDuplicates:
    """Find pairs; memory beside a copy of the features stays bounded. Of fewer than 10 examples nothing is said.

    An example is held against its five nearest ones, so that of more copies some pairs are not named. Of more than
    50,000 examples so many are drawn.

    Args:
        features: (n, d), finite.
        kinds: (n,) class of each, by which it is told what is usual; 0 for all where there are none.
        seed: of that draw.
        progress: told how many examples are done.
    """
    if len(features) > MOST:
        drawn = np.sort(np.random.default_rng(seed).choice(len(features), MOST, replace=False))
        among = find_near_duplicates(features[drawn], kinds[drawn], progress=progress)
        note = f"examples that are almost the same are looked for among {MOST:,} of {len(features):,}, drawn at random"
        return NearDuplicates(drawn[among.pairs], among.distances, drawn[among.together], among.note or note)
    none = np.zeros((0, 2), np.int64)
    if len(features) < FEWEST:
        return NearDuplicates(none, np.zeros(0), none)
    if (features.min(0) < features.max(0)).sum() < _FEATURES:
        note = f"examples that are almost the same are not looked for: fewer than {_FEATURES} features vary"
        return NearDuplicates(none, np.zeros(0), none, note)
    neighbours, distances = _nearest(_directions(features), progress)
    share, usual = _share(distances), _usual(distances[:, -1], kinds)
    own = np.minimum(usual, np.maximum(distances[:, -1], _AMONG_MANY * usual))
    pairs, found = _below(share * own, neighbours, distances)
    return NearDuplicates(pairs, found, _below(share * usual, neighbours, distances)[0])


def _below(
    limits: Floats, neighbours: NDArray[np.int64], distances: NDArray[np.float32]
) -> tuple[NDArray[np.int64], Floats]:
    """Pairs of neighbours (n, 5) that are nearer than the limits (n,) of both, and their distances, rising."""
    limits = np.maximum(_SAME, limits)
    own = np.repeat(np.arange(len(neighbours)), neighbours.shape[1])
    ends = np.sort(np.stack([own, neighbours.ravel()], axis=1), axis=1)
    is_near = distances.ravel() <= np.minimum(limits[ends[:, 0]], limits[ends[:, 1]])
    pairs, first = np.unique(ends[is_near], axis=0, return_index=True)
    found = distances.ravel()[is_near][first].astype(np.float64)
    order = np.argsort(found, kind="stable")
    return pairs[order], found[order]


def group_duplicates(
    pairs: NDArray[np.int64], count: int, groups: NDArray[np.int64] | None
) -> NDArray[np.int64] | None:
    """(n,) groups of examples that are to be held out together: those there are, joined where a pair spans two.

    Args:
        pairs: (p, 2) places.
        count: n.
        groups: (n,); None where each example stands alone.

    Returns:
        None where nothing belongs together.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if groups is None and not len(pairs):
        return None
    numbers = np.arange(count) if groups is None else np.unique(groups, return_inverse=True)[1].reshape(-1)
    ends, size = numbers[pairs], int(numbers.max()) + 1
    links = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(size, size))
    return np.asarray(connected_components(links, directed=False)[1][numbers], np.int64)


def _directions(features: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Standardised features (n, d) of length 1, or 0 where an example is the mean."""
    mean, spread = features.mean(0, dtype=np.float64), features.std(0, dtype=np.float64)
    rows = ((features - mean) * np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)).astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0), np.float32)


def _nearest(rows: NDArray[np.float32], progress: Progress) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The nearest examples of each, (n, 5), and their distances, rising."""
    count, step = min(NEIGHBOURS, len(rows) - 1), max(1, _BLOCK // len(rows))
    places = np.empty((len(rows), count), np.int64)
    found = np.empty((len(rows), count), np.float32)
    for start in range(0, len(rows), step):
        block = np.arange(start, min(start + step, len(rows)))
        distances = 1 - rows[block] @ rows.T
        distances[np.arange(len(block)), block] = np.inf
        near = np.argpartition(distances, count - 1, axis=1)[:, :count]
        own = np.stack([_apart(rows[block], rows[others]) for others in near.T], axis=1)
        order = np.argsort(own, axis=1, kind="stable")
        places[block], found[block] = np.take_along_axis(near, order, 1), np.take_along_axis(own, order, 1)
        progress("comparing examples", int(block[-1]) + 1, len(rows))
    return places, found


def _apart(ones: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) 1 - cos, as |u - v|² / 2 of directions, which rounding leaves right where it is near 0."""
    return np.asarray(np.square(ones - others).sum(1) / 2, np.float32)


def _share(distances: NDArray[np.float32]) -> float:
    """c, of neighbours at these distances (n, 5), rising."""
    last, before = (np.maximum(distances[:, place], _SAME).astype(np.float64) for place in (-1, -2))
    growth = np.log(2) / (NEIGHBOURS - 1) / max(float(np.median(np.log(last / before))), _SAME)
    return min(_LARGEST, float((2 * _BY_CHANCE / (NEIGHBOURS * len(distances))) ** (1 / growth)))


def _usual(distances: NDArray[np.float32], kinds: NDArray[np.integer[Any]]) -> Floats:
    """(n,) median distance within the class of each example; of all where the class is small."""
    usual = np.full(len(kinds), float(np.median(distances)))
    for kind in np.unique(kinds):
        own = kinds == kind
        if own.sum() >= FEWEST:
            usual[own] = np.median(distances[own])
    return usual
