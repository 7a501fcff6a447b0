"""What there is to say of each layer of a graph: kind, shapes, parameters, whether it is trained, what it takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from transfer.errors import LayerError, Problem
from transfer.graphs.graph import Graph, Layer, Ref
from transfer.graphs.shapes import Shape, infer_shapes
from transfer.graphs.training_flags import layers_around, never_trained
from transfer.graphs.variables import describe_graph
from transfer.graphs.wrapping import is_model
from transfer.specs import Json, TensorSpec

State: TypeAlias = Literal["trainable", "frozen", "partly frozen", "new", ""]


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """One layer.

    Attributes:
        name: of the layer.
        kind: its class.
        inner: number of layers inside, for a nested model; 0 otherwise.
        shapes: of each output of its first call, without the batch axis; empty where they are not known.
        parameters: numbers that it holds; None where that is not known without building it.
        trainable: how many of them training changes: no statistics, nothing quantized; None likewise.
        state: `new`, `trainable`, `frozen` or `partly frozen`; empty for a layer that holds nothing, or not known what.
        takes: for each call the tensors that go in.
    """

    name: str
    kind: str
    inner: int
    shapes: tuple[Shape, ...]
    parameters: int | None
    trainable: int | None
    state: State
    takes: tuple[tuple[Ref, ...], ...]


def summarize(
    graph: Graph, *, new: Collection[str] = (), shapes: Mapping[Ref, Shape] | None = None
) -> tuple[LayerSummary, ...]:
    """Every layer of a graph, nested models as one each.

    Args:
        graph: layers of unknown classes are told without shapes and parameters.
        new: names of layers to tell as new.
        shapes: of tensors, without the batch axis, where there is no rule for them here.

    Raises:
        LayerError: if a name, an edge or an option is of a kind that Keras does not write.
    """
    _check(graph)
    try:
        return _summarize(graph, new, shapes)
    except (TypeError, KeyError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise LayerError(
            f"{graph.name!r} has options that are not those of Keras.",
            [Problem(graph.name, "layers as Keras writes them", repr(error)[:200])],
        ) from error


def _summarize(graph: Graph, new: Collection[str], known: Mapping[Ref, Shape] | None) -> tuple[LayerSummary, ...]:
    shapes = infer_shapes(graph, known)
    outputs: dict[str, list[Shape]] = defaultdict(list)
    for ref, shape in sorted(shapes.items(), key=lambda each: each[0].tensor):
        if ref.node == 0:
            outputs[ref.layer].append(shape)
    specs = _specs(graph, shapes)
    return tuple(_summary(layer, tuple(outputs[layer.name]), specs[layer.name], new) for layer in graph)


def _check(graph: Graph) -> None:
    """A config is anyone's: what stands for a name may be a number."""
    texts = [("the model's name", graph.name), *((f"output of {graph.name}", key) for key in graph.output_keys or ())]
    for layer in graph:
        texts += [(f"name of layer {layer.name}", layer.name), (f"class of {layer.name}", layer.class_name)]
        texts += [(f"module of {layer.name}", layer.module)]
    wrong = [Problem(where, "a text", repr(found)) for where, found in texts if not isinstance(found, str)]
    wrong += [
        Problem(str(layer.name), "options by name", repr(layer.config))
        for layer in graph
        if not isinstance(layer.config, Mapping)
    ]
    taken = [("the model's ends", ref) for ref in (*graph.inputs, *graph.outputs)]
    taken += [(str(layer.name), ref) for layer in graph for call in layer.calls for ref in call.sources]
    wrong += [
        Problem(where, "a layer's name, a call and an output", repr((ref.layer, ref.node, ref.tensor)))
        for where, ref in taken
        if not isinstance(ref.layer, str) or not isinstance(ref.node, int) or not isinstance(ref.tensor, int)
    ]
    if wrong:
        raise LayerError("The graph is not one that Keras writes.", wrong)


def format_shape(shape: Shape) -> str:
    """`56 x 56 x 64`; `?` for an open size."""
    return " x ".join("?" if size is None else str(size) for size in shape) or "scalar"


def format_takes(layer: LayerSummary) -> str:
    """What a layer takes: `a, b`; calls are parted by semicolons, and calls and outputs other than the first told."""
    return "; ".join(", ".join(map(_format_ref, call)) for call in layer.takes)


def _format_ref(ref: Ref) -> str:
    more = [f"call {ref.node + 1}"] * bool(ref.node) + [f"output {ref.tensor + 1}"] * bool(ref.tensor)
    return f"{ref.layer} ({', '.join(more)})" if more else ref.layer


def printable(text: str) -> str:
    """A name from a file with whatever does not print, or would steer a terminal, written out: `\\x1b`."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def _summary(
    layer: Layer,
    shapes: tuple[Shape, ...],
    specs: tuple[TensorSpec, ...] | None,
    new: Collection[str],
) -> LayerSummary:
    takes = tuple(call.sources for call in layer.calls)
    inner = _count_inside(layer.config) if is_model(layer) else 0
    if specs is None:
        state: State = "new" if layer.name in new else ""
        return LayerSummary(layer.name, layer.class_name, inner, shapes, None, None, state, takes)
    held = sum(spec.parameters for spec in specs)
    fixed = {spec.name for spec in specs if _is_frozen(layer, spec)}
    frozen = sum(spec.parameters for spec in specs if spec.name in fixed)
    untrained = never_trained(specs) - fixed
    kept = sum(spec.parameters for spec in specs if spec.name in untrained)
    state = "new" if layer.name in new else _state(held, frozen)
    return LayerSummary(layer.name, layer.class_name, inner, shapes, held, held - frozen - kept, state, takes)


def _state(held: int, frozen: int) -> State:
    if not held:
        return ""
    return "frozen" if frozen == held else "partly frozen" if frozen else "trainable"


def _count_inside(config: Mapping[str, Json]) -> int:
    """Layers inside a model, those of models in it counted and not the models; inputs are none."""
    count = 0
    for each in config.get("layers", ()):
        inner = each.get("config")
        if isinstance(inner, Mapping) and "layers" in inner:
            count += _count_inside(inner)
        else:
            count += each.get("class_name") != "InputLayer"
    return count


def _specs(graph: Graph, shapes: Mapping[Ref, Shape]) -> dict[str, tuple[TensorSpec, ...] | None]:
    """The tensors of each layer; None for those that are not known."""
    try:
        found: dict[str, list[TensorSpec]] = defaultdict(list)
        names = frozenset(graph.names)
        for spec in describe_graph(graph).values():
            # Keras 2 took names with a slash.
            found[next(each for each in reversed(tuple(_owners(spec.name))) if each in names)].append(spec)
        return {name: tuple(found[name]) for name in graph.names}
    except LayerError:  # one of them is not known: the others are, each by itself
        return {layer.name: _specs_alone(graph, layer, shapes) for layer in graph}


def _specs_alone(graph: Graph, layer: Layer, shapes: Mapping[Ref, Shape]) -> tuple[TensorSpec, ...] | None:
    """The tensors of one layer, with inputs of the known shapes in place of what feeds it."""
    known = {
        ref: f"{ref.layer}/{ref.node}/{ref.tensor}" for call in layer.calls[:1] for ref in call.sources if ref in shapes
    }
    inputs = tuple(
        Layer(name, "InputLayer", {"name": name, "batch_shape": [None, *shapes[ref]]}) for ref, name in known.items()
    )
    calls = tuple(call.redirected(lambda ref: Ref(known.get(ref, f"{ref.layer}/unknown"))) for call in layer.calls[:1])
    try:
        return tuple(describe_graph(replace(graph, layers=(*inputs, replace(layer, calls=calls)))).values())
    except LayerError:
        return None


def _owners(name: str) -> Iterable[str]:
    """`a/b/c` → `a`, `a/b`, `a/b/c`."""
    parts = name.split("/")
    return ("/".join(parts[: k + 1]) for k in range(len(parts)))


def _is_frozen(layer: Layer, spec: TensorSpec) -> bool:
    """Whether a flag on the way to a variable says so; a model's own says nothing."""
    way = layers_around(layer, spec.layer[len(layer.name) + 1 :])
    return any(each.config.get("trainable") is False for each in way if not is_model(each))
