"""Where activations stand in a graph, and what feeds them and takes what they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from transfer.graphs.activation_entries import function_name
from transfer.graphs.cutting import sources_of
from transfer.graphs.exposing_activations import HOLDERS
from transfer.graphs.feature_layers import PASSIVE
from transfer.graphs.graph import Graph, Layer, Ref
from transfer.graphs.layer_kinds import ATTENTIONS, DROPOUTS
from transfer.graphs.wrapping import RECURRENT, is_model, is_operation
from transfer.specs import Json, snake_case

_AS_LAYERS = {
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "PReLU": "leaky_relu",
    "ELU": "elu",
    "Softmax": "softmax",
}
_AS_OPERATIONS = frozenset(
    {"relu", "relu6", "sigmoid", "tanh", "gelu", "silu", "elu", "selu", "celu", "softplus", "softsign", "leaky_relu"}
    | {"hard_sigmoid", "hard_tanh", "hard_silu", "log_sigmoid", "softmax", "log_softmax", "mish", "sparse_sigmoid"}
)
_NORMALIZING = ("Normalization",)
_HIDING = ATTENTIONS | RECURRENT | {"Bidirectional", "TimeDistributed", "SpectralNormalization", "Lambda"}
_THROUGH = PASSIVE - {"Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax"} | DROPOUTS


@dataclass(frozen=True, slots=True)
class Site:
    """One call of an activation.

    Attributes:
        layer: name of the activation's layer.
        activation: its name in Keras.
        options: `negative_slope` and others, where it has them; the `axis` of a softmax.
        before: the tensor that goes in.
        after: the tensor that comes out.
        weighted: name of the nearest layer with weights on the way to it; None where several ways lead to it, or none.
        is_output: whether the network gives what comes out.
        is_gate: whether it is only multiplied with something else, as in squeeze and excitation.
        is_first: whether the network's input reaches it through one layer with weights and no normalization.
    """

    layer: str
    activation: str
    options: Mapping[str, Json]
    before: Ref
    after: Ref
    weighted: str | None
    is_output: bool
    is_gate: bool
    is_first: bool


@dataclass(frozen=True, slots=True)
class Sites:
    """All activations of a graph.

    Attributes:
        found: in the graph's order.
        hidden: layers that have activations inside which cannot be watched, with their class.
        entry: the tensor that reaches the first layer which learns: the input after its preprocessing.
    """

    found: tuple[Site, ...]
    hidden: tuple[tuple[str, str], ...]
    entry: Ref


def find_sites(graph: Graph) -> Sites:
    """Look for activations in a graph that has one input and whose activations are layers.

    Args:
        graph: as `expose_activations` gives it.
    """
    found: list[Site] = []
    hidden: list[tuple[str, str]] = []
    takers = _takers(graph)
    entry = _entry(graph, takers)
    for layer in graph:
        name = _activation_of(layer)
        if name == "linear":
            continue
        if name is None:
            if _hides(layer):
                hidden.append((layer.name, layer.class_name))
            continue
        for node in range(len(layer.calls)):
            after = Ref(layer.name, node)
            sources = sources_of(graph, after)
            if not name or len(sources) != 1:
                hidden.append((layer.name, f"{layer.class_name} of {str(layer.config.get('activation', ''))[:40]}"))
                continue
            weighted, is_first = _fed_by(graph, sources[0], entry)
            found.append(
                Site(
                    layer.name,
                    "relu6" if name == "relu" and _options(layer).get("max_value") == 6 else name,
                    _options(layer),
                    sources[0],
                    after,
                    weighted,
                    after in graph.outputs,
                    _is_gate(after, takers),
                    is_first,
                )
            )
    return Sites(tuple(found), tuple(dict.fromkeys(hidden)), entry)


def _activation_of(layer: Layer) -> str | None:
    """Its name, empty for a function that is not Keras's; None where the layer is no activation."""
    kind = layer.class_name
    if is_operation(layer):
        name = snake_case(kind)
        return name if name in _AS_OPERATIONS else None
    if kind == "Activation":
        return function_name(layer.config.get("activation"))
    if kind == "Softmax" and isinstance(axis := layer.config.get("axis"), list) and len(axis) != 1:
        return ""  # over several axes together
    return _AS_LAYERS.get(kind)


def _options(layer: Layer) -> Mapping[str, Json]:
    if layer.class_name == "PReLU":
        return {"negative_slope": 1.0}  # it learns its slopes
    if layer.class_name in ("Softmax", "LogSoftmax"):
        axis = layer.config.get("axis", -1)
        return {"axis": axis[0] if isinstance(axis, list) else axis}
    keys = ("negative_slope", "max_value", "threshold", "alpha")
    return {key: layer.config[key] for key in keys if isinstance(layer.config.get(key), int | float)}


def _hides(layer: Layer) -> bool:
    return (
        layer.class_name in _HIDING
        or is_model(layer)
        or (not is_operation(layer) and layer.module.split(".")[0] != "keras")
    )


def _takers(graph: Graph) -> dict[Ref, list[tuple[Layer, int]]]:
    takers: dict[Ref, list[tuple[Layer, int]]] = {}
    for layer in graph:
        for node, call in enumerate(layer.calls):
            for ref in dict.fromkeys(call.sources):
                takers.setdefault(ref, []).append((layer, node))
    return takers


def _entry(graph: Graph, takers: Mapping[Ref, list[tuple[Layer, int]]]) -> Ref:
    """Behind what prepares the input: layers of one way that learn nothing."""
    ref = graph.inputs[0]
    while len(next_ones := takers.get(ref, [])) == 1:
        layer, node = next_ones[0]
        prepares = layer.class_name in _THROUGH or layer.class_name.startswith(("Random", "ZeroPadding", "Cropping"))
        prepares |= is_operation(layer) and layer.class_name in ("Flip", "Cast", "Multiply", "Subtract", "TrueDivide")
        if not prepares or len(dict.fromkeys(layer.calls[node].sources)) != 1:
            break
        ref = Ref(layer.name, node)
    return ref


def _fed_by(graph: Graph, ref: Ref, entry: Ref) -> tuple[str | None, bool]:
    """The nearest layer with weights, and whether what goes into that is the network's input."""
    weighted, normalized = None, False
    while ref != entry:
        layer, sources = graph.layer(ref.layer), sources_of(graph, ref)
        if len(sources) != 1:
            return weighted, False
        if layer.class_name in HOLDERS:
            if weighted is not None:
                return weighted, False
            weighted = layer.name
        elif layer.class_name.endswith(_NORMALIZING):
            normalized = True
        elif layer.class_name not in _THROUGH:
            return weighted, False
        ref = sources[0]
    return weighted, weighted is not None and not normalized


def _is_gate(ref: Ref, takers: Mapping[Ref, list[tuple[Layer, int]]]) -> bool:
    ahead = takers.get(ref, [])
    return bool(ahead) and all(
        layer.class_name == "Multiply"
        or (layer.class_name in ("Reshape", "RepeatVector") and _is_gate(Ref(layer.name, node), takers))
        for layer, node in ahead
    )
