"""Logistic regression at its optimum, for all folds of a cross-validation at once.

For weights A (r, k) and bias b (k,) on coordinates c (n, r) the objective of a fold is

    sum_i loss(c_i A + b, y_i)  +  sum_j |A_j|^2 / (2 C_j)

over the examples that it learns from. The losses are

    softmax   -log softmax(logits)[y]                    y a class
    sigmoid   sum_j -log sigmoid(±logits_j)              y_j yes (+) or no (-), each output for itself

The weights of all folds stand side by side, (r, f, k): one pass over the examples serves them all, and an example
counts for nothing in the columns of the fold that holds it out. The objectives are minimised by L-BFGS, with
steps in units of 1 / sqrt(p (1 - p) |c_j|^2 + 1 / C), about what the objective curves by, where p is what is expected
before anything is known: so it takes few passes, whatever the scales of the coordinates. Folds, and outputs of sigmoid,
are problems of their own (see `quasi_newton`).

Source: Liu & Nocedal (1989), "On the limited memory BFGS method for large scale optimization", Math. Programming 45.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from transfer.training.coordinates import Some, Swept
from transfer.training.quasi_newton import minimise_each

Array: TypeAlias = NDArray[np.float64]
Loss = Callable[[Array, NDArray[Any]], tuple[Array, Array]]

UNKNOWN = -1  # in place of a fold, where an answer is not known; a fold of that number learns from all that are


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What is to be learnt.

    Attributes:
        coordinates: of n examples.
        targets: (n,) classes for softmax, (n, k) of yes and no for sigmoid.
        held_out: (n, 1) for softmax, (n, k) for sigmoid: the fold that holds an example out, `UNKNOWN` where its answer
            is not known, any other number below 0 where every fold learns from it.
        loss: `softmax_loss` or `sigmoid_loss`.
        outputs: k.
        prior: of a class or a yes, before anything is known.
    """

    coordinates: Swept
    targets: NDArray[Any]
    held_out: NDArray[np.integer[Any]]
    loss: Loss
    outputs: int
    prior: float

    def only(self, columns: NDArray[np.intp]) -> Task:
        """The same of some of the outputs of sigmoid."""
        targets, held_out = self.targets[:, columns], self.held_out[:, columns]
        return replace(self, targets=targets, held_out=held_out, outputs=len(columns))

    @property
    def is_softmax(self) -> bool:
        """Whether the outputs are one of k, not k for themselves."""
        return self.targets.ndim == 1

    @property
    def rank(self) -> int:
        """Of the coordinates, r."""
        return len(self.coordinates.sizes)


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """A head for each of f folds.

    Attributes:
        weights: (r, f, k) on coordinates.
        bias: (f, k).
    """

    weights: Array
    bias: Array

    def only(self, columns: NDArray[np.intp]) -> Heads:
        """The same of some of the outputs."""
        return Heads(self.weights[:, :, columns], self.bias[:, columns])

    def put(self, columns: NDArray[np.intp], others: Heads) -> Heads:
        """These, with those of some of the outputs taken from others."""
        weights, bias = self.weights.copy(), self.bias.copy()
        weights[:, :, columns], bias[:, columns] = others.weights, others.bias
        return Heads(weights, bias)

    @classmethod
    def empty(cls, task: Task, count: int) -> Heads:
        """That know nothing."""
        return cls(np.zeros((task.rank, count, task.outputs)), np.zeros((count, task.outputs)))


def softmax_loss(logits: Array, labels: NDArray[Any]) -> tuple[Array, Array]:
    """Losses (b, f, 1) in nats and their slopes along logits (b, f, k), for labels (b,)."""
    chosen = labels[:, None, None]
    shifted = logits - logits.max(2, keepdims=True)
    powers = np.exp(shifted)
    sums = powers.sum(2, keepdims=True)
    slopes = powers / sums
    np.put_along_axis(slopes, chosen, np.take_along_axis(slopes, chosen, 2) - 1, 2)
    return np.log(sums) - np.take_along_axis(shifted, chosen, 2), slopes


def sigmoid_loss(logits: Array, targets: NDArray[Any]) -> tuple[Array, Array]:
    """Losses (b, f, k) in nats and their slopes along logits (b, f, k), for targets (b, k) of yes and no."""
    signs = np.where(targets, -1.0, 1.0)[:, None, :]
    against = signs * logits
    losses = np.logaddexp(0, against)
    return losses, signs * np.exp(against - losses)


def minimise(task: Task, folds: Sequence[int], penalties: Array, start: Heads, tolerance: float) -> Heads:
    """The optimum of each fold.

    Args:
        task: what is learnt.
        folds: (f,) numbers.
        penalties: (k,), C of each output.
        start: where the search begins.
        tolerance: by about how much logits may be wrong, as a mean over the examples.
    """
    curvature, n = task.prior * (1 - task.prior), len(task.coordinates)
    units = 1 / np.sqrt(curvature * task.coordinates.sizes[:, None, None] + 1 / penalties)
    units_of_bias = 1 / np.sqrt(curvature * n)

    def taken(steps: Array) -> Heads:
        return Heads(steps[:-1] * units, steps[-1] * units_of_bias)

    def objective(steps: Array) -> tuple[Array, Array]:
        heads = taken(steps)
        losses, slopes = _slopes(task, np.asarray(folds), heads)
        shrinking = heads.weights / penalties
        sizes = (heads.weights * shrinking).sum(axes, keepdims=True) / 2
        along = [(slopes.weights + shrinking) * units, slopes.bias[None] * units_of_bias]
        return losses[None] + sizes, np.concatenate(along)

    axes = (0, 2) if task.is_softmax else (0,)
    begin = np.concatenate([start.weights / units, start.bias[None] / units_of_bias])
    return taken(minimise_each(objective, begin, axes, tolerance * np.sqrt(curvature * n)))


def held_out_losses(task: Task, folds: Sequence[int], heads: Heads) -> tuple[Array, NDArray[np.int64]]:
    """What heads make of the examples that their folds hold out.

    Args:
        task: what was learnt.
        folds: (f,) numbers.
        heads: of these.

    Returns:
        Sums of the losses in nats, and counts of right answers: (1,) for softmax, (k,) for sigmoid.
    """
    losses, right = np.zeros(task.held_out.shape[1]), np.zeros(task.held_out.shape[1], np.int64)

    def look(block: Some, logits: Array) -> Array:
        counted = task.held_out[block][:, None, :] == np.asarray(folds)[None, :, None]
        targets = task.targets[block]
        losses[:] += np.where(counted, task.loss(logits, targets)[0], 0).sum((0, 1))
        right[:] += (counted & _answers_are_right(logits, targets)).sum((0, 1))
        return np.zeros_like(logits)

    _sweep(task, heads, look)
    return losses, right


def _answers_are_right(logits: Array, targets: NDArray[Any]) -> NDArray[np.bool_]:
    if targets.ndim == 1:
        return np.asarray(logits.argmax(2)[:, :, None] == targets[:, None, None])
    return np.asarray((logits > 0) == targets[:, None, :])


def _slopes(task: Task, folds: NDArray[np.integer[Any]], heads: Heads) -> tuple[Array, Heads]:
    """Sums of the losses, (f, 1) for softmax, (f, k) for sigmoid, and their slopes along weights and bias."""
    total = np.zeros((len(folds), task.held_out.shape[1]))

    def respond(block: Some, logits: Array) -> Array:
        losses, slopes = task.loss(logits, task.targets[block])
        held_out = task.held_out[block][:, None, :]
        counted = (held_out != folds[None, :, None]) & (held_out != UNKNOWN)
        total[:] += (losses * counted).sum(0)
        slopes *= counted
        return slopes

    slopes = _sweep(task, heads, respond)
    return total, slopes


def _sweep(task: Task, heads: Heads, respond: Callable[[Some, Array], Array]) -> Heads:
    """One pass: what `respond` makes of logits (b, f, k), as slopes along weights and bias."""

    def flat(block: Some, logits: Array) -> Array:
        return respond(block, logits.reshape(len(logits), *heads.bias.shape)).reshape(len(logits), -1)

    weights, bias = task.coordinates.sweep(heads.weights.reshape(task.rank, -1), heads.bias.ravel(), flat)
    return Heads(weights.reshape(heads.weights.shape), bias.reshape(heads.bias.shape))
