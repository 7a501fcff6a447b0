"""The probe: every head at its optimum on what goes into it, and what it answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import known_rows
from transfer.labellings import Output
from transfer.specs import Progress, silent
from transfer.surgery.network import Tensors
from transfer.training.labelled_folds import folds_labelled
from transfer.training.labels import Labels, logit_places
from transfer.training.solving import FOLDS
from transfer.training.solving_outputs import SolvedOutput, solve_output

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class HeadInputs:
    """What goes into each head, of n examples.

    Attributes:
        heads: their names, in the order of the outputs.
        values: (n, d) by these.
    """

    heads: tuple[str, ...]
    values: Mapping[str, NDArray[np.float32]] = field(repr=False)

    def solve(
        self,
        labels: Labels,
        places: Places,
        *,
        seed: int,
        groups: NDArray[np.int64] | None = None,
        progress: Progress = silent,
    ) -> tuple[tuple[SolvedOutput, ...], dict[str, NDArray[Any]]]:
        """The heads on some examples, and their tensors.

        Args:
            labels: of all n examples.
            places: of those to learn from.
            seed: of the folds.
            groups: (m,) of these places; examples of one are in one fold.
            progress: told of each C tried.

        Raises:
            DataError: if nothing is known of an output, or a feature is not finite.
        """
        own, solved, tensors = labels[places], list[SolvedOutput](), dict[str, NDArray[Any]]()
        for head, output, values in zip(self.heads, labels.labelling, own.targets, strict=True):
            rows = self.values[head][places]
            found = solve_output(rows, output, values, seed=seed, groups=groups, progress=progress)
            solved.append(found)
            tensors |= {f"{head}/kernel": found.kernel, f"{head}/bias": found.bias}
        return tuple(solved), tensors

    def logits(self, tensors: Tensors) -> NDArray[np.float32]:
        """(n, K) by heads of these tensors."""
        parts = [self.values[head] @ tensors[f"{head}/kernel"] + tensors[f"{head}/bias"] for head in self.heads]
        return np.concatenate(parts, axis=1)

    def logits_of_folds(
        self, labels: Labels, places: Places, *, seed: int, groups: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """(m, K) of some examples, each by heads that are solved on the others of them, without its fold.

        NaN where nothing of an output is known in the other folds.

        Args:
            labels: of all n examples.
            places: (m,) of those to learn from.
            seed: of the folds.
            groups: (m,) of these; examples of one are in one fold.
        """
        own = labels[places]
        folds = folds_labelled(own.labelling, own.targets, FOLDS, seed, groups=groups)
        found = np.full((len(places), labels.units), np.nan, np.float32)
        for fold in np.unique(folds).tolist():
            kept, out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            for head, output, columns, values in self._outputs(own):
                if known_rows(values[kept]).any():
                    rows = self.values[head][places]
                    own_groups = None if groups is None else groups[kept]
                    solved = solve_output(rows[kept], output, values[kept], seed=seed, groups=own_groups)
                    found[out, columns] = rows[out] @ solved.kernel + solved.bias
        return found

    def _outputs(self, labels: Labels) -> Iterator[tuple[str, Output, slice, NDArray[Any]]]:
        return zip(self.heads, labels.labelling, logit_places(labels.labelling), labels.targets, strict=True)


def scaled_heads(
    tensors: Tensors, heads: tuple[str, ...], columns: list[slice], slopes: NDArray[Any], offsets: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    """Kernels and biases of heads whose logits are multiplied and added to.

    Args:
        tensors: as they are.
        heads: names, in the order of the outputs.
        columns: of their logits among all K.
        slopes: (K,).
        offsets: (K,).
    """
    found: dict[str, NDArray[Any]] = {}
    for head, places in zip(heads, columns, strict=True):
        kernel, bias = tensors[f"{head}/kernel"], tensors[f"{head}/bias"]
        found[f"{head}/kernel"] = (kernel * slopes[places]).astype(kernel.dtype)
        found[f"{head}/bias"] = (bias * slopes[places] + offsets[places]).astype(bias.dtype)
    return found
