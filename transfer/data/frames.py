"""Labelled sets in tables of pandas, in memory or in Parquet files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from transfer.data.addresses import is_address
from transfer.data.array_problems import kept_inputs, problems_of_inputs
from transfer.data.cells import SEPARATORS
from transfer.data.encoding import rows_known
from transfer.data.labelled import LabelledSet
from transfer.data.rows import path_columns
from transfer.data.sheet_labels import label_sheet
from transfer.data.sheets import Record, Sheet
from transfer.data.table_pictures import PATIENT, Leniency, TableSource
from transfer.data.tables import read_sheet
from transfer.data.unused_columns import tell_unused
from transfer.data.wanted import Wanted
from transfer.errors import DataError, Problem, near_names
from transfer.labellings import Kind, Labelling

if TYPE_CHECKING:
    import pandas

_BETWEEN = SEPARATORS[0]
_START = b"PAR1"


def from_frame(
    frame: pandas.DataFrame,
    *,
    root: str | os.PathLike[str] | None = None,
    inputs: str | Sequence[str] | None = None,
    labelling: Labelling | str | os.PathLike[str] | None = None,
    outputs: Sequence[str | tuple[str, Kind]] | None = None,
    separator: str | None = None,
    group_by: str | None = None,
    strict: bool = False,
    skip_unreadable: bool = False,
    source: str = "frame",
) -> LabelledSet:
    """A labelled set of a table of pandas: pictures by their paths, or rows of numbers.

    Args:
        frame: a row an example. Cells are texts, numbers or booleans; a cell may be a list of labels.
        root: the folder from which paths count; by default the current one, or where all are absolute the folder
            that holds them.
        inputs: the column of paths, known by its name where it is called `file` or the like; or the columns of numbers.
        labelling: what the labels are, as for `read_labelled`.
        outputs: names of those to learn, likewise.
        separator: between the labels of a cell, likewise.
        group_by: the column of groups, likewise.
        strict: whether anything left out is an error.
        skip_unreadable: whether damaged pictures are left out.
        source: what to call it in messages.

    Raises:
        DataError: with each row that is wrong, counted from 0, as `read_labelled` does for a table.
    """
    wanted = Wanted.of(labelling, outputs, separator, group_by)
    sheet = _sheet(frame, source)
    missing = [name for name in ([inputs] if isinstance(inputs, str) else inputs or ()) if name not in sheet.header]
    if missing:
        raise DataError(
            f"{source} lacks columns of inputs.",
            [Problem(name, "a column", near_names(name, sheet.header) or "none like it") for name in missing],
            "name the columns as the table does (inputs=…)",
        )
    if inputs is not None and not isinstance(inputs, str):
        return _rows_of_numbers(frame, sheet, list(inputs), wanted, strict=strict)
    if inputs is not None:
        sheet = replace(sheet, paths=sheet.header.index(inputs))
    folder = Path(root or ".")
    if root is None:
        sheet, folder = _from_absolute(sheet, folder)
    return read_sheet(sheet, TableSource(source, folder), wanted, Leniency(strict, skip_unreadable))


def read_parquet(path: Path, wanted: Wanted, leniency: Leniency = PATIENT, folder: Path | None = None) -> LabelledSet:
    """The pictures that a Parquet file names, with its columns of labels; paths count from the file's own folder.

    Raises:
        DataError: if nothing is installed that reads Parquet, the file is damaged, or as `from_frame` does.
    """
    source = TableSource(str(folder or path), folder or path.parent, path, folder is not None)
    return read_sheet(parquet_sheet(path), source, wanted, leniency)


def parquet_sheet(path: Path) -> Sheet:
    """The rows of a Parquet file as texts.

    Raises:
        DataError: if nothing is installed that reads Parquet, or the file is damaged or holds no rows.
    """
    import pandas  # slow, and needed here alone

    try:
        frame = pandas.read_parquet(path)
    except ImportError as error:
        raise DataError(
            f"{path} is a Parquet file, which needs pyarrow.",
            next_step="pip install 'h5transfer[parquet]', or write the table as CSV",
        ) from error
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, MemoryError) as error:
        raise DataError(
            f"{path} cannot be read as a Parquet file.", [Problem(path.name, found=str(error))], "write it anew"
        ) from error
    return _sheet(frame, path.name)


def is_parquet(start: bytes) -> bool:
    """Whether a file that starts so is a Parquet file."""
    return start.startswith(_START)


def _sheet(frame: pandas.DataFrame, name: str) -> Sheet:
    """The table as texts.

    Raises:
        DataError: if it has no row, or two columns of one name.
    """
    header = tuple(str(each).strip() for each in frame.columns)
    twice = sorted({each for each in header if header.count(each) > 1})
    if not len(frame) or twice:
        problems = [Problem(f"column {each!r}", "once", "twice") for each in twice]
        raise DataError(f"{name} is no table of examples.", problems or [Problem(name, "rows", "none")])
    columns = [_texts(frame.iloc[:, place]) for place in range(len(header))]
    records = tuple(Record(row, cells) for row, cells in enumerate(zip(*columns, strict=True)))
    return Sheet(name, 0, header, True, False, records, unit="row")


def _from_absolute(sheet: Sheet, folder: Path) -> tuple[Sheet, Path]:
    """Absolute paths, as a notebook lists them, as paths below the folder that holds all; any other table as it is.

    Addresses beside them stay.
    """
    places = path_columns(sheet)
    if len(places) != 1:
        return sheet, folder
    (place,) = places
    paths = [record.cells[place] for record in sheet.records]
    files = [path for path in paths if not is_address(path)]
    if not files or not all(map(os.path.isabs, files)):
        return sheet, folder
    try:
        above = os.path.commonpath([Path(path).parent for path in files])
    except ValueError:  # several drives
        return sheet, folder
    records = []
    for record, path in zip(sheet.records, paths, strict=True):
        cells = [*record.cells]
        cells[place] = path if is_address(path) else os.path.relpath(path, above)
        records.append(replace(record, cells=tuple(cells)))
    return replace(sheet, records=tuple(records)), Path(above)


def _texts(column: pandas.Series) -> list[str]:
    """Cells as a table would hold them; empty for nothing."""
    empty = column.isna().tolist()
    return ["" if nothing else _text(cell) for cell, nothing in zip(column.tolist(), empty, strict=True)]


def _text(cell: object) -> str:
    """`2` for 2.0; a list of labels as a text with a separator behind each."""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, list | tuple | set | frozenset | np.ndarray):
        several = sorted(cell, key=str) if isinstance(cell, set | frozenset) else cell
        return "".join(f"{each}{_BETWEEN}" for each in several) or "-"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return repr(cell) if isinstance(cell, float) else str(cell)


def _rows_of_numbers(
    frame: pandas.DataFrame, sheet: Sheet, columns: list[str], wanted: Wanted, *, strict: bool
) -> LabelledSet:
    """Rows of numbers with labels.

    Raises:
        DataError: with all that is wrong.
    """
    taken = [sheet.header.index(name) for name in columns]
    problems = [
        Problem(f"column {name!r}", "numbers", str(frame.dtypes.iloc[place]))
        for name, place in zip(columns, taken, strict=True)
        if frame.dtypes.iloc[place].kind not in "buif"
    ]
    if problems or not columns:
        raise DataError(f"{sheet.name} has inputs that are no numbers.", problems, "name columns of numbers (inputs=…)")
    rows = frame.iloc[:, taken].to_numpy()
    labels = label_sheet(sheet, wanted, taken)
    problems = [*problems_of_inputs(rows), *(each for several in labels.faults.values() for each in several)]
    known = rows_known(labels.targets)
    left_out = [
        Problem(sheet.where(row), found="nothing is known of it")
        for row in np.flatnonzero(~known).tolist()
        if row not in labels.faults
    ]
    if problems or (strict and left_out):
        raise DataError(f"{sheet.name} cannot be used as a labelled set.", [*problems, *left_out], "correct the table")
    left_out += tell_unused(sheet, labels.unused, labels.chosen)
    kept = np.flatnonzero(known)
    return LabelledSet(
        sheet.name,
        tuple(f"x[{row}]" for row in kept.tolist()),
        labels.labelling,
        tuple(values[kept] for values in labels.targets),
        kept_inputs(rows[kept]),
        tuple(left_out),
        None if labels.groups is None else labels.groups[kept],
        labels.notes,
    )
