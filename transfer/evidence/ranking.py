"""The examples of one label in the order of its probability, and how many of them stand above each cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.resampling import Floats

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Examples of which a label is known, the most probable first, cut where it makes a difference.

    A cut stands after the last of equally probable examples among which some has the label, so that there are c <= n of
    them. Below a cut, up to the next one, precision only falls.

    Attributes:
        order: (m,), places of the examples.
        starts: where in that order the stretches between cuts begin, and that after the last cut, where there is one.
        positives: (p,), places of those that have the label, in that order.
        positive_starts: (c,), where among these the stretches begin.
        above: (c,), the probability just above each cut.
        below: (c,), that of the next example below it; where there is none, the last one's or 0, whichever is less.
    """

    order: Places
    starts: Places
    positives: Places
    positive_starts: Places
    above: Floats
    below: Floats

    def seen(self, counts: Floats) -> Floats:
        """How many examples stand above each cut, (b, c), where each counts (b, n) times."""
        found = np.add.reduceat(counts[:, self.order], self.starts, axis=1)
        return np.asarray(found[:, : len(self.above)].cumsum(axis=1), np.float64)

    def hits(self, counts: Floats) -> Floats:
        """How many of these have the label, (b, c)."""
        found = np.add.reduceat(counts[:, self.positives], self.positive_starts, axis=1)
        return np.asarray(found.cumsum(axis=1), np.float64)


def rank_label(wanted: NDArray[np.integer[Any]], probabilities: Floats) -> Ranked | None:
    """Put the examples of a label in order; None where none has it.

    Args:
        wanted: (n,), 1, 0 or -1 where not known.
        probabilities: (n,).
    """
    rows = np.flatnonzero(wanted >= 0)
    order = rows[np.argsort(-probabilities[rows], kind="stable")]
    has, falling = wanted[order] == 1, probabilities[order]
    if not has.any():
        return None
    ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))  # of equals
    hits = np.cumsum(has)[ends]
    ends = ends[np.diff(hits, prepend=0) > 0]
    starts = np.append(0, ends + 1)
    padded = np.append(falling, min(0.0, falling[-1]))
    return Ranked(
        order,
        starts if starts[-1] < len(order) else starts[:-1],
        order[has],
        np.append(0, np.cumsum(has)[ends[:-1]]),
        falling[ends],
        padded[ends + 1],
    )
