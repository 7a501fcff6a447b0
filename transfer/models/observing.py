"""Watching the values of chosen tensors of a network while examples go through it, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


def observe(
    model: keras.Model, tensors: Mapping[str, Any], batches: Iterable[NDArray[Any]], *, batch_size: int
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """The values of some tensors for each batch, in inference mode; one batch is held at a time.

    One graph serves every batch: short ones are filled up and cut again, so that nothing is traced a second time.

    Args:
        model: with one input; nothing of it changes.
        tensors: those to watch, by names of the caller's: Keras tensors between `model.input` and its outputs, or what
            `keras.ops` makes of them (a mean over positions, say), each with the examples first.
        batches: (b, …) each, with b from 1 to `batch_size`.
        batch_size: the most examples that a batch has.

    Yields:
        (b, …) for each name.

    Raises:
        ValueError: if a batch has more examples, or none.
    """
    watched = keras.Model(model.inputs[0], dict(tensors))
    run = None
    for batch in batches:
        count = len(batch)
        if not 0 < count <= batch_size:
            raise ValueError(f"a batch has 1 to {batch_size} examples, not {count}")
        filled = tf.convert_to_tensor(
            np.concatenate([batch, np.repeat(batch[-1:], batch_size - count, axis=0)]), tf.float32
        )
        if run is None:
            traced = tf.function(lambda inputs: watched(inputs, training=False), autograph=False)
            run = traced.get_concrete_function(filled)
        found = run(filled)
        yield {name: np.asarray(values[:count], np.float32) for name, values in found.items()}
