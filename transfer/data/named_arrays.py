"""Several inputs of each example, by name, as one value."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class NamedArrays:
    """Arrays of as many rows each, an example a row: what a network of several inputs is asked about.

    Attributes:
        arrays: by name, in the order of the inputs, each (n, …).
    """

    arrays: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "arrays", dict(self.arrays))
        counts = {name: array.shape[:1] for name, array in self.arrays.items()}
        if not counts or len(set(counts.values())) > 1 or () in counts.values():
            raise ValueError(f"named arrays have as many rows each: {counts}")

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def __iter__(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Each example's rows, by name."""
        return ({name: array[place] for name, array in self.arrays.items()} for place in range(len(self)))

    def __getitem__(self, places: NDArray[np.integer] | slice) -> NamedArrays:
        """The rows at some places, of every array."""
        return NamedArrays({name: array[places] for name, array in self.arrays.items()})

    def __str__(self) -> str:
        return ", ".join(f"{name} {array.shape[1:]} {array.dtype}" for name, array in self.arrays.items())

    @property
    def names(self) -> tuple[str, ...]:
        """Of the arrays, in order."""
        return tuple(self.arrays)

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Of one example's row in an array."""
        return self.arrays[name].shape[1:]

    @classmethod
    def joined(cls, first: NamedArrays, second: NamedArrays) -> NamedArrays:
        """The rows of both, the second's behind the first's.

        Raises:
            ValueError: if they have other names, or rows that do not fit together.
        """
        if set(first.names) != set(second.names):
            raise ValueError(f"other names: {first.names} and {second.names}")
        return cls({name: np.concatenate([first.arrays[name], second.arrays[name]]) for name in first.names})


def digest_rows(inputs: NDArray[Any] | NamedArrays) -> tuple[str, ...]:
    """32 hex digits of SHA-256 for each example: of type, shape and bytes of its row, or of its rows by name."""
    if isinstance(inputs, NamedArrays):
        return tuple(map(_digest_several, inputs))
    return tuple(hashlib.sha256(_content(np.asarray(row))).hexdigest()[:32] for row in inputs)


def _digest_several(rows: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name, row in sorted(rows.items()):
        content = _content(np.asarray(row))
        digest.update(f"{len(name)}:{name}{len(content)}:".encode() + content)
    return digest.hexdigest()[:32]


def _content(row: NDArray[Any]) -> bytes:
    return f"{row.dtype.str}{row.shape}".encode() + row.tobytes()
