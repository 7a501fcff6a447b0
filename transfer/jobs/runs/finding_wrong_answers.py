"""Which test examples are answered wrongly, and most surely so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import known
from transfer.jobs.runs.kept_predictions import KeptPredictions
from transfer.labellings import Output
from transfer.specs import Json
from transfer.training.decoding import DENIED

SHOWN = 12


@dataclass(frozen=True, slots=True)
class FoundWrong:
    """One wrong answer.

    Attributes:
        row: of the example, among the predictions.
        output: place of the output.
        wanted: the class; of a label `red` or `not red`.
        answered: likewise.
        place: of the class that is answered, or of the label.
        confidence: the probability of the answer, in [0, 1].
    """

    row: int
    output: int
    wanted: str
    answered: str
    place: int
    confidence: float


def surest_wrong(predictions: KeptPredictions, decisions: Json = None, *, most: int = SHOWN) -> tuple[FoundWrong, ...]:
    """The wrong answers that are the surest, these first.

    What an output leaves unsaid because its parent's answer denies it is not among them: that answer is.

    Args:
        predictions: for test examples.
        decisions: of the result, with the thresholds of labels.
        most: that are given.
    """
    found: list[FoundWrong] = []
    answers = predictions.answers(decisions)
    several = zip(predictions.labelling, predictions.probabilities, predictions.wanted, answers, strict=True)
    for place, (output, shares, wanted, said) in enumerate(several):
        if output.kind == "softmax":
            found += _of_classes(place, output, shares, wanted, said, most)
        elif output.kind == "sigmoid":
            found += _of_labels(place, output, shares, wanted, said, most)
    found.sort(key=lambda each: (-each.confidence, each.row, each.output, each.place))
    return tuple(found[:most])


def _of_classes(
    output_place: int,
    output: Output,
    shares: NDArray[np.float64],
    wanted: NDArray[np.int64],
    said: NDArray[np.int64],
    most: int,
) -> Iterator[FoundWrong]:
    rows = np.flatnonzero(known(wanted) & (said != wanted) & (said != DENIED))
    sure = shares[rows, said[rows]]
    for row in rows[_surest(sure, most)].tolist():
        place = int(said[row])
        names = output.classes[int(wanted[row])], output.classes[place]
        yield FoundWrong(row, output_place, *names, place, float(shares[row, place]))


def _of_labels(
    output_place: int,
    output: Output,
    shares: NDArray[np.float64],
    wanted: NDArray[np.int64],
    said: NDArray[np.int64],
    most: int,
) -> Iterator[FoundWrong]:
    rows, places = np.nonzero(known(wanted) & (said != wanted) & (said != DENIED))
    answered = said[rows, places] == 1
    sure = np.where(answered, shares[rows, places], 1 - shares[rows, places])
    for each in _surest(sure, most).tolist():
        row, place = int(rows[each]), int(places[each])
        yes, no = output.classes[place], f"not {output.classes[place]}"
        names = (no, yes) if answered[each] else (yes, no)
        yield FoundWrong(row, output_place, *names, place, float(sure[each]))


def _surest(sure: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Places of the largest, these first, the earlier of two alike before the later."""
    return np.argsort(-sure, kind="stable")[:most]
