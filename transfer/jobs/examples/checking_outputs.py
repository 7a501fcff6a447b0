"""Refusing sets of several outputs, or of none of classes, where a job takes one class for each example."""

from __future__ import annotations

from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, Problem


def refuse_outputs(data: LabelledSet, done: str, instead: str = "") -> None:
    """Refuse a set whose examples have not one class each.

    Args:
        data: labelled examples.
        done: what is done of one output of classes.
        instead: what else there is to do, after the first advice.

    Raises:
        DataError: if it is one.
    """
    if not data.labelling.is_single:
        raise DataError(
            f"{data.source} has not one class for each example; {done} on one output of classes.",
            [Problem("outputs", "one of classes", ", ".join(data.labelling.names))],
            f"name it with --head (or data.only(name)){instead}",
        )
