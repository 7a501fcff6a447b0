"""What features at a cut are worth: scores that need no training, and a probe over repeated folds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.errors import DataError, Problem
from transfer.evidence.h_score import h_scores
from transfer.evidence.intervals import wilson_of_groups
from transfer.evidence.leep import leep_score, nce_score
from transfer.evidence.log_evidence import evidence_of_classes
from transfer.evidence.repeated_folds import RepeatedFolds
from transfer.jobs.rankings.features_of_cuts import CutFeatures
from transfer.rankings import CutScores
from transfer.scores import Interval
from transfer.training.solving import solve_head


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Labels of the examples, and the folds that serve all candidates.

    Attributes:
        labels: (n,).
        classes: how many.
        folds: which of them are tested on when.
        groups: (n,), of examples that are alike; None for none.
        seed: of the folds inside those, by which a penalty is chosen.
    """

    labels: NDArray[np.int64]
    classes: int
    folds: RepeatedFolds
    groups: NDArray[np.int64] | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class ScoredCut:
    """What a cut is worth.

    Attributes:
        features: what was scored.
        scores: without training.
        accuracy: of the probe, over all repeats.
        folds: (J,), its accuracy on each.
    """

    features: CutFeatures = field(repr=False)
    scores: CutScores
    accuracy: Interval
    folds: NDArray[np.float64] = field(repr=False)


def score_cut(features: CutFeatures, places: NDArray[np.int64], labelled: Labelled) -> ScoredCut:
    """Score one cut.

    Args:
        features: of all examples.
        places: (n,), of those that are scored.
        labelled: of these.

    Raises:
        DataError: if a feature is not finite.
    """
    values = features.values[places]
    if bad := int((~np.isfinite(values).all(axis=1)).sum()):
        raise DataError(
            f"Some features at {features.at} are not finite.",
            [Problem("features", "finite numbers", f"{bad} of {len(values)} examples with NaN or infinity")],
            next_step="look at what goes in with 'transfer diagnose'",
        )
    asked = None if features.probabilities is None else features.probabilities[places]
    right, shares = _probe(values, labelled)
    groups = np.arange(len(values)) if labelled.groups is None else labelled.groups
    return ScoredCut(features, _cheap_scores(values, asked, labelled.labels), wilson_of_groups(right, groups), shares)


def _cheap_scores(
    values: NDArray[np.float32], probabilities: NDArray[np.float64] | None, labels: NDArray[np.int64]
) -> CutScores:
    # Not of standardised features: where these do not depend on each other their covariance is all shrunk away.
    found = CutScores(evidence_of_classes(standardise(values), labels), h_scores(values, labels).shrunk)
    if probabilities is None or not np.isfinite(probabilities).all():
        return found
    leep, nce = leep_score(probabilities, labels), nce_score(probabilities.argmax(1), labels)
    return CutScores(found.log_me, found.h_score, leep, nce)


def standardise(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Features (n, d) with mean 0 and standard deviation 1 each; 0 where one does not vary."""
    wide = values.astype(np.float64)
    spread = wide.std(0)
    varies = np.ptp(values, axis=0) > 0
    rows = np.zeros_like(wide)
    np.divide(wide - wide.mean(0), spread, out=rows, where=varies & (spread > 0))
    return rows


def _probe(values: NDArray[np.float32], labelled: Labelled) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often each example is answered rightly (n,), and the share of each fold (J,)."""
    right, shares = np.zeros(len(values)), []
    for learnt, tested in labelled.folds:
        head = solve_head(
            values[learnt],
            labelled.labels[learnt],
            labelled.classes,
            seed=labelled.seed,
            groups=None if labelled.groups is None else labelled.groups[learnt],
        )
        hits = (values[tested] @ head.kernel + head.bias).argmax(1) == labelled.labels[tested]
        right[tested] += hits
        shares.append(float(hits.mean()))
    return right / len(labelled.folds.dealt), np.array(shares)
