"""Every form in which examples may be given, as a set: paths, arrays, tables of pandas, datasets of TensorFlow.

(x, y)                                  arrays, lists of arrays, or a list of pictures and their labels
((x_train, y_train), (x_test, y_test))  as keras.datasets gives them: the second pair is tested on
frame, dataset                          `from_frame` of a table; pairs of a `tf.data.Dataset`, batched or not
"photos/", set                          what `read_labelled` reads, and what it gave
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transfer.data.array_problems import array_error, problems_of_inputs
from transfer.data.arrays import from_arrays
from transfer.data.class_arrays import indexed_labels, label_array, problems_of_labels
from transfer.data.frames import from_frame
from transfer.data.images import ImageError, check_image
from transfer.data.inputs import Examples, Inputs, read_inputs
from transfer.data.labelled import LabelledSet
from transfer.data.named_arrays import NamedArrays
from transfer.data.reading import is_table, read_labelled
from transfer.data.table_inputs import read_table_inputs
from transfer.data.tf_datasets import Dataset, is_dataset, read_dataset
from transfer.errors import DataError, Problem
from transfer.labellings import Labelling

if TYPE_CHECKING:
    import pandas

_Path: TypeAlias = str | os.PathLike[str]
LabelledData: TypeAlias = "LabelledSet | _Path | Sequence[Any] | pandas.DataFrame | Dataset"
ExamplesData: TypeAlias = (
    "Examples | _Path | NDArray[Any] | Mapping[str, ArrayLike] | NamedArrays | Sequence[Any] | pandas.DataFrame"
    " | Dataset"
)
_PICTURES = "a list of pictures"
_FORMS = "a set, a path, two arrays (x, y), a table of pandas or a tf.data.Dataset"


def as_labelled(
    data: LabelledData, *, labelling: Labelling | None = None, skip_unreadable: bool = False
) -> LabelledSet:
    """Labelled examples of any form that has no test set of its own.

    Args:
        data: as above. Labels are whole numbers, texts or one-hot rows.
        labelling: what the labels at a path or in a table are; None to tell it from these.
        skip_unreadable: whether pictures there that cannot be decoded are left out.

    Raises:
        DataError: if it is none of these forms, or is not right.
    """
    if isinstance(data, LabelledSet):
        return data
    if isinstance(data, str | os.PathLike):
        return read_labelled(data, labelling=labelling, skip_unreadable=skip_unreadable)
    if is_frame(data):
        return from_frame(data, labelling=labelling, skip_unreadable=skip_unreadable)
    if is_dataset(data):
        found = read_dataset(data, labelled=True)
        return labelled_pair(found.x, found.y, found.classes or None)
    if _is_divided(data):
        raise DataError(
            "Two labelled sets are given, and one is taken here.",
            [Problem("data", _FORMS, "((x, y), (x, y)), examples to learn from and to test on")],
            "give one of the pairs: data[0] or data[1]",
        )
    if isinstance(data, tuple | list) and len(data) == 2:
        return labelled_pair(*data)
    raise DataError(
        f"Labelled examples are {_FORMS}; not {_kind(data)}.",
        next_step="give (x, y), or what transfer.read_labelled(path) gave",
    )


def as_divided(data: LabelledData, test: LabelledData | None) -> tuple[LabelledSet, LabelledSet | None]:
    """Labelled examples to learn from, and those to test on where these are given: by themselves, or in `data`.

    Raises:
        DataError: as `as_labelled` does, or if both hold a test set.
    """
    if not _is_divided(data):
        learnt = as_labelled(data)
        return learnt, None if test is None else _alike(
            as_labelled(test), learnt, is_ours=isinstance(test, LabelledSet)
        )
    if test is not None:
        raise DataError(
            "There are two sets to test on.",
            [Problem("test", "none beside ((x, y), (x, y))", "one")],
            "give data[0] and test=data[1], or leave out test",
        )
    learnt, other = (labelled_pair(*each) for each in data)
    return learnt, _alike(other, learnt, is_ours=False)


def _alike(test: LabelledSet, learnt: LabelledSet, *, is_ours: bool) -> LabelledSet:
    """A test set in the classes that are learnt, where it lacks some of them; a set of the caller's stays."""
    single = test.labelling.is_single and learnt.labelling.is_single
    if is_ours or not single or not set(test.classes) <= set(learnt.classes):
        return test
    return test.with_classes(learnt.classes)


def labelled_pair(x: Any, y: Any, classes: Sequence[str] | None = None) -> LabelledSet:
    """A labelled set of inputs and their labels.

    Args:
        x: arrays as `from_arrays` takes them, a list of arrays of one shape, a table of numbers, or a list of pictures
            by their paths.
        y: whole numbers, texts or booleans (n,); one-hot rows (n, k), whose columns are the classes; of several
            outputs arrays by their names.
        classes: names of whole numbers; None for none.

    Raises:
        DataError: for everything that is wrong with them.
    """
    if not isinstance(y, Mapping):
        y, classes = _from_one_hot(y, classes)
    if are_paths(x):
        return _of_pictures(x, y, classes)
    return from_arrays(x if isinstance(x, Mapping | NamedArrays) else _stacked(x), y, classes)


def _from_one_hot(y: Any, classes: Sequence[str] | None) -> tuple[Any, Sequence[str] | None]:
    """Places of ones and names of their columns, if all rows are one-hot; else labels as they are."""
    names = tuple(map(str, y.columns)) if is_frame(y) else None
    try:
        labels = np.asarray(y)
    except ValueError:  # lists of several lengths: told below
        return y, classes
    wide = labels.ndim == 2 and labels.shape[1] > 1 and labels.dtype.kind in "buif"
    if not wide or not np.isin(labels, (0, 1)).all() or not (labels.sum(axis=1) == 1).all():
        return (labels[:, 0] if names and labels.shape[1:] == (1,) else labels), classes
    return labels.argmax(axis=1), classes or names or tuple(map(str, range(labels.shape[1])))


def _stacked(x: Any) -> NDArray[Any]:
    """Inputs as one array.

    Raises:
        DataError: if they have several shapes.
    """
    if is_frame(x):
        return np.asarray(x)
    try:
        return np.asarray(x)
    except ValueError as error:
        shapes = Counter(str(np.shape(each)) for each in x if isinstance(each, np.ndarray))
        found = ", ".join(f"{shape} ({count})" for shape, count in shapes.most_common(4)) or "several lengths"
        raise DataError(
            "These inputs are no array.",
            [Problem("x", "rows of one shape", found)],
            "bring all to one size, or write pictures as files and give their paths",
        ) from error


def _of_pictures(paths: Sequence[_Path], y: Any, classes: Sequence[str] | None) -> LabelledSet:
    """Pictures in the order in which they are given, each with its label.

    Raises:
        DataError: with each that is not there or damaged, and everything that is wrong with the labels.
    """
    labels = label_array(y)
    problems = problems_of_labels(labels)
    if not problems and len(labels) != len(paths):
        problems = [Problem("y", f"{len(paths)} labels, one for each path", str(len(labels)))]
    for path in dict.fromkeys(paths):
        try:
            check_image(Path(path))
        except (ImageError, OSError) as error:
            problems.append(Problem(str(path), "a picture", str(error)))
    if problems:
        raise array_error(_PICTURES, problems)
    places, names = indexed_labels(
        labels.reshape(-1), None if classes is None else tuple(classes), "a list of pictures"
    )
    seen: Counter[str] = Counter()
    called = []
    for path in map(str, paths):
        seen[path] += 1
        called.append(path if seen[path] == 1 else f"{path} ({seen[path]})")
    return LabelledSet.of_labels(_PICTURES, tuple(called), places, names, tuple(map(Path, paths)))


def as_examples(data: ExamplesData, *, remote: bool = False) -> Examples:
    """Examples with labels or without, of any form; of tables and of datasets of pairs the labels are left aside.

    Args:
        data: of any form.
        remote: whether pictures that a table names by addresses stay there; see `Inputs`.

    Raises:
        DataError: if it is none of these, or cannot be read.
    """
    if are_paths(data) and len(data) == 1:
        data = data[0]
    if isinstance(data, str | os.PathLike):
        return read_table_inputs(Path(data), remote=remote)[0] if is_table(Path(data)) else read_inputs([data])
    if isinstance(data, NamedArrays | Mapping):
        return _named_examples(data)
    if is_dataset(data):
        found = read_dataset(data, labelled=False).x
        return _named_examples(found) if isinstance(found, NamedArrays) else _array_examples(found)
    if not isinstance(data, np.ndarray) and hasattr(data, "inputs"):
        return cast("Examples", data)
    if are_paths(data):
        return read_inputs([*data])
    if is_frame(data) or isinstance(data, np.ndarray) or (isinstance(data, list | tuple) and len(data)):
        return _array_examples(_stacked(data))
    raise _no_examples(data)


def _array_examples(array: NDArray[Any]) -> Inputs:
    if array.ndim < 2 or array.dtype.kind not in "uif":
        raise _no_examples(array)
    return Inputs.of_array(array)


def _no_examples(data: object) -> DataError:
    return DataError(
        f"Examples are a set, a path, an array (n, …) of numbers, or several by name; not {_kind(data)}.",
        next_step="give an array, or what transfer.read_labelled(path) gave",
    )


def _named_examples(data: Mapping[str, ArrayLike] | NamedArrays) -> Inputs:
    """Examples of several inputs.

    Raises:
        DataError: if they are no arrays of as many rows.
    """
    arrays = {name: np.asarray(each) for name, each in (data.arrays if isinstance(data, NamedArrays) else data).items()}
    problems = [problem for name, each in arrays.items() for problem in problems_of_inputs(each, name)]
    if len({each.shape[:1] for each in arrays.values()}) != 1:
        problems += [Problem(name, "as many rows in each", str(each.shape)) for name, each in arrays.items()]
    if problems or not arrays:
        raise DataError("These arrays are no inputs.", problems, "give arrays (n, …) by the names of the inputs")
    return Inputs.of_array(NamedArrays(arrays), "arrays")


def is_frame(data: object) -> TypeGuard[pandas.DataFrame]:
    """Whether it is a table of pandas; which is not imported for that."""
    return type(data).__name__ == "DataFrame" and hasattr(data, "iloc")


def are_paths(data: object) -> TypeGuard[Sequence[_Path]]:
    """Whether all are paths: a list, or an array or column of texts."""
    if isinstance(data, np.ndarray) or type(data).__name__ == "Series":
        data = np.asarray(data).tolist() if getattr(data, "ndim", 0) == 1 else ()
    return isinstance(data, list | tuple) and bool(data) and all(isinstance(each, str | os.PathLike) for each in data)


def _is_divided(data: object) -> TypeGuard[tuple[tuple[Any, Any], tuple[Any, Any]]]:
    """Whether it is ((x, y), (x, y)), and not two examples with their labels."""
    return (
        isinstance(data, tuple)
        and len(data) == 2
        and all(isinstance(each, tuple) and len(each) == 2 and _has_rows(each[1]) for each in data)
    )


def _has_rows(y: Any) -> bool:
    return isinstance(y, Mapping | list) or getattr(y, "ndim", 0) >= 1


def _kind(data: object) -> str:
    return f"an array {data.shape} {data.dtype}" if isinstance(data, np.ndarray) else type(data).__name__
