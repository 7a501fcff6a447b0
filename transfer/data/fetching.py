"""Pictures at addresses (`s3://…`, `gs://…`, `https://…`): brought into a folder for as long as they are needed.

Reading them is left to fsspec, which has a filesystem for each kind of address; some need a package of their own.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from transfer.data.images import SUFFIXES
from transfer.errors import DataError, Problem

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S")
_AT_ONCE = 64  # in memory


def is_address(text: str) -> bool:
    """Whether a text names a picture by an address and not by a path."""
    return _ADDRESS.match(text) is not None


def refuse_unreachable(addresses: Sequence[str]) -> None:
    """Refuse kinds of addresses that nothing here reads.

    Raises:
        DataError: if there is one, or fsspec is not installed.
    """
    for kind, address in {each.split("://")[0].lower(): each for each in addresses}.items():
        _filesystem(address, kind)


def fetch_pictures(addresses: Sequence[str], folder: Path) -> tuple[tuple[Path, ...], dict[int, str]]:
    """Copy pictures into a folder.

    Args:
        addresses: of them.
        folder: that is there and empty.

    Returns:
        Where each is now, in their order, and by place why some are not.

    Raises:
        DataError: if nothing here reads addresses of such a kind.
    """
    places = [folder / f"{place}{_suffix(address)}" for place, address in enumerate(addresses)]
    failed: dict[int, str] = {}
    for some in _groups(addresses):
        files = _filesystem(addresses[some[0]], addresses[some[0]].split("://")[0])
        paths = {place: str(files._strip_protocol(addresses[place])) for place in some}
        found: Mapping[str, Any] = files.cat(list(dict.fromkeys(paths.values())), on_error="return")
        for place, path in paths.items():
            content = found.get(path)
            if isinstance(content, bytes):
                places[place].write_bytes(content)
            else:
                failed[place] = f"cannot be fetched: {_reason(content)}"
    return tuple(places), failed


def _groups(addresses: Sequence[str]) -> Iterator[list[int]]:
    """Places of addresses that one call asks for: of one kind and machine, not too many."""
    kinds: dict[str, list[int]] = {}
    for place, address in enumerate(addresses):
        kind, _, rest = address.partition("://")
        kinds.setdefault(f"{kind.lower()}://{rest.split('/')[0]}", []).append(place)
    for several in kinds.values():
        yield from (several[first : first + _AT_ONCE] for first in range(0, len(several), _AT_ONCE))


def _filesystem(address: str, kind: str) -> Any:
    try:
        return importlib.import_module("fsspec.core").url_to_fs(address)[0]
    except ImportError as error:
        has_fsspec = importlib.util.find_spec("fsspec") is not None
        step = "pip install 'h5transfer[remote]'" if not has_fsspec else "install the package that it names"
        raise DataError(
            f"Pictures at {kind}:// addresses cannot be read here.",
            [Problem(address, "a filesystem of fsspec that reads it", str(error))],
            next_step=f"{step}, or copy the pictures beside the table",
        ) from error
    except ValueError as error:
        raise DataError(
            f"Pictures at {kind}:// addresses cannot be read.",
            [Problem(address, "an address that fsspec knows: s3, gs, https, file, …", str(error))],
            next_step="correct the address, or copy the pictures beside the table",
        ) from error


def _suffix(address: str) -> str:
    suffix = PurePosixPath(address.split("?")[0].split("#")[0]).suffix.lower()
    return suffix if suffix in SUFFIXES else ""


def _reason(content: Any) -> str:
    if content is None:
        return "nothing came"
    text = " ".join(str(content).split())
    return f"{type(content).__name__}: {text}"[:200] if text else type(content).__name__
