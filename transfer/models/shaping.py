"""Shapes that Keras knows, for layers that have no rule of their own in `graphs`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from transfer.graphs.graph import Graph, Ref
from transfer.graphs.input_shapes import with_input_shapes
from transfer.graphs.shapes import Shape
from transfer.models.building import build_graph, classes_of, read_model


def known_shapes(model: keras.Model) -> dict[Ref, Shape]:
    """What each layer of a model gives that is called once, without the batch axis."""
    depths = getattr(model, "_nodes_by_depth", {})
    nodes = [node for found in depths.values() for node in found if not node.is_input]
    once = Counter(node.operation.name for node in nodes)
    return {
        Ref(node.operation.name, 0, place): tuple(each.shape[1:])
        for node in nodes
        if once[node.operation.name] == 1
        for place, each in enumerate(node.output_tensors)
    }


def shapes_by_keras(graph: Graph, custom_objects: Mapping[str, Any] | None = None) -> dict[Ref, Shape]:
    """The same of an architecture, which is built for it.

    Raises:
        LayerError: if Keras cannot build it.
    """
    return known_shapes(build_graph(graph, custom_objects))


def sized_model(
    source: Graph | keras.Model, input_shape: Sequence[int] | Mapping[str, Sequence[int]] | None
) -> keras.Model:
    """A model with inputs of known sizes, whose weights say nothing.

    Args:
        source: an architecture, or a live model, which may have layers of the caller's own; left as it is.
        input_shape: of an input, or of each by its name, without the batch axis; None to leave them as they are.

    Raises:
        LayerError: if Keras cannot build it, or the shapes do not fit.
    """
    if isinstance(source, Graph):
        return build_graph(with_input_shapes(source, input_shape))
    if input_shape is None:
        return source
    return build_graph(with_input_shapes(read_model(source).graph, input_shape), classes_of(source))


def input_structure(model: keras.Model) -> Any:
    """A model's symbolic inputs as it takes them: one, a list, or a dictionary."""
    return model.inputs[0] if isinstance(model, keras.Sequential) else model.input
