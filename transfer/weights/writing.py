"""Writing tensors and cards into HDF5 files and archives. Placing them safely is the caller's (`transfer.placing`)."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from transfer.errors import CheckpointError, OutputError, Problem
from transfer.weights.cards import ATTRIBUTE, MEMBER, Card
from transfer.weights.digests import digest_tensor
from transfer.weights.opening import open_checkpoint
from transfer.weights.packages import MEMBER_METADATA

HEADER_LIMIT = 64512  # bytes that HDF5 keeps in an object's header, Keras's own figure


def write_legacy(path: Path, layers: Mapping[str, Mapping[str, NDArray[Any]]], *, writer: str) -> None:
    """Write the legacy `.h5` layout, which Keras 2 and 3 read.

    Args:
        path: an empty or temporary file.
        layers: every layer in the model's order, each with its tensors by full name (`layer/role`).
        writer: the Keras version to name.
    """
    with h5py.File(path, "w") as file:
        file.attrs["backend"] = "tensorflow"
        file.attrs["keras_version"] = writer
        _write_names(file, "layer_names", list(layers))
        for layer, tensors in layers.items():
            group = file.create_group(layer)
            _write_names(group, "weight_names", list(tensors))
            for name, values in tensors.items():
                group.create_dataset(name, data=values)


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


def _copy_halved(source: h5py.Group, target: h5py.Group) -> None:
    for name, value in source.attrs.items():
        target.attrs[name] = value
    for name, each in source.items():
        if isinstance(each, h5py.Group):
            _copy_halved(each, target.create_group(name))
            continue
        values = each[()]
        if each.dtype == np.float32 and each.ndim >= 2:
            if np.abs(values).max(initial=0) > np.finfo(np.float16).max:
                raise OutputError(
                    "A tensor cannot be stored as float16.", [Problem(each.name, "values up to 65504", "larger ones")]
                )
            values = values.astype(np.float16)
        target.create_dataset(name, data=values)


def write_card(path: Path, card: Card) -> Card:
    """Put a card into a checkpoint, with a digest of each tensor as it is stored; then read everything back against it.

    Returns:
        The card as written.

    Raises:
        OutputError: if what is read back is not what was written.
    """
    checkpoint = open_checkpoint(path)
    signed = replace(
        card, digests={name: digest_tensor(values) for name, values in checkpoint.read(checkpoint).items()}
    )
    if zipfile.is_zipfile(path):
        _repack(path, signed.to_text())
    else:
        with h5py.File(path, "r+") as file:
            file.attrs.create(ATTRIBUTE, signed.to_text(), dtype=h5py.string_dtype())
    try:
        again = open_checkpoint(path)
        again.read(again)
    except CheckpointError as error:
        raise OutputError(f"{path.name} does not read back as it was written.", error.problems) from error
    return signed


def check_written(path: Path, expected: Mapping[str, NDArray[Any]]) -> None:
    """Read a file back and hold it against the tensors that it should hold, whatever it calls them.

    Raises:
        OutputError: if a tensor is not there bit by bit.
    """
    checkpoint = open_checkpoint(path)
    found = sorted(digest_tensor(values) for values in checkpoint.read(checkpoint).values())
    wanted = sorted(map(digest_tensor, expected.values()))
    if found != wanted:
        raise OutputError(
            f"{path.name} does not read back as it was written.",
            [Problem(path.name, f"{len(wanted)} tensors, bit by bit", "others")],
        )


def _repack(path: Path, card: str) -> None:
    """Add the card to an archive and leave clock times out of it, so that equal models give equal files."""
    packed = path.with_name(f"{path.name}.packed")
    try:
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(packed, "w") as target:
            for name in sorted({*source.namelist(), MEMBER}):
                if name == MEMBER:
                    target.writestr(zipfile.ZipInfo(name), card)
                elif name == MEMBER_METADATA:
                    metadata = {**json.loads(source.read(name)), "date_saved": ""}
                    target.writestr(zipfile.ZipInfo(name), json.dumps(metadata))
                else:
                    with source.open(name) as read, target.open(zipfile.ZipInfo(name), "w", force_zip64=True) as write:
                        shutil.copyfileobj(read, write, 1 << 20)
        packed.replace(path)
    finally:
        packed.unlink(missing_ok=True)


def _write_names(group: h5py.Group, attribute: str, names: Sequence[str]) -> None:
    encoded = np.array([name.encode() for name in names]) if names else np.array([], dtype="S1")
    if encoded.nbytes <= HEADER_LIMIT:
        group.attrs[attribute] = encoded
        return
    count = 2
    while any(chunk.nbytes > HEADER_LIMIT for chunk in np.array_split(encoded, count)):
        count += 1
    for place, chunk in enumerate(np.array_split(encoded, count)):
        group.attrs[f"{attribute}{place}"] = chunk
