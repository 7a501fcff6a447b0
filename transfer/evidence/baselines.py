"""The simple things that a result must beat, on the same examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.sampling import draw_stratified
from transfer.specs import Progress, silent
from transfer.training.batching import Readable
from transfer.training.coordinates import row_blocks
from transfer.training.solving import solve_head

PIXELS = 32  # images are shrunk to this for the baseline on raw pixels
LEARNT_FROM = 10_000  # examples at the most, by that baseline
_ANSWERED = 2**21  # numbers at once

Labels = NDArray[np.integer[Any]]


def majority_class(train: Labels, count: int) -> NDArray[np.int64]:
    """Answers (count,): always the class that is most frequent in training; of equals, the first."""
    return np.full(count, np.bincount(train).argmax())


def stratified_guess(train: Labels, count: int, *, seed: int) -> NDArray[np.int64]:
    """Answers (count,), drawn as often as the classes are in training."""
    return np.random.default_rng(seed).choice(np.asarray(train, np.int64), count)


def logistic_regression(
    inputs: NDArray[Any] | Readable,
    train: Labels,
    train_labels: Labels,
    test: Labels,
    *,
    classes: int,
    seed: int,
    groups: NDArray[np.int64] | None = None,
    progress: Progress = silent,
) -> NDArray[np.int64]:
    """Answers (len(test),) of a linear classifier on raw input, regularised by cross-validation like the probe.

    It learns from `LEARNT_FROM` examples at the most, the same share of each class: past that it hardly gets better.

    Args:
        inputs: (n, …) raw values of all examples, flattened here; or what reads them, a few at a time.
        train: indices to learn from.
        train_labels: (len(train),).
        test: indices to answer.
        classes: k.
        seed: of the folds.
        groups: (len(train),), of which examples of one are in one fold; None where there are none.
        progress: told of each C tried.
    """
    chosen = draw_stratified(train_labels, LEARNT_FROM, seed)
    rows = flat_rows(inputs, train[chosen])
    own = None if groups is None else groups[chosen]
    head = solve_head(rows, train_labels[chosen], classes, seed=seed, groups=own, progress=progress)
    kernel, answers = head.kernel.astype(np.float64), np.empty(len(test), np.int64)
    for block in row_blocks(len(test), rows.shape[1], _ANSWERED):
        answers[block] = (flat_rows(inputs, test[block]) @ kernel + head.bias).argmax(1)
    return answers


def flat_rows(inputs: NDArray[Any] | Readable, places: Labels) -> NDArray[Any]:
    """Some rows of raw input, each flattened: (len(places), d)."""
    rows = inputs[places] if isinstance(inputs, np.ndarray) else inputs.read(np.asarray(places, np.intp))
    return rows.reshape(len(rows), -1)


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
