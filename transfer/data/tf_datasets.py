"""Datasets of TensorFlow read once into arrays: pairs of inputs and labels, one by one or in batches.

TensorFlow is not imported: a dataset says what it holds and gives numpy's arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import IO, Any, Protocol, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from transfer.data.named_arrays import NamedArrays
from transfer.data.spooled_rows import open_spool, spooling, write_whole
from transfer.errors import DataError, Problem

SOURCE = "a tf.data.Dataset"
MOST_BYTES = 2**35
INFINITE = -1  # as a dataset says its cardinality
_PAIRS = "pairs (x, y); x an array or several by name"


@runtime_checkable
class Dataset(Protocol):
    """What is needed of a `tf.data.Dataset`."""

    element_spec: Any

    def cardinality(self) -> Any:
        """How many elements, as a tensor; below 0 where that is not known, or there is no end."""

    def as_numpy_iterator(self) -> Iterator[Any]:
        """The elements, as arrays."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadDataset:
    """What was in a dataset.

    Attributes:
        x: (n, …), or several by name, mapped from a file that goes with them.
        y: (n,) or (n, k), or several by name; None for a dataset without labels.
        classes: names that the dataset has for whole numbers; empty for none.
    """

    x: NDArray[Any] | NamedArrays
    y: NDArray[Any] | dict[str, NDArray[Any]] | None
    classes: tuple[str, ...]


def is_dataset(data: object) -> TypeGuard[Dataset]:
    """Whether it is a `tf.data.Dataset`."""
    return isinstance(data, Dataset)


def read_dataset(data: Dataset, *, labelled: bool, most_bytes: int = MOST_BYTES) -> ReadDataset:
    """Go through a dataset once. Inputs wait on the disk and are mapped from there, so that memory holds them once.

    Args:
        data: of pairs (x, y) or, without labels, of x.
        labelled: whether there must be labels; where not, those that are there are left aside.
        most_bytes: after which it is taken for endless.

    Raises:
        DataError: if it has no end, holds something else, or rows of several shapes.
        OutputError: if the disk takes no more.
    """
    if int(data.cardinality()) == INFINITE:
        raise DataError(
            "The dataset has no end.",
            [Problem("cardinality", "finite", "infinite")],
            "leave out .repeat(), or .take(n)",
        )
    _refuse_other(data.element_spec, labelled=labelled)
    reading = _Reading(data.element_spec, most_bytes)
    with ExitStack() as files:
        for element in data.as_numpy_iterator():
            x, y = element if isinstance(element, tuple) else (element, None)
            reading.take(_named(x), _named(y), files)
        found = reading.finished(tuple(map(str, getattr(data, "class_names", None) or ())))
    return found if labelled else replace(found, y=None)


def _refuse_other(spec: Any, *, labelled: bool) -> None:
    """Refuse a dataset by what it says of its elements.

    Raises:
        DataError: unless they are pairs of tensors, or of tensors by name; without labels also such tensors alone.
    """
    parts = spec if isinstance(spec, tuple) else (spec,)
    if len(parts) == 3:
        found = "(x, y, weights): weights of examples are not learnt by"
        raise DataError(
            f"{SOURCE} of three parts is no labelled set.",
            [Problem("element", _PAIRS, found)],
            "dataset.map(lambda x, y, w: (x, y)); Stage(class_weights='balanced') weighs classes",
        )
    if len(parts) != 2 and (labelled or len(parts) != 1):
        step = "give pairs: tf.data.Dataset.from_tensor_slices((x, y))"
        raise DataError(f"{SOURCE} without labels is no labelled set.", [Problem("element", _PAIRS, _told(spec))], step)
    leaves = [each for part in parts for each in (part.values() if isinstance(part, Mapping) else [part])]
    strange = [each for each in leaves if type(each).__name__ != "TensorSpec"]
    texts = [each for each in _leaves(parts[0]) if getattr(each, "dtype", None) == "string"]
    if strange or texts:
        raise DataError(
            f"{SOURCE} holds what is no array of numbers.",
            [Problem("element", _PAIRS, _told(each)) for each in [*strange, *texts]],
            "decode files in dataset.map, name several inputs {'left': …, 'right': …}, and pad ragged rows",
        )


def _leaves(part: Any) -> list[Any]:
    return list(part.values()) if isinstance(part, Mapping) else [part]


def _told(spec: Any) -> str:
    return " ".join(str(spec).split())[:200]


def _named(part: Any) -> dict[str, NDArray[Any]]:
    """Arrays by name; one alone has none."""
    if part is None:
        return {}
    return {name: np.asarray(each) for name, each in (part if isinstance(part, Mapping) else {"": part}).items()}


@dataclass(slots=True)
class _Reading:
    """Elements as they come.

    Attributes:
        spec: what the dataset says of its elements.
        most_bytes: after which there is no end.
        is_batched: whether elements are batches; None before the first.
        spools: file, shape of a row and type of each input.
        labels: of each output, batch by batch.
        rows: that came.
        size_bytes: of the inputs that came.
    """

    spec: Any
    most_bytes: int
    is_batched: bool | None = None
    spools: dict[str, tuple[IO[bytes], tuple[int, ...], np.dtype[Any]]] = field(default_factory=dict)
    labels: dict[str, list[NDArray[Any]]] = field(default_factory=dict)
    rows: int = 0
    size_bytes: int = 0

    def take(self, x: dict[str, NDArray[Any]], y: dict[str, NDArray[Any]], files: ExitStack) -> None:
        """Put an element behind those before it, in files that are closed in time.

        Raises:
            DataError: if it is of another form.
            OutputError: if the disk takes no more.
        """
        if self.is_batched is None:
            self.is_batched = _is_batched(x, y, self.spec)
        if not self.is_batched:
            x, y = ({name: each[None] for name, each in part.items()} for part in (x, y))
        counts = {len(each) for each in (*x.values(), *y.values())}
        if len(counts) != 1:
            raise _uneven("as many rows of each part", f"{sorted(counts)}")
        for name, rows in x.items():
            if name not in self.spools:
                self.spools[name] = (files.enter_context(open_spool()), rows.shape[1:], rows.dtype)
            file, shape, dtype = self.spools[name]
            if rows.shape[1:] != shape or rows.dtype != dtype:
                raise _uneven(f"rows {shape} {dtype} as at first", f"{rows.shape[1:]} {rows.dtype} in row {self.rows}")
            with spooling():
                write_whole(file, np.ascontiguousarray(rows).tobytes())
            self.size_bytes += rows.nbytes
        for name, values in y.items():
            self.labels.setdefault(name, []).append(_texts(values))
        self.rows += counts.pop()
        if self.size_bytes > self.most_bytes:
            raise DataError(
                "The dataset is too large, or has no end.",
                [Problem("x", f"at most {self.most_bytes:,} bytes", f"more, after {self.rows:,} examples")],
                "take a part of it: dataset.take(n)",
            )

    def finished(self, classes: tuple[str, ...]) -> ReadDataset:
        """All that came.

        Raises:
            DataError: if that is nothing.
        """
        if not self.rows:
            raise DataError("The dataset holds no example.", next_step="look at what it filters out")
        arrays: dict[str, NDArray[Any]] = {
            name: np.memmap(file, dtype, "r", shape=(self.rows, *shape))
            for name, (file, shape, dtype) in self.spools.items()
        }
        labels = {name: np.concatenate(each) for name, each in self.labels.items()}
        x = arrays[""] if "" in arrays else NamedArrays(arrays)
        return ReadDataset(x, labels.get("", labels or None), classes)


def _uneven(expected: str, found: str) -> DataError:
    return DataError(
        "The dataset holds rows of several forms.",
        [Problem("x", expected, found)],
        "bring all to one size and type in dataset.map",
    )


def _texts(values: NDArray[Any]) -> NDArray[Any]:
    """Labels that are texts, which TensorFlow has as bytes."""
    if values.dtype.kind not in "OS":
        return values
    return np.array([each.decode(errors="backslashreplace") for each in values.reshape(-1)]).reshape(values.shape)


def _is_batched(x: Mapping[str, NDArray[Any]], y: Mapping[str, NDArray[Any]], spec: Any) -> bool:
    """Whether an element is a batch of examples, and not one of them.

    Raises:
        DataError: if it may be either.
    """
    parts: Sequence[NDArray[Any]] = (*x.values(), *y.values())
    if any(each.ndim == 0 for each in parts) or len({len(each) for each in parts}) > 1:
        return False
    inputs, labels = spec if isinstance(spec, tuple) else (spec, None)
    leaves = [*_leaves(inputs), *(_leaves(labels) if y else [])]
    ranks = [each.shape.rank for each in leaves]
    if all(ranks) and all(each.shape[0] is None for each in leaves):
        return True
    if max(each.ndim for each in x.values()) == 1:
        return False
    if y:
        may_be_one = all(each.ndim == 1 and _is_one_hot(each) for each in y.values())
    else:
        may_be_one = max(each.ndim for each in x.values()) < 4
    if may_be_one:
        raise DataError(
            "The dataset may hold batches or single examples.",
            [Problem("element", "batches of any size, or single examples with one whole number as label", _told(spec))],
            "batch it: dataset.batch(32); or unbatch it first: dataset.unbatch().batch(32)",
        )
    return True


def _is_one_hot(values: NDArray[Any]) -> bool:
    return values.dtype.kind in "buif" and bool(np.isin(values, (0, 1)).all() and values.sum() == 1)
