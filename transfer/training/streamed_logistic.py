"""Logistic regression by minibatches, for features that are too many for the memory.

The objective is that of `solving`: over standardised features z with weights W and a penalty C,

    sum_i loss(z_i W + b, y_i)  +  |W|^2 / (2 C)

A pass over all examples gives its slopes G at some weights, exactly; then each minibatch B takes a step along

    mean_B (slopes at the weights now - slopes at those weights)  +  G / n

which is as the exact slope on average and varies the less the nearer both are to the optimum, so that steps need not
shrink. They are taken along principal axes, in units of what the objective curves by, as `logistic` does. Where a pass
finds that the objective rose, the weights before it are taken again, with half the step.

Several penalties are followed at once: a pass serves all. One fold is held out meanwhile, and chooses among them; then
the head goes on from there on all examples, until the slopes say that logits are wrong by less than `EXACT` on average.

Source: Johnson & Zhang (2013), "Accelerating stochastic gradient descent using predictive variance reduction".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from transfer.placing import placed_file
from transfer.specs import Progress, silent
from transfer.training.head_moments import Moments
from transfer.training.logistic import Loss
from transfer.training.streaming import Stream

Array = NDArray[np.float64]
EXACT = 1e-2  # mean error of logits
_SETTLED = 1e-3  # change of every held-out loss, as a share of it
_CHOOSING, _SOLVING = 10, 60  # passes over all examples, at most
_BATCH = 1024
_STEPS = 64  # in an epoch, at least
_FLATTEST = 1e-4  # curvature that is counted on
_FASTER, _FASTEST = 1.25, 4.0  # times the step before, after an epoch that went well, and the first one
_RISE = 1e-9  # of an objective, as a share of it, that is rounding


@dataclass(frozen=True, slots=True, eq=False)
class Axes:
    """Standardised features on their principal axes.

    Attributes:
        mean: (d,) of the features.
        scale: (d,) by which they are multiplied; 0 for one that does not change.
        vectors: (d, d), orthonormal columns.
        sizes: (d,), the sum of squares along each axis.
        onto: (d, d), from weights on the axes to weights on features.
    """

    mean: Array
    scale: Array
    vectors: Array
    sizes: Array
    onto: Array

    @classmethod
    def of(cls, moments: Moments) -> Axes:
        """The axes of some moments."""
        spread = moments.spread
        scale = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
        gram = moments.about(moments.mean, moments.targets / moments.count)[0]
        sizes, vectors = eigh(gram * scale * scale[:, None], driver="evr", overwrite_a=True)
        return cls(moments.mean, scale, vectors, np.maximum(sizes, 0), scale[:, None] * vectors)

    def along(self, kernel: Array) -> Array:
        """Weights (d, k) on features as weights on the axes, (d, k)."""
        back = np.divide(1, self.scale, out=np.zeros_like(self.scale), where=self.scale > 0)
        return self.vectors.T @ (kernel * back[:, None])


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What is learnt from a stream of m examples.

    Attributes:
        stream: of them.
        axes: of their features.
        targets: (m,) classes for softmax, (m, k) of yes and no for sigmoid.
        loss: `softmax_loss` or `sigmoid_loss`.
        outputs: k.
        seed: of the order of the minibatches.
    """

    stream: Stream
    axes: Axes
    targets: NDArray[Any]
    loss: Loss
    outputs: int
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Heads side by side, for f penalties.

    Attributes:
        kernel: (d, f, k) on the axes.
        bias: (f, k), of features whose mean is taken off.
    """

    kernel: Array
    bias: Array

    def chosen(self, which: NDArray[np.bool_], others: Weights) -> Weights:
        """These where (f, 1 or k) says so, others elsewhere."""
        return Weights(np.where(which, self.kernel, others.kernel), np.where(which, self.bias, others.bias))


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a pass over all examples finds at some weights.

    Attributes:
        slopes: of the objective, a mean over the examples that are learnt from.
        curvature: (f, k), mean of p (1 - p) over them, by which the loss curves along each logit.
        objective: (f, 1 or k) likewise.
        wrong: (f, 1 or k), by about how much logits are wrong, as a mean.
        held_out: (f, 1 or k), mean loss of the others; 0 where there are none.
        right: (f, 1 or k), how many of these are answered rightly.
    """

    slopes: Weights
    curvature: Array
    objective: Array
    wrong: Array
    held_out: Array
    right: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """What minibatches came to.

    Attributes:
        kernel: (d, k), for features as they are.
        bias: (k,).
        penalties: (1,) or (k,), C.
        log_loss: of held-out examples in nats, for each C tried.
        accuracy: of them, at the chosen C.
        wrong: by about how much logits are wrong, as a mean over the examples.
        passes: over all examples, those to choose C among them.
        without: (kernel, bias) of the head that has not seen the fold that was held out.
        resumed: whether it went on from a state.
    """

    kernel: Array
    bias: Array
    penalties: Array
    log_loss: dict[float, float]
    accuracy: float
    wrong: float
    passes: int
    without: tuple[Array, Array]
    resumed: bool


def learn_streamed(
    problem: Problem,
    start: tuple[Array, Array],
    held_out: NDArray[np.bool_],
    penalties: Sequence[float],
    *,
    state: Path | None = None,
    progress: Progress = silent,
) -> Chosen:
    """Choose C on what is held out, and learn on all.

    Args:
        problem: what is learnt.
        start: (d, k) and (k,) on features as they are, at which it begins.
        held_out: (m,), which examples choose C.
        penalties: values of C.
        state: a file that says after each epoch where it stands, from which it goes on; None for none.
        progress: told of the passes.

    Raises:
        DataError: if rows have gone from the disk.
        OutputError: if the state cannot be written.
    """
    axes, tried = problem.axes, np.array(sorted(penalties))
    begin = Weights(axes.along(start[0])[:, None, :], (start[1] + axes.mean @ start[0])[None])
    many = Weights(np.repeat(begin.kernel, len(tried), 1), np.repeat(begin.bias, len(tried), 0))
    choosing = _Descent(problem, tried[:, None], ~held_out, _kept(state, "choosing"), progress)
    trying, seen, first = choosing.descend(many, _CHOOSING, _Settled())
    best = seen.held_out.argmin(0)
    own = best if len(best) == problem.outputs else np.repeat(best, problem.outputs)
    one = Weights(
        trying.kernel[:, own, np.arange(problem.outputs)][:, None], trying.bias[own, np.arange(problem.outputs)][None]
    )
    solving = _Descent(problem, tried[best][None], np.ones_like(held_out), _kept(state, "solving"), progress)
    found, last, second = solving.descend(one, _SOLVING, lambda each: bool((each.wrong < EXACT).all()))
    shared = int(seen.held_out.sum(1).argmin())
    count = max(1, int(held_out.sum()))
    return Chosen(
        *_on_features(axes, found),
        tried[best],
        dict(zip(tried.tolist(), seen.held_out.mean(1).tolist(), strict=True)),
        float(seen.right[shared].mean()) / count,
        float(last.wrong.max()),
        first + second,
        _on_features(axes, one),
        choosing.resumed or solving.resumed,
    )


def _on_features(axes: Axes, weights: Weights) -> tuple[Array, Array]:
    kernel = axes.onto @ weights.kernel[:, 0]
    return kernel, weights.bias[0] - axes.mean @ kernel


def _kept(state: Path | None, phase: str) -> Path | None:
    return None if state is None else state.with_name(f"{state.name}.{phase}.npz")


class _Settled:
    """Whether held-out losses change no more from one pass to the next."""

    def __init__(self) -> None:
        self._before: Array | None = None

    def __call__(self, seen: Seen) -> bool:
        before, self._before = self._before, seen.held_out
        return before is not None and bool((np.abs(before - seen.held_out) <= _SETTLED * before).all())


class _Descent:
    """Heads of several penalties on their way.

    Attributes:
        resumed: whether it began at a state.
    """

    def __init__(
        self, problem: Problem, penalties: Array, learnt: NDArray[np.bool_], state: Path | None, progress: Progress
    ) -> None:
        """Prepare.

        Args:
            problem: what is learnt.
            penalties: (f, 1 or k), C.
            learnt: (m,), which examples count.
            state: the file in which it says where it stands.
            progress: told of the passes.
        """
        self._problem, self._learnt, self._state, self._progress = problem, learnt, state, progress
        self._count = int(learnt.sum())
        self._shrink = 1 / (penalties * self._count)
        self._sizes = problem.axes.sizes[:, None, None] / len(learnt)
        self._size = int(min(_BATCH, max(1, self._count // _STEPS)))
        self._rate = 1.0 / (1 + np.sqrt(problem.stream.width / self._size)) ** 2
        self.resumed = False

    def descend(self, weights: Weights, passes: int, is_over: Callable[[Seen], bool]) -> tuple[Weights, Seen, int]:
        """Pass after pass, with an epoch of minibatches between two; the weights, what the last pass saw, and how many.

        Args:
            weights: at which it begins.
            passes: at most.
            is_over: whether to stop after a pass.
        """
        rates = np.full(self._shrink.shape if self._is_sigmoid else (len(self._shrink), 1), self._rate)
        rates = np.broadcast_to(rates, (len(rates), self._problem.outputs if self._is_sigmoid else 1)).copy()
        first, before = 0, weights
        if (kept := self._read(weights, rates)) is not None:
            first, weights, before, rates = kept
            self.resumed = True
        old: Seen | None = None
        if first:
            old = self._look(before)
            is_over(old)
        for number in range(first, passes):
            seen, went_back = self._look(weights), False
            if old is not None:
                is_worse = ~(seen.objective <= old.objective + _RISE * np.abs(old.objective))
                went_back = bool(is_worse.any())
                rates = np.where(is_worse, rates / 2, np.minimum(rates * _FASTER, _FASTEST * self._rate))
                weights, seen = before.chosen(is_worse, weights), _merged(is_worse, old, seen)
            if (is_over(seen) and not went_back) or number + 1 == passes:
                return weights, seen, number + 1
            before, old = weights, seen
            weights = self._epoch(weights, seen, rates, number)
            self._write(number + 1, weights, before, rates)
        raise ValueError("a descent takes a pass or more")

    @property
    def _is_sigmoid(self) -> bool:
        return self._problem.targets.ndim == 2

    def _units(self, curvature: Array) -> Array:
        """(d, f, k), of steps along the axes, by the curvature (f, k) of the loss."""
        return np.asarray(1 / (curvature * self._sizes + self._shrink))

    def _look(self, weights: Weights) -> Seen:
        """One pass: everything at some weights."""
        problem, d = self._problem, self._problem.stream.width
        shape = (len(weights.bias), problem.outputs if self._is_sigmoid else 1)
        inner = (problem.axes.onto @ weights.kernel.reshape(d, -1)).astype(np.float32)
        slopes, sums, curvature = np.zeros(inner.shape), np.zeros_like(weights.bias), np.zeros_like(weights.bias)
        losses, held, right, seen = np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64), 0
        for which, block in problem.stream.blocks():
            rows, logits = self._logits(block, inner, weights.bias)
            each, along = problem.loss(logits, problem.targets[which])
            own = self._learnt[which][:, None, None]
            losses += (each * own).sum(0)
            held += (each * ~own).sum(0)
            right += (_are_right(logits, problem.targets[which]) & ~own).sum(0)
            along *= own
            curvature += (np.abs(along) * (1 - np.abs(along))).sum(0)
            slopes += rows.T @ along.reshape(len(rows), -1).astype(np.float32)
            sums += along.sum(0)
            seen += len(which)
            self._progress("reading features", seen, len(problem.stream))
        kernel = (problem.axes.onto.T @ slopes).reshape(weights.kernel.shape) / self._count
        kernel += weights.kernel * self._shrink
        bias = sums / self._count
        axes = (0,) if self._is_sigmoid else (0, 2)
        size = (weights.kernel**2 * self._shrink).sum(axes).reshape(shape) / 2
        curvature = np.maximum(curvature / self._count, _FLATTEST)
        wrong = (kernel**2 * self._units(curvature) / curvature).sum(axes).reshape(shape)
        wrong += ((bias / curvature) ** 2).reshape(*shape, -1).sum(-1)
        others = max(1, len(self._learnt) - self._count)
        return Seen(
            Weights(kernel, bias),
            curvature,
            losses / self._count + size,
            np.sqrt(wrong),
            held / others,
            right,
        )

    def _epoch(self, at: Weights, seen: Seen, rates: Array, number: int) -> Weights:
        """A step for each minibatch, from the weights at which a pass was made."""
        problem, d = self._problem, self._problem.stream.width
        onto, units = problem.axes.onto.astype(np.float32), self._units(seen.curvature)
        there = onto @ at.kernel.reshape(d, -1).astype(np.float32)
        kernel, bias, done = at.kernel.copy(), at.bias.copy(), 0
        for which, batch in problem.stream.batches(self._size, problem.seed, number):
            targets, own = problem.targets[which], self._learnt[which][:, None, None]
            rows, logits = self._logits(batch, onto @ kernel.reshape(d, -1).astype(np.float32), bias)
            now = problem.loss(logits, targets)[1]
            now -= problem.loss(self._logits(batch, there, at.bias)[1], targets)[1]
            now *= own
            count = max(1, int(own.sum()))
            along = onto.T @ (rows.T @ now.reshape(len(rows), -1).astype(np.float32)) / count
            change = along.reshape(kernel.shape) + seen.slopes.kernel + (kernel - at.kernel) * self._shrink
            step = rates * (len(which) / self._size)
            kernel -= step * units * change
            bias -= step / seen.curvature * (now.sum(0) / count + seen.slopes.bias)
            done += len(which)
            self._progress(f"minibatches, epoch {number + 1}", done, len(problem.stream))
        return Weights(kernel, bias)

    def _logits(
        self, rows: NDArray[np.float32], inner: NDArray[np.float32], bias: Array
    ) -> tuple[NDArray[np.float32], Array]:
        """Rows without their mean, (b, d), and logits (b, f, k)."""
        central = rows - self._problem.axes.mean.astype(np.float32)
        return central, (central @ inner).reshape(len(rows), *bias.shape).astype(np.float64) + bias

    def _write(self, number: int, weights: Weights, before: Weights, rates: Array) -> None:
        if self._state is not None:
            with placed_file(self._state, force=True) as temporary, temporary.open("wb") as stream:
                np.savez(
                    stream,
                    number=number,
                    kernel=weights.kernel,
                    bias=weights.bias,
                    kernel_before=before.kernel,
                    bias_before=before.bias,
                    rates=rates,
                )

    def _read(self, like: Weights, rates: Array) -> tuple[int, Weights, Weights, Array] | None:
        """Where it stood; None where nothing, or nothing whole, says so: then it begins anew."""
        try:
            if self._state is None:
                return None
            with self._state.open("rb") as stream, np.load(stream, allow_pickle=False) as there:
                found = {name: there[name] for name in there.files}
            now, before = (Weights(found[f"kernel{part}"], found[f"bias{part}"]) for part in ("", "_before"))
            shapes = [each.kernel.shape for each in (now, before)]
            if shapes != [like.kernel.shape] * 2 or found["rates"].shape != rates.shape:
                return None
            return int(found["number"]), now, before, found["rates"]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None


def _are_right(logits: Array, targets: NDArray[Any]) -> NDArray[np.bool_]:
    """(b, f, 1) for classes (b,), (b, f, k) for yes and no (b, k)."""
    if targets.ndim == 1:
        return np.asarray(logits.argmax(2)[:, :, None] == targets[:, None, None])
    return np.asarray((logits > 0) == targets[:, None, :])


def _merged(is_old: NDArray[np.bool_], old: Seen, new: Seen) -> Seen:
    """What was seen before in some columns, and now in the others."""
    return Seen(
        old.slopes.chosen(is_old, new.slopes),
        np.where(is_old, old.curvature, new.curvature),
        np.where(is_old, old.objective, new.objective),
        np.where(is_old, old.wrong, new.wrong),
        np.where(is_old, old.held_out, new.held_out),
        np.where(is_old, old.right, new.right),
    )
