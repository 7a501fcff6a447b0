"""A quick look for labels that are likely wrong, on features that a run has at hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from transfer.data.labelled import LabelledSet
from transfer.errors import TransferError
from transfer.evidence.label_audit import DoubtedLabel, LabelAudit
from transfer.jobs.audits.auditing_labels import audit_features
from transfer.jobs.runs.finding_wrong_answers import SHOWN
from transfer.labellings import Labelling
from transfer.reports.contents import Suspect

_EXAMPLES = 2000  # at most: their features are held against each other
_VALUES = 4_000_000  # features of all examples by the classes: what about a second is enough for
_ELSEWHERE = "'transfer audit FILE DATA' looks for labels that are likely wrong."


def doubt_labels(
    data: LabelledSet, features: Sequence[NDArray[np.float32]], *, seed: int
) -> tuple[tuple[Suspect, ...], str]:
    """Labels that are likely wrong, by features on which no label has had a part, and why there are none.

    Args:
        data: examples.
        features: (n, d), what goes into the head of each output.
        seed: of the folds.
    """
    width = sum(values.shape[1] * len(output.classes) for output, values in zip(data.labelling, features, strict=True))
    if len(data) > _EXAMPLES or len(data) * width > _VALUES:
        return (), f"The run did not look through so many examples; {_ELSEWHERE}"
    try:
        audit = audit_features(data, list(features), seed=seed)
    except TransferError as error:
        return (), error.summary
    strong = [each for each in audit.suspects if each.question not in audit.weak]
    found = tuple(_suspect(each, data.labelling) for each in strong[:SHOWN])
    return found, "" if found else _why_none(audit)


def _why_none(audit: LabelAudit) -> str:
    if audit.suspects:
        return (
            "A probe on the frozen layers contradicts many labels without being sure: it knows too little to tell "
            "its own errors from those of the labels."
        )
    return "No label is likely wrong by a probe that has not learnt from it."


def _suspect(doubted: DoubtedLabel, labelling: Labelling) -> Suspect:
    """The score is p / (p + q), with p of the given label and q of the suggested one."""
    given = doubted.probability * doubted.score / (1 - doubted.score)
    output = "" if labelling.is_single else doubted.question
    return Suspect(doubted.name, output, doubted.label, doubted.suggested, float(given))
