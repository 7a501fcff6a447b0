"""Configs of Keras 0, 1 and 2 in the form of Keras 3: whole models, and the models inside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from transfer.errors import LayerError
from transfer.graphs.completing import MODULE_OF
from transfer.graphs.keras1 import from_keras1
from transfer.graphs.keras2 import from_keras2, policy
from transfer.graphs.keras_names import LAYERS, MODELS
from transfer.graphs.node_defs import translate_node
from transfer.graphs.nodes import Node, count_from_zero, read_node, tensor
from transfer.graphs.operations import translate
from transfer.specs import Json, Writer

_UNKNOWN = Writer("2")  # what Keras 2 took for granted, where a config of an old form names no writer
_LAYERS_INSIDE = ("layer", "forward_layer", "backward_layer", "cell", "cells")
_WITH_STATES = ("RNN", "SimpleRNN", "LSTM", "GRU", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")


def modernize(config: Json, writer: Writer) -> Json:
    """A model's config in the form of Keras 3; it computes what the writer computed.

    Args:
        config: as the writer wrote it; left as it is.
        writer: an unknown one counts as Keras 2.

    Raises:
        LayerError: if a layer does what none of Keras 3 does.
    """
    if "class_name" not in config and isinstance(config.get("layers"), list):
        config = _from_keras0(config)
    return _model(config, writer if writer.version else _UNKNOWN)


def _from_keras0(config: Mapping[str, Json]) -> Json:
    """Keras 0 kept a layer's class under `name`, beside its options."""
    if config.get("name") == "Graph":
        raise LayerError("A Graph of Keras 0 is not read.", next_step="name a builder with --into (into=…)")
    layers: list[Json] = []
    taken: dict[str, int] = {}  # layers without a name of their own are all called after their class
    for layer in config["layers"]:
        kind = layer["name"]
        name = layer.get("custom_name") or kind.lower()
        taken[name] = taken.get(name, 0) + 1
        options = {**layer, "name": f"{name}_{taken[name]}"}
        if "input_shape" in options:
            options["batch_input_shape"] = [None, *options.pop("input_shape")]
        layers.append({"class_name": kind, "config": options})
    return {"class_name": "Sequential", "config": layers}


def _model(entry: Mapping[str, Json], writer: Writer, *, name: str = "sequential") -> Json:
    kind, inner = entry["class_name"], entry["config"]
    if kind != "Sequential":
        return _entry("Functional", _functional(inner, writer))
    described = inner if isinstance(inner, list) else inner["layers"]
    name = name if isinstance(inner, list) else inner.get("name", name)
    if described and described[0]["class_name"] == "Merge" and "layers" in described[0]["config"]:
        return _entry("Functional", _merged(described, writer, name=name))
    changed: dict[str, Json] = {"name": name, "layers": _sequence(described, writer)}
    kept = (
        {}
        if isinstance(inner, list)
        else {key: inner[key] for key in ("trainable", "build_input_shape") if key in inner}
    )
    return _entry(kind, {**changed, **kept})


def _entry(kind: str, config: Json) -> dict[str, Json]:
    module = MODULE_OF.get(kind, "keras.layers")
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}


def _sequence(described: Json, writer: Writer) -> list[Json]:
    """The layers of a Sequential model; what its first layer says of the input becomes a layer."""
    layers = [_layer(each, writer, name=f"sequential_{place + 1}") for place, each in enumerate(described)]
    if described and described[0]["class_name"] != "InputLayer":
        shape, dtype = _input_of(described[0])
        if shape is not None:
            options = {"name": f"{layers[0]['config']['name']}_input", "batch_shape": shape, "dtype": dtype}
            layers.insert(0, _entry("InputLayer", options))
    return layers


def _input_of(described: Mapping[str, Json]) -> tuple[Json, Json]:
    """Shape and type that a layer says its model's input has; a shape of None where it does not say."""
    inner = described["config"]
    if described["class_name"] in MODELS:
        layers = inner if isinstance(inner, list) else inner["layers"]
        return _input_of(layers[0])
    dtype = policy(inner.get("input_dtype") or inner.get("dtype") or "float32")
    shape = inner.get("batch_input_shape", inner.get("batch_shape"))
    return shape, dtype if isinstance(dtype, str) and not dtype.startswith(("mixed", "_infer", "infer")) else "float32"


def _merged(described: Json, writer: Writer, *, name: str) -> Json:
    """A Sequential model of Keras 1 that starts by merging others: branches, each with an input of its own."""
    merge = described[0]
    layers: list[Json] = []
    ends = []
    for place, branch in enumerate(merge["config"]["layers"]):
        chain = _model(branch, writer, name=f"{name}_{place + 1}")["config"]["layers"]
        layers += _chained(chain)
        ends.append(layers[-1]["name"])
    inputs = [layer["name"] for layer in layers if layer["class_name"] == "InputLayer"]
    first = _layer(merge, writer, name=name)
    first |= {"name": first["config"]["name"], "inbound_nodes": [_call([[tensor(end, 0, 0) for end in ends]])]}
    rest = [_layer(each, writer, name=f"{name}_{place}") for place, each in enumerate(described[1:])]
    layers += _chained([first, *rest])
    return {
        "name": name,
        "layers": layers,
        "input_layers": [[each, 0, 0] for each in inputs],
        "output_layers": [layers[-1]["name"], 0, 0],
    }


def _chained(layers: Iterable[Json]) -> list[Json]:
    """Each layer called on the one before it, except the first."""
    named = [{**layer, "name": layer["config"]["name"]} for layer in layers]
    named[0].setdefault("inbound_nodes", [])
    for before, after in pairwise(named):
        after["inbound_nodes"] = [_call([tensor(before["name"], 0, 0)])]
    return named


def _functional(inner: Mapping[str, Json], writer: Writer) -> Json:
    names = frozenset(_name(each) for each in inner["layers"])
    layers = []
    for each in inner["layers"]:
        nodes = [read_node(node, names) for node in each["inbound_nodes"]]
        layers.append(_operation(each, nodes) or _called(each, nodes, writer))
    outputs = count_from_zero(layers, inner["output_layers"])
    inputs = inner["input_layers"]
    if isinstance(inputs, list) and len(inputs) == 1 and isinstance(inputs[0], list):
        inputs = inputs[0]
    changed = {"name": inner["name"], "layers": layers, "input_layers": inputs, "output_layers": outputs}
    return {**changed, "trainable": inner["trainable"]} if "trainable" in inner else changed


def _name(entry: Mapping[str, Json]) -> str:
    return str(entry.get("name") or entry["config"]["name"])


def _called(entry: Mapping[str, Json], nodes: list[Node], writer: Writer) -> Json:
    name = _name(entry)
    layer = _layer(entry, writer, name=name)
    return {**layer, "name": name, "inbound_nodes": [_arguments(layer["class_name"], node) for node in nodes]}


def _arguments(kind: str, node: Node) -> Json:
    """Recurrent layers took their first states behind their input, in one list."""
    if kind in _WITH_STATES and isinstance(node.inputs, list):
        return _call([node.inputs[0]], initial_state=node.inputs[1:], **node.named)
    return _call([node.inputs], **node.named)


def _call(args: list[Json], **kwargs: Json) -> Json:
    return {"args": args, "kwargs": kwargs}


def _operation(entry: Mapping[str, Json], nodes: list[Node]) -> Json:
    """A function of TensorFlow as an operation of Keras 3; None for other layers, and where it has no counterpart."""
    kind, config = entry["class_name"], entry["config"]
    if len(nodes) != 1 or kind not in ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"):
        return None
    (node,) = nodes
    if kind == "TensorFlowOpLayer":
        inputs = node.inputs if isinstance(node.inputs, list) else [node.inputs]
        found = translate_node(config["node_def"], config.get("constants") or {}, inputs)
    else:
        found = translate(config["function"], node.inputs, node.named)
    if found is None:
        return None
    class_name, module, options, arguments = found
    name = _name(entry)
    layer = {"module": module, "class_name": class_name, "config": {"name": name, **options}}
    return {**layer, "registered_name": class_name, "name": name, "inbound_nodes": [_call(arguments)]}


def _layer(entry: Mapping[str, Json], writer: Writer, *, name: str) -> dict[str, Json]:
    """A layer with those inside it; a model inside a model likewise."""
    kind, config = entry["class_name"], entry["config"]
    if kind in MODELS:
        return dict(_model(entry, writer, name=name))
    kind, config = from_keras2(*from_keras1(kind, config), writer)
    for key in _LAYERS_INSIDE:
        if key in config:
            config[key] = _inside(config[key], writer)
    if kind in LAYERS:
        return _entry(kind, config)
    registered = entry.get("registered_name") or (kind if ">" in kind else None)
    layer = {"module": entry.get("module"), "class_name": kind.rpartition(">")[2], "config": config}
    return {**layer, "registered_name": registered}


def _inside(value: Json, writer: Writer) -> Json:
    if isinstance(value, list):
        return [_inside(each, writer) for each in value]
    if isinstance(value, dict) and "class_name" in value:
        return _layer(value, writer, name=str(value["config"].get("name")) if isinstance(value["config"], dict) else "")
    return value
