"""How far answers that are numbers lie from those that were wanted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import known_rows
from transfer.evidence.class_scoring import Units, share
from transfer.evidence.resampling import Floats, bootstrap, mean_defined, ratio
from transfer.labellings import Output
from transfer.output_scores import ClassScore, Measure, OutputScore

NAMES = ("mean absolute error", "root mean squared error", "R²")
_CONSTANT = 1e-12


def score_numbers(
    output: Output, wanted: Floats, answers: Floats, numbers: Floats, units: Units, *, seed: int
) -> OutputScore:
    """Mean absolute error, root mean squared error and R² of each number, and their means over the numbers.

        R² = 1 - sum (wanted - number)² / sum (wanted - mean wanted)²

    Where the parent denies an answer, what the head says all the same is measured: to leave it out would make the
    errors of a network small that denies what it cannot tell. How many are not denied is a measure of its own.

    Args:
        output: of regression.
        wanted: (n, k), NaN where not known; something is known of each example.
        answers: (n, k), NaN where denied.
        numbers: (n, k), what the head says.
        units: (n,), from 0 on without a gap: of what is drawn together.
        seed: of the resamples.
    """
    asked = np.isfinite(wanted) & np.isfinite(numbers)
    k, counts = len(output.classes), asked.sum(0)
    columns = _columns(wanted, numbers, asked)
    least = _CONSTANT * columns[:, 4 * k :].max(0)
    found = bootstrap(lambda drawn: _statistics(drawn, columns, least), units, seed)
    means = found[: len(NAMES)].measures(NAMES, (len(wanted),) * len(NAMES))
    denied = np.isfinite(wanted) & ~np.isfinite(answers)
    answered = _answered(denied, wanted, units) if output.parent else ()
    each = tuple(
        ClassScore(name, int(count), int(count), found[len(NAMES) + place :: k].measures(NAMES, (int(count),) * 3))
        for place, (name, count) in enumerate(zip(output.classes, counts, strict=True))
    )
    return OutputScore(
        output.name, output.kind, len(wanted), (*means, *answered), each, _notes(wanted, numbers, denied)
    )


def _answered(denied: NDArray[np.bool_], wanted: Floats, units: Units) -> tuple[Measure, ...]:
    rows = known_rows(wanted)
    return (share("not denied", denied[rows].sum(1) == 0, units[rows]),)


def _columns(wanted: Floats, numbers: Floats, asked: NDArray[np.bool_]) -> Floats:
    """(n, 5 k): of each number whether it is measured, error, error squared, what is wanted less its mean, squared."""
    known = np.where(asked, wanted, 0)
    centred = np.where(asked, known - known.sum(0) / np.maximum(asked.sum(0), 1), 0)
    error = np.where(asked, known - numbers, 0)
    return np.column_stack([asked, np.abs(error), error**2, centred, centred**2]).astype(np.float64)


def _statistics(counts: Floats, columns: Floats, least: Floats) -> Floats:
    """(b, 3 + 3 k): the means of `NAMES` over the numbers, then each of them for each number.

    Args:
        counts: (b, n).
        columns: (n, 5 k).
        least: (k,), what numbers must differ by, squared, for R² to be defined.
    """
    total, absolute, square, centred, centred_square = np.split(counts @ columns, 5, axis=1)
    spread = centred_square - ratio(centred**2, total)
    differing = np.where(spread > least * total, spread, 0)
    each = (ratio(absolute, total), np.sqrt(ratio(square, total)), 1 - ratio(square, differing))
    return np.concatenate([np.stack([mean_defined(one) for one in each], axis=1), *each], axis=1)


def _notes(wanted: Floats, numbers: Floats, denied: NDArray[np.bool_]) -> tuple[str, ...]:
    strange = int((np.isfinite(wanted) & ~np.isfinite(numbers)).sum())
    said = (
        (int(denied.any(1).sum()), "examples are denied by the answer to the parent; their numbers count all the same"),
        (strange, "answers are no finite numbers and could not be measured"),
    )
    return tuple(f"{count} {what}" for count, what in said if count)
