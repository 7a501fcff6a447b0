"""The simple things that a result must beat, on the same examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.scoring import score_answers
from transfer.results import Score
from transfer.specs import Progress, silent
from transfer.training.solving import solve_head

PIXELS = 32  # images are shrunk to this for the baseline on raw pixels

Labels = NDArray[np.integer[Any]]


def majority_class(train: Labels, test: Labels) -> Score:
    """Always the class that is most frequent in training; of equals, the first."""
    most = int(np.bincount(train).argmax())
    return score_answers("majority class", np.full(len(test), most), test)


def logistic_regression(
    inputs: NDArray[Any],
    train: Labels,
    train_labels: Labels,
    test: Labels,
    test_labels: Labels,
    *,
    classes: int,
    seed: int,
    progress: Progress = silent,
) -> Score:
    """A linear classifier on raw input, regularised by cross-validation like the probe.

    Args:
        inputs: (n, …) raw values of all examples, flattened here.
        train: indices to learn from.
        train_labels: (len(train),).
        test: indices to answer.
        test_labels: (len(test),).
        classes: k.
        seed: of the folds.
        progress: told of each fold.
    """
    flat = inputs.reshape(len(inputs), -1).astype(np.float64)
    head = solve_head(flat[train], train_labels, classes, seed=seed, progress=progress)
    answers = (flat[test] @ head.kernel + head.bias).argmax(1)
    return score_answers("logistic regression on raw input", answers, test_labels)


def shrink_images(images: NDArray[Any]) -> NDArray[Any]:
    """(b, h, w, c) to (b, 32, 32, c) by the mean over cells, of the same type; smaller images stay as they are."""
    rows, columns = (min(PIXELS, size) for size in images.shape[1:3])
    down = np.add.reduceat(
        images, np.linspace(0, images.shape[1], rows, endpoint=False).astype(int), axis=1, dtype=np.float32
    )
    both = np.add.reduceat(down, np.linspace(0, images.shape[2], columns, endpoint=False).astype(int), axis=2)
    cells = _widths(images.shape[1], rows)[:, None] * _widths(images.shape[2], columns)
    means = both / cells[None, :, :, None]
    return np.asarray(np.rint(means) if images.dtype.kind in "iu" else means, images.dtype)


def _widths(size: int, cells: int) -> NDArray[np.float32]:
    return np.diff([*np.linspace(0, size, cells, endpoint=False).astype(int), size]).astype(np.float32)
