"""What a backend computed otherwise: padding of Theano, interpolation of the first TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from transfer.errors import Problem
from transfer.graphs.graph import Graph
from transfer.graphs.walking import Place, walk
from transfer.specs import Json, Writer

_POOLINGS = tuple(f"{kind}Pooling{rank}D" for kind in ("Max", "Average") for rank in (1, 2, 3))
_CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D", "SeparableConv1D", "SeparableConv2D", "DepthwiseConv2D")


def find_backend_doubts(graph: Graph, writer: Writer) -> Iterator[Problem]:
    """Layers that no option of Keras 3 makes compute what the writer's backend computed.

    Args:
        graph: nested models and wrappers are looked into.
        writer: an unknown backend raises no doubt.
    """
    for place in walk(graph):
        if writer.backend == "theano" and _pads_unevenly(place):
            yield Problem(
                place.name,
                "padding 'same' as Theano has it, the same on both sides",
                "TensorFlow's, which puts what is odd behind: other values at strides above 1 and even sizes",
            )
        if (
            place.kind == "UpSampling2D"
            and place.config.get("interpolation") == "bilinear"
            and _aligned_corners(writer)
        ):
            yield Problem(
                place.name,
                f"bilinear interpolation as Keras {writer} had it, from the corners of pixels",
                "from their centres, as TensorFlow has it since version 2",
            )
        if place.kind == "Flatten" and _flattened_channels_first(graph, writer):
            yield Problem(
                place.name,
                "values of images with their channels first, the order of Theano",
                "channels last: the layer behind it gets them in another order",
            )


def _pads_unevenly(place: Place) -> bool:
    config = place.config
    if config.get("padding") != "same" or place.kind not in (*_POOLINGS, *_CONVOLUTIONS):
        return False
    size = _each(config.get("kernel_size", config.get("pool_size", 1)))
    strides = _each(config.get("strides") or config.get("pool_size", 1))
    return place.kind in _POOLINGS or any(each > 1 for each in strides) or any(each % 2 == 0 for each in size)


def _each(value: Json) -> list[int]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _aligned_corners(writer: Writer) -> bool:
    return not writer.is_tensorflow and (2, 2, 3) <= writer.version < (2, 4)


def _flattened_channels_first(graph: Graph, writer: Writer) -> bool:
    """Whether the writer's images had their channels first and those of the graph have not."""
    if not writer.version or writer.version >= (2,) or (writer.version >= (1,) and writer.backend != "theano"):
        return False
    images = [place.config for place in walk(graph) if place.kind in ("Conv2D", "Conv3D")]
    return any(_is_last(config) for config in images)


def _is_last(config: Mapping[str, Json]) -> bool:
    return config.get("data_format") != "channels_first"
