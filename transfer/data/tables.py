"""Pictures that a table labels: a CSV or TSV file of paths and classes, alone or in a folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from transfer.data.cells import holds_several, separator_of
from transfer.data.labelled import LabelledSet
from transfer.data.locating import Entry, is_below, is_picture, locate_pictures
from transfer.data.misreadings import notes_of_cells
from transfer.data.output_tables import read_outputs
from transfer.data.rows import label_columns, label_table
from transfer.data.sheets import Sheet, looks_like_sheet, parse_sheet
from transfer.data.table_pictures import PATIENT, Checked, Leniency, TableSource, by_line, check_pictures, refuse_faults
from transfer.data.unused_columns import tell_unused
from transfer.data.wanted import EVERYTHING, Wanted
from transfer.errors import DataError, Problem

_SUFFIXES = frozenset({".csv", ".tsv"})
_IN_FOLDERS = frozenset({"labels.csv", "labels.tsv"})
_MAX_BYTES = 2**31


def read_table(
    table: Path,
    *,
    folder: Path | None = None,
    whole_folder: bool = False,
    wanted: Wanted = EVERYTHING,
    leniency: Leniency = PATIENT,
) -> LabelledSet:
    """The pictures that a table names, with the labels that it gives; the folders in which they lie say nothing.

    Paths count from a folder and stay below it. Of each picture the header is read; nothing is decoded. Classes are in
    the order of their names, pictures within a class in the order of their paths, whatever the order of the rows. A row
    that repeats another, and a picture that is too large, stand in `.problems`, as do columns that are not used.

    A table with one column of labels gives each picture one class; or any of several labels, where `;` or `|` stands in
    several cells between names that come again in others. With several columns, or where several are wanted, each is an
    output; pictures are then in the order of their paths, and rows of which nothing is known are left out.

    Args:
        table: a text as `parse_sheet` takes it.
        folder: from which paths count; None for the one that holds the table.
        whole_folder: whether the set is the folder, so that pictures without a row stand in `.problems` too.
        wanted: what is asked of its labels.
        leniency: what else may be left out.

    Raises:
        DataError: with each line that is wrong: no such file, one that leads out of the folder, no label, two labels
            for one picture, a damaged picture; or if fewer than two classes have pictures.
    """
    root = folder or table.parent
    sheet = parse_sheet(table_content(table), table.name, partial(is_picture, root))
    source = TableSource(str(root if whole_folder else table), root, table, whole_folder)
    return read_sheet(sheet, source, wanted, leniency)


def read_sheet(sheet: Sheet, source: TableSource, wanted: Wanted, leniency: Leniency) -> LabelledSet:
    """The pictures of a table that is read already, as `read_table` gives them."""
    columns = label_columns(sheet)
    if not wanted.is_everything or (columns is None and sheet.is_header):
        return read_outputs(sheet, source, wanted, leniency)
    if columns is not None and sheet.is_header and _says_several(sheet, columns[1]):
        return read_outputs(replace(sheet, paths=columns[0]), source, wanted, leniency)
    return _read_labels(sheet, source, leniency)


def _says_several(sheet: Sheet, column: int) -> bool:
    cells = [record.cells[column] for record in sheet.records]
    return holds_several(cells, separator_of(cells))


def _read_labels(sheet: Sheet, source: TableSource, leniency: Leniency) -> LabelledSet:
    """Pictures with one class each."""
    parsed = label_table(sheet)
    found = locate_pictures(sheet, parsed, source.root, present=leniency.opens)
    checked = check_pictures(found.entries, sheet.where, leniency.max_pixels)
    dropped = checked.oversized | checked.unreadable
    kept = [each for each in found.entries if each.line not in dropped]
    left_out = [*found.repeated, *checked.oversized.values()]
    faults = list(found.faults)
    (left_out if leniency.skips_unreadable else faults).extend(checked.unreadable.values())
    left_out += source.unnamed(row.path for row in parsed.rows)
    faults = faults or list(_faults_of_classes(sheet.name, found.entries, dropped))
    refuse_faults(source, faults, left_out if leniency.strict else [], column=parsed.label)
    left_out += tell_unused(sheet, parsed.unused, [parsed.label] if parsed.label else [])
    labelled = _labelled(source.source, kept, checked, sorted(left_out, key=by_line))
    return replace(labelled, notes=notes_of_cells(parsed.label, labelled.classes))


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


def table_content(table: Path) -> bytes:
    """What a table holds.

    Raises:
        DataError: if it cannot be read, or is too large for one.
    """
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


def _faults_of_classes(table: str, entries: Sequence[Entry], dropped: Mapping[int, Problem]) -> Iterator[Problem]:
    """Classes of which nothing is left, with the reasons; a single class."""
    counts = Counter(entry.label for entry in entries)
    left = {entry.label for entry in entries if entry.line not in dropped}
    for name in sorted(counts.keys() - left):
        yield Problem(f"class {name!r}", "pictures of this class", f"{counts[name]}, and none can be used")
        yield from (dropped[entry.line] for entry in entries if entry.label == name)
    if len(counts) < 2:
        yield Problem(table, "at least 2 classes", f"{len(counts)}: {', '.join(map(repr, counts))}")


def _labelled(source: str, entries: Sequence[Entry], checked: Checked, left_out: Sequence[Problem]) -> LabelledSet:
    classes = tuple(sorted({entry.label for entry in entries}))
    places = {name: place for place, name in enumerate(classes)}
    entries = sorted(entries, key=lambda entry: (entry.label, entry.name))
    return LabelledSet.of_labels(
        source=source,
        names=tuple(entry.name for entry in entries),
        labels=np.array([places[entry.label] for entry in entries], dtype=np.int64),
        classes=classes,
        inputs=tuple(checked.path(entry) for entry in entries),
        problems=tuple(left_out),
    )
