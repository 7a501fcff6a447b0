"""Output shapes of layers that go along a sequence: recurrent ones, both ways, and attention."""

from __future__ import annotations

from collections.abc import Mapping

from transfer.graphs.graph import Call, Layer, Ref
from transfer.graphs.layer_shapes import layer_shape
from transfer.graphs.wrapping import RECURRENT, Shape, both_sides, cells_of
from transfer.specs import Json

ATTENTION = frozenset({"MultiHeadAttention", "GroupQueryAttention", "Attention", "AdditiveAttention"})
_ROLES = ("query", "value", "key")


def sequence_shapes(layer: Layer, call: Call, inputs: tuple[Shape, ...]) -> tuple[Shape, ...] | None:
    """Shape of each output; None for other layers."""
    if layer.class_name in RECURRENT:
        return recurrent_shapes(layer, inputs[0])
    if layer.class_name == "Bidirectional":
        return _both_ways(layer, inputs[0])
    if layer.class_name in ATTENTION:
        return _attention(layer, attention_inputs(call, inputs))
    return None


def attention_inputs(call: Call, inputs: tuple[Shape, ...]) -> dict[str, Shape]:
    """`query`, `value` and `key` by name, however they are passed; a key that is not given is the value.

    Args:
        call: of the layer.
        inputs: shapes of `call.sources`.
    """
    positional = len(Call(call.args, {}).sources)
    names = list(_ROLES[:positional]) + [""] * (positional - len(_ROLES))
    for name, value in dict(call.kwargs).items():
        names += [name if isinstance(value, Ref) else ""] * len(Call([], value).sources)
    found = dict(zip(names, inputs, strict=True))
    return {"key": found["value"], **{role: found[role] for role in _ROLES if role in found}}


def recurrent_shapes(layer: Layer, shape: Shape) -> tuple[Shape, ...]:
    """The output, then the states where they are returned."""
    config = layer.config
    step, states = shape[1:], []
    for _, cell in cells_of(layer):
        step = after_cell(cell, step)
        states += [step] * (2 if "LSTM" in cell.class_name else 1)
    output = (shape[0], *step) if config.get("return_sequences") else step
    return (output, *states) if config.get("return_state") else (output,)


def after_cell(cell: Layer, step: Shape) -> Shape:
    """Shape of a cell's state, and of what it gives at each step."""
    if cell.class_name != "ConvLSTMCell":
        return (cell.config["units"],)
    rank = len(step) - 1
    found = layer_shape(f"Conv{rank}D", cell.config, step)
    if found is None:
        raise ValueError(f"a convolution over {rank} axes")
    return found


def _both_ways(layer: Layer, shape: Shape) -> tuple[Shape, ...]:
    forward, _ = both_sides(layer)
    output, *states = recurrent_shapes(forward, shape)
    mode = layer.config.get("merge_mode", "concat")
    if mode == "concat":
        last = output[-1]
        merged: tuple[Shape, ...] = ((*output[:-1], None if last is None else 2 * last),)
    else:
        merged = (output, output) if mode is None else (output,)
    return (*merged, *states, *states)


def _attention(layer: Layer, named: Mapping[str, Shape]) -> tuple[Shape, ...] | None:
    query, value = named["query"], named["value"]
    if layer.class_name in ("Attention", "AdditiveAttention"):
        return ((*query[:-1], value[-1]),)
    wanted: Json = layer.config.get("output_shape")
    last = query[-1:] if wanted is None else (wanted,) if isinstance(wanted, int) else tuple(wanted)
    return ((*query[:-1], *last),)
