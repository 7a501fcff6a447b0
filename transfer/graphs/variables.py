"""Every variable of an architecture, as a model built from it has them. Nothing is built and Keras is not asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

from transfer.errors import KerasNeededError, LayerError, Problem
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.held_variables import layer_variables, needs_shapes, unknown_class
from transfer.graphs.layer_variables import Variable
from transfer.graphs.shapes import LARGEST, first_unknown, infer_shapes
from transfer.graphs.wrapping import Shape, is_model, is_operation, parse_nested, wrapped_layer
from transfer.specs import TensorSpec, snake_case

_WRAPPERS = ("TimeDistributed",)
_OWN_NAMES = {"GroupQueryAttention": "GroupedQueryAttention"}  # where Keras calls a class otherwise in public


def describe_graph(graph: Graph) -> dict[str, TensorSpec]:
    """A `TensorSpec` for each variable of a graph, as `describe_variables` gives them for the model built from it.

    Raises:
        LayerError: if a layer's class, or a shape that its variables depend on, is not known here, or a variable is
            larger than any array.
    """
    return {spec.name: spec for spec in _of_graph(graph, "", infer_shapes(graph), first=0)}


def _of_graph(graph: Graph, prefix: str, shapes: Mapping[Ref, Shape], *, first: int) -> Iterator[TensorSpec]:
    layers = [layer for layer in graph if not is_operation(layer)]
    for position, layer in enumerate(layers, first):
        call = layer.calls[0] if layer.calls else Call([], {})
        known = all(source in shapes for source in call.sources)
        inputs = tuple(shapes[source] for source in call.sources) if known else ()
        if is_model(layer):
            yield from _of_model(layer, f"{prefix}{layer.name}/", inputs)
            continue
        if not known and needs_shapes(layer):
            raise _unknown_shape(graph, layer, shapes)
        owner = f"{prefix}{layer.name}"
        made = variables_of(layer, call, inputs)
        for name, each in zip(_distinct([f"{owner}/{each.path}" for each in made]), made, strict=True):
            place, _, role = name.rpartition("/")
            kind = snake_case(_OWN_NAMES.get(layer.class_name, layer.class_name))
            yield TensorSpec(name, each.shape, each.dtype, place, role, kind, position, owner)


def _check_sizes(owner: str, made: tuple[Variable, ...]) -> None:
    wrong = [each for each in made if max(*each.shape, prod(each.shape), 0) > LARGEST]
    if wrong:
        raise LayerError(
            f"{owner!r} would be larger than any array.",
            [Problem(f"{owner}/{each.path}", f"at most {LARGEST} values", "more") for each in wrong],
        )


def _of_model(layer: Layer, prefix: str, inputs: tuple[Shape, ...]) -> Iterator[TensorSpec]:
    inner = parse_nested(layer, inputs)
    shapes = infer_shapes(inner)
    first = -1 if layer.class_name == "Sequential" else 0  # a Sequential model does not count its input
    yield from _of_graph(inner, prefix, shapes, first=first)


def variables_of(layer: Layer, call: Call, inputs: tuple[Shape, ...]) -> tuple[Variable, ...]:
    """Every variable of one layer that is no model.

    Args:
        layer: of a graph.
        call: its first.
        inputs: shapes of what goes in there, without the batch axis.

    Raises:
        LayerError: as `describe_graph`.
    """
    try:
        if layer.class_name in _WRAPPERS and is_model(inner := wrapped_layer(layer)):
            specs = _of_model(inner, f"{inner.name}/", tuple(shape[1:] for shape in inputs))
            return tuple(Variable(spec.name, spec.shape, spec.dtype) for spec in specs)
        made = layer_variables(layer, call, inputs)
        _check_sizes(layer.name, made or ())
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
        raise LayerError(
            f"The options of {layer.class_name} {layer.name!r} are not those of Keras 3.",
            [Problem(layer.name, "options of Keras 3", repr(error)[:200])],
        ) from error
    if made is None:
        raise unknown_class(layer)
    return made


def _unknown_shape(graph: Graph, layer: Layer, shapes: Mapping[Ref, Shape]) -> KerasNeededError:
    cause = first_unknown(graph, shapes) or layer
    return KerasNeededError(
        f"The variables of {layer.name!r} are not known: {cause.class_name} {cause.name!r} gives no shape here.",
        [Problem(layer.name, "a known shape going in", f"what {cause.class_name} {cause.name!r} gives")],
        next_step="name a builder with --into module:function (into=…)",
    )


def _distinct(names: list[str]) -> list[str]:
    """Names, those that come again with `_1`, `_2` and so on."""
    taken: dict[str, int] = {}
    distinct = []
    for name in names:
        count = taken.get(name, 0)
        taken[name] = count + 1
        distinct.append(f"{name}_{count}" if count else name)
    return distinct
