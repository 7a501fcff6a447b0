"""How well labels are answered, any of which an example may have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import known
from transfer.evidence.average_precision import average_precisions
from transfer.evidence.class_scoring import Units, note_rare, share
from transfer.evidence.ranking import Ranked, rank_label
from transfer.evidence.resampling import Bootstrapped, Floats, bootstrap, mean_defined, ratio
from transfer.labellings import Output
from transfer.output_scores import ClassScore, OutputScore
from transfer.tabulating import shorten

Labels = NDArray[np.integer[Any]]
MEANS = ("macro F1", "micro F1", "mean average precision", "Hamming loss")


def score_labels(
    output: Output, wanted: Labels, answers: Labels, probabilities: Floats, units: Units, *, seed: int
) -> OutputScore:
    """F1, mean average precision, Hamming loss and exact match; accuracy, F1 and average precision of each label.

    What is not known of an example counts for nothing. An answer that the parent denies, -1, is another than the one
    that was wanted: neither a yes nor a no. Hamming loss is the share of labels that are answered wrongly; an exact
    match is an example of which everything known is answered rightly.

    Args:
        output: of sigmoid.
        wanted: (n, k), 1, 0 or -1 where not known; something is known of each example.
        answers: (n, k), 1, 0 or -1 where denied.
        probabilities: (n, k).
        units: (n,), from 0 on without a gap: of what is drawn together.
        seed: of the resamples.

    Source: Tsoumakas, Katakis & Vlahavas (2010), "Mining multi-label data", section 7.
    """
    n, asked = len(wanted), known(wanted)
    ranked = [rank_label(wanted[:, place], probabilities[:, place]) for place in range(len(output.classes))]
    columns = _columns(wanted, answers)
    found = bootstrap(lambda counts: _statistics(counts, columns, ranked), units, seed)
    means = found.measures(MEANS, (n, n, n, int(asked.sum())))
    matches = share("exact match", ((wanted == answers) | ~asked).all(1), units)
    classes = _per_label(output, wanted, answers, units, found)
    return OutputScore(output.name, output.kind, n, (*means, matches), classes, _notes(output, wanted, found))


def _columns(wanted: Labels, answers: Labels) -> Floats:
    """(n, 2 k + 2): of each label yes wanted and answered, and how many of the two; then labels wrong and known."""
    asked = known(wanted)
    yes, said = wanted == 1, (answers == 1) & asked
    wrong = ((wanted != answers) & asked).sum(1)
    return np.column_stack([yes & said, yes.astype(np.int64) + said, wrong, asked.sum(1)]).astype(np.float64)


def _statistics(counts: Floats, columns: Floats, ranked: list[Ranked | None]) -> Floats:
    """(b, 4 + 2 k): `MEANS`, then F1 and average precision of each label."""
    k, sums = len(ranked), counts @ columns
    hits, sizes = sums[:, :k], sums[:, k : 2 * k]
    f1, precision = ratio(2 * hits, sizes), average_precisions(ranked, counts)
    micro, wrong = ratio(2 * hits.sum(1), sizes.sum(1)), ratio(sums[:, -2], sums[:, -1])
    means = np.stack([mean_defined(f1), micro, mean_defined(precision), wrong], axis=1)
    return np.concatenate([means, f1, precision], axis=1)


def _per_label(
    output: Output, wanted: Labels, answers: Labels, units: Units, found: Bootstrapped
) -> tuple[ClassScore, ...]:
    k, scores = len(output.classes), []
    for place, name in enumerate(output.classes):
        asked = wanted[:, place] >= 0
        right, count = (wanted == answers)[asked, place], int(asked.sum())
        accuracy = (share("accuracy", right, units[asked]),) if count else ()
        rest = found[len(MEANS) + place :: k].measures(("F1", "average precision"), (count, count))
        scores.append(ClassScore(name, int((wanted[:, place] == 1).sum()), count, (*accuracy, *rest)))
    return tuple(scores)


def _notes(output: Output, wanted: Labels, found: Bootstrapped) -> tuple[str, ...]:
    """Which labels are left out of which mean, and which make its bounds doubtful."""
    k = len(output.classes)
    unknown = [name for name, asked in zip(output.classes, known(wanted).sum(0), strict=True) if not asked]
    without = [name for name, yes in zip(output.classes, (wanted == 1).sum(0), strict=True) if not yes]
    silent = [name for name, f1 in zip(output.classes, found.values[len(MEANS) :][:k], strict=True) if np.isnan(f1)]
    said = (
        (unknown, "are known of no example here"),
        (without, "have no example here and count for nothing in the mean average precision"),
        (silent, "are neither wanted nor answered and count for nothing in macro F1"),
    )
    notes = [f"{len(names)} of {k} labels {what}: {shorten(names)}" for names, what in said if names]
    rare = note_rare(output, (wanted == 1).sum(0), "labels", "macro F1 and mean average precision")
    return (*notes, *rare)
