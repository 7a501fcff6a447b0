"""Outputs for a seeded input, recorded when weights are written and checked when they are restored."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.weights.cards import Fingerprint

SEED = 20_170_603
OPEN_SIZE = 64  # stands for an axis that the model leaves open
RECORDED = 64  # values of each output
TOLERANCE = 1e-4  # of the largest recorded value: arithmetic differs between machines, wrong weights differ far more


def record_fingerprint(model: keras.Model) -> Fingerprint:
    """Run a model on two seeded examples."""
    shapes = tuple((2, *(size or OPEN_SIZE for size in each.shape[1:])) for each in model.inputs)
    dtypes = tuple(str(each.dtype) for each in model.inputs)
    blank = Fingerprint(SEED, shapes, dtypes, ())
    return Fingerprint(SEED, shapes, dtypes, tuple(tuple(map(float, each)) for each in _outputs(model, blank)))


def compare_fingerprint(model: keras.Model, recorded: Fingerprint) -> str:
    """How a model's outputs compare with the recorded ones: `verified`, or what stands against it.

    Returns:
        `verified`; a text that starts with `not checked` where this model takes other inputs; else the difference.
    """
    wanted = [tuple(each.shape) for each in model.inputs]
    fits = len(wanted) == len(recorded.shapes) and all(
        len(ours) == len(theirs) and all(size in (None, seen) for size, seen in zip(ours[1:], theirs[1:], strict=True))
        for ours, theirs in zip(wanted, recorded.shapes, strict=True)
    )
    if not fits:
        return f"not checked: recorded for inputs {list(recorded.shapes)}, this model takes {wanted}"
    found = _outputs(model, recorded)
    if [len(each) for each in found] != [len(each) for each in recorded.outputs]:
        return "not checked: recorded for other outputs"
    worst = max(_difference(ours, np.array(theirs)) for ours, theirs in zip(found, recorded.outputs, strict=True))
    return "verified" if worst <= TOLERANCE else f"differ from the recorded ones by {worst:.2g} of their size"


def _outputs(model: keras.Model, fingerprint: Fingerprint) -> list[NDArray[np.float64]]:
    # RandomState's stream is frozen by numpy's promise (NEP 19); default_rng's is not.
    random = np.random.RandomState(fingerprint.seed)
    inputs = [
        random.random_sample(shape).astype(dtype)
        if np.dtype(dtype).kind == "f"
        else random.randint(0, 2, shape).astype(dtype)
        for shape, dtype in zip(fingerprint.shapes, fingerprint.dtypes, strict=True)
    ]
    # A model takes its inputs as it was made: one, a list, or a dictionary.
    structure = getattr(model, "_inputs_struct", None)
    fed = inputs[0] if structure is None else keras.tree.pack_sequence_as(structure, inputs)
    outputs = keras.tree.flatten(model(fed, training=False))
    return [_spaced(np.asarray(keras.ops.convert_to_numpy(each), np.float64).ravel()) for each in outputs]


def _spaced(values: NDArray[np.float64]) -> NDArray[np.float64]:
    places = np.linspace(0, values.size - 1, min(values.size, RECORDED)).astype(int)
    spaced: NDArray[np.float64] = values[places]
    return spaced


def _difference(found: NDArray[np.float64], recorded: NDArray[np.float64]) -> float:
    scale = max(float(np.abs(recorded).max()), 1e-6)
    worst = float(np.abs(found - recorded).max()) / scale
    return worst if np.isfinite(worst) else float("inf")
