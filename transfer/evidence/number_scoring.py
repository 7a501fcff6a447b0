"""How far answers that are numbers lie from those that were wanted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.class_scoring import share
from transfer.evidence.resampling import Floats, bootstrap, mean_defined, ratio
from transfer.labellings import Output
from transfer.output_scores import ClassScore, Measure, OutputScore

NAMES = ("mean absolute error", "root mean squared error", "R²")
_CONSTANT = 1e-12


def score_numbers(output: Output, wanted: Floats, answers: Floats, numbers: Floats, *, seed: int) -> OutputScore:
    """Mean absolute error, root mean squared error and R² of each number, and their means over the numbers.

        R² = 1 - sum (wanted - number)² / sum (wanted - mean wanted)²

    Where the parent denies an answer, what the head says all the same is measured: to leave it out would make the
    errors of a network small that denies what it cannot tell. How many are not denied is a measure of its own.

    Args:
        output: of regression.
        wanted: (n, k), NaN where not known; something is known of each example.
        answers: (n, k), NaN where denied.
        numbers: (n, k), what the head says.
        seed: of the resamples.
    """
    asked = np.isfinite(wanted) & np.isfinite(numbers)
    k, counts = len(output.classes), asked.sum(0)
    found = bootstrap(lambda drawn: _statistics(drawn, wanted, numbers, asked), len(wanted), seed)
    means = found[: len(NAMES)].measures(NAMES, (len(wanted),) * len(NAMES))
    denied = np.isfinite(wanted) & ~np.isfinite(answers)
    answered = _answered(denied, wanted) if output.parent else ()
    each = tuple(
        ClassScore(name, int(count), int(count), found[len(NAMES) + place :: k].measures(NAMES, (int(count),) * 3))
        for place, (name, count) in enumerate(zip(output.classes, counts, strict=True))
    )
    return OutputScore(
        output.name, output.kind, len(wanted), (*means, *answered), each, _notes(wanted, numbers, denied)
    )


def _answered(denied: NDArray[np.bool_], wanted: Floats) -> tuple[Measure, ...]:
    rows = np.isfinite(wanted).any(1)
    return (share("not denied", int((rows & ~denied.any(1)).sum()), int(rows.sum())),)


def _statistics(counts: Floats, wanted: Floats, numbers: Floats, asked: NDArray[np.bool_]) -> Floats:
    """(b, 3 + 3 k): the means of `NAMES` over the numbers, then each of them for each number."""
    sizes = np.maximum(asked.sum(0), 1)
    centred = np.where(asked, wanted, 0) - np.where(asked, wanted, 0).sum(0) / sizes
    centred = np.where(asked, centred, 0)
    error = np.where(asked, wanted - numbers, 0)
    total = counts @ asked
    square = counts @ error**2
    spread = counts @ centred**2 - ratio((counts @ centred) ** 2, total)
    steady = spread <= _CONSTANT * np.maximum(total, 1) * (centred**2).max(0, initial=0)
    absolute, root = ratio(counts @ np.abs(error), total), np.sqrt(ratio(square, total))
    determined = 1 - ratio(square, np.where(steady | np.isnan(spread), 0, spread))
    each = (absolute, root, determined)
    return np.concatenate([np.stack([mean_defined(one) for one in each], axis=1), *each], axis=1)


def _notes(wanted: Floats, numbers: Floats, denied: NDArray[np.bool_]) -> tuple[str, ...]:
    strange = int((np.isfinite(wanted) & ~np.isfinite(numbers)).sum())
    said = (
        (int(denied.any(1).sum()), "examples are denied by the answer to the parent; their numbers count all the same"),
        (strange, "answers are no finite numbers and could not be measured"),
    )
    return tuple(f"{count} {what}" for count, what in said if count)
