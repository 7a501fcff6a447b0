"""How well one class of several is answered."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import UNKNOWN
from transfer.evidence.intervals import wilson, wilson_of_groups
from transfer.evidence.resampling import Bootstrapped, Floats, bootstrap, mean_defined, ratio
from transfer.labellings import Output
from transfer.output_scores import ClassScore, Measure, OutputScore
from transfer.tabulating import shorten

FEW = 5  # examples; with fewer of some class, bounds of a mean over classes held the truth in 86 % of simulated cases

Places = NDArray[np.integer[Any]]
Units = NDArray[np.int64]


def score_classes(output: Output, wanted: Places, answers: Places, units: Units, *, seed: int) -> OutputScore:
    """Accuracy, balanced accuracy and macro F1; recall, precision and F1 of each class.

    Balanced accuracy is the mean recall of the classes that some example has. Macro F1 is the mean of the classes that
    some example has or is answered.

    Args:
        output: of softmax.
        wanted: (n,), all known.
        answers: (n,); -1 where the answer to the parent denies every class, which is wrong.
        units: (n,), from 0 on without a gap: of what is drawn together.
        seed: of the resamples.

    Source: Brodersen et al. (2010), "The balanced accuracy and its posterior distribution".
    """
    k, n = len(output.classes), len(wanted)
    found = bootstrap(lambda counts: _statistics(counts, wanted, answers, k), units, seed)
    measures = (share("accuracy", wanted == answers, units), *found.measures(("balanced accuracy", "macro F1"), (n, n)))
    having = np.bincount(wanted, minlength=k)
    absent = [name for name, count in zip(output.classes, having, strict=True) if not count]
    notes = [f"{len(absent)} of {k} classes have no example here: {shorten(absent)}"] if absent else []
    notes += note_rare(output, having, "classes", "balanced accuracy and macro F1")
    return OutputScore(
        output.name, output.kind, n, measures, _per_class(output, wanted, answers, units, found), tuple(notes)
    )


def share(name: str, right: NDArray[np.bool_], units: Units) -> Measure:
    """Right answers (n,) among all, with Wilson's interval, where groups are drawn together that of groups."""
    together = len(np.unique(units)) < len(units)
    found = wilson_of_groups(right, units) if together else wilson(int(right.sum()), len(right))
    return Measure(name, found.value, found.low, found.high, len(right))


def note_rare(output: Output, having: Places, what: str, means: str) -> list[str]:
    """Say of classes that few examples have, (k,) how many, that resamples of these hardly differ."""
    rare = [name for name, count in zip(output.classes, having, strict=True) if 0 < count < FEW]
    few = f"{len(rare)} of {len(output.classes)} {what} have fewer than {FEW} examples here"
    return [f"{few}, so that bounds of {means} are narrower than they should be: {shorten(rare)}"] if rare else []


def _statistics(counts: Floats, wanted: Places, answers: Places, k: int) -> Floats:
    """(b, 2 + 2 k): balanced accuracy, macro F1, then precision and F1 of each class."""
    having, answered = (sums_by_class(counts, places, k) for places in (wanted, answers))
    hits = sums_by_class(counts, np.where(wanted == answers, wanted, UNKNOWN), k)
    f1 = ratio(2 * hits, having + answered)
    means = np.stack([mean_defined(ratio(hits, having)), mean_defined(f1)], axis=1)
    return np.concatenate([means, ratio(hits, answered), f1], axis=1)


def sums_by_class(counts: Floats, places: Places, k: int) -> Floats:
    """Counts (b, n) summed over the examples of each class, (b, k); those at -1 are left out."""
    order = np.argsort(places, kind="stable")
    ends = np.searchsorted(places[order], np.arange(k + 1))
    sums = np.zeros((len(counts), len(places) + 1))
    np.cumsum(counts[:, order], axis=1, out=sums[:, 1:])
    return sums[:, ends[1:]] - sums[:, ends[:-1]]


def _per_class(
    output: Output, wanted: Places, answers: Places, units: Units, found: Bootstrapped
) -> tuple[ClassScore, ...]:
    k, n = len(output.classes), len(wanted)
    scores = []
    for place, name in enumerate(output.classes):
        has, said = wanted == place, answers == place
        recall = (share("recall", said[has], units[has]),) if has.any() else ()
        several = found[2 + place :: k]  # precision and F1
        rest = several.measures(("precision", "F1"), (int(said.sum()), int((has | said).sum())))
        scores.append(ClassScore(name, int(has.sum()), n, (*recall, *rest)))
    return tuple(scores)
