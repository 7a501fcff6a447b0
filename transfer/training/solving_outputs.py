"""Solving the head of one output of a labelling, each kind to the optimum of its objective.

What stands under several classes of a parent is solved within each of them: of an example with another class nothing
is learnt there. A class without an example gets no weights, and as little probability as (n + 1) examples leave it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import UNKNOWN, known_rows
from transfer.errors import DataError, Problem
from transfer.labellings import Output
from transfer.specs import Json, Progress, silent
from transfer.training.solving import PENALTIES, SolvedHead, solve_head, solve_sigmoid_head
from transfer.training.solving_numbers import solve_numbers

Rows = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class SolvedOutput:
    """The optimum for one output.

    Attributes:
        kernel: (d, k).
        bias: (k,).
        parts: what was solved: one under "", or one for each class of the parent with a choice to make.
        validated: what its losses at each penalty are.
    """

    kernel: NDArray[np.float32] = field(repr=False)
    bias: NDArray[np.float32] = field(repr=False)
    parts: Mapping[str, SolvedHead] = field(default_factory=dict)
    validated: str = "cross_validated_log_loss"

    def to_json(self) -> Json:
        """What cross-validation chose and saw, part by part."""
        return {
            name: {
                "penalty": part.penalty,
                "cross_validated_accuracy": part.accuracy,
                self.validated: [[penalty, loss] for penalty, loss in part.log_loss.items()],
            }
            for name, part in self.parts.items()
        }

    def lines(self, name: str) -> list[Json]:
        """For the history, a line for each part; with the name of the output where there is one."""
        return [
            {
                "stage": "probe",
                **({"output": f"{name} under {part}" if part else name} if name else {}),
                "penalty": found.penalty,
                "cross_validated_accuracy": found.accuracy,
            }
            for part, found in self.parts.items()
        ]


def solve_output(
    features: Rows,
    output: Output,
    values: NDArray[Any],
    *,
    seed: int,
    penalties: Sequence[float] = PENALTIES,
    groups: NDArray[np.int64] | None = None,
    progress: Progress = silent,
) -> SolvedOutput:
    """Fit the head of an output.

    Args:
        features: (n, d), that go into it.
        output: which.
        values: its labels.
        seed: of the folds.
        penalties: values of C to choose from, for labels.
        groups: (n,); examples of one are in one fold. None where there are none. Numbers are left out one by one.
        progress: told of each C tried.

    Raises:
        DataError: if nothing is known of it, or a feature is not finite.
    """
    rows = np.flatnonzero(known_rows(values))
    if not len(rows):
        raise DataError(
            f"Nothing is known of the output {output.name!r} where it is learnt.",
            [Problem(output.name, "a known label among the examples to learn from", "none")],
            "leave the output out, or add labels",
        )
    if output.kind == "softmax":
        return _solve_classes(features, output, values, seed, groups, progress)
    if output.kind == "regression":
        head = solve_numbers(features[rows], values[rows])
        return SolvedOutput(head.kernel, head.bias, {"": head}, "left_out_squared_error")
    own = None if groups is None else groups[rows]
    return _solve_labels(features[rows], values[rows], seed, penalties, own, progress)


def _solve_labels(
    features: Rows,
    values: NDArray[np.int64],
    seed: int,
    penalties: Sequence[float],
    groups: NDArray[np.int64] | None,
    progress: Progress,
) -> SolvedOutput:
    """Of yes and no; a label of which nothing is known at all stays at even odds."""
    learnt = np.flatnonzero((values != UNKNOWN).any(0))
    targets = np.where(values == UNKNOWN, np.nan, values)[:, learnt]
    how: dict[str, Any] = {"seed": seed, "penalties": penalties, "groups": groups, "progress": progress}
    head = solve_sigmoid_head(features, targets, **how)
    kernel, bias = np.zeros((features.shape[1], values.shape[1]), np.float32), np.zeros(values.shape[1], np.float32)
    kernel[:, learnt], bias[learnt] = head.kernel, head.bias
    return SolvedOutput(kernel, bias, {"": head})


def _solve_classes(
    features: Rows,
    output: Output,
    values: NDArray[np.int64],
    seed: int,
    groups: NDArray[np.int64] | None,
    progress: Progress,
) -> SolvedOutput:
    kernel = np.zeros((features.shape[1], len(output.classes)), np.float32)
    bias, parts = np.zeros(len(output.classes), np.float32), {}
    for name, places in output.groups:
        inside = np.flatnonzero((values >= places.start) & (values < places.stop))
        labels = values[inside] - places.start
        there = np.unique(labels)
        missing = np.setdiff1d(np.arange(places.stop - places.start), there) + places.start
        own = there + places.start
        if len(there) > 1:
            found = np.searchsorted(there, labels)
            own_groups = None if groups is None else groups[inside]
            parts[name] = solve_head(
                features[inside], found, len(there), seed=seed, groups=own_groups, progress=progress
            )
            kernel[:, own], bias[own] = parts[name].kernel, parts[name].bias
        if len(there):
            bias[missing] = bias[own].max() - np.log(len(inside) + 1)
    return SolvedOutput(kernel, bias, parts)
