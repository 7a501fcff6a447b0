"""Writing tensors into HDF5 files and archives. Placing them safely is the caller's (`transfer.placing`)."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from transfer.errors import CheckpointError, OutputError, Problem
from transfer.specs import Json
from transfer.weights.blueprints import Attribute, Blueprint, Slot, legacy_blueprint
from transfer.weights.finiteness import is_finite
from transfer.weights.own_files import open_own
from transfer.weights.packages import MEMBER_CONFIG, MEMBER_METADATA, MEMBER_WEIGHTS
from transfer.weights.reading import numpy_dtype
from transfer.weights.spans import Copier, Span, read_span
from transfer.weights.tensor_digests import digest_tensor

Tensors = Iterable[tuple[str, NDArray[Any] | Span]]
_NAMED = ("bfloat16",)  # types that Keras stores as opaque bytes with their name beside them


def write_legacy(
    path: Path, layers: Mapping[str, Mapping[str, NDArray[Any]]], *, writer: str, config: str | None = None
) -> None:
    """Write the legacy `.h5` layout, which Keras 2 and 3 read.

    Args:
        path: an empty or temporary file.
        layers: every layer in the model's order, each with its tensors by full name (`layer/role`).
        writer: the Keras version to name.
        config: the architecture as JSON; with it the file is a whole model.
    """
    described = {
        layer: [(name, values.shape, values.dtype.name) for name, values in tensors.items()]
        for layer, tensors in layers.items()
    }
    write_blueprint(
        path,
        legacy_blueprint(described, writer=writer, config=config),
        ((name, values) for tensors in layers.values() for name, values in tensors.items()),
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a tensor while it was written.

    Attributes:
        name: as the caller calls it.
        digest: as `digest_tensor` gives it.
        is_finite: whether no value is NaN or infinite.
        source: where it was copied from; None for an array.
    """

    name: str
    digest: str
    is_finite: bool
    source: Span | None = None


def write_blueprint(path: Path, blueprint: Blueprint, tensors: Tensors) -> dict[str, Seen]:
    """Write an HDF5 file, one tensor after the other; those that lie in another file are copied block by block.

    Args:
        path: an empty or temporary file.
        blueprint: what it shall hold. Equal ones give equal files, in whatever order the tensors come.
        tensors: each by its name.

    Returns:
        What was seen of each, by the path of its data set.

    Raises:
        OutputError: if a tensor does not come, or another one than was announced.
        CheckpointError: if one that is copied is damaged.
    """
    written: dict[str, Seen] = {}
    copies: list[tuple[Slot, Span, int]] = []
    with h5py.File(path, "w") as file:
        for place, attributes in blueprint.groups.items():
            group = file.require_group(f"/{place}")
            for name, value in attributes.items():
                _write_attribute(group, name, value)
        waiting = {slot.name: (slot, _reserve(file, slot.path, slot.shape, slot.dtype)) for slot in blueprint.slots}
        for name, values in tensors:
            slot, place_in_file = waiting.pop(name)
            _check_announced(path, slot, values)
            offset = place_in_file.id.get_offset()
            if isinstance(values, Span) and offset is not None:
                copies.append((slot, values, offset))
                continue
            array = read_span(values) if isinstance(values, Span) else values  # HDF5 gives no place to an empty one
            if array.size:
                place_in_file[...] = array
            written[slot.path] = Seen(name, digest_tensor(array), is_finite(array))
    if waiting:
        raise OutputError(f"{path.name} cannot be written.", [Problem(name, "values", "none") for name in waiting])
    with Copier(path) as copier:
        for slot, span, offset in copies:
            copied = copier.copy(span, offset)
            written[slot.path] = Seen(slot.name, copied.digest, copied.is_finite, span)
    return written


def _check_announced(path: Path, slot: Slot, values: NDArray[Any] | Span) -> None:
    dtype = values.dtype if isinstance(values, Span) else values.dtype.name
    if (values.shape, dtype) != (slot.shape, slot.dtype):
        raise OutputError(
            f"{path.name} cannot be written.",
            [Problem(slot.name, f"{slot.dtype} of {slot.shape}", f"{dtype} of {values.shape}")],
        )


def _reserve(file: h5py.File, path: str, shape: tuple[int, ...], dtype: str) -> h5py.Dataset:
    """A data set whose place in the file is settled before its values are there."""
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if 0 not in shape:
        plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    made = file.create_dataset(path, shape, numpy_dtype(dtype), dcpl=plan)
    if dtype in _NAMED:
        made.attrs["dtype"] = dtype
    return made


def _write_attribute(group: h5py.Group, name: str, value: Attribute) -> None:
    if isinstance(value, tuple):
        group.attrs[name] = np.array(value) if value else np.array([], dtype="S1")
    elif isinstance(value, bytes):
        group.attrs[name] = np.bytes_(value)
    else:
        group.attrs.create(name, value, dtype=h5py.string_dtype())


def write_archive(path: Path, weights: Path, config: Json, *, writer: str) -> None:
    """Write a `.keras` archive, with no clock time in it.

    Args:
        path: an empty or temporary file.
        weights: the `.weights.h5` to put into it.
        config: the architecture.
        writer: the Keras version to name.
    """
    metadata = {"keras_version": writer, "date_saved": ""}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo(MEMBER_METADATA), json.dumps(metadata))
        archive.writestr(zipfile.ZipInfo(MEMBER_CONFIG), json.dumps(config))
        with weights.open("rb") as read, archive.open(zipfile.ZipInfo(MEMBER_WEIGHTS), "w", force_zip64=True) as write:
            shutil.copyfileobj(read, write, 1 << 20)


def halve_kernels(path: Path) -> None:
    """Store float32 tensors of two and more axes as float16; vectors (biases, statistics) keep their type.

    Raises:
        OutputError: if a value is too large for float16.
    """
    smaller = path.with_name(f"{path.name}.half")  # HDF5 does not give freed space back: write anew
    try:
        with h5py.File(path, "r") as source, h5py.File(smaller, "w") as target:
            _copy_halved(source, target)
        smaller.replace(path)
    finally:
        smaller.unlink(missing_ok=True)


def halve(values: NDArray[Any], name: str = "tensor") -> NDArray[np.float16]:
    """The same values as float16.

    Raises:
        OutputError: if one is too large for it.
    """
    if np.abs(values).max(initial=0) > np.finfo(np.float16).max:
        raise OutputError("A tensor cannot be stored as float16.", [Problem(name, "values up to 65504", "larger ones")])
    return values.astype(np.float16)


def _copy_halved(source: h5py.Group, target: h5py.Group) -> None:
    for name, value in source.attrs.items():
        target.attrs[name] = value
    for name, each in source.items():
        if isinstance(each, h5py.Group):
            _copy_halved(each, target.create_group(name))
            continue
        values = each[()]
        if each.dtype == np.float32 and each.ndim >= 2:
            values = halve(values, each.name)
        made = target.create_dataset(name, data=values)
        for attribute, value in each.attrs.items():
            made.attrs[attribute] = value


def check_written(path: Path, expected: Mapping[str, NDArray[Any]]) -> None:
    """Read a file that this process has just written, and hold it against its tensors, whatever it calls them.

    Raises:
        OutputError: if a tensor is not there bit by bit.
    """
    try:
        found = [digest_tensor(values) for _, values in open_own(path).checkpoint.stream()]
    except (CheckpointError, OSError) as error:
        raise OutputError(f"{path.name} does not read back as it was written: {error}") from error
    check_digests(path, found, expected)


def check_digests(path: Path, found: Iterable[str], expected: Mapping[str, NDArray[Any]]) -> None:
    """Hold the digests of what a file holds against the tensors that it should hold.

    Raises:
        OutputError: if a tensor is not there bit by bit.
    """
    wanted = sorted(map(digest_tensor, expected.values()))
    if sorted(found) != wanted:
        raise OutputError(
            f"{path.name} does not read back as it was written.",
            [Problem(path.name, f"{len(wanted)} tensors, bit by bit", "others")],
        )
