"""Parts of a page that may not be had: each is tried, and where it fails the reason stands in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from transfer.errors import TransferError

T = TypeVar("T")
_LONGEST = 300  # characters of a reason


class NotingAbsences:
    """Makes parts one by one, and notes under a section's name why one could not be had.

    Attributes:
        absent: the reasons, by section.
    """

    def __init__(self, *expected: type[Exception]) -> None:
        """Take what may go wrong, besides this project's own errors and `ValueError`."""
        self.absent: dict[str, str] = {}
        self._expected: tuple[type[Exception], ...] = (TransferError, ValueError, *expected)

    def __call__(self, section: str, make: Callable[[], T]) -> T | None:
        """What `make` gives; None where it could not."""
        try:
            return make()
        except self._expected as error:
            told = error.summary if isinstance(error, TransferError) else str(error)
            self.absent[section] = f"{told[:_LONGEST].rstrip('.')}."
            return None
