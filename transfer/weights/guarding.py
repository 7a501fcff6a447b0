"""A file is data: nothing in it points outside, or asks for more than is there."""

from __future__ import annotations

from collections.abc import Iterator

from transfer.errors import CheckpointError, Problem
from transfer.weights.outline import Dataset, Group, Link, Member

EXPANSION = 1000  # bytes in memory for each byte stored, at most: deflate cannot do more
LARGEST_CHUNK = 64 << 20  # bytes that may have to be unpacked for one small tensor
_NUMBERS = ("float", "bfloat", "int", "uint", "bool")


class DamagedError(CheckpointError):
    """Something inside a file is not as Keras writes it. Whoever opened the file adds its name."""


def refuse_pointers(root: Group) -> None:
    """Nothing anywhere in the file may lead elsewhere, used or not.

    Raises:
        DamagedError: with every link, and every data set whose values lie in another file.
    """
    problems = [
        Problem(each.path, "data in this file", each.kind if isinstance(each, Link) else "storage in another file")
        for each in root.walk()
        if isinstance(each, Link) or (isinstance(each, Dataset) and each.elsewhere)
    ]
    if problems:
        raise DamagedError("damaged, or made to harm", problems)


def refuse_excess(root: Group, length: int) -> None:
    """No data set may claim more than the file holds for it.

    Args:
        root: of the file.
        length: its bytes.

    Raises:
        DamagedError: with every data set that does.
    """
    problems = [
        Problem(each.path, *fault)
        for each in root.walk()
        if isinstance(each, Dataset) and (fault := _excess(each, length))
    ]
    if problems:
        raise DamagedError("damaged, or made to harm", problems)


def _excess(found: Dataset, length: int) -> tuple[str, str] | None:
    size, stored = found.size_bytes, found.stored_bytes
    claim = f"{size:,} bytes for shape {found.shape}"
    if found.offset is not None and (found.offset < 0 or found.offset + size > length):
        return claim, "a place beyond the end of the file"
    if size > EXPANSION * stored + 4096:
        return claim, f"{stored:,} bytes stored"
    if found.chunk is None and size > stored and found.dtype.startswith(_NUMBERS):
        return claim, f"{stored:,} bytes stored"
    if found.chunk_bytes > max(LARGEST_CHUNK, 4 * size):
        return "chunks that fit their tensor", f"chunks of {found.chunk_bytes:,} bytes for {size:,}"
    return None


def children(group: Group) -> Iterator[tuple[str, Group | Dataset]]:
    """The members of a group.

    Raises:
        DamagedError: at a name that is no text, or a link.
    """
    for name, member in group.members.items():
        yield readable(name), _own(member)


def child(group: Group, name: str) -> Group | Dataset:
    """The member `name` of a group, `/` leading further down; `..` and links are refused.

    Raises:
        DamagedError: if there is none, or it is a link.
    """
    here: Group | Dataset = group
    for part in readable(name).split("/"):
        member = here.members.get(part) if isinstance(here, Group) and part not in ("", ".", "..") else None
        if member is None:
            where = f"{group.path}/{name}".strip("/") or repr(name)
            raise _damaged(where, "a group or data set of this file", "nothing of that name")
        here = _own(member)
    return here


def subgroup(group: Group, name: str) -> Group:
    """The group `name` of a group.

    Raises:
        DamagedError: if it is something else, or a link.
    """
    return as_group(child(group, name))


def dataset(group: Group, name: str) -> Dataset:
    """The tensor `name` of a group.

    Raises:
        DamagedError: if it is something else, or holds no numbers.
    """
    return as_dataset(child(group, name))


def as_group(found: Group | Dataset) -> Group:
    """The same.

    Raises:
        DamagedError: if it is no group.
    """
    if not isinstance(found, Group):
        raise _damaged(found.path, "a group", "a tensor")
    return found


def as_dataset(found: Group | Dataset) -> Dataset:
    """The same.

    Raises:
        DamagedError: if it is no data set, or holds no numbers.
    """
    if not isinstance(found, Dataset):
        raise _damaged(found.path, "a tensor", "a group")
    if not found.dtype.startswith(_NUMBERS):
        raise _damaged(found.path, "numbers", found.dtype)
    return found


def readable(name: str) -> str:
    """The same.

    Raises:
        DamagedError: if it holds bytes that are no UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raw = name.encode("utf-8", "surrogateescape")
        raise _damaged(repr(raw), "a name in UTF-8", "other bytes") from error
    return name


def _own(member: Member) -> Group | Dataset:
    if isinstance(member, Link):
        raise _damaged(member.path, "data in this file", member.kind)
    return member


def _damaged(where: str, expected: str, found: str) -> DamagedError:
    return DamagedError("damaged, or made to harm", [Problem(where, expected, found)])
