"""Running the frozen part of a network once over all examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Runner = Callable[[NDArray[Any]], NDArray[np.float32]]


def make_runner(network: keras.Model, batch_size: int) -> Runner:
    """A function from (b, …) with b up to `batch_size` to the network's outputs (b, …), in inference mode.

    One graph serves every batch: short ones are filled up, so that nothing is traced again and every example meets the
    same arithmetic, whatever stands beside it.
    """
    run = tf.function(lambda inputs: network(inputs, training=False), reduce_retracing=False)

    def runner(batch: NDArray[Any]) -> NDArray[np.float32]:
        count = len(batch)
        if count < batch_size:
            batch = np.concatenate([batch, np.repeat(batch[-1:], batch_size - count, axis=0)])
        return np.asarray(run(tf.convert_to_tensor(batch, tf.float32))[:count], np.float32)

    return runner


def run_in_batches(runner: Runner, inputs: NDArray[Any], batch_size: int) -> NDArray[np.float32]:
    """Outputs for an array of any length, (n, …)."""
    return np.concatenate([runner(inputs[start : start + batch_size]) for start in range(0, len(inputs), batch_size)])
