"""Two labelled sets as one: examples to learn from, and those to test on behind them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.labelled import LabelledSet
from transfer.data.named_arrays import NamedArrays
from transfer.errors import DataError, Problem
from transfer.labellings import Labelling, show_output
from transfer.tabulating import shorten


def join_sets(data: LabelledSet, test: LabelledSet) -> LabelledSet:
    """All examples of both; the names of the second begin with `test/`.

    Raises:
        DataError: if they have other classes, or do not hold the same kind of examples.
    """
    refuse_other_classes(data, test)
    if data.kind != test.kind:
        raise DataError(
            f"{test.source} holds {test.kind}, {data.source} {data.kind}.",
            next_step="test on the same kind of examples",
        )
    targets = tuple(np.concatenate(both) for both in zip(data.targets, test.targets, strict=True))
    names = (*data.names, *(f"test/{name}" for name in test.names))
    known = data.digested is not None and test.digested is not None
    return LabelledSet(
        data.source,
        names,
        data.labelling,
        targets,
        _joined_inputs(data, test),
        groups=_joined_groups(data, test),
        digested=(*data.digests(), *test.digests()) if known else None,
    )


def _joined_inputs(data: LabelledSet, test: LabelledSet) -> tuple[Path, ...] | NDArray[Any] | NamedArrays:
    """The inputs of both.

    Raises:
        DataError: if they are not alike.
    """
    if isinstance(data.inputs, tuple) and isinstance(test.inputs, tuple):
        return (*data.inputs, *test.inputs)
    ours, theirs = _arrays(data), _arrays(test)
    problems = [
        Problem(name, _shown(ours.get(name)), _shown(theirs.get(name)))
        for name in {**ours, **theirs}
        if _shown(ours.get(name)) != _shown(theirs.get(name))
    ]
    if problems:
        raise DataError(f"{test.source} holds other arrays than {data.source}.", problems, next_step="write both alike")
    joined = {name: np.concatenate([array, theirs[name]]) for name, array in ours.items()}
    return NamedArrays(joined) if isinstance(data.inputs, NamedArrays) else joined["x"]


def _arrays(data: LabelledSet) -> Mapping[str, NDArray[Any]]:
    return data.inputs.arrays if isinstance(data.inputs, NamedArrays) else {"x": np.asarray(data.inputs)}


def _shown(array: NDArray[Any] | None) -> str:
    return "none" if array is None else f"{array.shape[1:]} {array.dtype}"


def _joined_groups(data: LabelledSet, test: LabelledSet) -> NDArray[np.int64] | None:
    """Groups of both, none of one set with any of the other's: what is tested on is not divided again."""
    if data.groups is None:
        return None
    others = np.arange(len(test)) if test.groups is None else np.unique(test.groups, return_inverse=True)[1]
    return np.concatenate([data.groups, others.astype(np.int64) + data.groups.max(initial=-1) + 1])


def refuse_other_classes(data: LabelledSet, test: LabelledSet) -> None:
    """Refuse to test on examples of other classes than those that are learnt.

    Raises:
        DataError: in that case.
    """
    if _meanings(test.labelling) == _meanings(data.labelling):
        return
    if data.labelling.is_single and test.labelling.is_single:
        problems = [Problem("classes", shorten(data.classes), shorten(test.classes))]
        raise DataError(f"{test.source} has other classes than {data.source}.", problems, "name them alike")
    pairs = zip_longest(data.labelling, test.labelling)
    shown = [("none" if each is None else show_output(each) for each in pair) for pair in pairs if pair[0] != pair[1]]
    problems = [Problem("output", *each) for each in shown]
    raise DataError(
        f"{test.source} has other outputs than {data.source}.",
        problems,
        "read both by one labelling (--labelling, labelling=…)",
    )


def _meanings(labelling: Labelling) -> list[tuple[object, ...]]:
    """What labels mean, whatever they weigh."""
    return [(each.name, each.kind, each.classes, each.parent, each.under) for each in labelling]
