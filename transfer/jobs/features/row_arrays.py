"""Arrays of examples on their way to other machines, which read the same file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transfer.data.array_problems import kept_inputs
from transfer.data.inputs import Inputs
from transfer.data.mapped_rows import take_rows
from transfer.data.named_arrays import NamedArrays
from transfer.jobs.examples.reading_unlabelled import read_unlabelled


class Arrays:
    """Arrays of examples; those of a file are read again where they are sent to, not sent."""

    def __init__(self, inputs: Inputs, path: Path | None) -> None:
        """Keep them.

        Args:
            inputs: as they were read.
            path: of the file; None where they come from none.
        """
        self._inputs: Inputs | None = inputs
        self._path = path.absolute() if path is not None else None

    def __getstate__(self) -> tuple[Inputs | None, Path | None]:
        return (self._inputs if self._path is None else None), self._path

    def __setstate__(self, state: tuple[Inputs | None, Path | None]) -> None:
        self._inputs, self._path = state

    def rows(self, some: slice) -> Any:
        """Some of them, in this machine's byte order; no page of a mapped array stays."""
        if self._inputs is None and self._path is not None:
            self._inputs = read_unlabelled(self._path, fewest=1)
        found: Any = self._inputs and self._inputs.inputs
        if isinstance(found, NamedArrays):
            return NamedArrays({name: kept_inputs(take_rows(each, some)) for name, each in found.arrays.items()})
        return kept_inputs(take_rows(found, some))
