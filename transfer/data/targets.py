"""Labels as arrays, output by output, with what is not known among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.labellings import Labelling, Output

UNKNOWN = -1  # in place of a class, or of a yes or no

Values = NDArray[Any]


def check_targets(output: Output, values: Values) -> None:
    """Refuse arrays that are no labels of an output, of the shapes and types that a `LabelledSet` has.

    Raises:
        ValueError: in that case.
    """
    width = () if output.kind == "softmax" else (len(output.classes),)
    wanted = np.dtype(np.float64 if output.kind == "regression" else np.int64)
    if values.shape[1:] != width or values.ndim != 1 + len(width) or values.dtype != wanted:
        shape = f"(n, {width[0]})" if width else "(n,)"
        raise ValueError(f"labels of {output.name!r} are {shape} {wanted}, not {values.shape} {values.dtype}")
    if output.kind == "regression":
        if np.isinf(values).any():
            raise ValueError(f"labels of {output.name!r} are finite, or NaN where they are not known")
        return
    highest = 1 if output.kind == "sigmoid" else len(output.classes) - 1
    if values.size and not values.min() >= UNKNOWN <= values.max() <= highest:
        raise ValueError(f"labels of {output.name!r} lie outside {UNKNOWN} to {highest}")


def known(values: Values) -> NDArray[np.bool_]:
    """Which labels are known, of the shape of `values`."""
    return np.asarray(np.isfinite(values) if values.dtype.kind == "f" else values != UNKNOWN, np.bool_)


def known_rows(values: Values) -> NDArray[np.bool_]:
    """(n,), of which examples anything is known."""
    found = known(values)
    return found if found.ndim == 1 else np.asarray(found.any(1), np.bool_)


def unknown_like(output: Output, count: int) -> Values:
    """Labels of so many examples of which nothing is known."""
    if output.kind == "softmax":
        return np.full(count, UNKNOWN, np.int64)
    if output.kind == "sigmoid":
        return np.full((count, len(output.classes)), UNKNOWN, np.int64)
    return np.full((count, len(output.classes)), np.nan)


def shown_label(output: Output, value: Values) -> str:
    """What an output says of one example, in words: `fruit`, `loud, old`, `none`, `3.5`, `not known`."""
    if not known(np.asarray(value)).any():
        return "not known"
    if output.kind == "softmax":
        return output.classes[int(value)]
    if output.kind == "sigmoid":
        said = [name for name, one in zip(output.classes, value.tolist(), strict=True) if one == 1]
        return ", ".join(said) or "none"
    return ", ".join(f"{number:g}" for number in value.tolist())


def implied_parents(labelling: Labelling, output: Output, values: Values) -> NDArray[np.int64]:
    """(n,) places in the parent's classes that labels of an output imply; -1 where they imply none.

    A class does, and so does a known number or a yes or no that applies within one class alone.
    """
    return np.asarray(_implied(labelling[output.parent], output, values).max(1), np.int64)


def _implied(parent: Output, output: Output, values: Values) -> NDArray[np.int64]:
    """(n, 1) of a class, (n, k) of all else: the place in the parent's classes that each label implies, or -1."""
    places = np.array([parent.classes.index(name) for name in output.under], np.int64)
    if output.kind == "softmax":
        return np.where(values == UNKNOWN, UNKNOWN, places[values])[:, None]
    return np.where(known(values), places, UNKNOWN)


def faults_of_parents(labelling: Labelling, targets: Sequence[Values]) -> list[tuple[int, str]]:
    """(place, what is wrong) of examples whose labels stand under another class than the one that they have.

    So it is too where a parent's class is not known, though what stands under it says it: see `with_parents`.
    """
    faults = []
    for output, values in zip(labelling, targets, strict=True):
        if not output.parent:
            continue
        parent = labelling[output.parent]
        given, implied = targets[labelling.place(parent.name)], _implied(parent, output, values)
        strange = (implied != UNKNOWN) & (implied != given[:, None])
        for place in np.flatnonzero(strange.any(1)).tolist():
            has = f"{parent.classes[given[place]]!r}" if given[place] != UNKNOWN else "not known"
            under = parent.classes[implied[place, np.argmax(strange[place])]]
            faults.append((place, f"{output.name} stands under {under!r}, and {parent.name} is {has}"))
    return faults


def with_parents(labelling: Labelling, targets: Sequence[Values]) -> tuple[Values, ...]:
    """The labels, with parents that are not known taken from what stands under them."""
    filled = [values.copy() for values in targets]
    for output in reversed(labelling.outputs):
        if output.parent:
            parent = filled[labelling.place(output.parent)]
            implied = implied_parents(labelling, output, filled[labelling.place(output.name)])
            parent[parent == UNKNOWN] = implied[parent == UNKNOWN]
    return tuple(filled)


def translate_targets(given: Labelling, targets: Sequence[Values], wanted: Labelling) -> tuple[Values, ...]:
    """Labels of one labelling as those of another that has all its outputs and classes, by their names.

    What only the other one has is not known; of a label that the given one does not have neither yes nor no is. The
    outputs of two labellings with one each correspond whatever they are called.
    """
    names = wanted.names if given.is_single and wanted.is_single else given.names
    known_values = dict(zip(names, zip(given, targets, strict=True), strict=True))
    found = []
    for output in wanted:
        values = unknown_like(output, len(targets[0]))
        if output.name in known_values:
            own, said = known_values[output.name]
            places = np.array([output.classes.index(name) for name in own.classes], np.int64)
            if output.kind == "softmax":
                values = np.where(said == UNKNOWN, UNKNOWN, places[said])
            else:
                values[:, places] = said
        found.append(values)
    return tuple(found)
