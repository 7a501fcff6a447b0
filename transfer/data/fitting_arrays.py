"""Arrays in the shapes that a network takes, where that is a matter of writing the same values otherwise."""

from __future__ import annotations

from math import prod
from typing import Any

from numpy.typing import NDArray

from transfer.data.inputs import Examples, one_array
from transfer.data.named_arrays import NamedArrays
from transfer.data.named_inputs import NamedInput, fault_of_ids
from transfer.errors import DataError, Problem, nearest

_Shape = tuple[int | None, ...]

_FITTED = "; images are fitted where --preprocessing (preprocessing=…) says how"


def fit_rows(data: Examples, shape: _Shape, ids: int | None = None) -> NDArray[Any]:
    """An array as a network of one input takes it; (n, h, w) serves one on h * w values and the other way round.

    Args:
        data: an array.
        shape: of one example; None for open sizes.
        ids: of token ids how many there are, 0 the first; None for other values.

    Raises:
        DataError: if it does not fit, or the examples are something else.
    """
    if isinstance(data.inputs, tuple):
        raise DataError(
            f"{data.source} holds pictures; this network takes arrays of shape {show_axes(shape)}.",
            next_step="write them as an array: numpy.savez(path, x=…)",
        )
    rows = one_array(data)
    fitted = _in_shape(rows, shape)
    if fitted is not None and ids is not None and (fault := fault_of_ids(fitted, ids)):
        raise DataError(
            f"{data.source} does not fit the network.",
            [Problem("x", *fault)],
            next_step="number the tokens as in training, and give all unknown ones the id that stood for these",
        )
    if fitted is not None:
        return fitted
    raise DataError(
        f"{data.source} does not fit the network.",
        [Problem("x", show_axes(shape), str(rows.shape))],
        next_step="give x with these axes" + (_FITTED if len(rows.shape) in (3, 4) and len(shape) == 3 else ""),
    )


def fit_named(data: Examples, inputs: tuple[NamedInput, ...]) -> NamedArrays:
    """Arrays by the names of a network's inputs, in their order and shapes.

    Args:
        data: arrays have the names of the inputs, or these with `x_` before them.
        inputs: several.

    Raises:
        DataError: for every array that is missing, not wanted, of another shape, or whose values an input cannot take.
    """
    wanted = [each.name for each in inputs]
    given = dict(data.inputs.arrays) if isinstance(data.inputs, NamedArrays) else {}
    found = {name: alias for name in wanted if (alias := _alias(name, given, wanted)) is not None}
    spare = [name for name in given if name not in found.values()]
    problems: list[Problem] = []
    fitted: dict[str, NDArray[Any]] = {}
    for each in inputs:
        called, axes = show_array(each.name), show_axes(each.shape)
        if each.name not in found:
            near = f"; nearest: {nearest(called, map(show_array, spare))}" if spare else ""
            problems.append(Problem(called, f"an array {axes}", f"none of that name{near}"))
            continue
        rows = given[found[each.name]]
        shaped = _in_shape(rows, each.shape)
        if shaped is None:
            problems.append(Problem(called, axes, str(rows.shape)))
        elif fault := each.fault(shaped):
            problems.append(Problem(called, *fault))
        else:
            fitted[each.name] = shaped
    for name in spare:
        problems.append(Problem(show_array(name), "an input of the network", f"nearest: {nearest(name, wanted)}"))
    if problems:
        raise _misfit(data, wanted, problems)
    return NamedArrays(fitted)


def show_axes(shape: _Shape) -> str:
    """`(n, 32, 32, 3)`, with the axis of the examples; `?` for an open size."""
    return f"({', '.join(['n', *('?' if size is None else str(size) for size in shape)])})"


def show_array(name: str) -> str:
    """What the array of an input is called in a file."""
    return name if name.startswith("x_") else f"x_{name}"


def _alias(name: str, given: dict[str, NDArray[Any]], wanted: list[str]) -> str | None:
    """What the array of an input is called in what is given; the name of another input is that one's."""
    others = (f"x_{name}", name.removeprefix("x_"))
    return next((each for each in (name, *others) if each in given and (each == name or each not in wanted)), None)


def _misfit(data: Examples, wanted: list[str], problems: list[Problem]) -> DataError:
    called = [show_array(name) for name in wanted]
    kind = "pictures" if isinstance(data.inputs, tuple) else "one array"
    summary = f"{data.source} does not fit the network."
    if not isinstance(data.inputs, NamedArrays):
        summary = f"{data.source} holds {kind}; this network takes an array for each of {len(wanted)} inputs."
    writing = ", ".join(f"{name}=…" for name in called)
    return DataError(
        summary, problems, next_step=f"give arrays of these names and shapes: numpy.savez(path, {writing})"
    )


def _in_shape(rows: NDArray[Any], shape: _Shape) -> NDArray[Any] | None:
    """The same values (n, …) in a shape with open sizes; None where they do not fit it."""
    if len(rows.shape) == len(shape) + 1 and all(
        size in (None, found) for size, found in zip(shape, rows.shape[1:], strict=True)
    ):
        return rows
    wanted = tuple(size for size in shape if size is not None)
    found = tuple(rows.shape[1:])
    flattened = 1 in (len(wanted), len(found)) and prod(wanted) == prod(found)
    one_channel = [size for size in wanted if size != 1] == [size for size in found if size != 1]
    if len(wanted) == len(shape) and (flattened or one_channel):
        return rows.reshape(len(rows), *wanted)
    return None
