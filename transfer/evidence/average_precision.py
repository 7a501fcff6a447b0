"""Average precision: how far up the examples that have a label stand when all are ordered by its probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.resampling import Floats, ratio


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """The examples of which a label is known, in the order of its probability, the highest first.

    Attributes:
        order: (m,), their places.
        has: (m,), 1.0 where an example has the label and 0.0 where not.
        starts: (g,), where in that order stretches begin, each of which ends with the last of equals among which some
            example has the label; what follows the last one is a stretch too.
        ends: number of the stretches that end so.
    """

    order: NDArray[np.int64]
    has: Floats
    starts: NDArray[np.int64]
    ends: int


def rank(wanted: NDArray[np.integer[Any]], probabilities: Floats) -> Ranked:
    """Put the examples of a label in order: `wanted` (n,) is 1, 0 or -1 where not known, `probabilities` (n,)."""
    rows = np.flatnonzero(wanted >= 0)
    order = rows[np.argsort(-probabilities[rows], kind="stable")]
    has, scores = (wanted[order] == 1).astype(np.float64), probabilities[order]
    lasts = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)) if len(order) else np.empty(0, np.int64)
    hits = np.cumsum(has)[lasts]
    lasts = lasts[np.diff(hits, prepend=0.0) > 0]
    starts = np.append(0, lasts[:-1] + 1) if len(lasts) else lasts
    if len(lasts) and lasts[-1] + 1 < len(order):
        starts = np.append(starts, lasts[-1] + 1)
    return Ranked(order, has, starts, len(lasts))


def average_precision(ranked: Ranked, counts: Floats) -> Floats:
    """Sum over the probabilities p of (recall at p - recall at the next higher one) times precision at p.

    Args:
        ranked: examples of one label.
        counts: (b, n), how often each example counts.

    Returns:
        (b,); NaN where no example has the label.

    Source: Everingham et al. (2010), "The Pascal visual object classes challenge", section 4.2; without interpolation.
    """
    if not ranked.ends:
        return np.full(len(counts), np.nan)
    in_order = counts[:, ranked.order]
    seen = np.add.reduceat(in_order, ranked.starts, axis=1)[:, : ranked.ends].cumsum(axis=1)
    hits = np.add.reduceat(in_order * ranked.has, ranked.starts, axis=1)[:, : ranked.ends]
    found = hits.cumsum(axis=1)
    precision = found / np.maximum(seen, 1)  # nothing seen: nothing hit
    return ratio((hits * precision).sum(axis=1), found[:, -1])
