"""Labels of any kind as questions with one answer out of several, each for itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import known
from transfer.labellings import Labelling, Output

LEAST = 2  # groups of examples of an answer: where one is held out, another is to be learnt from
YES_OR_NO = ("no", "yes")


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is asked of some examples.

    Attributes:
        name: empty where a set has one output of classes; else the output, with the parent's class under which it is
            asked, or with the label whose yes or no it is.
        output: whose answers they are.
        answers: names, two at least.
        rows: (m,) places of the examples of which the answer is known.
        labels: (m,) places in `answers`, of each at least two, in two groups.
        rare: answers of a single example or group, which is not among the rows.
    """

    name: str
    output: str
    answers: tuple[str, ...]
    rows: NDArray[np.int64] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    rare: tuple[str, ...] = ()


def find_questions(
    labelling: Labelling, targets: Sequence[NDArray[Any]], groups: NDArray[np.int64] | None = None
) -> tuple[Question, ...]:
    """What labels answer: classes of an output, those under each class of a parent, yes or no of each label.

    Numbers are no answers, and what has fewer than two answers of two examples, in two groups, is no question.

    Args:
        labelling: the outputs.
        targets: labels of each, as a `LabelledSet` has them.
        groups: (n,) of examples that are held out together; None where each stands alone.
    """
    found = []
    for output, values in zip(labelling, targets, strict=True):
        if output.kind != "regression":
            asked = _of_labels(output, values) if output.kind == "sigmoid" else _of_classes(output, values)
            found += [each for asking in asked for each in _question(output, asking, groups)]
    return tuple(replace(each, name="") for each in found) if labelling.is_single else tuple(found)


_Asked = tuple[str, tuple[str, ...], NDArray[np.int64]]  # name, answers, and the place of each example's or -1


def _of_labels(output: Output, values: NDArray[np.int64]) -> Iterator[_Asked]:
    for place, name in enumerate(output.classes):
        yield f"{output.name} {name}", YES_OR_NO, values[:, place]


def _of_classes(output: Output, values: NDArray[np.int64]) -> Iterator[_Asked]:
    for parent, places in output.groups:
        inside = known(values) & (values >= places.start) & (values < places.stop)
        name = f"{output.name} under {parent}" if parent else output.name
        yield name, output.classes[places], np.where(inside, values - places.start, -1)


def _question(output: Output, asking: _Asked, groups: NDArray[np.int64] | None) -> Iterator[Question]:
    """One, or none where there is nothing to tell apart."""
    name, answers, kinds = asking
    together = np.arange(len(kinds)) if groups is None else groups
    pairs = np.unique(np.stack([kinds, together], axis=1)[kinds >= 0], axis=0)
    counts = np.bincount(pairs[:, 0], minlength=len(answers))
    kept = np.flatnonzero(counts >= LEAST)
    if len(kept) < 2:
        return
    rows = np.flatnonzero(np.isin(kinds, kept))
    rare = tuple(answers[place] for place in np.flatnonzero(counts == 1))
    labels = np.searchsorted(kept, kinds[rows])
    yield Question(name, output.name, tuple(answers[place] for place in kept), rows, labels, rare)
