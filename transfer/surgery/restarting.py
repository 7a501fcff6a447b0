"""A network that was never trained, started otherwise: other weights, other activations, a scaled input."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from transfer.graphs.attaching import free_name
from transfer.graphs.editing import insert
from transfer.graphs.exposing_activations import HOLDERS
from transfer.graphs.graph import Layer, Ref
from transfer.specs import Json
from transfer.surgery.initializing import initial_tensors
from transfer.surgery.network import Chosen, Network

_RECTIFYING = frozenset({"relu", "relu6", "leaky_relu", "elu", "celu", "gelu", "silu", "swish", "hard_silu", "mish"})
_INITIALIZERS = ("kernel_initializer", "depthwise_initializer", "pointwise_initializer")


@dataclass(frozen=True, slots=True)
class Restarted:
    """A network that starts otherwise.

    Attributes:
        network: the new one.
        layers: names of those whose weights were drawn anew.
    """

    network: Network
    layers: tuple[str, ...]


def rescale_input(network: Network, entry: Ref, *, mean: float, std: float) -> Network:
    """Put a layer that computes `(x - mean) / std` behind what prepares the input.

    Args:
        network: left as it is.
        entry: the tensor that reaches the first layer which learns.
        mean: of its values.
        std: of its values, above 0.
    """
    name = free_name(network.graph, "scale_input")
    layer = Layer(name, "Rescaling", {"name": name, "scale": 1 / std, "offset": -mean / std})
    return replace(network, graph=insert(network.graph, layer, after=entry.layer))


def rectify(network: Network, activations: Mapping[str, str | None], *, seed: int = 0) -> Restarted:
    """Let activations be ReLU, and draw the weights before them from `he_normal`.

    Args:
        network: left as it is.
        activations: layers that hold one in their config → the layer whose weights feed it; None where there is none.
        seed: of what is drawn.

    Source: He et al. (2015), section 2.2.
    """
    layers = tuple(each.with_config(activation="relu") if each.name in activations else each for each in network.graph)
    changed = replace(network, graph=replace(network.graph, layers=layers))
    return restart(changed, {fed: "relu" for fed in activations.values() if fed is not None}, seed=seed)


def restart(network: Network, feeding: Mapping[str, str], *, seed: int = 0) -> Restarted:
    """Draw weights from initialisers that keep the variance from layer to layer, where they have others.

    `he_normal` before activations that rectify, `lecun_normal` before SELU, `glorot_uniform` elsewhere.

    Args:
        network: left as it is.
        feeding: layers with weights → the activation that follows, `linear` where none does.
        seed: of what is drawn.

    Source: He et al. (2015), section 2.2; Klambauer et al. (2017), section 2; Glorot & Bengio (2010), section 4.2.1.
    """
    layers = tuple(_started(each, feeding[each.name]) if each.name in feeding else each for each in network.graph)
    graph = replace(network.graph, layers=layers)
    anew = tuple(new.name for new, old in zip(graph, network.graph, strict=True) if _drawn(new) != _drawn(old))
    values = initial_tensors(graph, anew, seed) if anew else {}
    drawn = {name: values[name] for name in values if name in network.tensors}
    kept = {name: name for name in network.tensors if name not in drawn}
    return Restarted(replace(network, graph=graph, tensors=Chosen(network.tensors, kept, drawn)), anew)


def weighted_layers(network: Network) -> Collection[str]:
    """Names of the layers that `restart` knows how to start."""
    return tuple(each.name for each in network.graph if each.class_name in HOLDERS)


def _started(layer: Layer, activation: str) -> Layer:
    name = "HeNormal" if activation in _RECTIFYING else "LecunNormal" if activation == "selu" else "GlorotUniform"
    if set(_drawn(layer)) == {name}:
        return layer
    entry = {"module": "keras.initializers", "class_name": name, "config": {"seed": None}, "registered_name": None}
    return layer.with_config(**{key: entry for key in _INITIALIZERS if key in layer.config})


def _drawn(layer: Layer) -> tuple[str, ...]:
    """Classes of what a layer's weights are drawn from."""
    return tuple(_class_of(layer.config[key]) for key in _INITIALIZERS if key in layer.config)


def _class_of(entry: Json) -> str:
    name = entry.get("class_name", "") if isinstance(entry, Mapping) else str(entry)
    return str(name).title().replace("_", "") if str(name).islower() else str(name)
