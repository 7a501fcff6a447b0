"""What can be wrong with arrays of inputs and of labels, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.errors import DataError, Problem

NEXT_STEP = (
    "give x (n, …) numbers and y (n,) labels, in a file by numpy.savez(path, x=…, y=…); several inputs are x_NAME "
    "each, several outputs y_NAME each"
)
FINITE, TWO_CLASSES, LABELLED = "finite numbers", "at least 2 classes", "a label for every row"
WHOLE, ONCE = "whole numbers", "each name once"
_STEPS = {  # by what was expected, where writing the same again would not help
    FINITE: "leave out rows with values that are missing, or fill these in before",
    TWO_CLASSES: "add examples of another class: there is nothing to tell apart",
    LABELLED: "leave out rows without a label, or label them",
    WHOLE: "give the number or the name of a class for each row: classes are learnt here, not quantities",
    ONCE: "call each class by a name of its own",
}


def array_error(source: str, problems: Sequence[Problem]) -> DataError:
    """What is raised where arrays are no labelled set."""
    return DataError(f"{source} cannot be used as a labelled set.", problems, step_for(problems, NEXT_STEP))


def step_for(problems: Sequence[Problem], otherwise: str) -> str:
    """What helps against these problems, where their form is right and what they hold is not."""
    known = dict.fromkeys(_STEPS[each.expected] for each in problems if each.expected in _STEPS)
    return "; ".join(known) if all(each.expected in _STEPS for each in problems) else otherwise


def problems_of_inputs(x: NDArray[Any], name: str = "x") -> list[Problem]:
    """What is wrong with an array of inputs."""
    if problems := problems_of_form(x, name):
        return problems
    if x.dtype.kind != "f" or (finite := np.isfinite(x)).all():
        return []
    row = int(np.argmin(finite.reshape(len(x), -1).all(axis=1)))
    count = x.size - np.count_nonzero(finite)
    return [Problem(name, FINITE, f"NaN or infinite in {count} of {x.size} values, first in row {row}")]


def problems_of_form(x: NDArray[Any], name: str = "x") -> list[Problem]:
    """What is wrong with an array of inputs whatever its values are; these are not looked at."""
    if x.dtype.kind not in "buif":
        return [Problem(name, "numbers", f"type {x.dtype}")]
    if x.ndim < 2 or x.size == 0:
        return [Problem(name, "(n, …) with at least two axes, none of them 0", str(x.shape))]
    return []


def count_rows(wrong: NDArray[np.bool_], what: str) -> str:
    """How many rows are wrong, and the first of them."""
    return f"{what} in {np.count_nonzero(wrong)} of {len(wrong)} rows, first in row {int(np.argmax(wrong))}"


def kept_inputs(x: NDArray[Any]) -> NDArray[Any]:
    """The same values in this machine's byte order, where nobody changes them by mistake."""
    view = x.view() if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))
    view.flags.writeable = False
    return view
