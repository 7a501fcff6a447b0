"""The structure of an HDF5 file as plain values: groups, data sets and links, listed without reading a tensor.

A child process makes it (see `scanning`); the readers of dialects work on it and never meet the file itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import TypeAlias

from transfer.specs import Json, item_bytes

# Types that HDF5 does not know, which Keras stores as opaque bytes: name and bits.
OPAQUE = {"bfloat16": "16", "float8_e4m3fn": "8", "float8_e5m2": "8"}


@dataclass(frozen=True, slots=True)
class Link:
    """A name that does not lead to data of its own in this file.

    Attributes:
        path: where the name stands.
        kind: `a soft link to '/x'`, `an external link to …`, or what else is wrong with it.
    """

    path: str
    kind: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """An array, as the file describes it.

    Attributes:
        path: where it stands.
        shape: as declared.
        dtype: numpy's name of the type, `float32` or `bfloat16`; a description in words where it is no number.
        stored_bytes: bytes that the file really holds for it.
        offset: where its values begin in the file; None where they are compressed, in chunks, or need libhdf5.
        byte_order: `<` or `>`.
        chunk: shape of a chunk; None where the values lie in one piece.
        elsewhere: whether the values lie in another file.
        source: which of several HDF5 files it stands in.
        attrs: by name.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    stored_bytes: int
    offset: int | None = None
    byte_order: str = "<"
    chunk: tuple[int, ...] | None = None
    elsewhere: bool = False
    attrs: Mapping[str, Json] = field(default_factory=dict)
    source: int = 0

    @property
    def key(self) -> Key:
        """What tells it from every other one."""
        return self.source, self.path

    @property
    def size_bytes(self) -> int:
        """Bytes of all values, uncompressed."""
        return prod(self.shape) * item_bytes(self.dtype)

    @property
    def chunk_bytes(self) -> int:
        """Bytes of one chunk, uncompressed; 0 without chunks."""
        return prod(self.chunk) * item_bytes(self.dtype) if self.chunk else 0


@dataclass(frozen=True, slots=True)
class Group:
    """A folder of an HDF5 file.

    Attributes:
        path: where it stands; empty for the root.
        attrs: by name. Texts are `str` (bytes that are no UTF-8 as lone surrogates), arrays are lists.
        members: by name, in HDF5's order.
    """

    path: str
    attrs: Mapping[str, Json]
    members: Mapping[str, Group | Dataset | Link]

    def walk(self) -> Iterator[Group | Dataset | Link]:
        """Everything below, depth first."""
        ahead: list[Group | Dataset | Link] = list(self.members.values())[::-1]
        while ahead:
            here = ahead.pop()
            yield here
            if isinstance(here, Group):
                ahead += list(here.members.values())[::-1]


Member: TypeAlias = Group | Dataset | Link
Key: TypeAlias = tuple[int, str]


def parse_outline(records: Json) -> Group:
    """Put together what the child wrote: one record an object, each after the group it stands in.

    Raises:
        ValueError, TypeError, KeyError, IndexError: if the records are not what the child writes.
    """
    groups: list[tuple[Group, dict[str, Member]]] = []
    for record in records:
        parent, name, kind = record["in"], str(record["name"]), record["kind"]
        path = f"{groups[parent][0].path}/{name}".lstrip("/") if groups else ""
        made: Member
        if kind == "group":
            members: dict[str, Member] = {}
            made = Group(path, record["attrs"], members)
            groups.append((made, members))
        elif kind == "link":
            made = Link(path, str(record["what"]))
        else:
            made = _dataset(path, record)
        if path:
            groups[parent][1][name] = made
    return groups[0][0]


def _dataset(path: str, record: Json) -> Dataset:
    offset, chunk = record["offset"], record["chunk"]
    return Dataset(
        path=path,
        shape=tuple(map(int, record["shape"])),
        dtype=_dtype(str(record["dtype"]), record["attrs"]),
        stored_bytes=int(record["stored"]),
        offset=None if offset is None else int(offset),
        byte_order=str(record["order"]),
        chunk=None if chunk is None else tuple(map(int, chunk)),
        elsewhere=bool(record["elsewhere"]),
        attrs=record["attrs"],
    )


def _dtype(stored: str, attrs: Mapping[str, Json]) -> str:
    """Keras stores what HDF5 has no type for as opaque bytes, newer ones with the name in an attribute."""
    named = attrs.get("dtype")
    if isinstance(named, str) and stored == f"opaque{OPAQUE.get(named)}":
        return named
    return "bfloat16" if stored == "opaque16" and named is None else stored


def merge(roots: Sequence[Group]) -> Group:
    """One tree from those of several files; of what stands in several of them the first counts."""
    first, *others = (_marked(root, source) for source, root in enumerate(roots))
    for other in others:
        first = _merged(first, other)
    return first


def _merged(here: Group, there: Group) -> Group:
    members: dict[str, Member] = dict(here.members)
    for name, member in there.members.items():
        known = members.get(name)
        if isinstance(known, Group) and isinstance(member, Group):
            members[name] = _merged(known, member)
        else:
            members.setdefault(name, member)
    return Group(here.path, {**there.attrs, **here.attrs}, members)


def _marked(group: Group, source: int) -> Group:
    """The same tree, its data sets saying from which file they are."""
    members: dict[str, Member] = {
        name: _marked(member, source)
        if isinstance(member, Group)
        else replace(member, source=source)
        if isinstance(member, Dataset)
        else member
        for name, member in group.members.items()
    }
    return Group(group.path, group.attrs, members)
