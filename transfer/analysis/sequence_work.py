"""Operations of layers that go along a sequence: recurrent ones, both ways, and attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from transfer.analysis.activation_work import activation_work
from transfer.analysis.closed_shapes import Sizes, closed, count
from transfer.analysis.work import Work
from transfer.graphs.graph import Call, Layer
from transfer.graphs.layer_shapes import channels_of, each_axis
from transfer.graphs.sequence_shapes import ATTENTION, after_cell, attention_inputs
from transfer.graphs.wrapping import RECURRENT, both_sides, cells_of
from transfer.specs import Json

_GATES = {"SimpleRNNCell": 1, "GRUCell": 3, "LSTMCell": 4, "ConvLSTMCell": 4}
_SOFTMAX = 5  # operations for each score


def sequence_work(layer: Layer, call: Call, inputs: Sequence[Sizes], outputs: Sequence[Sizes]) -> Work | None:
    """Work of one call; None for other layers, and for cells that are not Keras's."""
    kind = layer.class_name
    if kind in RECURRENT:
        return _recurrent(layer, inputs[0])
    if kind == "Bidirectional":
        sides = [_recurrent(side, inputs[0]) for side in both_sides(layer)]
        if None in sides:
            return None
        merges = layer.config.get("merge_mode", "concat") in ("sum", "mul", "ave")
        return sum(filter(None, sides), Work(elementwise=count(outputs[0]) if merges else 0))
    if kind in ATTENTION:
        named = {role: sizes for role, sizes in attention_inputs(call, tuple(inputs)).items() if closed([sizes])}
        return _attention(layer, named)  # type: ignore[arg-type]  # sizes that are closed
    return None


def _recurrent(layer: Layer, shape: Sizes) -> Work | None:
    """`steps` times the cells, one upon the other."""
    steps, step, work = shape[0], shape[1:], Work()
    for _, cell in cells_of(layer):
        if cell.class_name not in _GATES:
            return None
        (after,) = closed([after_cell(cell, step)]) or ((),)
        work += _cell(cell, step, after)
        step = after
    return work.times(steps)


def _cell(cell: Layer, step: Sizes, state: Sizes) -> Work:
    """One step: each gate has a kernel for what goes in and one for the state, all of one size."""
    kind, config = cell.class_name, cell.config
    gates, values = _GATES[kind], count(state)
    if kind == "ConvLSTMCell":
        kernel = prod(each_axis(config["kernel_size"], len(step) - 1))
        taken, held = kernel * (channels_of(config, step) or 0), kernel * config["filters"]
    else:
        taken, held = step[-1], config["units"]
    work = Work(kernel_macs=gates * values * taken, inner_macs=gates * values * held)
    return work + _gates(kind, config, values)


def _gates(kind: str, config: Mapping[str, Json], values: int) -> Work:
    """What a step does beside its kernels: biases, sums, activations, and the mixing of states."""
    gates = _GATES[kind]
    two_biases = kind == "GRUCell" and config.get("reset_after", True)
    biases = gates * values * (2 if two_biases else 1) if config.get("use_bias", True) else 0
    mixing = {"SimpleRNNCell": 0, "GRUCell": 5, "LSTMCell": 4, "ConvLSTMCell": 4}[kind] * values
    outer = activation_work(config.get("activation", "tanh"), values)
    work = Work(elementwise=biases + gates * values + mixing) + outer
    if kind == "SimpleRNNCell":
        return work
    inner = activation_work(config.get("recurrent_activation", "sigmoid"), (gates - 1) * values)
    return work + inner + (outer if "LSTM" in kind else Work())


def _attention(layer: Layer, named: Mapping[str, Sizes]) -> Work:
    """Source: Vaswani et al. (2017), section 3.2; for `Attention` and `AdditiveAttention` without projections."""
    if layer.class_name in ("Attention", "AdditiveAttention"):
        return _plain_attention(layer, named)
    config, query, value, key = layer.config, named["query"], named["value"], named["key"]
    grouped = layer.class_name != "MultiHeadAttention"
    heads = config["num_query_heads"] if grouped else config["num_heads"]
    few = config["num_key_value_heads"] if grouped else heads
    width = config["head_dim"] if grouped else config["key_dim"]
    values = width if grouped else config.get("value_dim") or width
    asked, held = prod(query[:-1]), prod(value[:-1])
    wanted = config.get("output_shape")
    given = query[-1] if wanted is None else wanted if isinstance(wanted, int) else prod(wanted)
    together = _batch_sizes(layer, query)
    scores = heads * asked * held // together
    work = Work(
        kernel_macs=asked * query[-1] * heads * (width + (values if config.get("use_gate") else 0))
        + held * few * (key[-1] * width + value[-1] * values),
        inner_macs=asked * heads * values * given,
        product_macs=scores * (width + values),
        elementwise=asked * heads * width + _SOFTMAX * scores,
    )
    if config.get("use_bias", True):
        work += Work(elementwise=asked * (heads * width + given) + held * few * (width + values))
    return work


def _batch_sizes(layer: Layer, query: Sizes) -> int:
    """Over how many positions, all but the attended ones, attention is done side by side."""
    axes = layer.config.get("attention_axes")
    if not axes:
        return 1
    attended = {axis % (len(query) + 1) for axis in ([axes] if isinstance(axes, int) else axes)}
    return prod(size for place, size in enumerate(query[:-1], 1) if place not in attended)


def _plain_attention(layer: Layer, named: Mapping[str, Sizes]) -> Work:
    config, (asked, width), (held, values) = layer.config, named["query"][-2:], named["value"][-2:]
    beside = prod(named["query"][:-2])  # further axes are taken side by side
    scores = beside * asked * held
    mixed = Work(product_macs=scores * values, elementwise=_SOFTMAX * scores)
    additive = layer.class_name == "AdditiveAttention"
    if not additive and config.get("score_mode", "dot") == "dot":
        scaled = scores if config.get("use_scale") else 0
        return mixed + Work(product_macs=scores * width, elementwise=scaled)
    # The sum of tanh(query + key), with a factor for each feature where there is one.
    scaled = scores * width if additive and config.get("use_scale", True) else 0
    summed = Work(elementwise=(2 if scaled else 3) * scores * width, inner_macs=scaled)
    return mixed + summed
