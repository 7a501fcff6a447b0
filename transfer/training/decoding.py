"""From logits to probabilities and answers that agree with each other.

Under a parent's class P, with logits l of the classes that stand under it,

    p(class) = p(P) softmax(l)_class        p(yes) = p(P) sigmoid(l)

so a class never has more than its parent's. Answers come from the top: the most probable class, then among what
stands under that class; what stands under any other is denied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import UNKNOWN
from transfer.labellings import Labelling, Output
from transfer.training.labels import logit_places

DENIED = UNKNOWN  # in place of a class, or of a yes or no; NaN in place of a number
EVEN = 0.5

Values = NDArray[Any]


def find_probabilities(labelling: Labelling, logits: NDArray[np.floating[Any]]) -> tuple[NDArray[np.float64], ...]:
    """(n, k) of each output from logits (n, K); of a regression its numbers, whatever its parent says."""
    found: dict[str, NDArray[np.float64]] = {}
    for output, places in zip(labelling, logit_places(labelling), strict=True):
        own = np.asarray(logits[:, places], np.float64)
        if output.kind != "regression":
            own = _conditional(output, own)
            if output.parent:
                own *= found[output.parent][:, parent_places(labelling, output)]
        found[output.name] = own
    return tuple(found.values())


def decode(
    labelling: Labelling,
    probabilities: Sequence[NDArray[np.floating[Any]]],
    thresholds: Mapping[str, Sequence[float]] | None = None,
) -> tuple[Values, ...]:
    """The answers, as labels: softmax (n,), sigmoid (n, k) of 1 and 0, regression (n, k).

    Where the answer to the parent is another class than the one that something stands under, it is -1, or NaN.

    Args:
        labelling: of the outputs.
        probabilities: of each output, (n, k).
        thresholds: of each label of a sigmoid output, on its probability given its parent's class; 0.5 by default.
    """
    answers: dict[str, Values] = {}
    shares = dict(zip(labelling.names, probabilities, strict=True))
    for output in labelling:
        applies = _applies(labelling, output, answers, len(probabilities[0]))
        own = np.asarray(shares[output.name], np.float64)
        if output.kind == "softmax":
            answers[output.name] = _most_probable(own, applies)
        elif output.kind == "regression":
            answers[output.name] = np.where(applies, own, np.nan)
        else:
            above = shares[output.parent][:, parent_places(labelling, output)] if output.parent else 1.0
            limit = np.asarray((thresholds or {}).get(output.name, EVEN))
            answers[output.name] = np.where(applies, (own >= limit * above).astype(np.int64), DENIED)
    return tuple(answers.values())


def parent_places(labelling: Labelling, output: Output) -> NDArray[np.int64]:
    """(k,) for each class the place of the parent's class under which it stands."""
    return np.array([labelling[output.parent].classes.index(name) for name in output.under], np.int64)


def _conditional(output: Output, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Given the parent's class."""
    if output.kind == "sigmoid":
        return np.exp(-np.logaddexp(0, -logits))
    found = np.empty_like(logits)
    for _, places in output.groups:
        powers = np.exp(logits[:, places] - logits[:, places].max(1, keepdims=True))
        found[:, places] = powers / powers.sum(1, keepdims=True)
    return found


def _applies(labelling: Labelling, output: Output, answers: Mapping[str, Values], count: int) -> NDArray[np.bool_]:
    """(n, k), whether the answer to the parent is the class under which each class stands."""
    if not output.parent:
        return np.ones((count, len(output.classes)), np.bool_)
    return np.asarray(answers[output.parent][:, None] == parent_places(labelling, output))


def _most_probable(shares: NDArray[np.float64], applies: NDArray[np.bool_]) -> NDArray[np.int64]:
    best = np.where(applies, shares, -1.0).argmax(1)
    return np.where(applies.any(1), best, DENIED)
