"""From which probability on a label is answered with yes: where F1 is highest on examples nothing was learnt from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.ranking import Ranked, rank_label
from transfer.evidence.resampling import CACHED, Floats, resamples
from transfer.labellings import Output
from transfer.specs import Json
from transfer.tabulating import format_table, shorten

DEFAULT = 0.5
LEAST = 5  # examples that have a label, and that lack it, without which it keeps the default
_COLUMNS = ("label", "threshold", "95 % interval", "F1", "at 0.5", "examples")

Labels = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class LabelThreshold:
    """When a label is answered with yes.

    Attributes:
        name: of the label.
        value: the lowest probability with which it is; of a child on p(label | its parent's class).
        low: 2.5 % quantile of the thresholds of resampled examples; None where the default was kept.
        high: 97.5 % quantile, likewise.
        f1: at the threshold on the examples that chose it, which flatters it; None where not defined.
        default_f1: at 0.5 on these.
        positives: examples that have the label.
        negatives: examples known to lack it.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    f1: float | None
    default_f1: float | None
    positives: int
    negatives: int


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Of all labels of an output; printed, it is a table.

    Attributes:
        output: its name.
        labels: in its order.
    """

    output: str
    labels: tuple[LabelThreshold, ...]

    def __str__(self) -> str:
        rows = [
            (
                each.name,
                f"{each.value:.3f}",
                "-" if each.low is None or each.high is None else f"{each.low:.3f} to {each.high:.3f}",
                *("-" if f1 is None else f"{f1:.3f}" for f1 in (each.f1, each.default_f1)),
                f"{each.positives} of {each.positives + each.negatives}",
            )
            for each in self.labels
        ]
        table = format_table(_COLUMNS, rows, numbers=("threshold", "F1", "at 0.5", "examples"))
        return "\n".join([table, *(f"note: {self.output}: {each}" for each in self.notes)])

    __repr__ = __str__

    @property
    def values(self) -> Floats:
        """(k,)."""
        return np.array([each.value for each in self.labels])

    @property
    def notes(self) -> tuple[str, ...]:
        """Which labels kept the default."""
        kept = [each.name for each in self.labels if each.low is None]
        few = f"{len(kept)} of {len(self.labels)} labels keep the threshold {DEFAULT}: fewer than {LEAST} examples have"
        return (f"{few} them, or lack them: {shorten(kept)}",) if kept else ()

    def apply(self, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
        """1 for yes and 0 for no, both (n, k)."""
        return (probabilities >= self.values).astype(np.int64)

    def to_json(self) -> Json:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Json) -> Thresholds:
        """The inverse of `to_json`."""
        return cls(values["output"], tuple(LabelThreshold(**each) for each in values["labels"]))


def find_thresholds(
    output: Output, wanted: Labels, probabilities: NDArray[np.floating[Any]], *, seed: int
) -> Thresholds:
    """The threshold of each label with the highest F1; of several equally good ones that next to 0.5.

    Thresholds stand halfway between neighbouring probabilities.

    Args:
        output: of sigmoid.
        wanted: (n, k), 1, 0 or -1 where not known.
        probabilities: (n, k); of a child p(label | its parent's class).
        seed: of the resamples from which bounds come.

    Raises:
        ValueError: if shapes do not agree.

    Source: Lipton, Elkan & Naryanaswamy (2014), "Optimal thresholding of classifiers to maximize F1 measure".
    """
    if wanted.shape != probabilities.shape or wanted.shape[1:] != (len(output.classes),):
        raise ValueError(
            f"{wanted.shape} labels and {probabilities.shape} probabilities of {len(output.classes)} labels"
        )
    columns = zip(output.classes, wanted.T, np.asarray(probabilities, np.float64).T, strict=True)
    return Thresholds(output.name, tuple(_find(name, has, scores, seed) for name, has, scores in columns))


def _find(name: str, wanted: Labels, scores: Floats, seed: int) -> LabelThreshold:
    wanted, scores = wanted[wanted >= 0], scores[wanted >= 0]
    has, said = wanted == 1, scores >= DEFAULT
    positives, negatives = int(has.sum()), int((~has).sum())
    at_half = 2 * int((has & said).sum()) / int(has.sum() + said.sum()) if (has | said).any() else None
    cuts = rank_label(wanted, scores)
    if cuts is None or min(positives, negatives) < LEAST:
        return LabelThreshold(name, DEFAULT, None, None, at_half, at_half, positives, negatives)
    middles = cuts.above + (cuts.below - cuts.above) / 2
    thresholds = np.where(middles > cuts.below, middles, cuts.above)  # between neighbouring numbers there is none
    near = np.argsort(np.abs(thresholds - DEFAULT), kind="stable")  # of equals the first is taken
    thresholds, f1 = thresholds[near], _f1(cuts, np.ones((1, len(wanted))))[0, near]
    drawn = [_f1(cuts, counts)[:, near].argmax(1) for counts in resamples(len(wanted), seed, numbers=CACHED)]
    low, high = np.quantile(thresholds[np.concatenate(drawn)], (0.025, 0.975)).tolist()
    best = int(f1.argmax())
    return LabelThreshold(name, float(thresholds[best]), low, high, float(f1[best]), at_half, positives, negatives)


def _f1(cuts: Ranked, counts: Floats) -> Floats:
    """(b, c), of examples that count (b, n) times; 0 where no example has the label or a yes."""
    hits = cuts.hits(counts)
    return np.asarray(2 * hits / np.maximum(cuts.seen(counts) + hits[:, -1:], 1), np.float64)
