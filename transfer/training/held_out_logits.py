"""What a linear head on frozen features says of each example when it has not learnt from it.

The heads of all folds are solved together, at the penalty C that these folds choose.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from transfer.labellings import Labelling
from transfer.specs import Progress, silent
from transfer.training.coordinates import find_coordinates
from transfer.training.labelled_folds import folds_labelled
from transfer.training.logistic import Heads, Task, minimise, sigmoid_loss, softmax_loss
from transfer.training.penalty_paths import follow_path
from transfer.training.solving import FOLDS, PENALTIES, refuse_infinite

_EXACT = 1e-7  # mean error of logits


def held_out_logits(
    features: NDArray[np.floating[Any]],
    labels: NDArray[np.int64],
    *,
    seed: int = 0,
    groups: NDArray[np.int64] | None = None,
    progress: Progress = silent,
) -> NDArray[np.float64]:
    """(n, k), of each example by a head that has not learnt from it; of two classes halves of their one difference.

    Args:
        features: (n, d).
        labels: (n,), each of 0 … k - 1 at least twice, k > 1: of a class with one example nothing is known where it is
            held out.
        seed: of the folds.
        groups: (n,), two of them at least; examples of one are held out together. None where there are none.
        progress: told of each C tried.

    Raises:
        DataError: if a feature is not finite.
        ValueError: if a class, or all groups but one, are missing.
    """
    counts = np.bincount(labels)
    group_count = len(labels) if groups is None else len(np.unique(groups))
    if len(counts) < 2 or counts.min() < 2 or group_count < 2:
        raise ValueError(f"classes with {counts.tolist()} examples in {group_count} groups; expected two at least")
    refuse_infinite(features)
    classes, is_pair = len(counts), len(counts) == 2
    one, count = Labelling.of_classes(tuple(map(str, range(classes)))), min(FOLDS, group_count)
    folds = folds_labelled(one, [labels], count, seed, groups=groups)
    targets, outputs = (labels[:, None] == 1, 1) if is_pair else (labels, classes)
    loss, prior = (sigmoid_loss, 0.5) if is_pair else (softmax_loss, 1 / classes)
    found = np.zeros((len(labels), outputs))
    with threadpool_limits(1):  # as in `solving`
        task = Task(find_coordinates(features), targets, folds[:, None], loss, outputs, prior)
        path = follow_path(task, PENALTIES, progress)
        start = Heads(np.repeat(path.start.weights, count, axis=1), np.repeat(path.start.bias, count, axis=0))
        heads = minimise(task, range(count), path.chosen, start, _EXACT)
        for fold in range(count):
            kernel, bias = task.coordinates.on_features(heads.weights[:, fold], heads.bias[fold])
            found[folds == fold] = features[folds == fold] @ kernel + bias
    return found @ np.array([[-0.5, 0.5]]) if is_pair else found
