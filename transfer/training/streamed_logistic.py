"""Logistic heads on features that are too many for the memory: those of `solving`, by passes over the disk.

Objective, folds and penalties are the same, and so is the way: from strong to weak regularisation the heads of all
folds go on side by side from where they were, each without what its fold holds out, until losses only grow; then one
head of all examples from between them. A pass serves all folds. Where `solving` asks for heads to the seventh digit,
these are as exact as `_MANY` says: what more passes would change is far less than what so many examples leave open.
Where they are few beside the features, weak penalties leave heads that are far from their optimum and yet have small
slopes, and do the better for it, so that the wrong one would be chosen: there they are as exact as in memory.

Source: Liu & Nocedal (1989), "On the limited memory BFGS method for large scale optimization", Math. Programming 45;
each of its evaluations is a pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from transfer.placing import placed_file
from transfer.specs import Progress, silent
from transfer.training.logistic import UNKNOWN, Array, Heads, Loss, Task, held_out_losses, minimise
from transfer.training.penalty_paths import goes_up
from transfer.training.streamed_coordinates import StreamedCoordinates

_FEW = 16  # examples a feature
_MANY: tuple[float, tuple[float, ...]] = (
    2e-3,
    (1e-2, 1e-3, 1e-4),
)  # mean error of logits: of heads that choose, and of the head, stop by stop
_OF_FEW: tuple[float, tuple[float, ...]] = (1e-5, (1e-2, 1e-3, 1e-5, 1e-7))
_PARTS = ("weights", "bias")


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """What the passes came to.

    Attributes:
        kernel: (d, k), for features as they are.
        bias: (k,).
        penalty: the C that is best for all outputs together.
        penalties: (1,) or (k,), C of each.
        log_loss: of held-out examples in nats, for each C tried.
        accuracy: of them, at `penalty`.
        passes: over all examples.
        without: (kernel, bias) of the heads that have not seen their fold, at `penalties`.
        resumed: whether it went on from a state.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    penalty: float
    penalties: Array
    log_loss: dict[float, float]
    accuracy: float
    passes: int
    without: list[tuple[NDArray[np.float32], NDArray[np.float32]]]
    resumed: bool


def learn_streamed(
    coordinates: StreamedCoordinates,
    targets: NDArray[Any],
    loss: Loss,
    folds: NDArray[np.int64],
    penalties: Sequence[float],
    *,
    outputs: int,
    state: Path | None = None,
    progress: Progress = silent,
) -> Chosen:
    """Choose C by folds, and learn on all.

    Args:
        coordinates: of m examples.
        targets: (m,) classes for softmax, (m, k) of yes and no for sigmoid.
        loss: `softmax_loss` or `sigmoid_loss`.
        folds: (m,) the fold that holds out each; one below 0 is learnt from always.
        penalties: values of C, one or more.
        outputs: k.
        state: a file that says after each C where it stands, from which it goes on; None for none.
        progress: told of each C tried.

    Raises:
        DataError: if rows have gone from the disk.
        OutputError: if the state cannot be written.
    """
    apart = 1 if targets.ndim == 1 else outputs
    held_out = np.broadcast_to(folds[:, None], (len(folds), apart))
    task = Task(coordinates, targets, held_out, loss, outputs, 1 / outputs if targets.ndim == 1 else 0.5)
    with threadpool_limits(1):  # as in `solving`
        path = _Path(task, coordinates, int(folds.max()) + 1, state)
        path.follow(sorted(penalties), progress)
        head = path.solve()
    totals = np.sum(path.losses, axis=1) / (np.count_nonzero(folds >= 0) * apart)
    shared = int(totals.argmin())
    tried = sorted(penalties)[: len(totals)]
    right = float(path.right[shared].sum()) / (np.count_nonzero(folds >= 0) * apart)
    (whole,), without = _on_features(task, head), _on_features(task, path.best)
    log_loss = dict(zip(tried, totals.tolist(), strict=True))
    return Chosen(*whole, tried[shared], path.chosen, log_loss, right, path.passes, without, path.resumed)


def has_many(examples: int, width: int) -> bool:
    """Whether there are so many examples for `width` features that heads need no great precision."""
    return examples > _FEW * width


def _on_features(task: Task, heads: Heads) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    folds = range(len(heads.bias))
    return [task.coordinates.on_features(heads.weights[:, fold], heads.bias[fold]) for fold in folds]


class _Path:
    """Heads from strong to weak regularisation; a is 1 for softmax, k for sigmoid.

    Attributes:
        losses: of what is held out, their sums (a,) at each C so far.
        right: (a,) likewise, how many answers are right.
        chosen: (a,), C of the least loss so far.
        best: the folds' heads at that.
        passes: so far, those of a process before this one too.
        resumed: whether it went on from a state.
    """

    def __init__(self, task: Task, coordinates: StreamedCoordinates, folds: int, state: Path | None) -> None:
        """Begin at zero, or where a state says that it stood.

        Args:
            task: what is learnt.
            coordinates: of it.
            folds: how many hold something out.
            state: the file that says where it stands; None for none.
        """
        self._task, self._coordinates, self._folds, self._state = task, coordinates, range(folds), state
        self.losses: list[Array] = []
        self.right: list[NDArray[np.int64]] = []
        self.chosen = np.zeros(task.held_out.shape[1])
        self.best = self._heads = Heads.empty(task, folds)
        self._solved, self._reached = (
            Heads.empty(task, 1),
            0,
        )  # the head of all examples, and how many tolerances it met
        are_many = has_many(len(coordinates), len(coordinates.mean))
        self._choosing, self._solving = _MANY if are_many else _OF_FEW
        self.passes = 0
        self.resumed = self._read()

    def follow(self, penalties: Sequence[float], progress: Progress) -> None:
        """Try one C after another, in rising order, as long as it is worth it."""
        while len(self.losses) < len(penalties) and not self._is_over():
            c, before = penalties[len(self.losses)], self._coordinates.passes
            self._heads = minimise(self._task, self._folds, np.full(self._task.outputs, c), self._heads, self._choosing)
            losses, right = held_out_losses(self._task, self._folds, self._heads)
            self._take(c, losses, right)
            self.passes += self._coordinates.passes - before
            self._write()
            progress("choosing the regularisation", len(self.losses), len(penalties))

    def solve(self) -> Heads:
        """The head of all examples, each output at its C."""
        if not self._reached:
            self._solved = Heads(self.best.weights.mean(1, keepdims=True), self.best.bias.mean(0, keepdims=True))
        penalties = np.array(np.broadcast_to(self.chosen, self._task.outputs))
        for tolerance in self._solving[self._reached :]:
            before = self._coordinates.passes
            self._solved = minimise(self._task, [UNKNOWN], penalties, self._solved, tolerance)
            self._reached += 1
            self.passes += self._coordinates.passes - before
            self._write()
        return self._solved

    def _take(self, c: float, losses: Array, right: NDArray[np.int64]) -> None:
        is_better = losses < (np.min(self.losses, axis=0) if self.losses else np.inf)
        self.chosen = np.where(is_better, c, self.chosen)
        self.best = Heads(
            np.where(is_better, self._heads.weights, self.best.weights),
            np.where(is_better, self._heads.bias, self.best.bias),
        )
        self.losses.append(losses)
        self.right.append(right)

    def _is_over(self) -> bool:
        return bool(self.losses) and bool(goes_up(self.losses, np.min(self.losses, axis=0)).all())

    def _write(self) -> None:
        if self._state is not None:
            with placed_file(self._state, force=True) as temporary, temporary.open("wb") as stream:
                np.savez(
                    stream,
                    losses=np.array(self.losses),
                    right=np.array(self.right),
                    chosen=self.chosen,
                    counts=np.array([self._reached, self.passes]),
                    **{f"{name}_{part}": getattr(heads, part) for name, heads in self._kept() for part in _PARTS},
                )

    def _kept(self) -> list[tuple[str, Heads]]:
        return [("heads", self._heads), ("best", self.best), ("solved", self._solved)]

    def _read(self) -> bool:
        """Whether something whole says where it stood."""
        if self._state is None:
            return False
        try:
            with self._state.open("rb") as stream, np.load(stream, allow_pickle=False) as there:
                found = {name: there[name] for name in there.files}
            heads = [Heads(*(found[f"{name}_{part}"] for part in _PARTS)) for name, _ in self._kept()]
            losses, right, chosen = (found[name] for name in ("losses", "right", "chosen"))
            reached, passes = (int(each) for each in found["counts"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return False
        if any(one.weights.shape != other.weights.shape for one, (_, other) in zip(heads, self._kept(), strict=True)):
            return False  # with more or less memory other folds were followed
        self._heads, self.best, self._solved = heads
        self.losses, self.right, self.chosen = list(losses), list(right), chosen
        self._reached, self.passes = reached, passes
        return True
