"""The pictures that a table names, without what else it says of them."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

from transfer.data.fetched_pictures import bring_pictures
from transfer.data.frames import is_parquet, parquet_sheet
from transfer.data.inputs import START_BYTES, Inputs
from transfer.data.locating import Picture, is_picture, locate_picture
from transfer.data.output_tables import path_column
from transfer.data.sheets import Sheet, parse_sheet, show_cells
from transfer.data.tables import table_content
from transfer.errors import DataError, Problem


def read_table_inputs(table: Path, *, remote: bool = False) -> tuple[Inputs, bool]:
    """The pictures of a CSV, TSV or Parquet file in the order of its rows, each once; and whether it has more columns.

    Paths count from the table's folder and stay below it. Rows without a picture that is there stand in `.problems`.

    Args:
        table: that names them.
        remote: whether pictures at addresses (`s3://…`) stay there, and `.addresses` says where; else they are fetched.

    Raises:
        DataError: if it is no such table, or names no picture; or nothing here reads addresses of such a kind.
        OutputError: if there is no room for what is fetched.
    """
    sheet = _sheet(table)
    column = _column(sheet, table)
    pictures, problems = _located(sheet, column, table.parent)
    if not pictures:
        step = f"paths count from the folder that holds {table.name}"
        raise DataError(f"{table} names no picture that is there.", problems, step)
    names, paths = tuple(each.name for each in pictures), tuple(each.path for each in pictures)
    addresses = {each.name: each.address for each in pictures if each.address}
    found = Inputs(str(table), names, paths, problems, addresses=addresses)
    return found if remote else fetch_inputs(found), len(sheet.header) > 1


def fetch_inputs(inputs: Inputs) -> Inputs:
    """The same examples, those at addresses fetched for as long as this process lives; what does not come is a problem.

    Raises:
        DataError: if none is left, or nothing here reads addresses of such a kind.
        OutputError: if there is no room for what is fetched.
    """
    wanted = {name: inputs.addresses[name] for name in inputs.names if name in inputs.addresses}
    if not wanted or not isinstance(inputs.inputs, tuple):
        return inputs
    places, failed = bring_pictures(wanted.values())
    lost = {name: Problem(name, found=failed[address]) for name, address in wanted.items() if address in failed}
    there = [place for place, name in enumerate(inputs.names) if name not in lost]
    if not there:
        raise DataError(f"{inputs.source} names no picture that is there.", [*inputs.problems, *lost.values()])
    now = (places.get(wanted.get(name, ""), path) for name, path in zip(inputs.names, inputs.inputs, strict=True))
    return replace(
        replace(inputs, inputs=tuple(now)).subset(there), problems=(*inputs.problems, *lost.values()), addresses={}
    )


def _sheet(table: Path) -> Sheet:
    with table.open("rb") as stream:
        if is_parquet(stream.read(START_BYTES)):
            return parquet_sheet(table)
    return parse_sheet(table_content(table), table.name, partial(is_picture, table.parent))


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


def _located(sheet: Sheet, column: int, folder: Path) -> tuple[tuple[Picture, ...], tuple[Problem, ...]]:
    root = os.path.realpath(folder)
    found: dict[str, Picture] = {}
    problems = list(sheet.faults)
    for record in sheet.records:
        picture = locate_picture(folder, root, record.cells[column])
        if isinstance(picture, str):
            problems.append(Problem(sheet.where(record.line), found=picture))
        else:
            found.setdefault(picture.real, picture)
    return tuple(found.values()), tuple(problems)
