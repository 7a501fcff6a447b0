"""Labels of one class each as an array: whole numbers, texts or booleans as places among classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transfer.data.array_problems import LABELLED, ONCE, WHOLE, array_error, count_rows
from transfer.errors import Problem


def label_array(y: ArrayLike) -> NDArray[Any]:
    """As an array; texts that came as Python objects, as pandas gives them, become numpy's."""
    labels = np.asarray(y)
    return (
        labels.astype(np.str_) if labels.dtype.kind in "OT" and all(isinstance(v, str) for v in labels.flat) else labels
    )


def problems_of_labels(y: NDArray[Any]) -> list[Problem]:
    """What is wrong with labels of one class each."""
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
            return [Problem("y", LABELLED, count_rows(unlabelled, "NaN or infinite"))]
        uneven = rows != np.rint(rows)
        if uneven.any():
            return [Problem("y", WHOLE, count_rows(uneven, "not whole"))]
    if y.dtype.kind in "US" and (rows == rows.dtype.type()).any():
        return [Problem("y", LABELLED, count_rows(rows == rows.dtype.type(), "empty"))]
    return []


def indexed_labels(
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
        found = tuple(text_of(value) if y.dtype.kind in "US" else value.item() for value in values)
    if classes is None:
        return places.astype(np.int64), tuple(map(str, found))
    if len(set(classes)) < len(classes):
        raise array_error(source, [Problem("classes", ONCE, f"{len(classes)} names, {len(set(classes))} distinct")])
    known = {name: i for i, name in enumerate(classes)}
    targets = [known.get(value) if isinstance(value, str) else _place(int(value), len(classes)) for value in found]
    unknown = [value for value, target in zip(found, targets, strict=True) if target is None]
    if unknown:
        expected = "names in classes" if isinstance(unknown[0], str) else f"0 to {len(classes) - 1}, places in classes"
        shown = ", ".join(map(repr, unknown[:5])) + (", …" if len(unknown) > 5 else "")
        raise array_error(source, [Problem("y", expected, shown)])
    return np.array(targets, dtype=np.int64)[places], classes


def _place(value: int, count: int) -> int | None:
    return value if 0 <= value < count else None


def text_of(value: object) -> str:
    """A name, whether as text or as bytes."""
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
