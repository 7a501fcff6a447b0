"""Features as Parquet files for other programs: a column of ids and one of rows; named by what they hold."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.errors import DataError, OutputError
from transfer.placing import make_folder, placed_file

IDS, FEATURES = "id", "features"


def refuse_without_parquet() -> None:
    """Say before any work that nothing here writes Parquet.

    Raises:
        OutputError: if so.
    """
    _load("pyarrow")


def write_parquet_features(folder: Path, ids: Sequence[str], rows: NDArray[np.float32]) -> Path:
    """Write rows as a new file of a folder, which is made where it is missing.

    Bytes of a name that are not UTF-8 stand in its id as `\\xff`.

    Args:
        folder: of the files.
        ids: of the rows.
        rows: (m, …), m > 0; each is written as one list of numbers.

    Raises:
        OutputError: if it cannot be written, or nothing here writes Parquet.
    """
    arrow, parquet = _load("pyarrow"), _load("pyarrow.parquet")
    flat = np.ascontiguousarray(rows.reshape(len(rows), -1), np.float32)
    lists = arrow.FixedSizeListArray.from_arrays(arrow.array(flat.reshape(-1)), flat.shape[1])
    texts = [each.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") for each in ids]
    sink = arrow.BufferOutputStream()
    parquet.write_table(arrow.table({IDS: arrow.array(texts, arrow.string()), FEATURES: lists}), sink)
    content = sink.getvalue().to_pybytes()
    make_folder(folder)
    path = folder / f"{hashlib.sha256(content).hexdigest()}.parquet"
    with placed_file(path, force=True) as temporary:
        temporary.write_bytes(content)
    return path


def read_parquet_features(path: Path) -> NDArray[np.float32]:
    """The rows of a file, (m, d).

    Raises:
        DataError: if it cannot be read.
    """
    try:
        column = _load("pyarrow.parquet").read_table(path, columns=[FEATURES]).column(FEATURES).combine_chunks()
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}", next_step="compute the features again") from error
    return np.asarray(column.flatten().to_numpy(zero_copy_only=False), np.float32).reshape(len(column), -1)


def is_whole(path: Path) -> bool:
    """Whether a file is there with the bytes that its name tells."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == path.stem
    except OSError:
        return False


def _load(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise OutputError(
            "Features as Parquet need pyarrow.",
            next_step="pip install 'h5transfer[parquet]', or take --format hdf5 (format='hdf5')",
        ) from error
