"""Features of several networks that wait until all are read: in memory, and past a budget on the disk."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.jobs.rankings.features_of_cuts import CutFeatures, ReadCandidate
from transfer.training.feature_store import MEMORY_BYTES


class WaitingFeatures:
    """Where they wait; files go with it."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        """Open it.

        Args:
            memory_bytes: budget for all that stays in memory.
        """
        self._left = memory_bytes
        self._folder = tempfile.TemporaryDirectory(prefix="transfer-features-", ignore_cleanup_errors=True)
        self._files = 0

    def __enter__(self) -> WaitingFeatures:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def take(self, read: ReadCandidate) -> ReadCandidate:
        """The same, mapped from files where it does not fit into what is left of the budget.

        Raises:
            OSError: if it cannot be written.
        """
        size = sum(_size(each) for each in read.cuts)
        if size <= self._left:
            self._left -= size
            return read
        return replace(read, cuts=tuple(map(self._put_away, read.cuts)))

    def _put_away(self, cut: CutFeatures) -> CutFeatures:
        asked = cut.probabilities
        return replace(
            cut, values=self._mapped(cut.values), probabilities=None if asked is None else self._mapped(asked)
        )

    def _mapped(self, rows: NDArray[Any]) -> NDArray[Any]:
        self._files += 1
        path = Path(self._folder.name) / f"{self._files}.npy"
        np.save(path, rows)
        mapped: NDArray[Any] = np.load(path, mmap_mode="r")
        return mapped


def _size(cut: CutFeatures) -> int:
    return cut.values.nbytes + (0 if cut.probabilities is None else cut.probabilities.nbytes)
