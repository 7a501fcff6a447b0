"""Opening a checkpoint: recognise its dialect, list its tensors, read one when asked for."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from transfer.errors import CheckpointError, Problem, nearest
from transfer.specs import Json, TensorSpec
from transfer.weights.archives import MEMBER_WEIGHTS, Archive, open_archive
from transfer.weights.cards import ATTRIBUTE, Card, parse_card, sidecar_of
from transfer.weights.dialects import keras3, legacy
from transfer.weights.dialects.layout import Layout
from transfer.weights.digests import digest_tensor
from transfer.weights.guarding import DamagedError, dataset, recognise_container
from transfer.weights.shipped import shipped_checkpoints

AGAIN = "get the file again from where it came from"
DIALECTS: tuple[ModuleType, ...] = (legacy, keras3)


class Checkpoint(Mapping[str, NDArray[Any]]):
    """A pretrained file as a lazy mapping of names to arrays, in the writer's order.

    Nothing is held open: the structure is read once, a tensor when it is asked for. A file that changes in between is
    refused.

    Attributes:
        path: the file.
        dialect: the layout it is written in.
        writer: the Keras version that wrote it; empty where the file does not say.
        specs: name to `TensorSpec`, without reading a tensor.
        extras: places of arrays that are no weights (optimizer slots, states of random generators).
        config: the architecture as the file holds it; None where it holds none.
        card: the file's card, its own or a sidecar's; None where there is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._container = recognise_container(path)
        self._stamp = _stamp(path)
        archive = open_archive(path) if self._container == "zip" else None
        with self._root(archive) as root:
            layout = _read_layout(root, path)
            card = root.attrs.get(ATTRIBUTE)
        self.dialect = layout.dialect if archive is None else f".keras archive ({layout.dialect})"
        self.writer = layout.writer if archive is None else archive.writer
        self.extras = layout.extras
        self.specs: Mapping[str, TensorSpec] = {each.spec.name: each.spec for each in layout.tensors}
        self._places = {each.spec.name: each.place for each in layout.tensors}
        self._config = layout.config if archive is None else archive.config
        self.card: Card | None = _find_card(path, card if archive is None else archive.card)

    @cached_property
    def config(self) -> Json:
        """The architecture in the file; None where it holds none.

        Raises:
            CheckpointError: if it is not JSON.
        """
        if self._config is None:
            return None
        try:
            return json.loads(self._config)
        except (ValueError, RecursionError) as error:
            where = "config.json" if self._container == "zip" else "model_config"
            raise CheckpointError(
                f"{self.path}: {where} is damaged.", [Problem(where, "JSON", str(error)[:200])]
            ) from error

    @property
    def architecture(self) -> Json:
        """The config to rebuild the model from: the card's, else the file's; None where there is neither."""
        return self.card.architecture if self.card is not None and self.card.architecture else self.config

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.read([name])[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.specs)

    def __len__(self) -> int:
        return len(self.specs)

    def __repr__(self) -> str:
        return f"<Checkpoint {self.path.name}: {len(self)} tensors, {self.dialect}>"

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def read(self, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Read several tensors in one go, each held against the card's digest where there is one.

        Raises:
            KeyError: if a name is not in the file.
            CheckpointError: if the file has changed since it was opened, or a tensor is damaged.
        """
        wanted = list(names)
        unknown = [name for name in wanted if name not in self._places]
        if unknown:
            raise KeyError(f"{unknown[0]!r} is not in {self.path}; nearest: {nearest(unknown[0], self)}")
        if _stamp(self.path) != self._stamp:
            raise CheckpointError(f"{self.path} has changed since it was opened.", next_step="open it again")
        archive = open_archive(self.path) if self._container == "zip" else None
        with self._root(archive) as root:
            arrays = {name: dataset(root, self._places[name].strip("/"))[()] for name in wanted}
        self._verify(arrays)
        return {name: np.asarray(array) for name, array in arrays.items()}

    def _verify(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        recorded = self.card.digests if self.card is not None else {}
        damaged = [
            Problem(name, f"sha256 {recorded[name][:12]}… as its card says", "other bits")
            for name, array in arrays.items()
            if name in recorded and recorded[name] != digest_tensor(np.asarray(array))
        ]
        if damaged:
            raise CheckpointError(f"{self.path} is damaged.", damaged, next_step=AGAIN)

    @contextmanager
    def _root(self, archive: Archive | None) -> Iterator[h5py.Group]:
        source = self.path if archive is None else io.BytesIO(archive.read_weights())
        try:
            with h5py.File(source, "r") as file:
                yield file
        except DamagedError as error:
            what = str(self.path) if archive is None else f"{self.path} ({MEMBER_WEIGHTS})"
            raise CheckpointError(f"{what} is {error.summary}.", error.problems, AGAIN) from error
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            what = str(self.path) if archive is None else f"{self.path} ({MEMBER_WEIGHTS})"
            raise CheckpointError(
                f"{what} is damaged or truncated.",
                [Problem(what, "HDF5 that can be read", str(error)[:300])],
                next_step=AGAIN,
            ) from error


def open_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Open a pretrained file, or a shipped checkpoint by its name.

    Args:
        path: an HDF5 file or a `.keras` archive, whatever its suffix; or a name that `transfer checkpoints` lists.

    Raises:
        CheckpointError: if there is no such file, it is something else, damaged, or of no known dialect.
    """
    file = Path(path)
    if not os.path.lexists(file):
        shipped = shipped_checkpoints()
        if str(path) not in shipped:
            around = [each.name for each in file.parent.iterdir()] if file.parent.is_dir() else []
            raise CheckpointError(
                f"There is no file {file}, nor a shipped checkpoint of that name.",
                next_step=f"did you mean {nearest(file.name, [*around, *shipped])}?",
            )
        file = shipped[str(path)]
    return Checkpoint(file)


def _read_layout(root: h5py.Group, path: Path) -> Layout:
    for dialect in DIALECTS:
        if dialect.recognises(root):
            layout: Layout = dialect.read(root)
            return layout
    members = ", ".join(map(str, list(root)[:5])) or "nothing"
    raise CheckpointError(
        f"{path} is HDF5, but not weights in a layout of Keras that is known here.",
        [
            Problem(
                str(path),
                "'layer_names', or groups 'layers' and 'vars'",
                f"groups {members}; attributes {', '.join(map(str, list(root.attrs)[:5])) or 'none'}",
            )
        ],
    )


def _find_card(path: Path, stored: object) -> Card | None:
    if stored is not None:
        return parse_card(stored.decode("utf-8", "replace") if isinstance(stored, bytes) else str(stored), str(path))
    sidecar = sidecar_of(path)
    if not sidecar.is_file():
        return None
    return parse_card(sidecar.read_text(encoding="utf-8", errors="replace"), str(sidecar))


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    return status.st_ino, status.st_size, status.st_mtime_ns
