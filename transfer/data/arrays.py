"""Arrays with labels: `x` and `y`, from memory or from an .npz file."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, Problem

_TRUSTED_BYTES = 2**30  # an array above this must not be compressed by more than
_TRUSTED_RATIO = 100
_MAX_EXAMPLES = 10**7
_NEXT_STEP = "write it with numpy.savez(path, x=…, y=…): x (n, …) numbers, y (n,) labels"
_FINITE, _TWO_CLASSES, _LABELLED = "finite numbers", "at least 2 classes", "a label for every row"
_WHOLE, _ONCE = "whole numbers", "each name once"
_STEPS = {  # by what was expected, where writing the same again would not help
    _FINITE: "leave out rows with values that are missing, or fill these in before",
    _TWO_CLASSES: "add examples of another class: there is nothing to tell apart",
    _LABELLED: "leave out rows without a label, or label them",
    _WHOLE: "give the number or the name of a class for each row: classes are learnt here, not quantities",
    _ONCE: "call each class by a name of its own",
}
_DAMAGE = (OSError, EOFError, ValueError, TypeError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)


def from_arrays(
    x: ArrayLike, y: ArrayLike, classes: Sequence[str] | None = None, *, source: str = "arrays"
) -> LabelledSet:
    """A labelled set of arrays.

    Args:
        x: (n, …), at least two axes, finite numbers.
        y: (n,) or (n, 1). Whole numbers of any size, whose distinct values in order are the classes; texts or booleans
            likewise. Where `classes` are given, whole numbers are places in it and texts stand in it.
        classes: names.
        source: where the arrays come from, for messages.

    Raises:
        DataError: for everything that is wrong with them.
    """
    inputs, labels = np.asarray(x), _label_array(y)
    problems = [*_problems_of_inputs(inputs), *_problems_of_labels(labels)]
    if inputs.ndim and labels.ndim and len(inputs) != len(labels):
        problems.append(Problem("y", f"{len(inputs)} labels, one for each row of x", str(len(labels))))
    if problems:
        raise _error(source, problems)
    names = None if classes is None else tuple(_text(name) for name in classes)
    indices, names = _indexed(labels.reshape(-1), names, source)
    if len(np.unique(indices)) < 2:
        raise _error(source, [Problem("y", _TWO_CLASSES, f"1: every label is {names[indices[0]]!r}")])
    view = inputs.view() if inputs.dtype.isnative else inputs.astype(inputs.dtype.newbyteorder("="))
    view.flags.writeable = False
    return LabelledSet.of_labels(source, tuple(f"x[{i}]" for i in range(len(view))), indices, names, view)


def read_npz(path: Path) -> LabelledSet:
    """The arrays `x`, `y` and, where it is there, `classes` of an .npz file.

    Each array's header is read first, so that nothing is allocated on the word of a file that does not hold as much.
    Pickled objects are refused.

    Raises:
        DataError: if it is not an .npz file, an array is missing or damaged, or as in `from_arrays`.
    """
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            arrays = _read_members(str(path), archive, path.stat().st_size)
    except _DAMAGE as error:
        raise _error(str(path), [Problem(str(path), "an .npz file", str(error) or type(error).__name__)]) from error
    classes = arrays.get("classes")
    if classes is not None and (classes.ndim != 1 or classes.dtype.kind not in "US"):
        raise _error(str(path), [Problem("classes", "(k,) names", f"{classes.shape} {classes.dtype}")])
    return from_arrays(
        arrays["x"], arrays["y"], None if classes is None else [_text(name) for name in classes], source=str(path)
    )


def read_npz_inputs(path: Path) -> NDArray[Any]:
    """The array `x` of an .npz file, (n, …), whether or not labels stand beside it.

    Raises:
        DataError: as `read_npz` does.
    """
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            inputs = _read_members(str(path), archive, path.stat().st_size, needed=("x",))["x"]
    except DataError as error:
        raise _input_error(path, error.problems) from error
    except _DAMAGE as error:
        raise _input_error(path, [Problem(str(path), "an .npz file", str(error) or type(error).__name__)]) from error
    problems = _problems_of_inputs(inputs)
    if problems:
        raise _input_error(path, problems)
    return inputs


def _input_error(path: Path, problems: Sequence[Problem]) -> DataError:
    step = "write it with numpy.savez(path, x=…): x (n, …) numbers, a row an example"
    return DataError(f"{path} holds no inputs that can be asked about.", problems, _step(problems, step))


@dataclass(frozen=True, slots=True)
class _Header:
    """What a member says of its array; `size_bytes` counts the header as well."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    size_bytes: int


def _read_members(
    source: str, archive: zipfile.ZipFile, file_bytes: int, needed: Sequence[str] = ("x", "y")
) -> dict[str, NDArray[Any]]:
    members: dict[str, zipfile.ZipInfo] = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if len(members) != len(archive.infolist()):
        raise _error(source, [Problem(source, "each array once", "a name that stands there twice")])
    missing = [name for name in needed if name not in members]
    if missing:
        there = f"the arrays {', '.join(map(repr, members))}" if members else "no array"
        raise _error(source, [Problem(name, f"an array {name!r}", there) for name in missing])
    wanted = {name: info for name, info in members.items() if name in (*needed, "classes")}
    headers = {name: _read_header(archive, info) for name, info in wanted.items()}
    problems = [
        Problem(name, found=fault)
        for name, info in wanted.items()
        if (fault := _fault(headers[name], info, file_bytes))
    ] or _faults_between(headers)
    if problems:
        raise _error(source, problems)
    return {name: _read_array(archive, info) for name, info in wanted.items()}


def _read_header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Header:
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in readers:
            raise ValueError(
                f"{info.filename} has the .npy version {version}, which no array of numbers or texts needs"
            )
        shape, _, dtype = readers[version](stream)
        return _Header(shape, dtype, stream.tell() + prod(shape) * dtype.itemsize)


def _fault(header: _Header, info: zipfile.ZipInfo, file_bytes: int) -> str:
    """What is wrong with a member before it is read; empty where nothing is."""
    if header.dtype.hasobject:
        return "Python objects, which are never loaded: they may run code"
    if header.dtype.itemsize == 0 or not header.shape or min(header.shape) <= 0:
        return f"an empty array: shape {header.shape}, type {header.dtype}"
    if header.size_bytes != info.file_size:
        return f"its header promises {header.size_bytes} bytes and the file holds {info.file_size}"
    stored = min(info.compress_size, file_bytes)
    limit = stored if info.compress_type == zipfile.ZIP_STORED else max(_TRUSTED_BYTES, _TRUSTED_RATIO * stored)
    if info.file_size > limit:
        return f"{stored} bytes that claim to become {info.file_size}"
    return ""


def _faults_between(headers: Mapping[str, _Header]) -> list[Problem]:
    """What is wrong with the arrays together, before one of them is read."""
    n = headers["x"].shape[0]
    if n > _MAX_EXAMPLES:
        return [Problem("x", f"at most {_MAX_EXAMPLES} examples", str(n))]
    if "y" in headers and headers["y"].shape[0] != n:
        return [Problem("y", f"{n} labels, one for each row of x", str(headers["y"].shape[0]))]
    return []


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as stream:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
        stream.read(1)  # the end, where zipfile compares the checksum
    return array


def holds_arrays(stream: BinaryIO) -> bool:
    """Whether a file is a zip archive with .npy members."""
    try:
        with zipfile.ZipFile(stream) as archive:
            return any(name.endswith(".npy") for name in archive.namelist())
    except _DAMAGE:
        return False


def _error(source: str, problems: Sequence[Problem]) -> DataError:
    return DataError(f"{source} cannot be used as a labelled set.", problems, _step(problems, _NEXT_STEP))


def _step(problems: Sequence[Problem], otherwise: str) -> str:
    """What helps against these problems, where their form is right and what they hold is not."""
    known = dict.fromkeys(_STEPS[each.expected] for each in problems if each.expected in _STEPS)
    return "; ".join(known) if all(each.expected in _STEPS for each in problems) else otherwise


def _problems_of_inputs(x: NDArray[Any]) -> list[Problem]:
    if x.dtype.kind not in "buif":
        return [Problem("x", "numbers", f"type {x.dtype}")]
    if x.ndim < 2 or x.size == 0:
        return [Problem("x", "(n, …) with at least two axes, none of them 0", str(x.shape))]
    if x.dtype.kind != "f" or (finite := np.isfinite(x)).all():
        return []
    row = int(np.argmin(finite.reshape(len(x), -1).all(axis=1)))
    count = x.size - np.count_nonzero(finite)
    return [Problem("x", _FINITE, f"NaN or infinite in {count} of {x.size} values, first in row {row}")]


def _label_array(y: ArrayLike) -> NDArray[Any]:
    """As an array; texts that came as Python objects, as pandas gives them, become numpy's."""
    labels = np.asarray(y)
    return (
        labels.astype(np.str_) if labels.dtype.kind in "OT" and all(isinstance(v, str) for v in labels.flat) else labels
    )


def _problems_of_labels(y: NDArray[Any]) -> list[Problem]:
    expected = "(n,), one label for each example"
    if y.ndim == 2 and y.shape[1] > 1 and y.dtype.kind in "buif":
        return [Problem("y", expected, f"{y.shape}; if these are one-hot rows, give y.argmax(axis=1)")]
    if not (y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1)) or y.size == 0:
        return [Problem("y", expected, str(y.shape))]
    if y.dtype.kind not in "buifUS":
        return [Problem("y", "whole numbers, texts or booleans", f"type {y.dtype}")]
    rows = y.reshape(-1)
    if y.dtype.kind == "f":
        unlabelled = ~np.isfinite(rows)
        if unlabelled.any():
            return [Problem("y", _LABELLED, _count(unlabelled, "NaN or infinite"))]
        uneven = rows != np.rint(rows)
        if uneven.any():
            return [Problem("y", _WHOLE, _count(uneven, "not whole"))]
    if y.dtype.kind in "US" and (rows == rows.dtype.type()).any():
        return [Problem("y", _LABELLED, _count(rows == rows.dtype.type(), "empty"))]
    return []


def _count(wrong: NDArray[np.bool_], what: str) -> str:
    return f"{what} in {np.count_nonzero(wrong)} of {len(wrong)} rows, first in row {int(np.argmax(wrong))}"


def _indexed(
    y: NDArray[Any], classes: tuple[str, ...] | None, source: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Places of labels in classes, and the classes.

    Raises:
        DataError: if `classes` name one twice or do not cover the labels.
    """
    values, places = np.unique(y, return_inverse=True)
    if y.dtype.kind == "f":
        found: tuple[Any, ...] = tuple(int(value) for value in values)
    else:
        found = tuple(_text(value) if y.dtype.kind in "US" else value.item() for value in values)
    if classes is None:
        return places.astype(np.int64), tuple(map(str, found))
    if len(set(classes)) < len(classes):
        raise _error(source, [Problem("classes", _ONCE, f"{len(classes)} names, {len(set(classes))} distinct")])
    known = {name: i for i, name in enumerate(classes)}
    targets = [known.get(value) if isinstance(value, str) else _place(int(value), len(classes)) for value in found]
    unknown = [value for value, target in zip(found, targets, strict=True) if target is None]
    if unknown:
        expected = "names in classes" if isinstance(unknown[0], str) else f"0 to {len(classes) - 1}, places in classes"
        shown = ", ".join(map(repr, unknown[:5])) + (", …" if len(unknown) > 5 else "")
        raise _error(source, [Problem("y", expected, shown)])
    return np.array(targets, dtype=np.int64)[places], classes


def _place(value: int, count: int) -> int | None:
    return value if 0 <= value < count else None


def _text(value: object) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
