"""From which probability on a label is answered with yes: where F1 is highest on examples nothing was learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.grouping import number_groups
from transfer.data.targets import known_rows
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
    output: Output,
    wanted: Labels,
    probabilities: NDArray[np.floating[Any]],
    *,
    seed: int,
    groups: NDArray[np.int64] | None = None,
) -> Thresholds:
    """The threshold of each label with the highest F1; of several equally good ones that next to 0.5.

    Thresholds stand halfway between neighbouring probabilities.

    Args:
        output: of sigmoid.
        wanted: (n, k), 1, 0 or -1 where not known.
        probabilities: (n, k); of a child p(label | its parent's class).
        seed: of the resamples from which bounds come.
        groups: (n,), numbers of groups of examples that are alike; bounds are wider then.

    Raises:
        ValueError: if shapes do not agree.

    Source: Lipton, Elkan & Naryanaswamy (2014), "Optimal thresholding of classifiers to maximize F1 measure".
    """
    if wanted.shape != probabilities.shape or wanted.shape[1:] != (len(output.classes),):
        found = f"{wanted.shape} labels and {probabilities.shape} probabilities"
        raise ValueError(f"{found} of {len(output.classes)} labels")
    rows = known_rows(wanted)
    wanted, scores = wanted[rows], np.asarray(probabilities[rows], np.float64)
    units = number_groups(None if groups is None else groups[rows], len(wanted))
    cuts = [_cut(*column) for column in zip(wanted.T, scores.T, strict=True)]
    drawn = _draw(cuts, units, seed) if any(cuts) else [None] * len(cuts)
    columns = zip(output.classes, wanted.T, scores.T, cuts, drawn, strict=True)
    return Thresholds(output.name, tuple(_choose(*column) for column in columns))


@dataclass(frozen=True, slots=True, eq=False)
class _Cuts:
    """Where a label's examples may be cut, the threshold next to 0.5 first, so that of equally good ones it is taken.

    Attributes:
        ranked: the examples in order.
        near: (c,), places of the cuts.
        thresholds: (c,), in that order.
    """

    ranked: Ranked
    near: NDArray[np.int64]
    thresholds: Floats

    def f1(self, counts: Floats) -> Floats:
        """(b, c), of examples that count (b, n) times; 0 where no example has the label or a yes."""
        hits = self.ranked.hits(counts)
        f1 = 2 * hits / np.maximum(self.ranked.seen(counts) + hits[:, -1:], 1)
        return np.asarray(f1[:, self.near], np.float64)


def _cut(wanted: Labels, scores: Floats) -> _Cuts | None:
    """Of one label, (n,) and (n,); None where too few examples have it or lack it."""
    ranked = rank_label(wanted, scores)
    if ranked is None or min((wanted == 1).sum(), (wanted == 0).sum()) < LEAST:
        return None
    middles = ranked.above + (ranked.below - ranked.above) / 2
    thresholds = np.where(middles > ranked.below, middles, ranked.above)  # between neighbouring numbers there is none
    near = np.argsort(np.abs(thresholds - DEFAULT), kind="stable")
    return _Cuts(ranked, near, thresholds[near])


def _draw(cuts: Sequence[_Cuts | None], units: NDArray[np.int64], seed: int) -> list[Floats | None]:
    """Of each label the best thresholds of 1,000 resamples, (1000,)."""
    best: list[list[NDArray[np.int64]]] = [[] for _ in cuts]
    for counts in resamples(int(units.max()) + 1, seed, numbers=CACHED):
        drawn = counts[:, units]
        for places, each in zip(best, cuts, strict=True):
            places.extend([each.f1(drawn).argmax(1)] if each else [])
    return [each.thresholds[np.concatenate(places)] if each else None for places, each in zip(best, cuts, strict=True)]


def _choose(name: str, wanted: Labels, scores: Floats, cuts: _Cuts | None, drawn: Floats | None) -> LabelThreshold:
    has, lacks = wanted == 1, wanted == 0
    said = (scores >= DEFAULT) & (has | lacks)
    counts = int(has.sum()), int(lacks.sum())
    at_half = 2 * int((has & said).sum()) / (counts[0] + int(said.sum())) if (has | said).any() else None
    if cuts is None or drawn is None:
        return LabelThreshold(name, DEFAULT, None, None, at_half, at_half, *counts)
    f1 = cuts.f1(np.ones((1, len(wanted))))[0]
    low, high = np.quantile(drawn, (0.025, 0.975)).tolist()
    return LabelThreshold(name, float(cuts.thresholds[f1.argmax()]), low, high, float(f1.max()), at_half, *counts)
