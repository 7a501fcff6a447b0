"""Labels of some examples and what they mean, as training takes them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import known
from transfer.labellings import Labelling
from transfer.weights.digests import digest_json
from transfer.weights.tensor_digests import digest_tensor


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Labels of n examples.

    Attributes:
        labelling: what they mean.
        targets: of each output, as a `LabelledSet` has them.
    """

    labelling: Labelling
    targets: tuple[NDArray[Any], ...]

    @classmethod
    def of_classes(cls, labels: NDArray[np.integer[Any]], classes: int) -> Labels:
        """One class of so many for each example: labels (n,), each in 0 … classes - 1."""
        return cls(Labelling.of_classes(tuple(map(str, range(classes)))), (np.asarray(labels, np.int64),))

    def __len__(self) -> int:
        return len(self.targets[0])

    def __getitem__(self, places: NDArray[np.integer[Any]]) -> Labels:
        return Labels(self.labelling, tuple(values[places] for values in self.targets))

    @property
    def units(self) -> int:
        """Logits of all outputs, K."""
        return sum(len(each.classes) for each in self.labelling)

    def known_shares(self) -> NDArray[np.float32]:
        """(n, outputs), how much of what an output says of each example is known, in [0, 1]."""
        found = [known(values).reshape(len(values), -1).mean(1) for values in self.targets]
        return np.stack(found, axis=1).astype(np.float32)

    def digest(self) -> str:
        """Of the labels, and for several outputs of what they mean."""
        found = [digest_tensor(values) for values in self.targets]
        return found[0] if self.labelling.is_plain else digest_json([found, self.labelling.to_json()])


def as_labels(labels: Labels | NDArray[np.integer[Any]], classes: int) -> Labels:
    """Labels as they are, or those of one output of so many classes."""
    return labels if isinstance(labels, Labels) else Labels.of_classes(labels, classes)


def logit_places(labelling: Labelling) -> list[slice]:
    """Where the logits of each output stand among all, (n, K)."""
    ends = accumulate((len(each.classes) for each in labelling), initial=0)
    return [slice(start, end) for start, end in pairwise(ends)]
