"""What a run answers to each of its test examples, as its folder keeps it.

`predictions.npz` has two arrays for each output: `probabilities_0` (n, k) and `wanted_0`, labels as a set has them. Row
i is of the i-th name under `split`, `test` in `run.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.npz_files import read_npz_arrays
from transfer.data.targets import check_targets
from transfer.errors import DataError
from transfer.jobs.runs.run_folders import PREDICTIONS
from transfer.labellings import Labelling
from transfer.specs import Json
from transfer.training.decoding import decode

Values = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class KeptPredictions:
    """Answers to n test examples.

    Attributes:
        labelling: of the outputs.
        names: of the examples, sorted.
        probabilities: (n, k) of each output; of a regression its numbers.
        wanted: labels of each, as a `LabelledSet` has them.
    """

    labelling: Labelling
    names: tuple[str, ...]
    probabilities: tuple[NDArray[np.float64], ...] = field(repr=False)
    wanted: tuple[Values, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.names)

    def answers(self, decisions: Json = None) -> tuple[Values, ...]:
        """What the probabilities say, as labels.

        Args:
            decisions: of the result, with the thresholds of labels; None for 0.5.
        """
        return decode(self.labelling, self.probabilities, limits_of(decisions))

    def write(self, folder: Path) -> None:
        """Put them into a run's folder."""
        arrays: dict[str, Values] = {}
        for place, (shares, labels) in enumerate(zip(self.probabilities, self.wanted, strict=True)):
            arrays |= {f"probabilities_{place}": shares, f"wanted_{place}": labels}
        given: dict[str, Any] = dict(arrays)  # numpy before 2.1 takes an `allow_pickle` for one more array
        np.savez(folder / PREDICTIONS, **given)


def sorted_predictions(
    labelling: Labelling, names: Sequence[str], probabilities: Sequence[Values], wanted: Sequence[Values]
) -> KeptPredictions:
    """Answers in the order of the examples' names.

    Args:
        labelling: of the outputs.
        names: of n examples, in any order.
        probabilities: (n, k) of each output, in that order.
        wanted: labels of each, likewise.
    """
    order = sorted(range(len(names)), key=lambda place: names[place])
    return KeptPredictions(
        labelling,
        tuple(names[place] for place in order),
        tuple(np.asarray(each, np.float64)[order] for each in probabilities),
        tuple(np.asarray(each)[order] for each in wanted),
    )


def limits_of(decisions: Json) -> dict[str, list[float]]:
    """The thresholds of each label, as `decode` takes them, from what `result.json` says of decisions."""
    found = (decisions or {}).get("thresholds", {})
    return {name: [each["value"] for each in known["labels"]] for name, known in found.items()}


def read_predictions(folder: Path, labelling: Labelling, names: Sequence[str]) -> KeptPredictions | None:
    """The answers of a run; None where it kept none, as older ones did not.

    Args:
        folder: of the run.
        labelling: of its outputs.
        names: of the examples that it was tested on, as `run.json` lists them.

    Raises:
        ValueError: if the file is there and is not one that this run writes.
    """
    path = folder / PREDICTIONS
    if not path.exists():
        return None
    arrays = [f"{what}_{place}" for place in range(len(labelling)) for what in ("probabilities", "wanted")]

    def choose(there: Sequence[str]) -> list[str]:
        if set(arrays) - set(there):
            raise ValueError("it lacks an output of this run")
        return arrays

    try:
        found = read_npz_arrays(path, choose)
    except DataError as error:
        told = error.problems[0].found if error.problems else error.summary
        raise ValueError(f"{PREDICTIONS} cannot be read ({told[:100]})") from error
    shares = tuple(found[f"probabilities_{place}"] for place in range(len(labelling)))
    labels = tuple(found[f"wanted_{place}"] for place in range(len(labelling)))
    for output, own, values in zip(labelling, shares, labels, strict=True):
        check_targets(output, values)
        if own.shape != (len(names), len(output.classes)) or len(values) != len(names) or own.dtype != np.float64:
            raise ValueError(f"{PREDICTIONS} has {own.shape} of {output.name!r}, not of its {len(names)} examples")
        if output.kind != "regression" and not ((own >= 0) & (own <= 1 + 1e-6)).all():
            raise ValueError(f"{PREDICTIONS} has numbers for {output.name!r} that are no probabilities")
    return KeptPredictions(labelling, tuple(names), shares, labels)
