"""Batch normalization that can be folded into the layer before it, for a network that is run and not trained.

A frozen batch norm computes gamma * (x - mean) / sqrt(variance + epsilon) + beta for each channel: a scale and a shift,
which the kernel and the bias of a convolution or a Dense layer before it can do as well.

Source: Jacob et al. (2018), section 3.2.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from transfer.errors import LayerError, Problem
from transfer.graphs.graph import Graph, Layer, Ref
from transfer.graphs.keras_names import MODELS
from transfer.graphs.shapes import infer_shapes
from transfer.graphs.tensor_types import compute_type
from transfer.graphs.unparsing import unparse_graph
from transfer.graphs.walking import walk
from transfer.graphs.wrapping import Shape, is_model, parse_nested
from transfer.specs import Json

NORM = "BatchNormalization"
_RANKS = (1, 2, 3)
# What can take a batch norm in, with the role of the kernel that is scaled.
KERNELS = {
    "Dense": "kernel",
    **{f"Conv{rank}D": "kernel" for rank in _RANKS},
    **{f"Conv{rank}DTranspose": "kernel" for rank in _RANKS},
    **{f"DepthwiseConv{rank}D": "kernel" for rank in (1, 2)},
    **{f"SeparableConv{rank}D": "pointwise_kernel" for rank in (1, 2)},
}


@dataclass(frozen=True, slots=True)
class Fold:
    """A batch norm and the layer that takes it in, each with the names of the models around it.

    Attributes:
        layer: path of a convolution or a Dense layer.
        kind: its class.
        role: the role of its kernel that is scaled.
        adds_bias: whether it had none before.
        norm: path of the batch norm.
        epsilon: of the batch norm.
    """

    layer: str
    kind: str
    role: str
    adds_bias: bool
    norm: str
    epsilon: float


@dataclass(frozen=True, slots=True)
class FoldedGraph:
    """A graph with fewer batch norms.

    Attributes:
        graph: without those that were folded. What took their output takes that of the layer before.
        folds: in the order in which they are applied: a layer may take in several, one after the other.
        left: batch norms that remain: the path, what would have allowed to fold it, what is there.
    """

    graph: Graph
    folds: tuple[Fold, ...]
    left: tuple[Problem, ...]


def fold(graph: Graph, *, force: bool = False, without: Collection[str] = ()) -> FoldedGraph:
    """Fold batch norms into the layers before them, in nested models as well; what stands in wrappers is left.

    A batch norm is folded where it and the layer before it are frozen, each is called once, nothing else takes the
    layer's output, that layer has no activation, and the norm is over its channels.

    Args:
        graph: left as it is.
        force: fold what is not frozen too. The result computes what the graph computes when it is not being trained.
        without: paths of layers that have no tensors, so that there is nothing to compute with.
    """
    folded, folds, reasons = _fold_in(graph, "", force, frozenset(without))
    left = [
        Problem(place.name, *reasons.get(place.name, ("a layer of a model", "stands inside a wrapper")))
        for place in walk(folded)
        if place.kind == NORM
    ]
    return FoldedGraph(folded, tuple(folds), tuple(left))


Reasons = dict[str, tuple[str, str]]  # by path: what was expected, what was found


def _fold_in(
    graph: Graph, prefix: str, force: bool, without: frozenset[str], shapes: Mapping[Ref, Shape] | None = None
) -> tuple[Graph, list[Fold], Reasons]:
    shapes = infer_shapes(graph) if shapes is None else shapes
    folds: list[Fold] = []
    reasons: Reasons = {}
    for name in graph.names:
        layer = graph.layer(name)
        path = f"{prefix}{name}"
        if is_model(layer):
            changed, inner, why = _fold_nested(layer, path, force, without, shapes)
            graph = replace(graph, layers=tuple(changed if each is layer else each for each in graph))
            folds += inner
            reasons |= why
        elif layer.class_name == NORM:
            found = _why_left(graph, layer, prefix, force, without, shapes)
            if found:
                reasons[path] = found
                continue
            before = graph.layer(_input(layer).layer)
            epsilon = float(layer.config.get("epsilon", 1e-3))
            adds_bias = not before.config.get("use_bias", True)
            role = KERNELS[before.class_name]
            folds.append(Fold(f"{prefix}{before.name}", before.class_name, role, adds_bias, path, epsilon))
            graph = _without(graph, layer, before)
    return graph, folds, reasons


def _fold_nested(
    layer: Layer, path: str, force: bool, without: frozenset[str], shapes: Mapping[Ref, Shape]
) -> tuple[Layer, list[Fold], Reasons]:
    """A model inside the graph; it comes out functional where something was folded in it."""
    given = tuple(shapes[ref] for ref in layer.calls[0].sources if ref in shapes) if layer.calls else ()
    try:
        if layer.class_name not in MODELS:
            raise LayerError("not a model of Keras")
        inner = parse_nested(layer, given)
    except LayerError:
        found = ("a functional or Sequential model around it", f"{layer.class_name} {layer.name!r}")
        norms = [place.name for place in walk(Graph("", (layer,), (), ())) if place.kind == NORM]
        return layer, [], {path + name.removeprefix(layer.name): found for name in norms}
    folded, folds, reasons = _fold_in(inner, f"{path}/", force, without)
    if not folds:
        return layer, folds, reasons
    entry = unparse_graph(folded)
    changed = replace(layer, class_name=entry["class_name"], module=entry["module"], registered_name="Functional")
    return replace(changed, config={**entry["config"], "name": layer.name}), folds, reasons


def _why_left(
    graph: Graph, norm: Layer, prefix: str, force: bool, without: frozenset[str], shapes: Mapping[Ref, Shape]
) -> tuple[str, str] | None:
    """Why a batch norm cannot be folded: what was expected, what was found; None where it can be."""
    if len(norm.calls) != 1:
        return "one call", f"{len(norm.calls)} calls"
    source = _input(norm)
    before = graph.layer(source.layer)
    role = KERNELS.get(before.class_name)
    if role is None or not before.module.startswith("keras"):
        return "a convolution or a Dense layer before it", f"{before.class_name} {before.name!r}"
    users = [each.name for each in graph for call in each.calls for ref in call.sources if ref.layer == before.name]
    ends = [ref.layer for ref in graph.outputs if ref.layer == before.name]
    if len(before.calls) != 1 or len(users) + len(ends) != 1:
        others = [name for name in users if name != norm.name] or ["an output" if ends else "several calls"]
        return f"nothing else that takes the output of {before.name!r}", ", ".join(others)
    activation = _name_of(before.config.get("activation"))
    if activation != "linear":
        return f"no activation in {before.name!r}", activation
    if not force:
        trained = [each.name for each in (before, norm) if each.config.get("trainable") is not False]
        if trained:
            return "frozen layers", f"trained: {', '.join(trained)}"
    empty = [each.name for each in (before, norm) if f"{prefix}{each.name}" in without]
    if empty:
        return "tensors", f"none for {', '.join(empty)}"
    if not _is_plain(before, norm):
        return "layers of one type, not quantized, without adapters", f"{before.name!r} is of another kind"
    rank = _rank(before, shapes.get(source))
    axis = norm.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    channels = 1 if before.config.get("data_format") == "channels_first" and before.class_name != "Dense" else -1
    if axis != channels and (rank is None or not isinstance(axis, int) or axis % rank != channels % rank):
        return f"the axis of channels, {channels}", f"axis {axis}"
    return None


def _without(graph: Graph, norm: Layer, before: Layer) -> Graph:
    """The graph in which a layer stands for itself and the batch norm after it."""
    instead = _input(norm)

    def redirect(ref: Ref) -> Ref:
        return instead if ref.layer == norm.name else ref

    layers = [each.with_config(use_bias=True) if each is before else each for each in graph if each is not norm]
    return replace(
        graph,
        layers=tuple(replace(each, calls=tuple(call.redirected(redirect) for call in each.calls)) for each in layers),
        outputs=tuple(map(redirect, graph.outputs)),
    )


def _name_of(activation: Json) -> str:
    if isinstance(activation, Mapping):
        activation = activation.get("config") if activation.get("class_name") == "function" else "another"
    return str(activation or "linear")


def _is_plain(before: Layer, norm: Layer) -> bool:
    types = {compute_type(each.config.get("dtype")) for each in (before, norm)}
    is_quantized = "_from_" in str(before.config.get("dtype"))
    return len(types) == 1 and None not in types and not is_quantized and not before.config.get("lora_rank")


def _input(norm: Layer) -> Ref:
    """What is normalized; a mask may be given beside it."""
    return norm.calls[0].sources[0]


def _rank(layer: Layer, shape: Shape | None) -> int | None:
    """Number of axes of what a layer gives, the batch counted."""
    if layer.class_name == "Dense":
        return None if shape is None else len(shape) + 1
    return next(int(each) for each in layer.class_name if each.isdigit()) + 2
