"""The header of a safetensors file: which tensor lies where, checked before a byte of it is believed.

    8 bytes       length of the header, little-endian
    header        JSON: name → {"dtype", "shape", "data_offsets"}; "__metadata__" → texts by name
    the rest      values, little-endian, in C order, one tensor after the other without a gap

Source: the format's description at https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from transfer.errors import Problem
from transfer.specs import Json, item_bytes
from transfer.weights.guarding import DamagedError

METADATA = "__metadata__"
LARGEST = 100_000_000  # bytes of a header, the format's own bound
MOST_AXES = 32
DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}
NAMES = {ours: theirs for theirs, ours in DTYPES.items()}


@dataclass(frozen=True, slots=True)
class Entry:
    """A tensor as the header describes it.

    Attributes:
        name: any text.
        dtype: numpy's name.
        shape: as declared.
        start: where its values begin, after the header.
        end: where they end.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a file holds.

    Attributes:
        entries: in the order in which they lie there.
        metadata: texts.
    """

    entries: tuple[Entry, ...]
    metadata: Mapping[str, str]


def parse_header(text: bytes, room: int) -> Header:
    """Read a header.

    Args:
        text: its JSON.
        room: bytes after it.

    Raises:
        DamagedError: if it is not what the format asks for, in any way.
    """
    try:
        values = json.loads(text.decode(), object_pairs_hook=_distinct)
        if not isinstance(values, dict):
            raise TypeError("no object")
        metadata = values.pop(METADATA, {})
        if not isinstance(metadata, dict) or not all(isinstance(each, str) for each in metadata.values()):
            raise TypeError(f"{METADATA} holds something that is no text")
        entries = sorted((_entry(name, each) for name, each in values.items()), key=lambda each: (each.start, each.end))
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise DamagedError(
            "damaged, or made to harm", [Problem("header", "JSON as safetensors has it", str(error)[:200])]
        ) from error
    _check_places(entries, room)
    return Header(tuple(entries), metadata)


def plan_header(tensors: Iterable[tuple[str, tuple[int, ...], str]]) -> tuple[Entry, ...]:
    """Places for tensors, given as name, shape, dtype: wide types first, so that each is aligned, then by name."""
    entries: list[Entry] = []
    start = 0
    for name, shape, dtype in sorted(tensors, key=lambda each: (-item_bytes(NUMBERS[each[2]]), each[0])):
        end = start + prod(shape) * item_bytes(NUMBERS[dtype])
        entries.append(Entry(name, dtype, shape, start, end))
        start = end
    return tuple(entries)


def format_header(header: Header) -> bytes:
    """The length and the JSON, padded so that values begin at a multiple of 8."""
    values: dict[str, Any] = {METADATA: dict(header.metadata)} if header.metadata else {}
    for each in header.entries:
        values[each.name] = {
            "dtype": NAMES[each.dtype],
            "shape": list(each.shape),
            "data_offsets": [each.start, each.end],
        }
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


# Bits stand at the end of these names in all but the types of 8 bits.
NUMBERS = {name: "int8" if name.startswith("float8") else name for name in NAMES}


def _distinct(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a name stands there twice")
    return values


def _entry(name: str, values: Json) -> Entry:
    name.encode()
    if not isinstance(values, dict) or set(values) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name[:80]!r} is not described by dtype, shape and data_offsets")
    shape, offsets = values["shape"], values["data_offsets"]
    whole = isinstance(shape, list) and isinstance(offsets, list) and len(offsets) == 2 and len(shape) <= MOST_AXES
    if not whole or not all(type(each) is int and 0 <= each < 2**63 for each in (*shape, *offsets)):
        raise ValueError(f"{name[:80]!r} has a shape or offsets that are no whole numbers")
    dtype = DTYPES.get(values["dtype"]) if isinstance(values["dtype"], str) else None
    if dtype is None:
        raise ValueError(f"{name[:80]!r} is of type {str(values['dtype'])[:20]!r}, which Keras has not")
    start, end = offsets
    if end - start != prod(shape) * item_bytes(NUMBERS[dtype]):
        raise ValueError(f"{name[:80]!r}: {end - start:,} bytes for {values['dtype']} of {tuple(shape)}")
    return Entry(name, dtype, tuple(shape), start, end)


def _check_places(entries: list[Entry], room: int) -> None:
    """Values fill the file: no gap, no overlap, nothing beyond the end."""
    here = 0
    for each in entries:
        if each.start != here:
            raise DamagedError(
                "damaged, or made to harm",
                [Problem(each.name, f"values from byte {here:,} on", f"from byte {each.start:,} on")],
            )
        here = each.end
    if here != room:
        what = "truncated" if here > room else "damaged, or made to harm"
        raise DamagedError(what, [Problem("values", f"{here:,} bytes", f"{room:,}")])
