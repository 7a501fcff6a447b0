"""Where training runs: on one device, or on all GPUs of a machine, which share each batch.

With two GPUs or more a model that is built in `scope` has its variables on each of them, and every step takes a part of
the batch there; gradients are added up before any weight moves, so that all copies stay the same:

    with scope():
        model = build_model(network)
    fit(model, …)                     # sees from the variables where they are

In the two functions for variables *here* means the device on which a part of a batch is computed; with one device it is
that one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

import keras
import tensorflow as tf


@cache
def _all_gpus() -> Any:
    """One strategy for the whole process: variables of two do not go together. None with fewer than two GPUs."""
    return tf.distribute.MirroredStrategy() if len(tf.config.list_logical_devices("GPU")) > 1 else None


def scope() -> AbstractContextManager[Any]:
    """In which models are built that are to be trained on every GPU of this machine; with fewer than two, nothing."""
    strategy = _all_gpus()
    return nullcontext() if strategy is None else strategy.scope()


def make_repeatable() -> None:
    """Let GPUs give the same bits at every run, and products of single precision all their digits.

    Processors do both anyway: the same bits came out with and without TensorFlow's switch, which slows attention there.
    It is for the whole process and cannot be taken back, so programs call it, not the library.
    """
    if tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()
        tf.config.experimental.enable_tensor_float_32_execution(False)


def settle_threads(threads: int) -> None:
    """Let TensorFlow compute with so many threads, in the whole process.

    Raises:
        RuntimeError: if it has begun with others.
    """
    if tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def strategy_of(variables: Sequence[Any]) -> Any:
    """The strategy in whose scope variables of Keras were made; None where they are on one device."""
    made_in = getattr(variables[0].value, "distribute_strategy", None) if variables else None
    return made_in if made_in is not None and made_in.num_replicas_in_sync > 1 else None


@contextmanager
def synchronized(model: keras.Model) -> Iterator[None]:
    """Let batch normalizations that are trained see the whole batch for a while, not their device's part alone."""
    is_shared = strategy_of(model.variables) is not None
    norms = [
        layer
        for layer in (model._flatten_layers() if is_shared else ())
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable and not layer.synchronized
    ]
    for layer in norms:
        layer.synchronized = True
    try:
        yield
    finally:
        for layer in norms:
            layer.synchronized = False


def handle_of(variable: Any) -> Any:
    """What kernels of TensorFlow take for a variable, of TensorFlow or Keras, here."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle


def read_here(variable: Any) -> Any:
    """The value of a variable here."""
    return tf.raw_ops.ReadVariableOp(resource=handle_of(variable), dtype=tf.as_dtype(variable.dtype))


def assign_here(variable: Any, value: Any) -> None:
    """Give a variable a value here."""
    tf.raw_ops.AssignVariableOp(resource=handle_of(variable), value=value)
