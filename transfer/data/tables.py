"""Pictures that a table labels: a CSV or TSV file of paths and classes, alone or in a folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from transfer.data.folders import list_pictures
from transfer.data.images import MAX_PIXELS, ImageError, OversizedImageError, check_image
from transfer.data.labelled import LabelledSet
from transfer.data.locating import Entry, is_below, is_picture, locate_pictures
from transfer.data.rows import Table, parse_table
from transfer.data.sheets import looks_like_sheet
from transfer.errors import DataError, Problem

_SUFFIXES = frozenset({".csv", ".tsv"})
_IN_FOLDERS = frozenset({"labels.csv", "labels.tsv"})
_MAX_BYTES = 2**26
_UNUSABLE = " cannot be used: "


def read_table(
    table: Path,
    *,
    whole_folder: bool = False,
    strict: bool = False,
    skip_unreadable: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> LabelledSet:
    """The pictures that a table names, with the labels that it gives; the folders in which they lie say nothing.

    Paths count from the folder that holds the table and stay below it. Of each picture the header is read; nothing is
    decoded. Classes are in the order of their names, pictures within a class in the order of their paths, whatever the
    order of the rows. A row that repeats another, and a picture that is too large, stand in `.problems`, as do columns
    that are not used.

    Args:
        table: a text as `parse_table` takes it, one label a picture.
        whole_folder: whether the set is the folder, so that pictures without a row stand in `.problems` too.
        strict: whether anything left out is an error.
        skip_unreadable: whether damaged pictures are left out too, and not an error. `strict` comes first.
        max_pixels: larger pictures are left out.

    Raises:
        DataError: with each line that is wrong: no such file, one that leads out of the folder, no label, two labels
            for one picture, a damaged picture; or if fewer than two classes have pictures.
    """
    parsed = parse_table(_content(table), table.name, partial(is_picture, table.parent))
    found = locate_pictures(table, parsed)
    oversized, unreadable = _check(found.entries, table.name, max_pixels)
    dropped = oversized | unreadable
    kept = [entry for entry in found.entries if entry.line not in dropped]
    left_out = [*found.repeated, *oversized.values()]
    faults = list(found.faults)
    (left_out if skip_unreadable and not strict else faults).extend(unreadable.values())
    if whole_folder:
        left_out += _unnamed(table, parsed)
    faults = faults or list(_faults_of_classes(table, found.entries, dropped))
    _refuse_faults(table, faults, left_out if strict else [])
    left_out += (Problem(table.name, found=f"column {name!r} is not used") for name in parsed.unused)
    return _labelled(str(table.parent if whole_folder else table), kept, sorted(left_out, key=_line))


def find_table(folder: Path) -> Path | None:
    """The `labels.csv` or `labels.tsv` at the top of a folder.

    Raises:
        DataError: if there are two, or it is a link that leads out of the folder or nowhere.
    """
    try:
        tables = [path for path in sorted(folder.iterdir()) if path.name.lower() in _IN_FOLDERS and not path.is_dir()]
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror}.", next_step="make it readable") from error
    if len(tables) > 1:
        problem = Problem(str(folder), "one table of labels", " and ".join(path.name for path in tables))
        raise DataError(f"{folder} holds more than one table of labels.", [problem], f"give one, such as {tables[0]}")
    if tables and not (tables[0].is_file() and is_below(os.path.realpath(tables[0]), os.path.realpath(folder))):
        problem = Problem(tables[0].name, "a file in this folder", "a link that leads out of it, or no regular file")
        raise DataError(f"{tables[0]} is no table of labels.", [problem], "put the table itself there, or remove it")
    return tables[0] if tables else None


def looks_tabular(path: Path, start: bytes) -> bool:
    """Whether a file is to be read as a table: by its name, or because it starts as a table of pictures does."""
    return path.suffix.lower() in _SUFFIXES or looks_like_sheet(start, partial(is_picture, path.parent))


def _content(table: Path) -> bytes:
    try:
        with table.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            content = stream.read() if size <= _MAX_BYTES else b""
    except OSError as error:
        raise DataError(f"{table} cannot be read: {error.strerror}.", next_step="make it readable") from error
    if size > _MAX_BYTES:
        problem = Problem(table.name, f"at most {_MAX_BYTES} bytes", str(size))
        raise DataError(f"{table} is too large for a table of labels.", [problem], "divide it")
    return content


def _check(entries: Sequence[Entry], table: str, max_pixels: int) -> tuple[dict[int, Problem], dict[int, Problem]]:
    """By line: the pictures that are too large, and those that cannot be read."""
    oversized: dict[int, Problem] = {}
    unreadable: dict[int, Problem] = {}
    for entry in entries:
        try:
            check_image(entry.path, max_pixels=max_pixels)
        except ImageError as error:
            kind = oversized if isinstance(error, OversizedImageError) else unreadable
            found = f"{entry.name!r}{_UNUSABLE}{error.problems[0].found}"
            kind[entry.line] = Problem(f"{table} line {entry.line}", found=found)
    return oversized, unreadable


def _unnamed(table: Path, parsed: Table) -> Iterator[Problem]:
    """What lies in the folder and has no row."""
    named = {os.path.normpath(row.path.replace("\\", "/")) for row in parsed.rows} | {table.name}
    pictures, others = list_pictures(table.parent)
    names = (path.relative_to(table.parent).as_posix() for path in pictures)
    yield from (Problem(name, found=f"has no row in {table.name}") for name in names if name not in named)
    yield from (problem for problem in others if problem.where not in named)


def _faults_of_classes(table: Path, entries: Sequence[Entry], dropped: Mapping[int, Problem]) -> Iterator[Problem]:
    """Classes of which nothing is left, with the reasons; a single class."""
    counts = Counter(entry.label for entry in entries)
    left = {entry.label for entry in entries if entry.line not in dropped}
    for name in sorted(counts.keys() - left):
        yield Problem(f"class {name!r}", "pictures of this class", f"{counts[name]}, and none can be used")
        yield from (dropped[entry.line] for entry in entries if entry.label == name)
    if len(counts) < 2:
        yield Problem(table.name, "at least 2 classes", f"{len(counts)}: {', '.join(map(repr, counts))}")


def _refuse_faults(table: Path, faults: Sequence[Problem], left_out: Sequence[Problem]) -> None:
    """Raise one error for everything that is wrong.

    Raises:
        DataError: if there is a fault, or anything left out that should not be.
    """
    if not (faults or left_out):
        return
    steps = [f"correct the table; paths count from the folder that holds {table.name}"] if faults else []
    if any(_UNUSABLE in problem.found for problem in faults):
        steps.append("leave damaged files out with --skip-unreadable (skip_unreadable=True)")
    if left_out:
        steps.append("move away what cannot be used, or do without --strict (strict=True)")
    problems = sorted(dict.fromkeys([*faults, *left_out]), key=_line)
    things = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    raise DataError(f"{table} cannot be used as a labelled set: {things}.", problems, "; ".join(steps))


def _labelled(source: str, entries: Sequence[Entry], left_out: Sequence[Problem]) -> LabelledSet:
    classes = tuple(sorted({entry.label for entry in entries}))
    places = {name: place for place, name in enumerate(classes)}
    entries = sorted(entries, key=lambda entry: (entry.label, entry.name))
    return LabelledSet.of_labels(
        source=source,
        names=tuple(entry.name for entry in entries),
        labels=np.array([places[entry.label] for entry in entries], dtype=np.int64),
        classes=classes,
        inputs=tuple(entry.path for entry in entries),
        problems=tuple(left_out),
    )


def _line(problem: Problem) -> tuple[int, str]:
    """Problems of lines in the order of the lines, all others behind them by their names."""
    number = problem.where.rpartition(" line ")[2]
    return (int(number), "") if number.isdecimal() else (2**62, problem.where)
