"""Putting a card into a file: with a digest of each tensor, and one of all that the file says besides."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
from numpy.typing import NDArray

from transfer.errors import CheckpointError, OutputError
from transfer.specs import Json
from transfer.weights.cards import ATTRIBUTE, MEMBER, Card
from transfer.weights.checkpoint import Checkpoint
from transfer.weights.own_files import open_own
from transfer.weights.packages import MEMBER_CONFIG, MEMBER_METADATA
from transfer.weights.sealing import digest_outline
from transfer.weights.tensor_digests import digest_tensor
from transfer.weights.verifying import verify_written
from transfer.weights.writing import Seen, check_digests

_SHARED = "shared_object_id"


def write_card(path: Path, card: Card, expected: Mapping[str, NDArray[Any]] | None = None) -> Card:
    """Put a card into a checkpoint, with digests of what stands there; then read everything back against it.

    Args:
        path: a file that this process has just written.
        card: what to put into it.
        expected: the tensors that shall stand there, whatever the file calls them; None where that is known.

    Returns:
        The card as written.

    Raises:
        OutputError: if what is read back is not what was written.
    """
    signed = sign(path, card).card or card
    if expected is not None:
        check_digests(path, signed.digests.values(), expected)
    return signed


def sign(path: Path, card: Card, written: Mapping[str, Seen] | None = None) -> Checkpoint:
    """As `write_card`; gives the file as it was opened and read again.

    Args:
        path: a file that this process has just written.
        card: what to put into it.
        written: what was seen of the tensors, by the path of the data set; None where Keras wrote them.

    Raises:
        OutputError: if what is read back is not what was written.
    """
    try:
        is_archive = zipfile.is_zipfile(path)
        if is_archive and written is None:
            _tidy(path)
        own = open_own(path)
        opened = own.checkpoint
        if written is None:
            digests = {name: digest_tensor(values) for name, values in opened.stream()}
        else:
            digests = {name: written[opened.place_of(name)].digest for name in opened}
        signed = replace(card, digests=digests, outline=digest_outline(path, own.roots))
        if is_archive:
            with zipfile.ZipFile(path, "a") as archive:
                archive.writestr(zipfile.ZipInfo(MEMBER), signed.to_text())
        else:
            with h5py.File(path, "r+") as file:
                file.attrs.create(ATTRIBUTE, signed.to_text(), dtype=h5py.string_dtype())
        back = open_own(path)
        verify_written(back, {place: seen.source for place, seen in (written or {}).items() if seen.source is not None})
    except CheckpointError as error:
        raise OutputError(f"{path.name} does not read back as it was written.", error.problems) from error
    return back.checkpoint


def _tidy(path: Path) -> None:
    """Leave clock times, addresses in memory and an old card out of an archive: equal models give equal files."""
    packed = path.with_name(f"{path.name}.packed")
    try:
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(packed, "w") as target:
            for name in sorted(set(source.namelist()) - {MEMBER}):
                if name == MEMBER_METADATA:
                    metadata = {**json.loads(source.read(name)), "date_saved": ""}
                    target.writestr(zipfile.ZipInfo(name), json.dumps(metadata))
                elif name == MEMBER_CONFIG:
                    config = _renumbered(json.loads(source.read(name)), {})
                    target.writestr(zipfile.ZipInfo(name), json.dumps(config))
                else:
                    with source.open(name) as read, target.open(zipfile.ZipInfo(name), "w", force_zip64=True) as write:
                        shutil.copyfileobj(read, write, 1 << 20)
        packed.replace(path)
    finally:
        packed.unlink(missing_ok=True)


def _renumbered(values: Json, numbers: dict[int, int]) -> Json:
    """Keras numbers what several layers share by where it lay in memory: here by its first place in the config."""
    if isinstance(values, list):
        return [_renumbered(each, numbers) for each in values]
    if not isinstance(values, dict):
        return values
    return {
        key: numbers.setdefault(value, len(numbers) + 1) if key == _SHARED else _renumbered(value, numbers)
        for key, value in values.items()
    }
