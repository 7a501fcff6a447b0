"""Average precision: how far up the examples that have a label stand when all are ordered by its probability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from transfer.evidence.ranking import Ranked
from transfer.evidence.resampling import CACHED, Floats, ratio


def average_precisions(ranked: Sequence[Ranked | None], counts: Floats) -> Floats:
    """Sum over the probabilities p of (recall at p - recall at the next higher one) times precision at p.

    Args:
        ranked: examples of each label; None where none has it.
        counts: (b, n), how often each example counts.

    Returns:
        (b, k); NaN where no example has the label.

    Source: Everingham et al. (2010), "The Pascal visual object classes challenge", section 4.2; without interpolation.
    """
    size = max(1, CACHED // counts.shape[1])
    blocks = (counts[start : start + size] for start in range(0, len(counts), size))
    return np.concatenate([np.stack([_of_label(each, block) for each in ranked], axis=1) for block in blocks])


def _of_label(ranked: Ranked | None, counts: Floats) -> Floats:
    if ranked is None:
        return np.full(len(counts), np.nan)
    hits = ranked.hits(counts)
    precision = hits / np.maximum(ranked.seen(counts), 1)  # nothing seen: nothing hit
    return ratio((np.diff(hits, axis=1, prepend=0) * precision).sum(axis=1), hits[:, -1])
