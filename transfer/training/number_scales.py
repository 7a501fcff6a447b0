"""Numbers that are learnt, whatever their units: each has mean 0 and standard deviation 1 while it is.

With mean m and standard deviation s over the known examples, v becomes (v - m) / s; in the end a head that gives l for
it gives s l + m, so that its network speaks in units of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import known
from transfer.labellings import Labelling
from transfer.surgery.network import Tensors
from transfer.training.labels import Labels, logit_places
from transfer.training.probing import scaled_heads

_CONSTANT = 1e-12


@dataclass(frozen=True, slots=True)
class NumberScales:
    """Of all outputs; those of classes have mean 0 and spread 1.

    Attributes:
        labelling: of these outputs.
        means: (k,) of each output.
        spreads: likewise.
    """

    labelling: Labelling
    means: tuple[NDArray[np.float64], ...]
    spreads: tuple[NDArray[np.float64], ...]

    @classmethod
    def of(cls, labels: Labels) -> NumberScales:
        """Those of the known labels."""
        means, spreads = [], []
        for output, values in zip(labels.labelling, labels.targets, strict=True):
            mean, spread = np.zeros(len(output.classes)), np.ones(len(output.classes))
            if output.kind == "regression":
                for column, each in enumerate(values.T):
                    there = each[known(each)]
                    if len(there):
                        mean[column], found = there.mean(), there.std()
                        spread[column] = found if found > _CONSTANT * max(1.0, abs(mean[column])) else 1.0
            means.append(mean)
            spreads.append(spread)
        return cls(labels.labelling, tuple(means), tuple(spreads))

    @property
    def _numbers(self) -> list[int]:
        """Places of the outputs of numbers."""
        return [place for place, each in enumerate(self.labelling) if each.kind == "regression"]

    def standardised(self, labels: Labels) -> Labels:
        """The labels with such numbers."""
        targets = list(labels.targets)
        for place in self._numbers:
            targets[place] = (targets[place] - self.means[place]) / self.spreads[place]
        return Labels(labels.labelling, tuple(targets))

    def restored(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, K) with numbers in units of their own."""
        if not self._numbers:
            return logits
        found, places = logits.astype(np.float64), logit_places(self.labelling)
        for place in self._numbers:
            found[:, places[place]] = found[:, places[place]] * self.spreads[place] + self.means[place]
        return found.astype(np.float32)

    def in_heads(self, tensors: Tensors, heads: tuple[str, ...]) -> dict[str, NDArray[Any]]:
        """Kernels and biases of the heads that give numbers, in units of their own."""
        if not self._numbers:
            return {}
        slopes, offsets = np.concatenate(self.spreads), np.concatenate(self.means)
        return scaled_heads(tensors, heads, logit_places(self.labelling), slopes, offsets)
