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
    layer's output, that layer has no activation, and the norm is over its channels. The layer keeps its name; a nested
    Sequential model in which something was folded comes out functional.

    Args:
        graph: left as it is.
        force: fold what is not frozen too. The result computes what the graph computes when it is not being trained.
        without: paths of layers that have no tensors, so that there is nothing to compute with.
    """
    work = _Folding("", force, frozenset(without))
    folded = work.fold_in(graph)
    left = [
        Problem(place.name, *work.reasons.get(place.name, ("a layer of a model", "stands inside a wrapper")))
        for place in walk(folded)
        if place.kind == NORM
    ]
    return FoldedGraph(folded, tuple(work.folds), tuple(left))


class _Folding:
    """The work on one graph; that on a model inside it is another one.

    `instead` tells for each batch norm that is gone which tensor stands for its output.
    """

    def __init__(self, prefix: str, force: bool, without: frozenset[str]) -> None:
        self.prefix, self.force, self.without = prefix, force, without
        self.folds: list[Fold] = []
        self.reasons: dict[str, tuple[str, str]] = {}  # by path: what was expected, what was found
        self.instead: dict[str, Ref] = {}

    def fold_in(self, graph: Graph) -> Graph:
        self.layers = {layer.name: layer for layer in graph}
        self.shapes = infer_shapes(graph)
        self.users: dict[str, list[str]] = {"": [ref.layer for ref in graph.outputs]}
        for layer in graph:
            for call in layer.calls:
                for ref in call.sources:
                    self.users.setdefault(ref.layer, []).append(layer.name)
        for layer in graph:
            if is_model(layer):
                self.layers[layer.name] = self._nested(layer)
            elif layer.class_name == NORM:
                self._norm(layer)
        layers = (self.layers[name] for name in graph.names if name not in self.instead)
        return replace(
            graph,
            layers=tuple(
                replace(each, calls=tuple(call.redirected(self._settle) for call in each.calls)) for each in layers
            ),
            outputs=tuple(map(self._settle, graph.outputs)),
        )

    def _settle(self, ref: Ref) -> Ref:
        return self.instead.get(ref.layer, ref)

    def _norm(self, norm: Layer) -> None:
        path = f"{self.prefix}{norm.name}"
        found = self._why_left(norm)
        if found:
            self.reasons[path] = found
            return
        source = self._settle(norm.calls[0].sources[0])
        before = self.layers[source.layer]
        adds_bias = not before.config.get("use_bias", True)
        role, epsilon = KERNELS[before.class_name], float(norm.config.get("epsilon", 1e-3))
        self.folds.append(Fold(f"{self.prefix}{before.name}", before.class_name, role, adds_bias, path, epsilon))
        self.layers[before.name] = before.with_config(use_bias=True)
        self.instead[norm.name] = source

    def _nested(self, layer: Layer) -> Layer:
        """A model inside the graph, with what could be folded in it."""
        path = f"{self.prefix}{layer.name}"
        given = tuple(self.shapes[ref] for ref in layer.calls[0].sources if ref in self.shapes) if layer.calls else ()
        inside = _Folding(f"{path}/", self.force, self.without)
        try:
            if layer.class_name not in MODELS:
                raise LayerError(f"{layer.name!r} is not a functional or Sequential model.")
            folded = inside.fold_in(parse_nested(layer, given))
        except LayerError:
            found = ("a functional or Sequential model around it", f"{layer.class_name} {layer.name!r}")
            self.reasons |= {f"{self.prefix}{place.name}": found for place in walk(Graph("", (layer,), (), ()))}
            return layer
        self.folds += inside.folds
        self.reasons |= inside.reasons
        if not inside.folds:
            return layer
        entry = unparse_graph(folded)
        config = {**entry["config"], "name": layer.name}
        return replace(
            layer, class_name=entry["class_name"], module=entry["module"], registered_name=None, config=config
        )

    def _why_left(self, norm: Layer) -> tuple[str, str] | None:
        """Why a batch norm cannot be folded: what was expected, what was found; None where it can be."""
        if not norm.module.startswith("keras"):
            return "the class of Keras", f"one of {norm.module or 'the caller'}"
        if len(norm.calls) != 1:
            return "one call", f"{len(norm.calls)} calls"
        given = norm.calls[0].sources[0]  # a mask may be given beside it
        source = self._settle(given)
        before = self.layers[source.layer]
        if before.class_name not in KERNELS or not before.module.startswith("keras"):
            return "a convolution or a Dense layer before it", f"{before.class_name} {before.name!r}"
        if found := self._why_shared(norm, given, before):
            return found
        activation = _name_of(before.config.get("activation"))
        if activation != "linear":
            return f"no activation in {before.name!r}", activation
        trained = [each.name for each in (before, norm) if each.config.get("trainable") is not False]
        if trained and not self.force:
            return "frozen layers", f"trained: {', '.join(trained)}"
        empty = [each.name for each in (before, norm) if f"{self.prefix}{each.name}" in self.without]
        if empty:
            return "tensors", f"none for {', '.join(empty)}"
        if not _is_plain(before, norm):
            return "layers of one type, not quantized, without adapters", f"{before.name!r} is of another kind"
        return _why_axis(norm, before, self.shapes.get(source))

    def _why_shared(self, norm: Layer, given: Ref, before: Layer) -> tuple[str, str] | None:
        others = [name for name in self.users[given.layer] if name != norm.name]
        if given.layer in self.users[""]:
            others.append("an output")
        if len(before.calls) != 1:
            others.append(f"{len(before.calls)} calls")
        return (f"nothing else that takes the output of {before.name!r}", ", ".join(others)) if others else None


def _why_axis(norm: Layer, before: Layer, shape: Shape | None) -> tuple[str, str] | None:
    axis = norm.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    channels = 1 if before.config.get("data_format") == "channels_first" and before.class_name != "Dense" else -1
    rank = _rank(before, shape)
    if axis == channels or (rank is not None and isinstance(axis, int) and axis % rank == channels % rank):
        return None
    return f"the axis of channels, {channels}", f"axis {axis}"


def _is_plain(before: Layer, norm: Layer) -> bool:
    types = {compute_type(each.config.get("dtype")) for each in (before, norm)}
    is_quantized = "_from_" in str(before.config.get("dtype"))
    return len(types) == 1 and None not in types and not is_quantized and not before.config.get("lora_rank")


def _rank(layer: Layer, shape: Shape | None) -> int | None:
    """Number of axes of what a layer gives, the batch counted."""
    if layer.class_name == "Dense":
        return None if shape is None else len(shape) + 1
    return next(int(each) for each in layer.class_name if each.isdigit()) + 2


def _name_of(activation: Json) -> str:
    if isinstance(activation, Mapping):
        activation = activation.get("config") if activation.get("class_name") == "function" else "another"
    return str(activation or "linear")
