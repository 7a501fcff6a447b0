"""What test examples say of each output, as a report shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import known, known_rows
from transfer.evidence.calibration_error import expected_calibration_error
from transfer.evidence.output_scoring import score_output
from transfer.evidence.reliability import reliability, sure_answers
from transfer.jobs.runs.kept_predictions import KeptPredictions, limits_of
from transfer.labellings import Labelling, Output
from transfer.output_scores import ClassScore
from transfer.reports.contents import Bin, OutputContents
from transfer.results import Result
from transfer.training.decoding import DENIED, parent_places

Values = NDArray[Any]


def gather_outputs(
    result: Result,
    labelling: Labelling,
    predictions: KeptPredictions | None,
    *,
    learnt: Sequence[Sequence[int]] = (),
    groups: NDArray[np.int64] | None = None,
) -> tuple[OutputContents, ...]:
    """Confusions, measures of classes, calibration and thresholds.

    Args:
        result: of the run.
        labelling: of its outputs.
        predictions: for its test examples; None where they were not kept.
        learnt: (k,) examples of each class to learn from, for each output; none where that is not known.
        groups: (n,) of the test examples; None where there are none.
    """
    limits = limits_of(result.decisions)
    counts = [tuple(map(int, each)) for each in learnt] or [()] * len(labelling)
    found = []
    for place, (output, own) in enumerate(zip(labelling, counts, strict=True)):
        name = "" if labelling.is_single else output.name
        limit = tuple(map(float, limits.get(output.name, ())))
        told = OutputContents(name, output.kind, output.classes, own, thresholds=limit, parent=output.parent)
        told = replace(told, per_class=_scored_before(result, place))
        found.append(told if predictions is None else _with_answers(told, place, predictions, result, groups))
    return tuple(found)


def _scored_before(result: Result, place: int) -> tuple[ClassScore, ...]:
    """Of several outputs the result holds what is told of each class."""
    return result.outputs[0].outputs[place].per_class if result.outputs else ()


def _with_answers(
    told: OutputContents,
    place: int,
    predictions: KeptPredictions,
    result: Result,
    groups: NDArray[np.int64] | None,
) -> OutputContents:
    output, shares, wanted = predictions.labelling.outputs[place], predictions.probabilities[place], predictions.wanted
    if output.kind == "regression":
        return told
    answers = predictions.answers(result.decisions)[place]
    confidences, right = sure_answers(output, wanted[place], shares, _above(predictions, output))
    per_class = told.per_class
    if not per_class and known_rows(wanted[place]).any():
        per_class = score_output(output, wanted[place], answers, shares, seed=0, groups=groups).per_class
    return replace(
        told,
        confusion=_confusion(output, wanted[place], answers),
        per_class=per_class,
        calibration=tuple(Bin(*each) for each in reliability(confidences, right)),
        calibration_error=expected_calibration_error(confidences, right) if len(right) else None,
    )


def _above(predictions: KeptPredictions, output: Output) -> NDArray[np.float64] | None:
    """(n, k), the probability of the parent's class under which each class stands."""
    if not output.parent:
        return None
    labelling = predictions.labelling
    return predictions.probabilities[labelling.place(output.parent)][:, parent_places(labelling, output)]


def _confusion(output: Output, wanted: Values, answers: Values) -> tuple[tuple[int, ...], ...]:
    """(k, k), wanted by answered; what the parent's answer denies is no answer of these."""
    if output.kind != "softmax":
        return ()
    k = len(output.classes)
    rows = known(wanted) & (answers != DENIED)
    counts = np.bincount(wanted[rows] * k + answers[rows], minlength=k * k).reshape(k, k)
    return tuple(map(tuple, counts.tolist()))
