"""Variables of layers that hold other layers: cells of recurrent ones, what is wrapped, projections of attention."""

from __future__ import annotations

from collections.abc import Callable

from transfer.errors import KerasNeededError, LayerError, Problem
from transfer.graphs.graph import Call, Layer
from transfer.graphs.layer_shapes import layer_shape
from transfer.graphs.layer_variables import SHAPED, UNSHAPED, Variable, simple_variables
from transfer.graphs.sequence_shapes import attention_inputs
from transfer.graphs.variable_types import variable_dtype
from transfer.graphs.weightless import WEIGHTLESS
from transfer.graphs.wrapping import RECURRENT, Shape, both_sides, cells_of, wrapped_layer

Inputs = tuple[Shape, ...]


def layer_variables(layer: Layer, call: Call, inputs: Inputs) -> tuple[Variable, ...] | None:
    """Every variable of a layer in Keras's order; None where its class is not known here.

    Args:
        layer: no model.
        call: its first.
        inputs: shapes of what goes in at that call; they do not matter where `needs_shapes` says so.

    Raises:
        LayerError: if a size that a variable depends on is open, or an inner layer is not known here.
    """
    if layer.module.split(".")[0] != "keras":
        return None
    kind = layer.class_name
    if kind in WEIGHTLESS:
        return ()
    if kind in SHAPED:
        return simple_variables(kind, layer.config, inputs[0] if inputs else ())
    rule = _RULES.get(kind)
    return None if rule is None else rule(layer, call, inputs)


def needs_shapes(layer: Layer) -> bool:
    """Whether a layer's variables depend on what goes in."""
    return layer.class_name not in WEIGHTLESS | UNSHAPED


def inner_variables(layer: Layer, inputs: Inputs) -> tuple[Variable, ...]:
    """As `layer_variables`, seen from around the layer.

    Raises:
        LayerError: also if the class is not known here.
    """
    made = layer_variables(layer, Call([], {}), inputs)
    if made is None:
        raise unknown_class(layer)
    return tuple(each.inside(layer.name) for each in made)


def unknown_class(layer: Layer) -> KerasNeededError:
    """The error about a class for which there is no rule."""
    return KerasNeededError(
        f"The variables of {layer.class_name} {layer.name!r} are not known without building it.",
        [Problem(layer.name, "a layer of Keras", f"{layer.module}.{layer.class_name}")],
        next_step="name a builder with --into module:function (into=…)",
    )


def _recurrent(layer: Layer, call: Call, inputs: Inputs) -> tuple[Variable, ...]:  # noqa: ARG001
    step, made = inputs[0][1:], []
    for path, cell in cells_of(layer):
        own = inner_variables(cell, (step,))
        made += [each.inside(path.removesuffix(cell.name).rstrip("/")) if "/" in path else each for each in own]
        step = _after(cell, step)
    return tuple(made)


def _after(cell: Layer, step: Shape) -> Shape:
    if cell.class_name == "ConvLSTMCell":
        return layer_shape(f"Conv{len(step) - 1}D", cell.config, step) or step
    return (cell.config["units"],)


def _bidirectional(layer: Layer, call: Call, inputs: Inputs) -> tuple[Variable, ...]:  # noqa: ARG001
    return tuple(each for side in both_sides(layer) for each in inner_variables(side, inputs[:1]))


def _time_distributed(layer: Layer, call: Call, inputs: Inputs) -> tuple[Variable, ...]:  # noqa: ARG001
    return inner_variables(wrapped_layer(layer), (inputs[0][1:],))


def _spectral(layer: Layer, call: Call, inputs: Inputs) -> tuple[Variable, ...]:  # noqa: ARG001
    kernel, *others = inner_variables(wrapped_layer(layer), inputs)
    return (kernel, Variable("vector_u", (1, kernel.shape[-1]), kernel.dtype), *others)


def _multi_head(layer: Layer, call: Call, inputs: Inputs) -> tuple[Variable, ...]:
    config, named = layer.config, attention_inputs(call, inputs)
    heads, width = config["num_heads"], config["key_dim"]
    values = config.get("value_dim") or width
    wanted = config.get("output_shape")
    last = named["query"][-1:] if wanted is None else (wanted,) if isinstance(wanted, int) else tuple(wanted)
    made = _projection(layer, "query", named["query"][-1:], (heads, width))
    made += _projection(layer, "key", named["key"][-1:], (heads, width))
    if config.get("use_gate"):
        made += _projection(layer, "gate", named["query"][-1:], (heads, values))
    made += _projection(layer, "value", named["value"][-1:], (heads, values))
    return made + _projection(layer, "attention_output", (heads, values), last)


def _grouped_query(layer: Layer, call: Call, inputs: Inputs) -> tuple[Variable, ...]:
    config, named = layer.config, attention_inputs(call, inputs)
    many, few, width = config["num_query_heads"], config["num_key_value_heads"], config["head_dim"]
    made = _projection(layer, "query", named["query"][-1:], (many, width))
    made += _projection(layer, "key", named["key"][-1:], (few, width))
    if config.get("use_gate"):
        made += _projection(layer, "gate", named["query"][-1:], (many, width))
    made += _projection(layer, "value", named["value"][-1:], (few, width))
    return made + _projection(layer, "attention_output", (many, width), named["query"][-1:])


def _projection(layer: Layer, name: str, given: Shape, made: Shape) -> tuple[Variable, ...]:
    dtype, mode = variable_dtype(layer.config)
    sizes = (*given, *made)
    if mode or None in sizes:
        raise LayerError(
            f"{layer.class_name} {layer.name!r} is quantized, or its input is open: its variables are not known here.",
            [Problem(layer.name, "known sizes, not quantized", f"{name} of {sizes}, {layer.config.get('dtype')}")],
        )
    known = tuple(size for size in sizes if size is not None)
    kernel = (Variable(f"{name}/kernel", known, dtype),)
    return (
        (*kernel, Variable(f"{name}/bias", known[len(given) :], dtype))
        if layer.config.get("use_bias", True)
        else kernel
    )


def _attention(layer: Layer, call: Call, inputs: Inputs) -> tuple[Variable, ...]:
    dtype, _ = variable_dtype(layer.config)
    additive = layer.class_name == "AdditiveAttention"
    made: tuple[Variable, ...] = ()
    if layer.config.get("use_scale", additive):
        width = attention_inputs(call, inputs)["query"][-1]
        if additive and width is None:
            raise LayerError(f"{layer.name!r} has an input of open size.")
        made += (Variable("scale", (width,) if additive and width is not None else (), dtype),)
    if layer.config.get("score_mode") == "concat":
        made += (Variable("concat_score_weight", (), dtype),)
    return made


_RULES: dict[str, Callable[[Layer, Call, Inputs], tuple[Variable, ...]]] = {
    **dict.fromkeys(RECURRENT, _recurrent),
    "Bidirectional": _bidirectional,
    "TimeDistributed": _time_distributed,
    "SpectralNormalization": _spectral,
    "MultiHeadAttention": _multi_head,
    **dict.fromkeys(("GroupQueryAttention", "GroupedQueryAttention"), _grouped_query),
    **dict.fromkeys(("Attention", "AdditiveAttention"), _attention),
}
