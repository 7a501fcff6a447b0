"""How fast this machine runs a network, beside the fastest that it computes at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from transfer.analysis.throughput import PRODUCT_SIDE, Throughput
from transfer.errors import LayerError, Problem
from transfer.models.shaping import input_structure


def measure_throughput(
    model: keras.Model,
    macs: int,
    *,
    input_shape: tuple[int, ...] | None = None,
    batch_size: int = 16,
    seconds: float = 3.0,
) -> Throughput:
    """Run a network and a matrix product in turns.

    Args:
        model: its weights do not matter.
        macs: multiply-adds per example.
        input_shape: of its one input, without the batch axis, where the model leaves a size open.
        batch_size: how many examples go in at once.
        seconds: to measure for, after one call of each for warming up.

    Raises:
        LayerError: if an input's size is open.
    """
    batch = _make_batch(model, batch_size, input_shape)

    @tf.function  # type: ignore[untyped-decorator]
    def forward(values: Any) -> Any:
        return model(values, training=False)

    square = tf.random.stateless_uniform((PRODUCT_SIDE, PRODUCT_SIDE), (0, 1))
    run_network, run_product = (lambda: forward(batch)), (lambda: tf.linalg.matmul(square, square))
    _seconds(run_network)
    _seconds(run_product)
    network: list[float] = []
    product, start = [_seconds(run_product)], time.perf_counter()
    while not network or time.perf_counter() - start < seconds:  # in turns, so that a busy moment meets both
        network.append(_seconds(run_network))
        product.append(_seconds(run_product))
    rate = batch_size / min(network)
    return Throughput(rate, batch_size, 2 * macs * rate / 1e9, 2 * PRODUCT_SIDE**3 / min(product) / 1e9)


def _seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    result = run()
    for each in tf.nest.flatten(result):
        each.numpy()
    return time.perf_counter() - start


def _make_batch(model: keras.Model, batch_size: int, input_shape: tuple[int, ...] | None) -> Any:
    """Seeded inputs of the right shapes and types, in the structure that the model takes."""
    left_open = [each for each in model.inputs if None in each.shape[1:]]
    if left_open and input_shape is None:
        raise LayerError(
            f"{model.name!r} takes inputs of any size; how fast it is depends on it.",
            [Problem(each.name, "a size for each axis", str(each.shape[1:])) for each in left_open],
            next_step="give it: --input 224,224,3 (input_shape=…)",
        )
    rng = np.random.default_rng(0)

    def fill(each: Any) -> Any:
        shape = (batch_size, *(input_shape or each.shape[1:]))
        if each.dtype.startswith("float"):
            return tf.constant(rng.random(shape), each.dtype)
        return tf.zeros(shape, each.dtype)

    return tf.nest.map_structure(fill, input_structure(model))
