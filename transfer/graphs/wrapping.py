"""Layers inside layers: what a wrapper holds, both sides of a bidirectional layer, the cells of a recurrent one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from transfer.errors import LayerError, Problem
from transfer.graphs.graph import Graph, Layer, Ref
from transfer.graphs.parsing import parse_config
from transfer.specs import Json, snake_case

Shape = tuple[int | None, ...]  # without the batch axis; None for an open size

# Recurrent layers that make their cell themselves: its class, and what they call it.
CELLS = {
    "LSTM": ("LSTMCell", "lstm_cell"),
    "GRU": ("GRUCell", "gru_cell"),
    "SimpleRNN": ("SimpleRNNCell", "simple_rnn_cell"),
    **{f"ConvLSTM{rank}D": ("ConvLSTMCell", "conv_lstm_cell") for rank in (1, 2, 3)},
}
RECURRENT = frozenset({*CELLS, "RNN"})
_OPERATIONS = ("keras.src.ops.", "keras.ops")


def is_operation(layer: Layer) -> bool:
    """Whether it is a function of `keras.ops`: no layer to Keras, though it stands among them in a config."""
    return layer.module.startswith(_OPERATIONS)


def is_model(layer: Layer) -> bool:
    """Whether it is a model with layers of its own."""
    return "layers" in layer.config and layer.class_name != "Pipeline"  # one layer for preprocessing to Keras


def parse_nested(layer: Layer, inputs: tuple[Shape, ...] = ()) -> Graph:
    """The graph of a nested model, its inputs and outputs in the order in which Keras numbers them.

    Args:
        layer: the model.
        inputs: what goes in; a Sequential model that never saw an input is built for it.

    Raises:
        LayerError: if its config has no graph.
    """
    config = layer.config
    if layer.class_name == "Sequential" and len(inputs) == 1 and not config.get("build_input_shape"):
        config = {**config, "build_input_shape": [None, *inputs[0]]}
    graph = parse_config({"class_name": layer.class_name, "config": config})
    inputs_in_order, input_keys = _by_key(graph.inputs, graph.input_keys)
    outputs_in_order, output_keys = _by_key(graph.outputs, graph.output_keys)
    return replace(
        graph, inputs=inputs_in_order, input_keys=input_keys, outputs=outputs_in_order, output_keys=output_keys
    )


def _by_key(refs: tuple[Ref, ...], keys: tuple[str, ...] | None) -> tuple[tuple[Ref, ...], tuple[str, ...] | None]:
    """Keras goes through dictionaries by their sorted keys."""
    if keys is None:
        return refs, None
    in_order = sorted(zip(keys, refs, strict=True))
    return tuple(ref for _, ref in in_order), tuple(key for key, _ in in_order)


def read_inner(entry: Json) -> Layer:
    """A layer as it stands in the config of another one.

    Raises:
        LayerError: if it is no layer.
    """
    if not isinstance(entry, Mapping) or not isinstance(entry.get("config"), Mapping) or not entry.get("class_name"):
        raise LayerError(
            "A layer's config holds something that is no layer.",
            [Problem("config", "class_name and config", str(entry)[:80])],
        )
    kind, config = str(entry["class_name"]), entry["config"]
    name = str(config.get("name") or snake_case(kind))
    return Layer(name, kind, config, (), entry.get("module") or "keras.layers", entry.get("registered_name"))


def wrapped_layer(layer: Layer) -> Layer:
    """The one layer that a wrapper holds."""
    return read_inner(layer.config.get("layer"))


def both_sides(layer: Layer) -> tuple[Layer, Layer]:
    """The layers that a bidirectional one runs forwards and backwards, named as Keras names them."""
    first = wrapped_layer(layer)
    entry = layer.config.get("backward_layer")
    second = read_inner(entry) if entry else _named(first, f"backward_{first.name.removeprefix('backward_')}")
    return _named(first, f"forward_{first.name.removeprefix('forward_')}"), second


def cells_of(layer: Layer) -> tuple[tuple[str, Layer], ...]:
    """The cells of a recurrent layer from the first to the last, each with its path inside the layer."""
    if layer.class_name in CELLS:
        kind, name = CELLS[layer.class_name]
        return ((name, Layer(name, kind, layer.config)),)
    cell = read_inner(layer.config.get("cell"))
    if cell.class_name != "StackedRNNCells":
        return ((cell.name, cell),)
    found = [read_inner(entry) for entry in cell.config.get("cells", ())]
    return tuple((f"{cell.name}/{each.name}", each) for each in found)


def _named(layer: Layer, name: str) -> Layer:
    return Layer(name, layer.class_name, layer.config, (), layer.module, layer.registered_name)
