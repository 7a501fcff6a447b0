"""Decoders as Keras models: one that mirrors an encoder, or one of the caller's own, checked."""

from __future__ import annotations

from math import prod
from typing import Any

import keras
import numpy as np

from transfer.errors import LayerError, Problem
from transfer.graphs.flattening import flatten
from transfer.graphs.mirror_steps import Step
from transfer.graphs.mirroring import mirror
from transfer.surgery.network import Network

L = keras.layers


def mirrored_decoder(network: Network, *, code: int, seed: int, name: str = "decoder") -> keras.Model:
    """A fresh decoder that passes an encoder's shapes in reverse: (b, code) to (b, *shape of the encoder's input).

    Inner layers have batch normalization and ReLU, the last one is linear. Maps grow by repeating positions before a
    convolution: transposed convolutions overlap unevenly, which shows as checkerboards.

    Args:
        network: an encoder with one input, whose sizes are set, and one output; its tensors are not read.
        code: length of the vector that comes in, at least 1.
        seed: at least 0; equal seeds give equal initial values.
        name: of the model.

    Raises:
        LayerError: if a size is open, or a layer cannot be turned round; all such layers are named.

    Source: Odena, Dumoulin & Olah (2016), Deconvolution and Checkerboard Artifacts: "resize-convolution".
    """
    steps = mirror(flatten(network.graph).graph, code=code)
    x = inputs = keras.Input((code,), name="code")
    for place, step in enumerate(steps, 1):
        x = _apply(step, x, f"{step.kind}_{place}", _start(step, seed, place))
    return keras.Model(inputs, x, name=name)


def checked_decoder(model: Any, *, code: int, shape: tuple[int, ...]) -> keras.Model:
    """A caller's own decoder, which takes (b, code) and gives (b, *shape).

    Args:
        model: what the caller's function gave; a Sequential model may still wait for what goes in.
        code: length of the vector that comes in.
        shape: of one example that comes out.

    Raises:
        LayerError: if it is no Keras model, or takes or gives anything else.
    """
    if not isinstance(model, keras.Model):
        raise LayerError(
            "The decoder's function gave no model.",
            [Problem("decoder", "a keras.Model", type(model).__name__)],
            next_step="return the model: def decoder(code, shape): ... return keras.Model(…)",
        )
    wanted = (None, code), (None, *shape)
    ready = bool(getattr(model, "inputs", None))
    taken = _shapes(model.inputs) if ready else [wanted[0]]
    problems = [] if taken == [wanted[0]] else [Problem("its input", _told(wanted[:1]), _told(taken))]
    given = _shapes(model.outputs) if ready else _outputs(model, code)
    if given != [wanted[1]]:
        problems.append(Problem("its output", _told(wanted[1:]), _told(given)))
    if problems:
        raise LayerError(
            f"The decoder {model.name!r} does not lead from the code to the input.",
            problems,
            next_step="make it from what its function is called with: the length of the code and the input's shape",
        )
    return model


def _apply(step: Step, x: Any, name: str, start: keras.initializers.Initializer) -> Any:
    """One step, with what follows its kernel."""
    if step.kind == "reshape":
        return L.Reshape(step.shape, name=name)(x)
    layers = _convolving(step, name, start) if step.kind == "conv" else _dense(step, name, start, rank=len(x.shape) - 1)
    if not step.linear:
        layers += [L.BatchNormalization(name=f"{name}_norm"), L.ReLU(name=f"{name}_relu")]
    for layer in layers:
        x = layer(x)
    return x


def _dense(step: Step, name: str, start: keras.initializers.Initializer, *, rank: int) -> list[keras.Layer]:
    units = prod(step.shape)
    layers = [L.Flatten(name=f"{name}_flat")] if rank > 1 else []
    layers.append(L.Dense(units, use_bias=step.linear, kernel_initializer=start, name=name))
    return [*layers, L.Reshape(step.shape, name=f"{name}_map")] if len(step.shape) > 1 else layers


def _convolving(step: Step, name: str, start: keras.initializers.Initializer) -> list[keras.Layer]:
    """Repeat positions, pad or crop to the size, convolve."""
    rank = len(step.kernel)
    layers: list[keras.Layer] = []
    if max(step.factors) > 1:
        layers.append(_of_rank("UpSampling", rank)(_each(step.factors), name=f"{name}_up"))
    for kind, sign in (("ZeroPadding", 1), ("Cropping", -1)):
        margins = tuple((max(sign * a, 0), max(sign * b, 0)) for a, b in step.margins)
        if any(map(any, margins)):
            layers.append(_of_rank(kind, rank)(_each(margins), name=f"{name}_{'pad' if sign > 0 else 'crop'}"))
    convolution = _of_rank("Conv", rank)(
        step.shape[-1], step.kernel, padding="same", use_bias=step.linear, kernel_initializer=start, name=name
    )
    return [*layers, convolution]


def _of_rank(kind: str, rank: int) -> Any:
    return getattr(L, f"{kind}{rank}D")


def _each(values: tuple[Any, ...]) -> Any:
    """Keras takes what belongs to the one axis of a sequence by itself."""
    return values[0] if len(values) == 1 else values


def _start(step: Step, seed: int, place: int) -> keras.initializers.Initializer:
    """Initial kernel: He's for what a ReLU follows, Glorot's for what is linear; each step has a seed of its own."""
    own = int(np.random.SeedSequence([seed, place]).generate_state(1)[0] >> 1)  # fits signed types
    kind = keras.initializers.GlorotUniform if step.linear else keras.initializers.HeNormal
    return kind(seed=own)


def _outputs(model: keras.Model, code: int) -> list[tuple[int | None, ...]]:
    """Shapes that a model gives for codes."""
    try:
        return _shapes(keras.tree.flatten(model(keras.Input((code,)))))
    except (ValueError, TypeError, IndexError, AttributeError, KeyError, NotImplementedError, RuntimeError) as error:
        raise LayerError(
            f"The decoder {model.name!r} cannot be called on codes.",
            [Problem("its input", f"(b, {code})", str(error).strip()[-200:])],
            next_step="mend it; it is called on one tensor",
        ) from error


def _shapes(tensors: Any) -> list[tuple[int | None, ...]]:
    return [tuple(each.shape) for each in tensors]


def _told(shapes: Any) -> str:
    return " and ".join(str(each).replace("None", "b", 1).replace("None", "open") for each in shapes)
