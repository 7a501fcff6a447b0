"""Holding a file against what its card recorded when it was written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from transfer.errors import CheckpointError, Problem
from transfer.specs import Json
from transfer.weights.containers import AGAIN
from transfer.weights.formats import Tensors, open_tensors
from transfer.weights.own_files import OwnFile
from transfer.weights.safetensors import Safetensors
from transfer.weights.sealing import digest_outline
from transfer.weights.spans import Span, digest_span, is_same
from transfer.weights.tensor_digests import digest_tensor

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Verification:
    """What was read and held against its record. A difference is an error, and never stands here.

    Attributes:
        path: the file.
        dialect: the layout it is written in.
        tensors: how many were read, all there are.
        size_bytes: of their values.
        recorded: how many of them had a digest to be held against.
        outline: whether names, shapes, config and the rest had one.
    """

    path: str
    dialect: str
    tensors: int
    size_bytes: int
    recorded: int
    outline: bool

    @property
    def is_verified(self) -> bool:
        """Whether something was recorded, and then for each tensor."""
        return self.recorded == self.tensors and (self.outline or self.tensors > 0)

    def to_json(self) -> Json:
        """As plain values."""
        return {"schema": SCHEMA, **asdict(self), "verified": self.is_verified}

    def __str__(self) -> str:
        read = f"{self.tensors} tensors, {self.size_bytes:,} bytes, {self.dialect}"
        if self.outline and self.is_verified:
            return f"{self.path}: every bit is as recorded ({read})"
        if self.is_verified:
            return f"{self.path}: every tensor is as recorded; of names and config nothing is recorded ({read})"
        return f"{self.path}: it can be read, but nothing is recorded to verify it against ({read})"


def verify(path: str | os.PathLike[str]) -> Verification:
    """Read every tensor of a file, and hold all that its card vouches for against it.

    Args:
        path: as for `open_checkpoint`, or a safetensors file.

    Raises:
        CheckpointError: with everything that is not as recorded, or because the file cannot be read.
    """
    return verify_opened(open_tensors(path))


def verify_written(own: OwnFile, copied: Mapping[str, Span]) -> None:
    """As `verify_opened`, of a file that this process has just written.

    Args:
        own: the file, opened again.
        copied: by the path of the data set, where a tensor was copied from: it is held against that, byte by byte, and
            any other against its digest.

    Raises:
        CheckpointError: with everything that is not as recorded.
    """
    opened = own.checkpoint
    digests = opened.card.digests if opened.card is not None else {}
    problems = _unlisted(opened, digests)
    for name, piece in opened.pieces():
        source = copied.get(opened.place_of(name))
        if source is not None and isinstance(piece, Span):
            same = is_same(source, piece)
        else:
            same = digests.get(name) == (digest_span(piece) if isinstance(piece, Span) else digest_tensor(piece))
        if not same:
            problems.append(Problem(name, "the bits that were written", "others"))
    if opened.card is not None and opened.card.outline != digest_outline(opened.path, own.roots):
        problems.append(Problem("names, shapes, attributes or config", "those that were written", "others"))
    if problems:
        raise CheckpointError(f"{opened.path} is not what was written.", problems, AGAIN)


def verify_opened(opened: Tensors) -> Verification:
    """As `verify`, of a file that is open.

    Raises:
        CheckpointError: with everything that is not as recorded, or because the file cannot be read.
    """
    card = opened.card
    digests = card.digests if card is not None else {}
    outline = card.outline if card is not None else ""
    problems = _differing_tensors(opened)
    if digests or outline:
        problems += _unlisted(opened, digests)
    if outline and outline != (opened.outline if isinstance(opened, Safetensors) else digest_outline(opened.path)):
        problems.append(Problem("names, shapes, attributes or config", f"sha256 {outline[:12]}…", "others"))
    if problems:
        raise CheckpointError(f"{opened.path} is not what was written.", problems, AGAIN)
    specs = opened.specs.values()
    size = sum(spec.size_bytes for spec in specs)
    return Verification(str(opened.path), opened.dialect, len(opened.specs), size, len(digests), bool(outline))


def _unlisted(opened: Tensors, digests: Mapping[str, str]) -> list[Problem]:
    """Tensors that stand in the file alone, or on the card alone."""
    return [
        *(Problem(name, "a tensor of that name", "none") for name in digests if name not in opened.specs),
        *(Problem(name, "a digest on the card", "none") for name in opened.specs if name not in digests),
    ]


def _differing_tensors(opened: Tensors) -> list[Problem]:
    """Read all tensors; go on after one that is not as recorded.

    Raises:
        CheckpointError: if the file cannot be read at all.
    """
    problems: list[Problem] = []
    ahead = dict.fromkeys(opened.specs)
    while ahead:
        try:
            for name, _ in opened.stream(ahead):
                del ahead[name]
        except CheckpointError as error:
            found = [each for each in error.problems if each.where in ahead]
            if not found:
                raise
            problems += found
            for each in found:
                del ahead[each.where]
    return problems
