"""What the nearest of the training examples say, on raw input: a baseline.

Source: Cover & Hart (1967), "Nearest neighbor pattern classification", IEEE Trans. Information Theory 13.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.grouping import number_groups
from transfer.data.sampling import draw_stratified
from transfer.evidence.baselines import LEARNT_FROM, flat_rows
from transfer.specs import Progress, silent
from transfer.training.batching import Readable
from transfer.training.coordinates import row_blocks

NEIGHBOURS = (1, 3, 5, 10, 20)  # numbers of them to choose from
CHOSEN_BY = 2000  # training examples that are asked for that, at the most
_BLOCK = 2**22  # distances at once
_NEARER = 1e-3  # of a vote, which a nearer neighbour has more than the next: it parts equal votes

Labels = NDArray[np.integer[Any]]


def nearest_neighbours(
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
    """Answers (len(test),): the class of most of the k training examples at the least Euclidean distance.

    k is the one that answers most training examples rightly by the others; of equals the least.

    Args:
        inputs: (n, …) raw values of all examples, flattened here; or what reads them, a few at a time.
        train: indices to learn from; of more than `baselines.LEARNT_FROM` some, the same share of each class.
        train_labels: (len(train),).
        test: indices to answer.
        classes: how many there are.
        seed: of what is drawn.
        groups: (len(train),), numbers of groups of training examples that are alike: none of its own group answers for
            an example where k is chosen. None where there are none.
        progress: told of blocks of distances.
    """
    some = draw_stratified(train_labels, LEARNT_FROM, seed)
    raw = flat_rows(inputs, train[some])
    middle = raw.mean(0, dtype=np.float64)  # far from 0, squares in single precision would drown the distances
    rows = _centred(raw, middle)
    labels = np.asarray(train_labels[some], np.int64)
    units = number_groups(None if groups is None else groups[some], len(labels))
    kept = [k for k in NEIGHBOURS if k < len(labels)] or [1]
    asked = draw_stratified(labels, CHOSEN_BY, seed)
    right = np.zeros(len(kept), np.int64)
    for block in row_blocks(len(asked), len(labels), _BLOCK):
        places = asked[block]
        near = _nearest(rows[places], rows, kept[-1], leave_out=units[places][:, None] == units)
        right += [(_vote(labels[near[:, :k]], classes) == labels[places]).sum() for k in kept]
    chosen = kept[int(right.argmax())]
    answers = np.empty(len(test), np.int64)
    for block in row_blocks(len(test), len(labels), _BLOCK):
        near = _nearest(_centred(flat_rows(inputs, test[block]), middle), rows, chosen)
        answers[block] = _vote(labels[near], classes)
        progress("asking neighbours", block.stop, len(test))
    return answers


def _centred(raw: NDArray[Any], middle: NDArray[np.float64]) -> NDArray[np.float32]:
    rows = np.empty(raw.shape, np.float32)
    for block in row_blocks(len(raw), raw.shape[1], _BLOCK):
        rows[block] = raw[block] - middle
    return rows


def _nearest(
    asked: NDArray[np.float32], rows: NDArray[np.float32], count: int, leave_out: NDArray[np.bool_] | None = None
) -> Labels:
    """(m, count) rows that are nearest to what is asked (m, d), the nearest first.

    Args:
        asked: (m, d).
        rows: (n, d).
        count: of neighbours; fewer where there are fewer rows.
        leave_out: (m, n), rows that do not count for it; None for none.
    """
    distances = (rows**2).sum(1) - 2 * asked @ rows.T
    if leave_out is not None:
        distances[leave_out] = np.inf
    return np.argsort(distances, axis=1, kind="stable")[:, :count]


def _vote(near: Labels, classes: int) -> Labels:
    """(m,), the class of most of (m, k) neighbours, of equals the one with nearer ones."""
    votes = np.zeros((len(near), classes))
    for place, found in enumerate(near.T):
        votes[np.arange(len(near)), found] += 1 - _NEARER * place / len(near.T)
    return np.asarray(votes.argmax(1), np.int64)
