"""From strong to weak regularisation: the penalties that cross-validation chooses, with warm starts in all folds.

Past the minimum the loss only grows, and weak regularisation costs most: two rises in a row, or a loss clearly above
the least, end the path of an output, which is not looked at any more then: it counts with its last loss. Before a
minimum losses may rise too: where folds hold out groups whose neighbours have other labels, what is learnt first
misleads (by a tenth, for arms of people who moved both alike), and what is learnt later does not. So a path on which
nothing has been learnt yet ends only far above its beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transfer.specs import Progress
from transfer.training.logistic import Array, Heads, Task, held_out_losses, minimise

_ABOUT = 1e-5  # mean error of logits
_CLEARLY = 1.03  # times the least loss
_FAR = 1.25  # likewise, where nothing is learnt
_LEARNT = 0.995  # times the first loss, or less
_TOGETHER = 2**20  # weights of folds that are solved together


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """What was tried.

    Attributes:
        penalty: C of the least loss over all outputs.
        chosen: (1,) for softmax or (k,), C of each output; where one could not be validated, `penalty`.
        start: about the head of these, between the folds.
        log_loss: in nats a validated answer, for each C tried; empty where nothing could be validated.
        accuracy: at `penalty`; None likewise.
    """

    penalty: float
    chosen: Array
    start: Heads
    log_loss: dict[float, float]
    accuracy: float | None


def follow_path(task: Task, penalties: Sequence[float], progress: Progress) -> Path:
    """Try each C.

    Args:
        task: what is learnt; folds are those that hold something out.
        penalties: from strong to weak regularisation.
        progress: told of each C tried.
    """
    count, validated = int(task.held_out.max()) + 1, (task.held_out >= 0).sum(0)
    chosen, start = np.full(validated.shape, np.median(penalties)), Heads.empty(task, 1)
    if count < 2:
        return Path(float(np.median(penalties)), chosen, start, {}, None)
    groups = _groups(count, task.rank * task.outputs)
    heads = [Heads.empty(task, len(group)) for group in groups]
    losses: list[Array] = []
    right: list[NDArray[np.int64]] = []
    least, is_over = np.full(validated.shape, np.inf), validated == 0
    for tried, c in enumerate(penalties):
        heads, lost, hits = _tried(task, groups, heads, c, np.flatnonzero(~is_over))
        losses.append(np.where(is_over, losses[-1] if losses else 0, lost))
        right.append(np.where(is_over, right[-1] if right else 0, hits))
        better = (losses[-1] < least) & ~is_over
        least, chosen = np.where(better, losses[-1], least), np.where(better, c, chosen)
        start = _taken_over(start, heads, better)
        progress("choosing the regularisation", tried + 1, len(penalties))
        is_over |= goes_up(losses, least)
        if is_over.all():
            break
    totals = np.sum(losses, axis=1) / validated.sum()
    best = int(totals.argmin())
    return Path(
        penalty=penalties[best],
        chosen=np.where(validated > 0, chosen, penalties[best]),
        start=start,
        log_loss=dict(zip(penalties, totals.tolist(), strict=False)),
        accuracy=int(right[best].sum()) / int(validated.sum()),
    )


def goes_up(losses: Sequence[Array], least: Array) -> NDArray[np.bool_]:
    """Whether a path has its minimum behind it, by its losses at each C so far and the least of them, (1,) or (k,)."""
    is_learnt = least <= _LEARNT * losses[0]
    is_rising = losses[-1] > _CLEARLY * least
    if len(losses) > 2:
        is_rising |= (losses[-3] < losses[-2]) & (losses[-2] < losses[-1])
    return np.asarray((is_learnt & is_rising) | (losses[-1] > _FAR * least))


def _tried(
    task: Task, groups: Sequence[range], heads: Sequence[Heads], c: float, columns: NDArray[np.intp]
) -> tuple[list[Heads], Array, NDArray[np.int64]]:
    """Heads of all folds at one C, losses and right answers of what they hold out; of some columns of sigmoid alone.

    Args:
        task: what is learnt.
        groups: of folds that are solved together.
        heads: of each group, where the search begins.
        c: the penalty.
        columns: outputs whose paths go on; what is given of others means nothing.
    """
    is_part = not task.is_softmax and len(columns) < task.outputs
    part = task.only(columns) if is_part else task
    made, size = [], task.held_out.shape[1]
    lost, hits = np.zeros(size), np.zeros(size, np.int64)
    own = columns if is_part else np.arange(size)
    for group, each in zip(groups, heads, strict=True):
        start = each.only(columns) if is_part else each
        solved = minimise(part, group, np.full(part.outputs, c), start, _ABOUT)
        losses, right = held_out_losses(part, group, solved)
        lost[own] += losses
        hits[own] += right
        made.append(each.put(columns, solved) if is_part else solved)
    return made, lost, hits


def _groups(count: int, weights: int) -> list[range]:
    """Folds 0 to count - 1, of so many weights each, in groups that are solved together."""
    size = max(1, _TOGETHER // max(1, weights))
    return [range(first, min(first + size, count)) for first in range(0, count, size)]


def _taken_over(start: Heads, heads: Sequence[Heads], better: NDArray[np.bool_]) -> Heads:
    """The mean of the folds' heads in outputs that are better, (1,) or (k,), what was there in the others."""
    weights = np.concatenate([each.weights for each in heads], axis=1).mean(1, keepdims=True)
    bias = np.concatenate([each.bias for each in heads]).mean(0, keepdims=True)
    return Heads(np.where(better, weights, start.weights), np.where(better, bias, start.bias))
