"""A labelled set for a look at it: what would end a run is listed, and the rest is read."""

from __future__ import annotations

import os
from typing import Any

from transfer.data.labelled import LabelledSet
from transfer.data.reading import read_labelled
from transfer.errors import DataError, Problem


def read_leniently(
    path: str | os.PathLike[str], *, strict: bool = False, skip_unreadable: bool = False, **how: Any
) -> tuple[LabelledSet, tuple[Problem, ...]]:
    """The labelled examples at a path, and the damaged pictures for which `read_labelled` would refuse them.

    Args:
        path: as for `read_labelled`.
        strict: whether anything left out is an error, here too.
        skip_unreadable: whether damaged pictures are left out by request, so that none is refused.
        how: what else `read_labelled` takes.

    Raises:
        DataError: if there is more amiss than damaged pictures.
    """
    try:
        return read_labelled(path, strict=strict, skip_unreadable=skip_unreadable, **how), ()
    except DataError as refused:
        if strict or skip_unreadable:
            raise
        try:
            return read_labelled(path, skip_unreadable=True, **how), refused.problems
        except DataError:
            raise refused from None


def read_strictly(
    path: str | os.PathLike[str], *, strict: bool = False, skip_unreadable: bool = False, **how: Any
) -> tuple[LabelledSet, tuple[Problem, ...]]:
    """The same where damaged pictures are an error, as `read_labelled` has it: none are listed."""
    return read_labelled(path, strict=strict, skip_unreadable=skip_unreadable, **how), ()
