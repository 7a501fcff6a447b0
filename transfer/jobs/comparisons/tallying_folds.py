"""What each way of answering came to over all folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.baseline_comparison import FoldedWay
from transfer.evidence.intervals import wilson_of_groups
from transfer.jobs.students.scoring_answers import Scored


@dataclass(slots=True)
class Tally:
    """What came of all folds so far.

    Attributes:
        examples: n.
        right: (n,) for each way, how often an example was answered rightly.
        shares: of each way, its accuracy on each fold.
    """

    examples: int
    right: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    shares: dict[str, list[float]] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The way that came first."""
        return next(iter(self.shares))

    def take(self, scored: Sequence[Scored], tested: NDArray[np.int64]) -> None:
        """Add a fold."""
        for each in scored:
            if each.score is None:
                continue
            name = each.score.name
            self.right.setdefault(name, np.zeros(self.examples))[tested] += each.right
            self.shares.setdefault(name, []).append(float(each.right.mean()))

    def ways(self, repeats: int, alike: NDArray[np.int64] | None) -> tuple[FoldedWay, ...]:
        """All ways, the best first.

        Args:
            repeats: how often each example was answered.
            alike: (n,), groups of examples; None for none.
        """
        groups = np.arange(self.examples) if alike is None else alike
        found = [
            FoldedWay(name, wilson_of_groups(self.right[name] / repeats, groups), tuple(shares))
            for name, shares in self.shares.items()
        ]
        return tuple(sorted(found, key=lambda each: (-each.accuracy.value, each.name)))
