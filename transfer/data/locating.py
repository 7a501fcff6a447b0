"""Where the pictures of a table lie: below its folder, each once, or a word on what is wrong."""

from __future__ import annotations

import os
import stat
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PureWindowsPath

from transfer.data.addresses import address_name, hide_secrets, is_address, local_path
from transfer.data.cells import is_unknown
from transfer.data.images import SUFFIXES
from transfer.data.rows import NO_LABEL, Row, Table
from transfer.data.sheets import Sheet
from transfer.errors import Problem

NOT_FETCHED = Path("not fetched")  # one for all, as there may be millions
_LONGEST_LABEL = 255  # as long as a folder's name may be


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that a table names.

    Attributes:
        name: the path below the folder, '/' between the parts; of an address see `addresses`.
        path: to be opened; `NOT_FETCHED` of an address.
        real: where links lead, so that one file is one picture.
        address: from which it is to be fetched; empty for a file.
    """

    name: str
    path: Path
    real: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row whose picture is there.

    Attributes:
        line: of the table.
        name: the path below the folder, '/' between the parts.
        path: to be opened.
        real: where links lead, so that one file is one picture.
        label: its class.
        address: from which it is to be fetched; empty for a file.
    """

    line: int
    name: str
    path: Path
    real: str
    label: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Located:
    """All rows: those to use, those that say a second time what another said, and those that are wrong."""

    entries: tuple[Entry, ...]
    repeated: tuple[Problem, ...]
    faults: tuple[Problem, ...]


def locate_pictures(sheet: Sheet, parsed: Table, folder: Path, *, present: bool = True) -> Located:
    """Find the picture of each row of a table below a folder; nothing is opened, nor need be there if not `present`."""
    root = os.path.realpath(folder)
    entries: dict[str, Entry] = {}
    repeated: list[Problem] = []
    faults = list(parsed.faults)
    for row in parsed.rows:
        where = sheet.where(row.line)
        fault = _fault_of_label(row.label)
        wrong = [Problem(where, found=_named(fault, row))] if fault else []
        picture = locate_picture(folder, root, row.path, present=present)
        if isinstance(picture, str):
            wrong.append(Problem(where, found=picture))
        elif not wrong:
            entry = Entry(row.line, picture.name, picture.path, picture.real, row.label, picture.address)
            first = entries.setdefault(entry.real, entry)
            if first.label != entry.label:
                found = f"{entry.name!r} is {entry.label!r} here and {first.label!r} on {sheet.unit} {first.line}"
                wrong.append(Problem(where, found=found))
            elif first is not entry:
                repeated.append(Problem(where, found=f"{entry.name!r} stands on {sheet.unit} {first.line} already"))
        faults += wrong
    return Located(tuple(entries.values()), tuple(repeated), tuple(faults))


@lru_cache(2**16)
def _fault_of_label(label: str) -> str:
    """What is wrong with it; empty for nothing."""
    if is_unknown(label):
        return NO_LABEL + (f" ({label!r} stands there)" if label else "")
    if len(label) > _LONGEST_LABEL:
        return f"a label of {len(label)} characters; a class's name has at most {_LONGEST_LABEL}"
    if any(unicodedata.category(character) == "Cc" for character in label):
        return f"a label with control characters: {label!r}"
    return ""


def _named(fault: str, row: Row) -> str:
    """A fault, of a missing label with the picture that has none."""
    return f"{hide_secrets(row.path)[:120]!r}{fault}" if fault.startswith(NO_LABEL) else fault


def locate_picture(folder: Path, root: str, text: str, *, present: bool = True) -> Picture | str:
    """The picture of a path below a folder, of which `root` is the real path; or what is wrong with it.

    Whether a picture is there at its address is found when it is fetched; at its path now, if it has to be `present`.
    """
    if not text:
        return "no path"
    if is_address(text):
        name, here = address_name(text), local_path(text)
        return Picture(name, NOT_FETCHED, name if here is None else os.path.realpath(here), text)
    shown = repr(text)
    if "\\" in text and not os.path.lexists(folder / text):
        text = text.replace("\\", "/")  # as Windows writes paths
    if Path(text).is_absolute() or PureWindowsPath(text).is_absolute():
        return f"{shown} is an absolute path; those of a table start from its folder"
    name = os.path.normpath(text)
    if name.split("/")[0] == "..":
        return f"{shown} leads out of the folder"
    path = folder / name
    real = os.path.realpath(path)
    if not is_below(real, root):
        return f"{shown} is a link that leads out of the folder"
    if not present:
        return Picture(name, path, real)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return f"{shown} is a link that leads nowhere" if path.is_symlink() else f"{shown} does not exist"
    except OSError as error:
        return f"{shown}: {error.strerror}"
    if not stat.S_ISREG(mode):
        return f"{shown} is {'a folder' if stat.S_ISDIR(mode) else 'neither a file nor a folder'}"
    return Picture(name, path, real)


def is_below(real: str, root: str) -> bool:
    """Whether one path is another or lies below it; links are resolved in both."""
    return real == root or real.startswith(root.rstrip("/") + "/")


def is_picture(folder: Path, cell: str) -> bool:
    """Whether a cell names a picture: by an address, by its suffix, or because such a file lies there."""
    if is_address(cell):
        return True
    with suppress(OSError, ValueError):  # a cell too long for a name
        return Path(cell).suffix.lower() in SUFFIXES or (folder / cell).is_file()
    return False
