"""Recorded outputs of somebody else's: inputs and what the original network made of them."""

from __future__ import annotations

import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from transfer.errors import DataError, MatchError, Problem, nearest

RELATIVE, ABSOLUTE = 1e-4, 1e-5  # of each value, and of the largest: sums of terms that cancel are off by that
SMALLEST = 1e-12  # below which arithmetic in 32 bits may round anything to zero
LOW_PRECISION = 2e-2  # where the network computes in 16 bits


@dataclass(frozen=True, slots=True)
class Recorded:
    """Inputs and outputs of a network, the first axis being examples.

    Attributes:
        path: the file they are from.
        inputs: in the model's order.
        outputs: in the model's order.
    """

    path: Path
    inputs: tuple[NDArray[Any], ...]
    outputs: tuple[NDArray[Any], ...]


def read_recorded(path: str | os.PathLike[str]) -> Recorded:
    """Read an `.npz` with `x0`, `x1`, … and `y0`, `y1`, …; a single `x` and `y` will do.

    Raises:
        DataError: if it does not exist, cannot be read, or lacks them.
    """
    if not Path(path).is_file():
        there = [each.name for each in Path(path).absolute().parent.glob("*.npz")]
        raise DataError(
            f"There is no file {path} with recorded outputs.",
            [
                Problem(
                    str(path), "an .npz with arrays x0, … and y0, …", "a folder" if Path(path).exists() else "nothing"
                )
            ],
            next_step=f"nearest there: {nearest(Path(path).name, there)}" if there else "",
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files if name[:1] in "xy"}
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} cannot be read.", [Problem(str(path), "numpy's .npz", str(error)[:200])]) from error
    inputs, outputs = (_series(found, letter) for letter in "xy")
    if not inputs or not outputs:
        names = ", ".join(found) or "neither"
        raise DataError(f"{path} holds no recorded outputs.", [Problem(str(path), "arrays x0, … and y0, …", names)])
    if not all(each.size for each in (*inputs, *outputs)):
        raise DataError(f"{path} holds no examples.", [Problem(str(path), "at least one example", "empty arrays")])
    return Recorded(Path(path), inputs, outputs)


def compare_outputs(model: keras.Model, recorded: Recorded, checkpoint: str) -> str:
    """Run a model on recorded inputs.

    Returns:
        `verified`, with the file's name.

    Raises:
        MatchError: if it takes other inputs, or the outputs differ by more than arithmetic does between machines.
    """
    try:
        fed = recorded.inputs if len(recorded.inputs) > 1 else recorded.inputs[0]
        struct = getattr(model, "_inputs_struct", None)
        if struct is not None:
            fed = keras.tree.pack_sequence_as(struct, list(recorded.inputs))
        answered = keras.tree.flatten(model(fed, training=False))
    except (ValueError, TypeError, IndexError, tf.errors.OpError) as error:
        raise MatchError(
            f"{recorded.path} does not fit the model.", [Problem("inputs", "those of the model", str(error)[-200:])]
        ) from error
    found = [np.asarray(keras.ops.convert_to_numpy(each), np.float64) for each in answered]
    low = any("16" in str(each.dtype) for each in model.variables) or "16" in str(model.dtype_policy.compute_dtype)
    relative, absolute = (LOW_PRECISION, LOW_PRECISION) if low else (RELATIVE, ABSOLUTE)
    problems = [
        Problem(f"output {place}", f"those of {recorded.path.name}", fault)
        for place, (ours, theirs) in enumerate(zip(found, recorded.outputs, strict=False))
        if (fault := _difference(ours, theirs, relative, absolute))
    ]
    if len(found) != len(recorded.outputs):
        problems.append(Problem("outputs", f"{len(recorded.outputs)} recorded", f"{len(found)} of the model"))
    if problems:
        raise MatchError(
            f"{checkpoint} does not compute here what {recorded.path.name} recorded.",
            problems,
            next_step="build the architecture that the weights were trained in; its options differ, not its shapes",
        )
    return f"verified against {recorded.path.name}"


def _series(found: dict[str, NDArray[Any]], letter: str) -> tuple[NDArray[Any], ...]:
    if letter in found:
        return (found[letter],)
    names: list[str] = []
    while f"{letter}{len(names)}" in found:
        names.append(f"{letter}{len(names)}")
    return tuple(found[name] for name in names)


def _difference(ours: NDArray[Any], theirs: NDArray[Any], relative: float, absolute: float) -> str:
    if ours.shape != theirs.shape:
        return f"shape {ours.shape} for {theirs.shape}"
    scale = float(np.abs(theirs).max())
    if np.allclose(ours, theirs, rtol=relative, atol=max(absolute * scale, SMALLEST)):
        return ""
    return f"off by up to {np.abs(ours - theirs.astype(np.float64)).max():.3g}"
