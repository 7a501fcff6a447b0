"""Giving a model the values of a file: all of them, or the old ones back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from transfer.models.variables import finalize_layers, name_variables
from transfer.results import Pair, Plan
from transfer.weights.checkpoint import Checkpoint
from transfer.weights.reading import ALIGNMENT
from transfer.weights.scaling import dequantize


def fill(
    model: keras.Model, checkpoint: Checkpoint, plan: Plan, prove: Callable[[], str], *, keep_old: bool
) -> tuple[str, tuple[str, ...]]:
    """Assign every tensor of a plan, then prove the result. One tensor is in memory at a time.

    Args:
        model: its variables are changed.
        checkpoint: where the values are.
        plan: which goes where.
        prove: what must hold then; its text is given back.
        keep_old: whether the model outlives an error and needs its old values back.

    Returns:
        What `prove` said, and a note for each tensor that holds NaN or infinities.
    """
    variables = name_variables(model)
    # A reference, not a copy: TensorFlow gives an assigned variable a new buffer.
    before = {pair.wanted: tf.convert_to_tensor(variables[pair.wanted].value) for pair in plan.pairs if keep_old}
    notes: list[str] = []
    try:
        for pair, values in _values(checkpoint, plan):
            variables[pair.wanted].assign(_handed_over(values))
            notes += _strange(pair.stored, values)
        finalize_layers(model)
        return prove(), tuple(notes)
    except BaseException:
        for name, old in before.items():
            variables[name].assign(old)
        finalize_layers(model)
        raise


def _handed_over(values: NDArray[Any]) -> Any:
    """The array's memory as a tensor where TensorFlow can take it over, so that nothing is copied; else the array."""
    fits = values.flags.c_contiguous and values.flags.writeable and not values.ctypes.data % ALIGNMENT
    if not fits or values.dtype.kind not in "fiu" or not values.size:
        return values
    return tf.experimental.dlpack.from_dlpack(values.__dlpack__())


def _values(checkpoint: Checkpoint, plan: Plan) -> Iterator[tuple[Pair, NDArray[Any]]]:
    quantized = [pair for pair in plan.pairs if pair.scale]
    plain = {pair.stored: pair for pair in plan.pairs if not pair.scale}
    # Shapes were held against the model: what they take in memory is what the caller asked for.
    allowed = sum(checkpoint.specs[pair.stored].size_bytes for pair in plan.pairs) + (256 << 20)
    for name, values in checkpoint.stream(plain, allowed_bytes=allowed):
        yield plain[name], values
    for pair in quantized:
        found = checkpoint.read([pair.stored, pair.scale])
        yield pair, dequantize(found[pair.stored], found[pair.scale])


def _strange(name: str, values: NDArray[Any]) -> list[str]:
    """A note on NaN and infinities, if there are any."""
    if values.dtype.kind not in "fV" or not values.size:
        return []
    wide = values if values.dtype in (np.float32, np.float64) else values.astype(np.float32)
    with np.errstate(all="ignore"):
        if np.isfinite(wide.sum()):  # one pass without a mask: a single NaN or infinity would show
            return []
    counts = {"NaN": int(np.isnan(wide).sum()), "infinite": int(np.isinf(wide).sum())}
    return [f"{name} holds {count} {what} of {values.size:,} values" for what, count in counts.items() if count]
