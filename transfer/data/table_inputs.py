"""The pictures that a table names, without what else it says of them."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from transfer.data.fetching import is_address
from transfer.data.frames import is_parquet, parquet_sheet
from transfer.data.inputs import START_BYTES, Inputs
from transfer.data.locating import Picture, is_picture, locate_picture
from transfer.data.output_tables import path_column
from transfer.data.sheets import Sheet, parse_sheet, show_cells
from transfer.data.tables import table_content
from transfer.errors import DataError, Problem

_TAKEN = ", which 'transfer features' alone takes"


def read_table_inputs(table: Path, *, remote: bool = False) -> tuple[Inputs, bool]:
    """The pictures of a CSV, TSV or Parquet file in the order of its rows, each once; and whether it has more columns.

    Paths count from the table's folder and stay below it. Rows without a picture that is there stand in `.problems`.

    Args:
        table: that names them.
        remote: whether addresses (`s3://…`) are taken too: they are the names of their examples, which lie nowhere
            before they are fetched.

    Raises:
        DataError: if it is no such table, or names no picture.
    """
    sheet = _sheet(table)
    column = _column(sheet, table)
    pictures, problems = _located(sheet, column, table.parent, remote=remote)
    if not pictures:
        step = f"paths count from the folder that holds {table.name}"
        raise DataError(f"{table} names no picture that is there.", problems, step)
    names, paths = tuple(each.name for each in pictures), tuple(each.path for each in pictures)
    return Inputs(str(table), names, paths, problems), len(sheet.header) > 1


def _sheet(table: Path) -> Sheet:
    with table.open("rb") as stream:
        if is_parquet(stream.read(START_BYTES)):
            return parquet_sheet(table)
    return parse_sheet(table_content(table), table.name, partial(_is_named, table.parent))


def _is_named(folder: Path, cell: str) -> bool:
    return is_address(cell) or is_picture(folder, cell)


def _column(sheet: Sheet, table: Path) -> int:
    """The column of the paths.

    Raises:
        DataError: if there is none, or more than one.
    """
    if sheet.begins_with_picture and not sheet.is_header:
        return 0
    try:
        return path_column(sheet, table.parent)
    except DataError as error:
        wanted = "one column of paths, named file, path, image or filename"
        found = Problem(sheet.where(sheet.line), wanted, show_cells(sheet.header))
        step = "name the column so; rows of numbers go into a file of arrays: numpy.savez('rows.npz', x=numbers)"
        raise DataError(f"{table} does not say which pictures to learn from.", [found], step) from error


def _located(
    sheet: Sheet, column: int, folder: Path, *, remote: bool
) -> tuple[tuple[Picture, ...], tuple[Problem, ...]]:
    root = os.path.realpath(folder)
    found: dict[str, Picture] = {}
    problems = list(sheet.faults)
    for record in sheet.records:
        cell = record.cells[column]
        if is_address(cell):
            if remote:
                found.setdefault(cell, Picture(cell, Path(cell), cell))
            else:
                problems.append(Problem(sheet.where(record.line), found=f"{cell!r} is an address{_TAKEN}"))
            continue
        picture = locate_picture(folder, root, cell)
        if isinstance(picture, str):
            problems.append(Problem(sheet.where(record.line), found=picture))
        else:
            found.setdefault(picture.real, picture)
    return tuple(found.values()), tuple(problems)
