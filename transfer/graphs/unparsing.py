"""From a `Graph` to the config that Keras 3 builds a functional model from."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace

from transfer.graphs.graph import TENSOR, Graph, Layer, Ref
from transfer.graphs.parsing import counts_from_one
from transfer.specs import Json


def unparse_graph(graph: Graph) -> Json:
    """The inverse of `parse_config`; a Sequential model comes out as the functional model that it is."""
    often = {layer.name for layer in graph if counts_from_one(layer)}

    def counted(ref: Ref) -> Ref:
        return replace(ref, node=ref.node + 1) if ref.layer in often else ref

    inner = {
        "name": graph.name,
        "layers": [unparse_layer(layer) for layer in graph.layers],
        "input_layers": _ends(graph.inputs, graph.input_keys),
        "output_layers": _ends(tuple(map(counted, graph.outputs)), graph.output_keys),
    }
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": inner,
        "registered_name": "Functional",
    }


def unparse_layer(layer: Layer) -> Json:
    """A layer's entry in such a config."""
    return {
        "module": layer.module or None,
        "class_name": layer.class_name,
        "config": _layer_config(deepcopy(dict(layer.config))),  # Keras takes configs apart while it builds
        "registered_name": layer.registered_name,
        "name": layer.name,
        "inbound_nodes": [{"args": _unparse(call.args), "kwargs": _unparse(call.kwargs)} for call in layer.calls],
    }


def _layer_config(config: Mapping[str, Json]) -> Json:
    """A nested model goes without a flag of its own: Keras would let it overrule those of its layers."""
    if "layers" not in config:
        return dict(config)
    inner = [{**layer, "config": _layer_config(layer["config"])} for layer in config["layers"]]
    return {**{key: value for key, value in config.items() if key != "trainable"}, "layers": inner}


def _unparse(values: Json) -> Json:
    if isinstance(values, Ref):
        history = [values.layer, values.node, values.tensor]
        # Keras asks for a shape and a type, and takes those of the tensor that the history leads to.
        return {"class_name": TENSOR, "config": {"shape": [None], "dtype": "float32", "keras_history": history}}
    if isinstance(values, dict):
        return {key: _unparse(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_unparse(value) for value in values]
    return values


def _ends(refs: tuple[Ref, ...], keys: tuple[str, ...] | None) -> Json:
    flat = [[ref.layer, ref.node, ref.tensor] for ref in refs]
    if keys is not None:
        return dict(zip(keys, flat, strict=True))
    return flat[0] if len(flat) == 1 else flat
