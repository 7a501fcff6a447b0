"""Running the frozen part of a network once over all examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from transfer.training.batching import Features, read_rows

Runner = Callable[[NDArray[Any]], NDArray[np.float32]]


def make_runner(network: keras.Model, batch_size: int) -> Runner:
    """A function from (b, …) with b up to `batch_size` to the network's outputs (b, …), in inference mode.

    One graph serves every batch: short ones are filled up, so that nothing is traced again and every example meets the
    same arithmetic, whatever stands beside it.
    """
    run = by_shape(tf.function(lambda inputs: network(inputs, training=False), autograph=False))

    def runner(batch: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray(run(tf.convert_to_tensor(fill_up(batch, batch_size), tf.float32))[: len(batch)], np.float32)

    return runner


def by_shape(function: Any) -> Callable[[Any], Any]:
    """A function of TensorFlow of one tensor, with a graph for each shape and type of it.

    Called through its graphs it does not count how often functions of its name were traced: a process that opens one
    network after the other does so rightly, and TensorFlow would warn of it.
    """
    graphs: dict[Any, Any] = {}

    def call(tensor: Any) -> Any:
        kind = tensor.dtype, tuple(tensor.shape)
        if kind not in graphs:
            graphs[kind] = function.get_concrete_function(tensor)
        return graphs[kind](tensor)

    return call


@dataclass(frozen=True, slots=True)
class Answering:
    """A network that is ready for any number of inputs.

    Attributes:
        runner: of it.
        batch_size: that the runner takes.
    """

    runner: Runner
    batch_size: int

    def __call__(self, inputs: Features) -> NDArray[np.float32]:
        """Its outputs by its weights as they are now, (n, …)."""
        return run_in_batches(self.runner, inputs, self.batch_size)


def make_answering(network: keras.Model, batch_size: int) -> Answering:
    """See `make_runner`."""
    return Answering(make_runner(network, batch_size), batch_size)


def fill_up(batch: NDArray[Any], batch_size: int) -> NDArray[Any]:
    """A batch (b, …) with its last row repeated until it has `batch_size` rows."""
    return (
        np.concatenate([batch, np.repeat(batch[-1:], batch_size - len(batch), axis=0)])
        if len(batch) < batch_size
        else batch
    )


def run_in_batches(runner: Runner, inputs: Features, batch_size: int) -> NDArray[np.float32]:
    """Outputs for any number of inputs, (n, …); those of one batch are in memory at once."""
    places = np.arange(len(inputs))
    return np.concatenate(
        [runner(read_rows(inputs, places[k : k + batch_size])) for k in range(0, len(places), batch_size)]
    )
