"""Giving work to Ray, which sends it to processes that have nothing else in common."""

from __future__ import annotations

import pickle
from typing import Any

from transfer.errors import Problem, TrainingError
from transfer.scaling.clusters import load_ray


def keep(work: Any) -> Any:
    """What Ray keeps work by.

    Raises:
        TrainingError: if it holds something that no other process can be given.
    """
    try:
        return load_ray().put(work)
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        raise TrainingError(
            "This work cannot be sent to other processes.",
            [Problem("work", "values that can be pickled", first_line(error.__cause__ or error))],
            next_step="look at classes and functions of your own in it: no locks, open files or sessions; or take "
            "--engine local (engine=None)",
        ) from error


def unsent(error: BaseException) -> TrainingError:
    """The error for what a worker could not be given, or could not give back: it would be the same each time."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return TrainingError(
        "A worker cannot be given its work, or cannot give back what came of it.",
        [Problem("worker", "values that can be pickled", lines[-1] if lines else type(error).__name__)],
        next_step="install the same h5transfer[ray] and your own modules on every machine",
    )


def first_line(error: BaseException) -> str:
    """The first line of what is said of an error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
