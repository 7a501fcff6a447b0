"""Which test examples a run has right, as its folder keeps it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from transfer.evidence.known_runs import KeptAnswers
from transfer.jobs.runs.run_folders import ANSWERS
from transfer.specs import Json


def read_answers(folder: Path) -> KeptAnswers | None:
    """The answers of a run; None where it kept none, as older ones did not.

    Args:
        folder: of the run.

    Raises:
        ValueError: if the file is there and is not one that a run writes.
    """
    path = folder / ANSWERS
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{ANSWERS} cannot be read ({str(error)[:100]})") from error
    return answers_from_json(found)


def answers_from_json(found: Json) -> KeptAnswers:
    """The answers that `answers.json` holds.

    Raises:
        ValueError: if it is not what a run writes.
    """
    try:
        names, ways = found["examples"], dict(found["ways"])
        more = {each: found.get(each) or () for each in ("digests", "groups")}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{ANSWERS} cannot be read ({str(error)[:100]})") from error
    if not _is_texts(names) or not all(_is_answer(each, len(names)) for each in ways.values()):
        raise ValueError(f"{ANSWERS} does not say of each example whether it is right")
    if any(each and len(each) != len(names) for each in more.values()):
        raise ValueError(f"{ANSWERS} has digests or groups of other examples")
    answers = {str(name): np.array(each, np.bool_) for name, each in ways.items()}
    return KeptAnswers(tuple(names), answers, **{name: tuple(map(str, each)) for name, each in more.items()})


def _is_texts(names: Json) -> bool:
    return isinstance(names, list) and all(isinstance(each, str) for each in names)


def _is_answer(found: Json, count: int) -> bool:
    return isinstance(found, Sequence) and len(found) == count and all(isinstance(each, bool) for each in found)
