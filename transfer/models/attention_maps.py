"""Where a network looked for the class that it answered, by the gradient of that class's logit (Grad-CAM).

With A (h, w, c) what the last layer with positions gives for an image, and y the logit of a class,

    a_c = 1 / (h w) sum_ij dy / dA_ijc        L = max(0, sum_c a_c A_c)

L (h, w) is large where something stands that speaks for the class. With a linear head on the mean over all positions
a_c is its weight by h w: L is then the class activation map of Zhou et al. (2016).

Source: Selvaraju et al. (2017), "Grad-CAM: visual explanations from deep networks via gradient-based localization",
section 3, equations 1 and 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from transfer.models.batch_sizes import fitting_batch_size

Asking = Callable[[NDArray[Any], NDArray[np.integer[Any]]], tuple[Any, Any]]
_BATCH = 16  # images at most, whose activations are kept at a time
_AXES = 4  # of a batch of images: n, h, w, c
_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose")


def map_attention(model: keras.Model, images: NDArray[Any], classes: NDArray[np.integer[Any]]) -> NDArray[Any] | None:
    """How much each position of the last layer that has positions speaks for a class. Nothing of the model changes.

    Args:
        model: one input, images (n, h, w, c); one softmax output at the end of its graph.
        images: as it takes them.
        classes: (n,), of which class each image is asked.

    Returns:
        (n, h, w) of that layer's positions, not below 0; None of a network without a convolution or positions behind
        it, with several inputs or outputs, or whose output is no softmax.
    """
    found = _find_tensors(model)
    if found is None or not len(images):
        return None
    ask, is_split = _asking(model, *found)
    size = fitting_batch_size(model, images.shape[1:], most=_BATCH)
    size *= 2 if is_split else 1  # little is kept for the way back
    size = -(-len(images) // -(-len(images) // size))
    parts = []
    for start in range(0, len(images), size):
        part = _pool(*ask(images[start : start + size], classes[start : start + size]))
        if part is None:
            return None
        parts.append(part)
    return np.concatenate(parts)


def _asking(model: keras.Model, maps: Any, logits: Any) -> tuple[Asking, bool]:
    """What gives for some images the maps, and the gradients of the logits asked for. Nothing is traced.

    For a handful of images that would take longer than it saves. Where all goes through the maps, only what comes after
    them is recorded: the second of what is given back says so.
    """
    try:
        before, after = keras.Model(model.inputs[0], maps), keras.Model(maps, logits)
    except ValueError:  # something goes past the maps
        before, after = None, keras.Model(model.inputs[0], [maps, logits])

    def ask(images: NDArray[Any], classes: NDArray[np.integer[Any]]) -> tuple[Any, Any]:
        batch = tf.convert_to_tensor(images, tf.float32)
        start = batch if before is None else before(batch, training=False)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(start)
            there, given = after(start, training=False) if before is None else (start, after(start, training=False))
            asked = tf.gather(tf.cast(given, tf.float32), tf.constant(classes, tf.int64), axis=1, batch_dims=1)
        return there, tape.gradient(asked, there)

    return ask, before is not None


def _pool(maps: Any, gradients: Any) -> NDArray[np.float32] | None:
    """(n, h, w) from both (n, h, w, c); None where no gradient arrives."""
    if gradients is None:
        return None
    pooled = tf.reduce_mean(tf.cast(gradients, tf.float32), axis=(1, 2), keepdims=True)
    return np.asarray(tf.nn.relu(tf.reduce_sum(pooled * tf.cast(maps, tf.float32), axis=-1)), np.float32)


def _find_tensors(model: keras.Model) -> tuple[Any, Any] | None:
    """What the last layer with positions gives, and the logits."""
    if len(model.inputs) != 1 or len(model.outputs) != 1 or len(model.inputs[0].shape) != _AXES:
        return None
    last = model.outputs[0]._keras_history.operation
    if not isinstance(last, keras.layers.Softmax):
        return None
    maps = None
    has_convolution = False
    for layer in model.layers:
        kinds = [each for each in _with_inner(layer) if type(each).__name__ in _CONVOLUTIONS]
        if any(each.data_format == "channels_first" for each in kinds):
            return None
        has_convolution |= bool(kinds)
        output = _only_output(layer)
        if has_convolution and output is not None and _has_positions(output):
            maps = output
    return None if maps is None else (maps, last.input)


def _with_inner(layer: keras.Layer) -> Iterator[keras.Layer]:
    yield layer
    for each in getattr(layer, "layers", ()):
        yield from _with_inner(each)


def _only_output(layer: keras.Layer) -> Any:
    """What a layer gives in its one call; None where it is called several times, or gives several tensors."""
    nodes: list[Any] = layer._inbound_nodes
    outputs: list[Any] = nodes[0].output_tensors if len(nodes) == 1 else []
    return outputs[0] if len(outputs) == 1 else None


def _has_positions(tensor: Any) -> bool:
    """Whether it is (n, h, w, c) with more than one position, or with as many as the images make."""
    return len(tensor.shape) == _AXES and tuple(tensor.shape[1:3]) != (1, 1)
