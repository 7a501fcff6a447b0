"""From logits to answers that are as sure as they should be: calibration and thresholds, from validation examples.

Each output is calibrated, then each label's threshold is chosen on calibrated probabilities. Both come from examples
that nothing was learnt from; where there are none, logits stay and thresholds are 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.calibration import Calibration, find_calibration
from transfer.evidence.thresholds import Thresholds, find_thresholds
from transfer.labellings import Labelling
from transfer.specs import Json
from transfer.training.labels import Labels, logit_places

Logits = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Decisions:
    """How the logits of all outputs become answers.

    Attributes:
        labelling: of these outputs.
        calibrations: by the names of outputs; none of numbers, nor where nothing could be validated.
        thresholds: of outputs of labels, likewise.
        examples: that were validated on.
    """

    labelling: Labelling
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    thresholds: Mapping[str, Thresholds] = field(default_factory=dict)
    examples: int = 0

    def slopes(self) -> NDArray[np.float64]:
        """(K,) by which logits are multiplied."""
        return self._of_logits("slopes", 1.0)

    def offsets(self) -> NDArray[np.float64]:
        """(K,) that are added to them then."""
        return self._of_logits("offsets", 0.0)

    def _of_logits(self, name: str, otherwise: float) -> NDArray[np.float64]:
        parts = [
            np.asarray(getattr(self.calibrations[each.name], name))
            if each.name in self.calibrations
            else np.full(len(each.classes), otherwise)
            for each in self.labelling
        ]
        return np.concatenate(parts)

    def limits(self) -> dict[str, list[float]]:
        """The thresholds of each label, as `decode` takes them."""
        return {name: each.values.tolist() for name, each in self.thresholds.items()}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done, in a sentence for each output, and what was left as it was."""
        if not self.examples:
            return ("nothing was validated, so probabilities are not calibrated and thresholds are 0.5",)
        lines = [part for each in self.calibrations.values() for part in str(each).splitlines()]
        lines = [part if part.startswith("note: ") else f"calibrated {part}" for part in lines]
        return (*lines, *(f"note: {name}: {note}" for name, each in self.thresholds.items() for note in each.notes))

    def to_json(self) -> Json:
        """As plain values."""
        return {
            "examples": self.examples,
            "calibrations": {name: each.to_json() for name, each in self.calibrations.items()},
            "thresholds": {name: each.to_json() for name, each in self.thresholds.items()},
        }


def decide(labels: Labels, logits: Logits | None, *, seed: int, groups: NDArray[np.int64] | None = None) -> Decisions:
    """Calibrate and choose thresholds.

    Args:
        labels: of the validation examples.
        logits: (m, K) of them, by weights that have not learnt from them; None where there are none.
        seed: of resamples and folds.
        groups: (m,) of the examples; those of one stay together in both. None where there are none.
    """
    if logits is None or not len(labels):
        return Decisions(labels.labelling)
    calibrations: dict[str, Calibration] = {}
    thresholds: dict[str, Thresholds] = {}
    for output, places, values in zip(labels.labelling, logit_places(labels.labelling), labels.targets, strict=True):
        found = find_calibration(output, values, logits[:, places], seed=seed, groups=groups)
        if found is None:
            continue
        calibrations[output.name] = found if _helps(found) else _left(found)
        if output.kind == "sigmoid":
            shares = np.exp(-np.logaddexp(0, -calibrations[output.name].apply(logits[:, places])))
            there = np.isfinite(shares).all(1)
            own = None if groups is None else groups[there]
            thresholds[output.name] = find_thresholds(output, values[there], shares[there], seed=seed, groups=own)
    return Decisions(labels.labelling, calibrations, thresholds, len(labels))


def choose_thresholds(
    labels: Labels, logits: Logits, *, seed: int, groups: NDArray[np.int64] | None = None
) -> dict[str, list[float]]:
    """The thresholds alone, as `decode` takes them, for baselines as good as they can be; arguments as for `decide`."""
    found: dict[str, list[float]] = {}
    for output, places, values in zip(labels.labelling, logit_places(labels.labelling), labels.targets, strict=True):
        if output.kind == "sigmoid":
            shares = np.exp(-np.logaddexp(0, -logits[:, places]))
            there = np.isfinite(shares).all(1)
            own = None if groups is None else groups[there]
            chosen = find_thresholds(output, values[there], shares[there], seed=seed, groups=own)
            found[output.name] = chosen.values.tolist()
    return found


def _helps(found: Calibration) -> bool:
    """Whether the loss is lower by it on examples that it was not found on."""
    return found.losses is not None and found.losses[1] < found.losses[0]


def _left(found: Calibration) -> Calibration:
    """The logits as they were, with what calibrating them would have come to."""
    count, (before, after) = len(found.slopes), found.losses or (float("nan"), float("nan"))
    note = f"logits were left as they were: calibrated, the loss on other examples is {after:.3f} for {before:.3f}"
    return replace(found, slopes=(1.0,) * count, offsets=(0.0,) * count, after=found.before, notes=(*found.notes, note))
