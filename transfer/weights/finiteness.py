"""Tensors with NaN or infinity in them: told, and never put in the place of a finite file without being asked to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.errors import CheckpointError, OutputError, Problem
from transfer.weights.formats import open_tensors


def is_finite(values: NDArray[Any]) -> bool:
    """Whether no value is NaN or infinite."""
    if values.dtype.kind in "iub":
        return True
    return bool(np.isfinite(values).all())


def noting_nonfinite(
    tensors: Iterable[tuple[str, NDArray[Any]]], found: list[str]
) -> Iterator[tuple[str, NDArray[Any]]]:
    """The same tensors; the names of those that are not finite are added to `found` on the way."""
    for name, values in tensors:
        if not is_finite(values):
            found.append(name)
        yield name, values


def refuse_nonfinite(path: Path, nonfinite: Sequence[str], *, allow: bool) -> None:
    """Keep a finite file from being replaced by one that is not.

    Args:
        path: of the file that would be replaced, if it exists.
        nonfinite: names of the new tensors that are not finite.
        allow: whether the caller asked for it.

    Raises:
        OutputError: if the file that is there can be read and is finite, naming the tensors.
    """
    if allow or not nonfinite or not path.exists() or not _is_finite_file(path):
        return
    raise OutputError(
        f"{path} is finite, and what would replace it is not ({len(nonfinite)} tensors).",
        [Problem(name, "finite numbers", "NaN or infinity") for name in nonfinite],
        next_step="write it under another name, or replace the file with --allow-nonfinite (allow_nonfinite=True)",
    )


def _is_finite_file(path: Path) -> bool:
    try:
        return all(is_finite(values) for _, values in open_tensors(path).stream())
    except CheckpointError:
        return False
