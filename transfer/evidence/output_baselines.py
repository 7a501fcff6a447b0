"""The simple things that a result of several outputs must beat, on the same examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.grouping import number_groups
from transfer.data.targets import known, known_rows
from transfer.evidence.baselines import LEARNT_FROM, flat_rows
from transfer.labellings import Output
from transfer.specs import Progress, silent
from transfer.training.batching import Readable
from transfer.training.coordinates import row_blocks
from transfer.training.labels import Labels, logit_places
from transfer.training.solving import FOLDS
from transfer.training.solving_outputs import solve_output

_ANSWERED = 2**21  # numbers at once


def most_frequent(labels: Labels, count: int) -> NDArray[np.float64]:
    """Logits (count, K) of one who only knows how often each class, and each yes, is in training; numbers' means.

    Args:
        labels: of the training examples.
        count: of the examples that are asked.
    """
    parts = [_frequencies(*each) for each in zip(labels.labelling, labels.targets, strict=True)]
    return np.tile(np.concatenate(parts), (count, 1))


def _frequencies(output: Output, values: NDArray[Any]) -> NDArray[np.float64]:
    there = known(values)
    if output.kind == "regression":
        return np.array([each[ok].mean() if ok.any() else 0.0 for each, ok in zip(values.T, there.T, strict=True)])
    if output.kind == "sigmoid":
        yes = (values == 1).sum(0)
        return np.asarray(np.log((yes + 0.5) / (there.sum(0) - yes + 0.5)))
    return np.asarray(np.log(np.bincount(values[there], minlength=len(output.classes)) + 0.5))


@dataclass(frozen=True, slots=True)
class LinearAnswers:
    """What heads on raw input give.

    Attributes:
        logits: (m, K) of the examples that are asked.
        places: of the examples that were learnt from, among those to learn from.
        validated: (len(places), K) of these, each by heads that have not learnt from it; NaN but of labels.
    """

    logits: NDArray[np.float64]
    places: NDArray[np.int64]
    validated: NDArray[np.float64]


def linear_on_inputs(
    inputs: NDArray[Any] | Readable,
    train: NDArray[np.int64],
    labels: Labels,
    test: NDArray[np.int64],
    *,
    seed: int,
    groups: NDArray[np.int64] | None = None,
    progress: Progress = silent,
) -> LinearAnswers:
    """Heads on raw input, regularised by cross-validation like the probe's.

    They learn from `baselines.LEARNT_FROM` examples at the most.

    Args:
        inputs: (n, …) raw values of all examples, or what reads them, a few at a time.
        train: indices to learn from.
        labels: of these.
        test: indices to answer.
        seed: of the folds.
        groups: (len(train),), of which examples of one are in one fold; None where there are none.
        progress: told of each C tried.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(train))[:LEARNT_FROM])
    rows, kernels, biases = flat_rows(inputs, train[chosen]), list[NDArray[Any]](), list[NDArray[Any]]()
    validated = np.full((len(chosen), labels.units), np.nan)
    own, alike = labels[chosen], None if groups is None else groups[chosen]
    for output, places, values in zip(labels.labelling, logit_places(labels.labelling), own.targets, strict=True):
        if not known_rows(values).any():
            kernels.append(np.zeros((rows.shape[1], len(output.classes))))
            biases.append(np.zeros(len(output.classes)))
            continue
        head = solve_output(rows, output, values, seed=seed, groups=alike, progress=progress)
        kernels.append(head.kernel.astype(np.float64))
        biases.append(head.bias)
        if output.kind == "sigmoid":
            validated[:, places] = _by_others(rows, output, values, head.parts[""].penalty, seed, alike)
    kernel, bias = np.concatenate(kernels, axis=1), np.concatenate(biases)
    logits = np.empty((len(test), kernel.shape[1]))
    for block in row_blocks(len(test), rows.shape[1], _ANSWERED):
        logits[block] = flat_rows(inputs, test[block]) @ kernel + bias
    return LinearAnswers(logits, chosen, validated)


def _by_others(
    rows: NDArray[Any],
    output: Output,
    values: NDArray[np.int64],
    penalty: float,
    seed: int,
    groups: NDArray[np.int64] | None,
) -> NDArray[np.float64]:
    """(n, k) logits of labels, each example's by a head on the other folds; NaN where these know nothing."""
    units = number_groups(groups, len(values))
    folds = np.random.default_rng(seed).permutation(int(units.max()) + 1)[units] % FOLDS
    found = np.full(values.shape, np.nan)
    for fold in range(FOLDS):
        kept, out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if known_rows(values[kept]).any():
            head = solve_output(rows[kept], output, values[kept], seed=seed, penalties=(penalty,))
            found[out] = rows[out] @ head.kernel + head.bias
    return found
