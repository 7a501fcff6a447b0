"""One door to labelled sets: what lies at a path decides how it is read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from numpy.typing import ArrayLike

from transfer.data.array_files import is_hdf5, read_hdf5, read_npz
from transfer.data.folders import read_folder
from transfer.data.frames import is_parquet, read_parquet
from transfer.data.idx_files import is_idx, read_idx
from transfer.data.images import MAX_PIXELS
from transfer.data.inputs import START_BYTES
from transfer.data.labelled import LabelledSet
from transfer.data.nested_folders import keep_frequent, relabel_folder
from transfer.data.npz_files import holds_arrays
from transfer.data.table_pictures import Leniency
from transfer.data.tables import find_table, looks_tabular, read_table
from transfer.data.wanted import Wanted
from transfer.errors import DataError, Problem, nearest
from transfer.labellings import Kind, Labelling

_READABLE = (
    "a folder of pictures with one subfolder a class or a labels.csv, a table (CSV, TSV) of pictures and classes, "
    "an .npz or HDF5 file with the arrays x and y, IDX images with their labels beside them, or a Parquet file"
)
_LIKE = 0.5  # of 1, a name that is offered for one that is not there
_Arrays = ArrayLike | Mapping[str, ArrayLike]


def read_labelled(
    path: str | os.PathLike[str],
    *,
    labels: str | os.PathLike[str] | None = None,
    labelling: Labelling | str | os.PathLike[str] | None = None,
    outputs: Sequence[str | tuple[str, Kind]] | None = None,
    separator: str | None = None,
    group_by: str | None = None,
    min_examples: int = 0,
    strict: bool = False,
    skip_unreadable: bool = False,
    max_pixels: int | None = MAX_PIXELS,
) -> LabelledSet:
    """The labelled examples at `path`: a folder of pictures, a table that names pictures, or a file of arrays.

    A folder with a `labels.csv` or `labels.tsv` at its top is labelled by that table, not by its subfolders; any other
    by its subfolders. IDX images (`train-images-idx3-ubyte.gz`) have their labels in a file beside them. A table has a
    row for each picture, its path (from the table's own folder) and its class, under a header such as `file,label`;
    separated by commas, semicolons, tabs or bars. With several columns of labels each is an output of the set;
    `print(data.labelling)` shows what they were taken for.

    Args:
        path: what it holds decides, not its name; but a text named .csv or .tsv is always a table.
        labels: a table that labels the pictures below the folder `path`, wherever it lies; paths count from `path`.
        labelling: what the labels are, or a TOML or JSON file that says it; None to tell it from the data.
        outputs: names of the outputs to learn, or pairs of name and kind, with classes from the data; None for all.
        separator: between the labels of a cell; None for `;` or `|`, whichever occurs.
        group_by: the column whose equal values stay together when the set is divided; None for none.
        min_examples: of folders within class folders, which are finer classes where two outputs are asked for; those
            with fewer are not known.
        strict: whether anything left out is an error.
        skip_unreadable: whether damaged pictures are left out, and not an error.
        max_pixels: larger pictures are left out; None where none is opened, as features of them are there. Those that
            a table names need not be there then.

    Raises:
        DataError: if there is nothing, or nothing that can be read, or it is not right.
    """
    source = Path(path)
    wanted = Wanted.of(labelling, outputs, separator, group_by)
    leniency = Leniency(strict, skip_unreadable, max_pixels)
    if labels is not None:
        return _read_beside(source, Path(labels), wanted, leniency)
    if source.is_dir():
        table = find_table(source)
        if table:
            return read_table(table, whole_folder=True, wanted=wanted, leniency=leniency)
        return _read_folder(source, wanted, leniency, min_examples)
    _refuse_no_file(source)
    try:
        with source.open("rb") as stream:
            start = stream.read(START_BYTES)
            if holds_arrays(stream):
                return read_npz(source, wanted)
    except OSError as error:
        raise _other(source, f"a file that cannot be read: {error.strerror}") from error
    if is_hdf5(start):
        return read_hdf5(source, wanted)
    if is_idx(source, start):
        return read_idx(source, wanted)
    if is_parquet(start):
        return read_parquet(source, wanted, leniency)
    if looks_tabular(source, start):
        return read_table(source, wanted=wanted, leniency=leniency)
    raise _other(source, f"a file that starts with {start[:8]!r}" if start else "an empty file")


def _read_beside(folder: Path, table: Path, wanted: Wanted, leniency: Leniency) -> LabelledSet:
    """Pictures of a folder, labelled by a table that lies anywhere.

    Raises:
        DataError: if one of them is not there, or as `read_table` does.
    """
    if not folder.is_dir():
        if os.path.lexists(folder):
            raise _other(folder, "no folder; a table of labels of its own is for pictures of a folder")
        raise _missing(folder)
    if not os.path.lexists(table) and (inside := folder / table.name).is_file():
        raise DataError(
            f"{table} does not exist.", next_step=f"one lies in {folder}: --labels {inside} (labels={str(inside)!r})"
        )
    _refuse_no_file(table)
    with table.open("rb") as stream:
        if is_parquet(stream.read(START_BYTES)):
            return read_parquet(table, wanted, leniency, folder)
    return read_table(table, folder=folder, whole_folder=True, wanted=wanted, leniency=leniency)


def _read_folder(folder: Path, wanted: Wanted, leniency: Leniency, min_examples: int) -> LabelledSet:
    """Pictures of class folders, and of the folders within these where a finer class is asked for.

    Raises:
        DataError: as `read_folder` and `relabel_folder` do.
    """
    found = read_folder(
        folder, strict=leniency.strict, skip_unreadable=leniency.skip_unreadable, max_pixels=leniency.max_pixels
    )
    found = relabel_folder(found, folder, wanted)
    return keep_frequent(found, min_examples) if min_examples and len(found.labelling) == 2 else found


def _refuse_no_file(source: Path) -> None:
    """Refuse what is no regular file.

    Raises:
        DataError: in that case.
    """
    if not os.path.lexists(source):
        raise _missing(source)
    if not source.is_file():
        raise _other(source, "a link that leads nowhere" if source.is_symlink() else "neither a file nor a folder")


def is_table(path: Path) -> bool:
    """Whether a file is called a table; it is always one then."""
    return path.suffix.lower() in (".csv", ".tsv", ".parquet") and path.is_file()


def _missing(source: Path) -> DataError:
    parent, there = source.parent, ""
    if not parent.is_dir():
        return DataError(f"{source} does not exist, nor does the folder {parent}.", next_step=f"give {_READABLE}")
    with suppress(OSError):
        names = [path.name for path in sorted(parent.iterdir()) if path.name[0] != "."]
        there = nearest(source.name, names, cutoff=_LIKE)
    return DataError(f"{source} does not exist.", next_step=f"nearest there: {there}" if there else f"give {_READABLE}")


def _other(source: Path, found: str) -> DataError:
    step = "give a folder of class folders, write a labels.csv, or write arrays with numpy.savez(path, x=…, y=…)"
    return DataError(f"{source} is not a labelled set.", [Problem(str(source), _READABLE, found)], step)
