"""Whether the machines of a cluster see the same folders: what one reads or writes there, the others have to see."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

from transfer.data.labelled import LabelledSet
from transfer.errors import Problem, TrainingError

_STEP = "mount the same folders at the same paths on every machine, or take --engine local (engine=None)"


def pictures_of(data: LabelledSet) -> tuple[Path, ...]:
    """Where the pictures of a set lie; none of arrays."""
    return data.inputs if isinstance(data.inputs, tuple) else ()


def refuse_unseen(paths: Sequence[Path]) -> None:
    """Refuse to read files of which none is there: this machine has not what whoever asked has seen.

    Args:
        paths: of files; where there are none, nothing is asked.

    Raises:
        TrainingError: if so.
    """
    if paths and not any(each.exists() for each in paths):
        raise TrainingError(
            f"{platform.node()} does not see the files that it is to read.",
            [Problem(str(paths[0]), "a file that every machine of the cluster sees", "none")],
            next_step=_STEP,
        )


def refuse_missing(path: Path) -> None:
    """Refuse to take a file for written that is not here.

    Args:
        path: of a file that another machine may have written.

    Raises:
        TrainingError: if so.
    """
    if not path.is_file():
        raise TrainingError(
            "A machine has written what is not seen here.",
            [Problem(str(path), "a file that every machine of the cluster sees", "none")],
            next_step=_STEP,
        )
