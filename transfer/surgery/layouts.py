"""Where the tensors of an architecture stand in each layout of Keras, worked out from the graph alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from transfer.errors import KerasNeededError, Problem
from transfer.graphs.graph import Graph, Layer
from transfer.graphs.ordering import order_layers
from transfer.graphs.training_flags import layers_around, never_trained
from transfer.graphs.wrapping import (
    RECURRENT,
    both_sides,
    cells_of,
    is_model,
    is_operation,
    parse_nested,
    wrapped_layer,
)
from transfer.specs import TensorSpec, snake_case
from transfer.weights.blueprints import Keras3Group

Described = tuple[str, tuple[int, ...], str]  # name, shape, dtype

_KERAS3_NAMES = {"GroupQueryAttention": "grouped_query_attention"}  # classes that go by another name in public
_PROJECTIONS = {
    "MultiHeadAttention": ("query_dense", "key_dense", "value_dense", "output_dense", "_gate_dense"),
    "GroupQueryAttention": ("_query_dense", "_key_dense", "_value_dense", "_output_dense", "_gate_dense"),
}
_PROJECTED = ("query", "key", "value", "attention_output", "gate")


@dataclass(frozen=True, slots=True)
class _Place:
    """A layer, what Keras calls its place, and what stands there.

    Attributes:
        layer: one that is no model.
        path: names of the models around it, and its own.
        tensors: its own and those of layers inside it.
    """

    layer: Layer
    path: str
    tensors: tuple[TensorSpec, ...]


def legacy_layers(graph: Graph, specs: Mapping[str, TensorSpec]) -> dict[str, list[Described]]:
    """Every layer of the outermost model with its tensors as legacy files list them: trained ones first.

    Args:
        graph: the architecture. What a layer of it says of being frozen counts, as it does when Keras loads the file.
        specs: what the tensors are, by the names of `describe_graph`.
    """
    found: dict[str, list[Described]] = {}
    owned, fixed = _by_owner(specs), never_trained(specs.values())
    for layer in order_layers(graph):
        if is_operation(layer):
            continue
        places = list(_walk_layer(layer, layer.name, owned))
        # Of a layer whose own flag is False Keras calls nothing trained, and lists all as it was made.
        is_fixed = not is_model(layer) and layer.config.get("trainable") is False
        weights = [
            (spec, not is_fixed and spec.name not in fixed and not _is_frozen(place, spec))
            for place in places
            for spec in place.tensors
        ]
        in_order = sorted(weights, key=lambda each: not each[1])
        found[layer.name] = [(spec.name, spec.shape, spec.dtype) for spec, _ in in_order]
    return found


def keras3_groups(graph: Graph, specs: Mapping[str, TensorSpec]) -> list[Keras3Group]:
    """Every group of Keras 3's layout, layers numbered within their class.

    Args:
        graph: the architecture.
        specs: what the tensors are, by the names of `describe_graph`.

    Raises:
        KerasNeededError: with the layers for which it is not known where Keras 3 keeps a tensor.
    """
    by_place: dict[str, list[TensorSpec]] = {}
    for spec in specs.values():
        by_place.setdefault(spec.layer, []).append(spec)
    groups = [Keras3Group("", graph.name), *_model_groups(graph, "layers", "", by_place)]
    placed = Counter(name for group in groups for name, _, _ in group.tensors)
    lost = [name for name in specs if name not in placed]
    twice = sorted(name for name, count in placed.items() if count > 1)
    if lost or twice:
        raise KerasNeededError(
            f"Where Keras 3 keeps {len(lost) + len(twice)} tensors of {graph.name!r} is not known.",
            [Problem(name, "a layer whose groups are known", specs[name].layer_class) for name in (*lost, *twice)],
            next_step="write a legacy file: OUT.h5",
        )
    return groups


# The legacy layout


def _walk_layer(layer: Layer, path: str, owned: Mapping[str, list[TensorSpec]]) -> Iterator[_Place]:
    if not is_model(layer):
        yield _Place(layer, path, tuple(owned.get(path, ())))
        return
    for inner in order_layers(_nested(layer)):
        if not is_operation(inner):
            yield from _walk_layer(inner, f"{path}/{inner.name}", owned)


def _by_owner(specs: Mapping[str, TensorSpec]) -> dict[str, list[TensorSpec]]:
    owned: dict[str, list[TensorSpec]] = {}
    for spec in specs.values():
        owned.setdefault(spec.owner, []).append(spec)
    return owned


def _is_frozen(place: _Place, spec: TensorSpec) -> bool:
    """Whether a variable comes out frozen where Keras builds its layer: the flags of what wraps it do not reach it."""
    way = layers_around(place.layer, spec.layer[len(place.path) + 1 :])
    # Projections have no config: they come out trained whatever the layer says that makes them.
    return way[-1].class_name not in _PROJECTIONS and way[-1].config.get("trainable") is False


# The layout of Keras 3


def _model_groups(
    graph: Graph, group: str, place: str, by_place: Mapping[str, list[TensorSpec]], *, with_input: bool = True
) -> Iterator[Keras3Group]:
    layers = [
        layer
        for layer in order_layers(graph)
        if not is_operation(layer) and (with_input or layer.class_name != "InputLayer")
    ]
    for number, layer in _numbered(layers):
        yield from _layer_groups(layer, f"{group}/{number}", f"{place}{layer.name}", by_place)


def _numbered(layers: Iterable[Layer]) -> Iterator[tuple[str, Layer]]:
    counts: dict[str, int] = {}
    for layer in layers:
        kind = _group_name(layer)
        count = counts.get(kind, 0)
        counts[kind] = count + 1
        yield f"{kind}_{count}" if count else kind, layer


def _group_name(layer: Layer) -> str:
    if is_model(layer):
        return "sequential" if layer.class_name == "Sequential" else "functional"
    return _KERAS3_NAMES.get(layer.class_name) or snake_case(layer.class_name)


def _layer_groups(
    layer: Layer, group: str, place: str, by_place: Mapping[str, list[TensorSpec]]
) -> Iterator[Keras3Group]:
    own = () if layer.class_name == "SpectralNormalization" else _saved_order(by_place.get(place, ()))
    yield Keras3Group(group, layer.name, tuple((spec.name, spec.shape, spec.dtype) for spec in own))
    if is_model(layer):
        counted = layer.class_name != "Sequential"  # such a model does not count its input among its layers
        yield from _model_groups(_nested(layer), f"{group}/layers", f"{place}/", by_place, with_input=counted)
        return
    for attribute, name, held in _held(layer):
        yield from _layer_groups(held, f"{group}/{attribute}", f"{place}/{name}", by_place)


def _nested(layer: Layer) -> Graph:
    return parse_nested(layer, ((1,),))  # for a Sequential model that saw no input yet; its names do not depend on it


def _held(layer: Layer) -> Iterator[tuple[str, str, Layer]]:
    """Layers inside a layer: the attribute that holds each, the path of names that leads to it, and itself."""
    kind = layer.class_name
    if kind in RECURRENT:
        cells = cells_of(layer)
        if "/" in cells[0][0]:
            for (number, cell), (path, _) in zip(_numbered(each for _, each in cells), cells, strict=True):
                yield f"cell/cells/{number}", path, cell
        else:
            yield "cell", cells[0][0], cells[0][1]
    elif kind == "Bidirectional":
        for attribute, side in zip(("forward_layer", "backward_layer"), both_sides(layer), strict=True):
            yield attribute, side.name, side
    elif kind == "TimeDistributed":
        inner = wrapped_layer(layer)
        yield "layer", inner.name, inner
    elif kind in _PROJECTIONS:
        for attribute, name in zip(_PROJECTIONS[kind], _PROJECTED, strict=True):
            if name != "gate" or layer.config.get("use_gate"):
                yield attribute, name, Layer(name, "EinsumDense", {})


def _saved_order(specs: Iterable[TensorSpec]) -> list[TensorSpec]:
    """As a layer saves its own variables: a quantized one its kernel first, and the scale last."""
    return sorted(specs, key=lambda spec: (not spec.dtype.startswith("int8"), spec.role.endswith("_scale")))
