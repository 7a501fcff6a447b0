"""Examples without labels, as a network is asked about them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from transfer.data.array_files import is_hdf5, read_array_inputs
from transfer.data.folders import list_pictures
from transfer.data.hdf5_files import read_hdf5_arrays
from transfer.data.idx_files import is_idx, read_idx_inputs
from transfer.data.named_arrays import NamedArrays
from transfer.data.npz_files import holds_arrays
from transfer.errors import DataError, Problem, nearest

START_BYTES = 2**13  # that tell what a file is


class Examples(Protocol):
    """What labelled and unlabelled sets have in common."""

    @property
    def source(self) -> str:
        """Where they come from, for messages."""

    @property
    def names(self) -> tuple[str, ...]:
        """One for each example."""

    @property
    def inputs(self) -> tuple[Path, ...] | NDArray[Any] | NamedArrays:
        """Picture files, not yet decoded; or an array (n, …); or several by name."""

    def __len__(self) -> int:
        """Number of examples."""

    def subset(self, indices: NDArray[np.int64]) -> Self:
        """The examples at `indices`, in that order."""


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Examples without labels.

    Attributes:
        source: where they come from, for messages.
        names: one for each example.
        inputs: picture files, not yet decoded; or an array (n, …); or several by name.
        problems: what was left out, and why.
        notes: what else should be known of how they were taken, in a sentence each.
        addresses: by their names, of pictures that are not fetched yet.
    """

    source: str
    names: tuple[str, ...]
    inputs: tuple[Path, ...] | NDArray[Any] | NamedArrays
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    addresses: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.names)

    def subset(self, indices: Sequence[int] | NDArray[np.integer]) -> Inputs:
        """The examples at `indices`, in that order; problems stay."""
        places = np.asarray(indices, np.int64)
        inputs = tuple(self.inputs[i] for i in places) if isinstance(self.inputs, tuple) else self.inputs[places]
        return replace(self, names=tuple(self.names[i] for i in places), inputs=inputs)

    @classmethod
    def of_array(cls, rows: NDArray[Any] | NamedArrays, source: str = "an array") -> Inputs:
        """The rows of an array (n, …), or of several by name, called `x[17]`."""
        return cls(source, tuple(f"x[{place}]" for place in range(len(rows))), rows)


def one_array(examples: Examples) -> NDArray[Any]:
    """The array (n, …) of examples that have no other input.

    Raises:
        DataError: if they are pictures, or have several inputs.
    """
    inputs = examples.inputs
    if isinstance(inputs, NamedArrays) and len(inputs.names) == 1:
        return inputs.arrays[inputs.names[0]]
    if isinstance(inputs, np.ndarray):
        return inputs
    found = f"the inputs {', '.join(inputs.names)}" if isinstance(inputs, NamedArrays) else "pictures"
    raise DataError(
        f"{examples.source} holds {found}; one array is taken here.",
        [Problem("x", "an array (n, …)", found)],
        "give a network of as many inputs, or write one array as x",
    )


def read_inputs(paths: Sequence[str | os.PathLike[str]]) -> Inputs:
    """Pictures, folders of pictures (with all below them), or a file of arrays: .npz or HDF5 with `x`, IDX images.

    Pictures are not looked into here: one that cannot be decoded is found when it is loaded.

    Raises:
        DataError: if a path does not exist, a folder holds no picture, or arrays and pictures are mixed.
    """
    found = [Path(path) for path in paths]
    missing = [
        Problem(str(path), "a picture, a folder or an .npz file", "nothing of that name")
        for path in found
        if not path.exists()
    ]
    if missing:
        around = [each.name for each in Path(missing[0].where).absolute().parent.glob("*")]
        near = nearest(Path(missing[0].where).name, around)
        raise DataError(f"{missing[0].where} does not exist.", missing, f"nearest there: {near}" if near else "")
    readers = {path: read for path in found if (read := _reader(path))}
    if readers:
        if len(found) > 1:
            raise DataError("Arrays are asked about one file at a time.", [Problem(str(path)) for path in found])
        return Inputs.of_array(readers[found[0]](found[0]), str(found[0]))
    pictures: list[Path] = []
    problems: list[Problem] = []
    for path in found:
        if not path.is_dir():
            pictures.append(path)
            continue
        below, left_out = list_pictures(path)
        if not below:
            raise DataError(
                f"{path} holds no pictures.", left_out, next_step="give pictures (PNG, JPEG, …) or a folder of them"
            )
        pictures += below
        problems += left_out
    source = str(found[0]) if len(found) == 1 else f"{len(pictures)} pictures"
    return Inputs(source, tuple(map(str, pictures)), tuple(pictures), tuple(problems))


def _reader(path: Path) -> Callable[[Path], NDArray[Any] | NamedArrays] | None:
    """What reads the inputs in a file of arrays; None for any other."""
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        start = stream.read(START_BYTES)
        if is_hdf5(start):
            return partial(read_array_inputs, read=read_hdf5_arrays)
        if is_idx(path, start):
            return read_idx_inputs
        return read_array_inputs if holds_arrays(stream) else None
