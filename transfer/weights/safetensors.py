"""Safetensors files: opened like a checkpoint, and written with a card among their metadata."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.errors import CheckpointError, OutputError, Problem
from transfer.specs import Json, TensorSpec, Writer
from transfer.weights.blueprints import check_names
from transfer.weights.cards import ATTRIBUTE, Card, parse_card
from transfer.weights.containers import AGAIN, SIGNATURE
from transfer.weights.digests import digest_json
from transfer.weights.guarding import DamagedError
from transfer.weights.reading import numpy_dtype
from transfer.weights.safetensors_header import LARGEST, NAMES, Entry, Header, format_header, parse_header, plan_header
from transfer.weights.stamps import Stamp, has_changed, stamp_of
from transfer.weights.stored_tensors import StoredTensors
from transfer.weights.tensor_digests import digest_tensor

LAYOUT = "transfer_layout"  # what the tensors are to their layers, in the writer's order
SUFFIX = ".safetensors"
_PLAIN = ("layer", "role", "layer_class", "position", "owner")
_FACTS = tuple(each.name for each in fields(TensorSpec) if each.name not in ("name", "shape", "dtype", "converted"))
_BLANK = "0" * 64  # stands for a digest that is not known yet


class Safetensors(StoredTensors):
    """A safetensors file as a lazy mapping of names to arrays.

    Attributes:
        path: the file.
        dialect: `safetensors`.
        writer: the Keras that wrote the file which this one was made from, where it is of ours.
        specs: name to `TensorSpec`, in that writer's order; in the file's where it is somebody else's.
        card: the file's card; None where there is none.
        outline: sha256 over names, shapes, types and metadata.
        is_ours: whether the file says what its tensors are to their layers.
        config: None: such a file holds no architecture of its own.
        doubts: none.
    """

    dialect = "safetensors"
    config: Json = None
    doubts: tuple[Problem, ...] = ()

    def __init__(self, path: Path, header: Header, start: int, stamp: Stamp) -> None:
        self.path = path
        self._stamp = stamp
        self._entries = {each.name: each for each in header.entries}
        self._start = start
        text, layout = header.metadata.get(ATTRIBUTE), header.metadata.get(LAYOUT)
        self.card: Card | None = None if text is None else parse_card(text, str(path))
        self.is_ours = layout is not None
        self.writer, self.specs = (
            (Writer(), _guessed(header.entries)) if layout is None else _told(layout, header, path)
        )
        self.outline = _digest(header)

    def stream(self, names: Iterable[str] | None = None) -> Iterator[tuple[str, NDArray[Any]]]:
        """Read tensors one after the other, as they lie in the file.

        Raises:
            KeyError: if a name is not in the file.
            CheckpointError: if the file has changed since it was opened, or a tensor is damaged.
        """
        wanted = set(self._wanted(names))
        with _opened(self.path) as file:
            self._check_unchanged(file)
            for name, entry in self._entries.items():
                if name in wanted:
                    values = _read(file, entry, self._start, self.path)
                    self._verify(name, values)
                    yield name, values
            self._check_unchanged(file)

    def pieces(self, names: Iterable[str] | None = None) -> Iterator[tuple[str, NDArray[Any]]]:
        """As `stream`: where a checkpoint gives the place of a tensor, its values."""
        return self.stream(names)

    def _check_unchanged(self, file: FileIO) -> None:
        if stamp_of(os.fstat(file.fileno())) != self._stamp:
            raise has_changed(self.path)


def is_safetensors(path: Path) -> bool:
    """Whether a file is of this format by its first bytes, or by its name where they tell nothing."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:
        return False
    if head.startswith((SIGNATURE, b"PK\x03\x04")):
        return False
    return (head[8:9] == b"{" and head[5:8] == bytes(3)) or path.suffix == SUFFIX


def open_safetensors(path: Path) -> Safetensors:
    """Open a safetensors file; no tensor is read.

    Raises:
        CheckpointError: if it is truncated, damaged or made to harm.
    """
    try:
        with _naming(path), path.open("rb") as file:
            status = os.fstat(file.fileno())
            size = status.st_size
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > size - 8:
                raise DamagedError("truncated", [Problem("header", f"{length:,} bytes", f"{max(size - 8, 0):,}")])
            if length > LARGEST:
                raise DamagedError("made to harm", [Problem("header", f"at most {LARGEST:,} bytes", f"{length:,}")])
            header = parse_header(file.read(length), size - 8 - length)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    return Safetensors(path, header, 8 + length, stamp_of(status))


def write_safetensors(
    path: Path, specs: Iterable[TensorSpec], tensors: Iterable[tuple[str, NDArray[Any]]], card: Card, writer: Writer
) -> Card:
    """Write a safetensors file, one tensor after the other.

    Args:
        path: an empty or temporary file.
        specs: what the tensors are, in their order.
        tensors: each by its name.
        card: goes in with a digest of each tensor.
        writer: who wrote them first.

    Returns:
        The card as written.

    Raises:
        LayerError: if a name cannot be written.
        OutputError: if a tensor does not come, is another one than was announced, or of a type that the format lacks.
    """
    wanted = list(specs)
    check_names((spec.name for spec in wanted), are_paths=False)
    strange = [Problem(spec.name, "a type of safetensors", spec.dtype) for spec in wanted if spec.dtype not in NAMES]
    if strange:
        raise OutputError(f"{path.name} cannot be written.", strange, "choose an HDF5 layout")
    entries = plan_header((spec.name, spec.shape, spec.dtype) for spec in wanted)
    header = Header(entries, {LAYOUT: _layout(wanted, writer)})
    outline = _digest(header)
    room = len(
        format_header(
            _with_card(header, replace(card, digests={each.name: _BLANK for each in entries}, outline=outline))
        )
    )
    waiting = {each.name: each for each in entries}
    digests: dict[str, str] = {}
    with path.open("wb") as file:
        for name, values in tensors:
            entry = waiting.pop(name)
            if (values.shape, values.dtype.name) != (entry.shape, entry.dtype):
                found = f"{values.dtype.name} of {values.shape}"
                raise OutputError(
                    f"{path.name} cannot be written.", [Problem(name, f"{entry.dtype} of {entry.shape}", found)]
                )
            digests[name] = digest_tensor(values)
            file.seek(room + entry.start)
            file.write(_little(values))
        if waiting:
            raise OutputError(f"{path.name} cannot be written.", [Problem(name, "values", "none") for name in waiting])
        signed = replace(card, digests={each.name: digests[each.name] for each in entries}, outline=outline)
        file.seek(0)
        file.write(format_header(_with_card(header, signed)))
        file.truncate(room + (entries[-1].end if entries else 0))
    return signed


def _with_card(header: Header, card: Card) -> Header:
    return replace(header, metadata={**header.metadata, ATTRIBUTE: card.to_text()})


def _little(values: NDArray[Any]) -> memoryview:
    little = np.ascontiguousarray(values)
    if sys.byteorder == "big":
        little = little.byteswap()
    return little.reshape(-1).view(np.uint8).data


def _opened(path: Path) -> FileIO:
    try:
        return FileIO(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error


def _read(file: FileIO, entry: Entry, start: int, path: Path) -> NDArray[Any]:
    values = np.empty(entry.shape, numpy_dtype(entry.dtype))
    target, done = values.reshape(-1).view(np.uint8).data, 0
    file.seek(start + entry.start)
    while done < len(target):
        count = file.readinto(target[done : done + (1 << 30)])  # one call reads 2 GB at most
        if not count:
            raise CheckpointError(f"{path} is truncated.", [Problem(entry.name, "values", "none")], AGAIN)
        done += count
    return values.byteswap() if sys.byteorder == "big" else values


def _digest(header: Header) -> str:
    others = {name: text for name, text in header.metadata.items() if name != ATTRIBUTE}
    return digest_json({"metadata": others, "tensors": {e.name: [e.dtype, list(e.shape)] for e in header.entries}})


def _layout(specs: Iterable[TensorSpec], writer: Writer) -> str:
    rows = [{key: getattr(each, key) for key in ("name", *_FACTS)} for each in specs]
    return json.dumps({"keras": writer.keras, "backend": writer.backend, "tensors": rows})


def _told(layout: str, header: Header, path: Path) -> tuple[Writer, Mapping[str, TensorSpec]]:
    """What a file of ours says of its tensors."""
    known = {each.name: each for each in header.entries}
    try:
        values = json.loads(layout)
        rows = {
            str(row["name"]): {key: _fact(key, row[key]) for key in _FACTS if key in row} for row in values["tensors"]
        }
        writer = Writer(str(values["keras"]), str(values["backend"]))
        if set(rows) != set(known):
            raise ValueError("it tells of other tensors")
        specs = {name: TensorSpec(name, known[name].shape, known[name].dtype, **facts) for name, facts in rows.items()}
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise CheckpointError(
            f"{path}: what it says of its tensors cannot be read.", [Problem(LAYOUT, "a list", str(error)[:200])], AGAIN
        ) from error
    return writer, specs


def _facts(row: Mapping[str, Json]) -> dict[str, Json]:
    return {key: _fact(key, row[key]) for key in _FACTS if key in row}


def _fact(key: str, value: Json) -> Json:
    """A field of a `TensorSpec`, which JSON may hold anything in place of."""
    if key == "position":
        fits = value is None or type(value) is int
    elif isinstance(value, list):
        value = tuple(tuple(each) for each in value)
        fits = all(len(each) == 2 and type(each[0]) is str and type(each[1]) in (int, type(None)) for each in value)
    else:
        fits = isinstance(value, str)
    if not fits or isinstance(value, tuple) != (key not in _PLAIN):
        raise TypeError(f"{key}: a value of another kind")
    return value


def _guessed(entries: Iterable[Entry]) -> Mapping[str, TensorSpec]:
    """Somebody else's tensors: the last part of a name is the role."""
    specs: dict[str, TensorSpec] = {}
    for each in entries:
        layer, _, role = each.name.rpartition("/" if "/" in each.name else ".")
        specs[each.name] = TensorSpec(each.name, each.shape, each.dtype, layer, role)
    return specs


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except DamagedError as error:
        raise CheckpointError(f"{path} is {error.summary}.", error.problems, AGAIN) from error
