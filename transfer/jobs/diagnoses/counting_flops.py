"""Counting what a network costs, wherever it is: a graph, a file, a Keras model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from transfer.analysis.closed_shapes import Sizes
from transfer.analysis.counting_flops import count_graph_flops
from transfer.analysis.flops import Flops
from transfer.errors import LayerError
from transfer.graphs.graph import Graph, Ref
from transfer.graphs.input_shapes import with_input_shapes
from transfer.graphs.shapes import Shape, first_unknown, infer_shapes
from transfer.surgery.network import Network
from transfer.surgery.planning import own_graph
from transfer.weights.checkpoint import Checkpoint
from transfer.weights.opening import open_checkpoint


def count_flops(source: Any, *, input_shape: Sizes | Mapping[str, Sizes] | None = None) -> Flops:
    """Count multiply-adds, other operations, parameters, activations and bytes of a network, layer by layer.

    A graph, a network and a checkpoint are counted without TensorFlow, unless a layer of Keras has no rule for its
    shape here: then Keras is asked.

    Args:
        source: a Keras model, what `restore` gave, a checkpoint that holds its architecture or its path, a `Network`
            or a graph.
        input_shape: of the input, or of each by its name, without the batch axis. Needed where the network takes
            inputs of any size: `(224, 224, 3)`.

    Returns:
        Numbers for one example in inference; `flops` is `2 * macs`, elementwise work stands in a column of its own.
        Layers that there is no rule for are named in `uncounted`.

    Raises:
        LayerError: if an input's size is open and none is given, or what is given does not fit.
        CheckpointError: if a file holds no architecture.
    """
    if isinstance(source, str | os.PathLike):
        with open_checkpoint(source) as opened:
            return count_flops(opened, input_shape=input_shape)
    if isinstance(source, Checkpoint):
        source = own_graph(source)
    elif isinstance(source, Network):
        source = source.graph
    graph, shapes = settle_source(source, input_shape)
    return count_graph_flops(graph, input_shape, shapes=shapes)


def settle_source(
    source: Any, input_shape: Sizes | Mapping[str, Sizes] | None = None
) -> tuple[Graph, Mapping[Ref, Shape]]:
    """A graph, or that of a Keras model or of what `restore` gave, with shapes for what there are no rules for."""
    if isinstance(source, Graph):
        return source, settle_shapes(source, input_shape)
    # Whoever holds a model has imported Keras already.
    from transfer.models.building import classes_of, read_model
    from transfer.models.restoring import Restored
    from transfer.models.shaping import known_shapes

    model = source.model if isinstance(source, Restored) else source
    graph = read_model(model).graph
    return graph, known_shapes(model) if input_shape is None else settle_shapes(graph, input_shape, classes_of(model))


def settle_shapes(
    graph: Graph,
    input_shape: Sizes | Mapping[str, Sizes] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Mapping[Ref, Shape]:
    """Shapes for what there are no rules for, as Keras gives them; none where rules do, or Keras cannot build it."""
    if not needs_keras(graph, input_shape, custom_objects):
        return {}
    # Most graphs never come here, and TensorFlow takes seconds to import.
    from transfer.models.shaping import shapes_by_keras

    try:
        return shapes_by_keras(with_input_shapes(graph, input_shape), custom_objects)
    except LayerError:
        return {}


def needs_keras(
    graph: Graph,
    input_shape: Sizes | Mapping[str, Sizes] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> bool:
    """Whether there are shapes without rules that Keras can tell: where all classes are its own or are given."""
    sized = with_input_shapes(graph, input_shape)
    if first_unknown(sized, infer_shapes(sized)) is None:
        return False
    return bool(custom_objects) or all(each.module.split(".")[0] in ("", "keras") for each in graph)
