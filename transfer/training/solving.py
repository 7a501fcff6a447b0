"""Solving a linear head on frozen features, to its optimum.

With standardised features z (n, d) a head of k outputs minimises

    sum_i loss(z_i W + b, y_i)  +  |W|^2 / (2 C)

which is convex. The loss is -log softmax(logits)[y] of one class among k (of two classes one difference w is penalised,
|w|^2 / (2 C), and W = (-w/2, w/2)), or the sum of -log sigmoid(±logit) over k independent yes/no outputs. C is chosen
by cross-validated log loss; folds share the standardisation and the rotation (see `coordinates`), which see no label.
Past what is small, features are not copied.

Yes/no outputs have a C each: where some are easy and others noise, as attributes of pictures are, one for all loses
0.03 to 0.05 nats an answer; where all are alike, choosing each for itself loses about 0.01 with fewer than a hundred
examples and 0.002 with hundreds (digits and drawn features, 8 to 10 outputs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from transfer.errors import DataError, Problem
from transfer.labellings import Labelling
from transfer.specs import Progress, silent
from transfer.training.coordinates import find_coordinates, row_blocks
from transfer.training.labelled_folds import folds_labelled
from transfer.training.logistic import UNKNOWN, Task, minimise, sigmoid_loss, softmax_loss
from transfer.training.penalty_paths import follow_path
from transfer.training.stratified_folds import stratified_folds

PENALTIES: tuple[float, ...] = tuple(float(c) for c in np.logspace(-5, 1, 13))
FOLDS = 5
ALWAYS = -2  # in place of a fold: learnt from in every one
_EXACT = 1e-7  # mean error of logits
_CHECKED = 2**20  # numbers at once


@dataclass(frozen=True, slots=True)
class SolvedHead:
    """The optimum, for features as they are.

    Attributes:
        kernel: (d, k).
        bias: (k,).
        penalty: the C that cross-validation chose; of yes/no outputs, what it would choose for all together.
        log_loss: cross-validated, in nats an example (of yes/no outputs, a known answer), for each C tried; empty where
            there were too few examples.
        accuracy: cross-validated, at `penalty`; None where there were too few examples.
        penalties: (k,), C of each yes/no output; empty for softmax.
    """

    kernel: NDArray[np.float32] = field(repr=False)
    bias: NDArray[np.float32] = field(repr=False)
    penalty: float
    log_loss: dict[float, float]
    accuracy: float | None
    penalties: tuple[float, ...] = ()


def solve_head(
    features: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    classes: int,
    *,
    seed: int = 0,
    penalties: Sequence[float] = PENALTIES,
    groups: NDArray[np.int64] | None = None,
    progress: Progress = silent,
) -> SolvedHead:
    """Fit a softmax head.

    Args:
        features: (n, d).
        labels: (n,), each in 0 … classes - 1, every class at least once.
        classes: k.
        seed: of the folds.
        penalties: values of C to choose from.
        groups: (n,); examples of one are in one fold. None where there are none.
        progress: told of each C tried.

    Raises:
        DataError: if a class has no example, or a feature is not finite.
    """
    counts = np.bincount(labels, minlength=classes)
    if len(counts) != classes or (counts == 0).any():
        raise DataError(
            "Some classes have no training example.",
            [Problem(f"class {k}", "at least 1 example", "0") for k in np.flatnonzero(counts == 0)],
        )
    refuse_infinite(features)
    if classes < 2:
        raise DataError("A head needs at least two classes.", [Problem("classes", "at least 2", str(classes))])
    held_out = _folds(labels, seed, groups)[:, None]
    targets = labels if classes > 2 else labels[:, None] == 1
    head = _solve(features, targets, held_out, classes if classes > 2 else 1, penalties, progress)
    if classes == 2:  # one logit; half of it on either side is the same softmax
        halves = np.array([[-0.5, 0.5]], np.float32)
        head = replace(head, kernel=head.kernel @ halves, bias=head.bias @ halves)
    return replace(head, penalties=())


def solve_sigmoid_head(
    features: NDArray[np.floating[Any]],
    targets: NDArray[Any],
    *,
    seed: int = 0,
    penalties: Sequence[float] = PENALTIES,
    groups: NDArray[np.int64] | None = None,
    progress: Progress = silent,
) -> SolvedHead:
    """Fit a head of independent yes/no outputs.

    An output learns nothing from examples whose answer it does not know, and is not validated on them; the features of
    all examples settle the standardisation. An output whose answer is always the same gets no weights, and the bias
    log((yes + 1/2) / (no + 1/2)), which is finite. One with a single yes or no, which cannot be validated, takes the C
    of all together.

    Args:
        features: (n, d).
        targets: (n, k) of 0 and 1, NaN where an answer is not known.
        seed: of the folds.
        penalties: values of C to choose from.
        groups: (n,), as for `solve_head`.
        progress: told of each C tried.

    Raises:
        DataError: if an output has no known answer or another than 0 and 1, or a feature is not finite.

    Source of that bias: Krichevsky & Trofimov (1981), "The performance of universal encoding", IEEE Trans. Information
    Theory 27.
    """
    targets = np.asarray(targets, np.float64)
    known = ~np.isnan(targets)
    _refuse_targets(targets, known)
    refuse_infinite(features)
    yes, count = (targets == 1).sum(0), known.sum(0)
    learnt = np.flatnonzero((yes > 0) & (yes < count))
    kernel = np.zeros((features.shape[1], len(yes)), np.float32)
    bias = np.log((yes + 0.5) / (count - yes + 0.5)).astype(np.float32)
    chosen = np.full(len(yes), np.median(penalties))
    if not len(learnt):
        return SolvedHead(kernel, bias, float(np.median(penalties)), {}, None, tuple(chosen.tolist()))
    held_out = np.full((len(targets), len(learnt)), UNKNOWN)
    for column, output in enumerate(learnt.tolist()):
        rows = np.flatnonzero(known[:, output])
        held_out[rows, column] = _folds(targets[rows, output], seed, None if groups is None else groups[rows])
    head = _solve(features, targets[:, learnt] == 1, held_out, len(learnt), penalties, progress)
    kernel[:, learnt], bias[learnt], chosen[learnt] = head.kernel, head.bias, head.penalties
    return replace(head, kernel=kernel, bias=bias, penalties=tuple(chosen.tolist()))


def _solve(
    features: NDArray[np.floating[Any]],
    targets: NDArray[Any],
    held_out: NDArray[np.int64],
    outputs: int,
    penalties: Sequence[float],
    progress: Progress,
) -> SolvedHead:
    """The head for targets (n,) of softmax, (n, k) of sigmoid; arguments as those of a `Task`."""
    loss, prior = (softmax_loss, 1 / outputs) if targets.ndim == 1 else (sigmoid_loss, 0.5)
    with threadpool_limits(1):  # products with few columns: threads would wait for each other, all the more when busy
        task = Task(find_coordinates(features), targets, held_out, loss, outputs, prior)
        path = follow_path(task, sorted(penalties), progress)
        chosen = path.chosen
        head = minimise(task, [UNKNOWN], chosen, path.start, _EXACT)
        kernel, bias = task.coordinates.on_features(head.weights[:, 0], head.bias[0])
    return SolvedHead(kernel, bias, path.penalty, path.log_loss, path.accuracy, tuple(chosen.tolist()))


def _folds(labels: NDArray[Any], seed: int, groups: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """The fold that holds out each example, (n,), the same share of each class; none where a class has one alone.

    With groups there are no more folds than groups, and none where there is one.
    """
    if groups is not None:
        count = min(FOLDS, len(np.unique(groups)))
        kinds, places = np.unique(labels, return_inverse=True)
        one = Labelling.of_classes(tuple(map(str, range(len(kinds)))))
        dealt = folds_labelled(one, [places.astype(np.int64)], count, seed, groups=groups) if count > 1 else None
        return np.full(len(labels), ALWAYS) if dealt is None else dealt
    folds = min(FOLDS, int(np.unique(labels, return_counts=True)[1].min()))
    return stratified_folds(labels, folds, seed) if folds > 1 else np.full(len(labels), ALWAYS)


def refuse_infinite(features: NDArray[np.floating[Any]]) -> None:
    """Refuse features (n, d) that are not finite.

    Raises:
        DataError: if there are some.
    """
    blocks = row_blocks(len(features), features.shape[1], _CHECKED)
    bad = sum(np.count_nonzero(~np.isfinite(features[block]).all(axis=1)) for block in blocks)
    if bad:
        raise DataError(
            "Some features are not finite.",
            [Problem("features", "finite numbers", f"{bad} of {len(features)} examples with NaN or infinity")],
        )


def _refuse_targets(targets: NDArray[np.float64], known: NDArray[np.bool_]) -> None:
    others = known & (targets != 0) & (targets != 1)
    problems = [Problem(f"output {k}", "at least 1 known answer", "0") for k in np.flatnonzero(~known.any(0))]
    problems += [
        Problem(f"output {k}", "0, 1 or NaN for each example", f"{targets[others[:, k], k][0]:g}")
        for k in np.flatnonzero(others.any(0))
    ]
    if problems:
        raise DataError("Some outputs cannot be learnt.", problems)
