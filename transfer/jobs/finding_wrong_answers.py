"""Which test examples are answered wrongly, and most surely so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import known
from transfer.jobs.kept_predictions import KeptPredictions
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
            found += _of_classes(place, output, shares, wanted, said)
        elif output.kind == "sigmoid":
            found += _of_labels(place, output, shares, wanted, said)
    found.sort(key=lambda each: (-each.confidence, each.row, each.output, each.place))
    return tuple(found[:most])


def _of_classes(
    output_place: int,
    output: Output,
    shares: NDArray[np.float64],
    wanted: NDArray[np.int64],
    said: NDArray[np.int64],
) -> Iterator[FoundWrong]:
    for row in np.flatnonzero(known(wanted) & (said != wanted) & (said != DENIED)).tolist():
        place = int(said[row])
        names = output.classes[int(wanted[row])], output.classes[place]
        yield FoundWrong(row, output_place, *names, place, float(shares[row, place]))


def _of_labels(
    output_place: int,
    output: Output,
    shares: NDArray[np.float64],
    wanted: NDArray[np.int64],
    said: NDArray[np.int64],
) -> Iterator[FoundWrong]:
    for row, place in np.argwhere(known(wanted) & (said != wanted) & (said != DENIED)).tolist():
        yes, no = output.classes[place], f"not {output.classes[place]}"
        share, answered = float(shares[row, place]), bool(said[row, place])
        names = (no, yes) if answered else (yes, no)
        yield FoundWrong(row, output_place, *names, place, share if answered else 1 - share)
