"""Rows of an array that is mapped from the disk: those that are asked for are in memory, the others not for long."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

_AT_A_TIME = 16  # rows between which pages are given back


def take_rows(array: NDArray[Any], places: NDArray[np.integer[Any]] | slice) -> NDArray[Any]:
    """Some rows of an array; if it is mapped read-only a copy, after which no page of it is this process's any more.

    Pages that were read stay a process's own until the system needs them; a pass over a large file would seem to take
    as much memory as the file has bytes. So would rows from all over it: a page may be as large as some megabytes.
    """
    pages = _pages(array)
    if pages is None:
        return array[places]
    if isinstance(places, slice):
        rows = np.array(array[places])
        _release(pages)
        return rows
    rows = np.empty((len(places), *array.shape[1:]), array.dtype)
    for start in range(0, len(places), _AT_A_TIME):
        some = slice(start, start + _AT_A_TIME)
        rows[some] = array[places[some]]
        _release(pages)
    return rows


def _release(pages: mmap.mmap) -> None:
    if hasattr(mmap, "MADV_DONTNEED"):
        pages.madvise(mmap.MADV_DONTNEED)


def _pages(array: NDArray[Any]) -> mmap.mmap | None:
    """The map below an array, where nothing can have been written to it; None for any other array."""
    below: Any = array
    while isinstance(below, np.ndarray):
        if isinstance(below, np.memmap) and below.mode != "r":
            return None
        below = below.base
    return below if isinstance(below, mmap.mmap) else None
