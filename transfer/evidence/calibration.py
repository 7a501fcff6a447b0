"""What makes the probabilities of an output as sure as they should be, found on examples nothing was learnt from.

Softmax logits are divided by a temperature, which changes no answer (`training.temperatures`). Each sigmoid logit gets
a slope and an offset (`platt`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.grouping import number_groups
from transfer.data.targets import known, known_rows
from transfer.evidence.calibration_error import calibration_error
from transfer.evidence.platt import fit_platt
from transfer.evidence.resampling import Floats
from transfer.labellings import Output
from transfer.output_scores import Measure
from transfer.specs import Json
from transfer.tabulating import shorten
from transfer.training.scoring_logits import score_output
from transfer.training.temperatures import find_temperature

LEAST = 5  # examples that have a label, and that lack it, without which its logits stay
FOLDS = 5

Labels = NDArray[np.integer[Any]]
Logits = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibrated logits are `slopes * logits + offsets`.

    Attributes:
        output: its name.
        kind: `softmax` or `sigmoid`.
        slopes: (k,), above 0; of softmax all 1 / temperature.
        offsets: (k,); of softmax all 0.
        before: expected calibration error of the logits as they were; None where nothing was known. Of so few answers
            as a small set has it is mostly chance: with 30 that are as sure as they should be it is about 0.16.
        after: of calibrated ones, each example by what was found on the other four fifths of them.
        losses: cross-entropy in nats an example before, and after as `after` is; None where nothing was known.
        notes: what was left as it was, and why.
    """

    output: str
    kind: str
    slopes: tuple[float, ...]
    offsets: tuple[float, ...]
    before: Measure | None
    after: Measure | None
    losses: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        what = f"temperature {self.temperature:.3g}" if self.kind == "softmax" else "slopes and offsets"
        errors = (
            f" from {self.before.examples} answers: expected calibration error {self.before.value:.3f}, then "
            f"{self.after.value:.3f}"
            if self.before and self.after
            else ""
        )
        found = [f"{self.output}: {what}{errors}"] if self.is_changed else []
        return "\n".join([*found, *(f"note: {self.output}: {each}" for each in self.notes)])

    __repr__ = __str__

    @property
    def is_changed(self) -> bool:
        """Whether calibrated logits are others."""
        return any(slope != 1 for slope in self.slopes) or any(self.offsets)

    @property
    def temperature(self) -> float:
        """By which softmax logits are divided."""
        return 1 / self.slopes[0]

    def apply(self, logits: Logits) -> Floats:
        """Calibrated logits, (n, k)."""
        return np.asarray(logits, np.float64) * self.slopes + self.offsets

    def to_json(self) -> Json:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Json) -> Calibration:
        """The inverse of `to_json`."""
        lists = {name: tuple(values[name]) for name in ("slopes", "offsets", "notes")}
        errors = {name: values[name] and Measure(**values[name]) for name in ("before", "after")}
        losses = tuple(values["losses"]) if values["losses"] else None
        return cls(**{**values, **lists, **errors, "losses": losses})


def find_calibration(
    output: Output, wanted: Labels, logits: Logits, *, seed: int, groups: NDArray[np.int64] | None = None
) -> Calibration | None:
    """Calibrate an output's logits.

    Args:
        output: of softmax or sigmoid; of a child within its parent's class.
        wanted: (n,) or (n, k), -1 where not known.
        logits: (n, k).
        seed: of the fifths by which the error afterwards is measured.
        groups: (n,), numbers of groups of examples that are alike; those of one are in one fifth.

    Returns:
        None of a regression.
    """
    if output.kind == "regression":
        return None
    asked, finite = known_rows(wanted), np.isfinite(logits).all(1)
    rows = asked & finite
    wanted, values = wanted[rows], np.asarray(logits[rows], np.float64)
    slopes, offsets, left = _find(output, wanted, values)
    fifths = _fifths(number_groups(None if groups is None else groups[rows], len(wanted)), seed)
    others = _calibrated_by_others(output, wanted, values, fifths)
    losses = score_output(output, values, wanted).loss, score_output(output, others, wanted).loss
    return Calibration(
        output.name,
        output.kind,
        tuple(slopes.tolist()),
        tuple(offsets.tolist()),
        calibration_error(output, wanted, values),
        calibration_error(output, wanted, others),
        losses if len(wanted) else None,
        _notes(output, left, int((asked & ~finite).sum())),
    )


def _notes(output: Output, left: list[str], strange: int) -> tuple[str, ...]:
    few = f"fewer than {LEAST} examples have them or lack them, or their logits do not rise with them"
    said = (
        (left, f"{len(left)} of {len(output.classes)} labels are left as they are: {few}: {shorten(left)}"),
        (strange, f"{strange} examples with logits that are not finite count for nothing"),
    )
    return tuple(text for what, text in said if what)


def _find(output: Output, wanted: Labels, logits: Floats) -> tuple[Floats, Floats, list[str]]:
    """Slopes (k,), offsets (k,), and the labels that are left as they are."""
    k = len(output.classes)
    if output.kind == "softmax":
        return np.full(k, 1 / find_temperature(output, logits, wanted)[0]), np.zeros(k), []
    slopes, offsets, left = np.ones(k), np.zeros(k), []
    for place, name in enumerate(output.classes):
        rows = known(wanted[:, place])
        has = wanted[rows, place] == 1
        slope, offset = fit_platt(logits[rows, place], has) if min(has.sum(), (~has).sum()) >= LEAST else (0.0, 0.0)
        if slope > 0:
            slopes[place], offsets[place] = slope, offset
        else:
            left.append(name)
    return slopes, offsets, left


def _fifths(units: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).permutation(units.max(initial=-1) + 1)[units] % FOLDS


def _calibrated_by_others(output: Output, wanted: Labels, logits: Floats, fifths: NDArray[np.int64]) -> Floats:
    """(n, k), each fifth by what the others say."""
    calibrated = logits.copy()
    for fifth in range(FOLDS):
        rows = fifths == fifth
        slopes, offsets, _ = _find(output, wanted[~rows], logits[~rows])
        calibrated[rows] = logits[rows] * slopes + offsets
    return calibrated
