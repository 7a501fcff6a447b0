"""Preprocessing as layers in front of a network, so that a saved model takes raw images."""

from __future__ import annotations

from transfer.errors import LayerError, Problem
from transfer.graphs.attaching import prepend
from transfer.graphs.graph import Graph, Layer
from transfer.graphs.shapes import Shape, shape_of
from transfer.specs import Json, Preprocessing


def image_size(graph: Graph, preprocessing: Preprocessing, size: tuple[int, int] | None = None) -> tuple[int, int]:
    """The (h, w) that images are fitted to: what is asked for, what the network is fixed to, or what the card says.

    Raises:
        LayerError: if these disagree, or none of them says it.
    """
    shape = shape_of(graph, graph.inputs[0])
    fixed = (shape[0], shape[1]) if len(shape) == 3 and None not in shape[:2] else None
    chosen = size or fixed or preprocessing.size
    if chosen is None or None in chosen:
        raise LayerError(
            f"{graph.name!r} takes images of any size.", next_step="choose one with --size 160 (size=(160, 160))"
        )
    chosen = (int(chosen[0] or 0), int(chosen[1] or 0))
    if fixed not in (None, chosen):
        raise LayerError(
            f"{graph.name!r} takes images of one size.",
            [Problem("size", str(fixed), str(chosen))],
            next_step="leave out --size (size=…)",
        )
    return chosen


def prepend_preprocessing(graph: Graph, preprocessing: Preprocessing, size: tuple[int, int]) -> Graph:
    """Put an input for raw images of any size, 0 to 255, and what prepares them in front of a network.

    Args:
        graph: with one input of shape (h, w, c), or (h * w * c,) for a network on flattened images.
        preprocessing: what the network was trained on.
        size: (h, w) to which images are fitted, their aspect ratio kept.

    Raises:
        LayerError: if the network's input is neither of these.
    """
    shape = shape_of(graph, graph.inputs[0])
    channels = preprocessing.channels
    flat = (size[0] * size[1] * channels,)
    if shape != flat and not _takes(shape, (*size, channels)):
        raise LayerError(
            f"{graph.name!r} does not take such images.",
            [Problem(graph.inputs[0].layer, f"{(*size, channels)} or {flat}", str(shape))],
            next_step="choose another --size or --preprocessing (size=…, preprocessing=…)",
        )
    above, left = preprocessing.frame_pixels(size)
    # data.fitting gives what fit_size gives, so that pictures meet the same values with and without it.
    layers = [
        _layer("InputLayer", "image", batch_shape=[None, None, None, channels], dtype="float32"),
        _layer(
            "Resizing",
            "fit_size",
            height=size[0] - 2 * above,
            width=size[1] - 2 * left,
            interpolation="bilinear",
            antialias=True,
            pad_to_aspect_ratio=True,
            fill_mode="constant",
            fill_value=float(preprocessing.background),
            data_format="channels_last",
        ),
    ]
    if preprocessing.color == "bgr":
        layers.append(Layer("rgb_to_bgr", "Flip", {"name": "rgb_to_bgr", "axis": -1}, module="keras.src.ops.numpy"))
    shift = float(preprocessing.background) if above or left else 0.0
    if shift:  # a frame of background by a layer that pads with zeros
        layers.append(_layer("Rescaling", "background_to_zero", scale=1.0, offset=-shift))
    if above or left:
        layers.append(_layer("ZeroPadding2D", "frame", padding=[above, left], data_format="channels_last"))
    layers.append(_layer("Rescaling", "normalize", **_affine(preprocessing, shift)))
    if shape == flat:
        layers.append(_layer("Flatten", "flatten_pixels", data_format="channels_last"))
    return prepend(graph, layers)


def _affine(preprocessing: Preprocessing, shift: float) -> dict[str, list[float]]:
    """`((x + shift) * scale - mean) / std` as one factor and one offset a channel."""
    channels = preprocessing.channels
    mean, std = (
        [*values] * (channels if len(values) == 1 else 1) for values in (preprocessing.mean, preprocessing.std)
    )
    return {
        "scale": [preprocessing.scale / s for s in std],
        "offset": [(shift * preprocessing.scale - m) / s for m, s in zip(mean, std, strict=True)],
    }


def _takes(shape: Shape, wanted: tuple[int, ...]) -> bool:
    return len(shape) == len(wanted) and all(size in (None, asked) for size, asked in zip(shape, wanted, strict=True))


def _layer(class_name: str, name: str, **config: Json) -> Layer:
    return Layer(name, class_name, {"name": name, **config})
