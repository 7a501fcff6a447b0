"""Single layers of a network put in, taken out, replaced and renamed; tensors stay with the layers that they fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from transfer.errors import LayerError, Problem
from transfer.graphs import editing
from transfer.graphs.graph import Graph, Layer
from transfer.graphs.shapes import infer_shapes
from transfer.graphs.variables import describe_graph
from transfer.specs import TensorSpec
from transfer.surgery.initializing import initial_tensors
from transfer.surgery.network import Chosen, Network
from transfer.weights.cards import Card


@dataclass(frozen=True, slots=True)
class Edited:
    """A network after an edit, and what the edit cost.

    Attributes:
        network: the new one. A tensor that fits no more starts from an initial value; those beside it are kept.
        changed: tensors whose shape differs in the new graph: expected there, and found in the old network.
        dropped: all other tensors that were not kept: of layers that went, or became another class.
    """

    network: Network
    changed: tuple[Problem, ...] = ()
    dropped: tuple[str, ...] = ()


def insert(
    network: Network,
    layer: Layer,
    *,
    after: str | None = None,
    before: str | None = None,
    strict: bool = False,
    seed: int = 0,
) -> Edited:
    """Put a layer on every edge that leaves or enters another one (see `graphs.editing.insert`).

    Args:
        network: left as it is; no tensor is read.
        layer: its name is free, and it has no calls of its own.
        after: the layer whose outputs it takes.
        before: the layer that it feeds.
        strict: refuse what makes a tensor misfit.
        seed: of the initial values of what is new.

    Raises:
        LayerError: if the graph does not allow it, or, under `strict`, a tensor would fit no more.
        ValueError: if not exactly one of `after` and `before` is given.
    """
    graph = editing.insert(network.graph, layer, after=after, before=before)
    done = f"inserted {layer.name} " + (f"after {after}" if after is not None else f"before {before}")
    return _edited(network, graph, done, strict=strict, seed=seed)


def remove(network: Network, name: str, *, strict: bool = False, seed: int = 0) -> Edited:
    """Take a layer out, with its tensors (see `graphs.editing.remove`).

    Args:
        network: left as it is; no tensor is read.
        name: of the layer.
        strict: refuse what makes a tensor of another layer misfit.
        seed: of the initial values of what is new.

    Raises:
        LayerError: if the graph does not allow it, or, under `strict`, a tensor would fit no more.
    """
    return _edited(network, editing.remove(network.graph, name), f"removed {name}", strict=strict, seed=seed)


def replace_layer(network: Network, name: str, layer: Layer, *, strict: bool = False, seed: int = 0) -> Edited:
    """Put another layer in a layer's place (see `graphs.editing.replace_layer`).

    Its tensors stay where the new layer has the same name, the same class and the same shapes.

    Args:
        network: left as it is; no tensor is read.
        name: of the layer that goes.
        layer: its name is free or the same, and it has no calls of its own.
        strict: refuse what makes a tensor misfit.
        seed: of the initial values of what is new.

    Raises:
        LayerError: if the graph does not allow it, or, under `strict`, a tensor would fit no more.
    """
    graph = editing.replace_layer(network.graph, name, layer)
    return _edited(network, graph, f"replaced {name} by {layer.class_name} {layer.name}", strict=strict, seed=seed)


def rename(network: Network, names: Mapping[str, str], *, model: str | None = None) -> Edited:
    """Give layers other names, and their tensors with them (see `graphs.editing.rename`).

    Args:
        network: left as it is; no tensor is read.
        names: old to new, all at once.
        model: a new name for the whole.

    Raises:
        LayerError: if there is no layer of an old name, or a new one is taken or cannot be a layer's.
    """
    graph = editing.rename(network.graph, names, model=model)
    done = [f"{old} to {new}" for old, new in names.items() if old != new]
    done += [] if model is None else [f"the network to {model}"]
    if not done:
        return Edited(network)
    tensors = Chosen(network.tensors, {_renamed(name, names): name for name in network.tensors})
    new = frozenset(names.get(name, name) for name in network.new)
    card = _carded(network.card, f"renamed {', '.join(done)}", keep_classes=True)
    return Edited(Network(graph, tensors, card, new))


def _edited(network: Network, graph: Graph, done: str, *, strict: bool, seed: int) -> Edited:
    """The network with another graph: what still fits is kept, all else is named and made anew."""
    old, wanted = describe_graph(network.graph), describe_graph(graph)
    held = dict.fromkeys(network.tensors)  # asking a lazy mapping for a name may read the tensor
    changed = tuple(
        Problem(name, f"{wanted[name].shape} in the new graph", f"{old[name].shape} before")
        for name in held
        if name in old and name in wanted and wanted[name].shape != old[name].shape
    )
    if strict and changed:
        raise LayerError(
            f"{network.graph.name!r} has tensors that would fit no more.",
            changed,
            next_step="choose a layer that keeps these sizes, or start these layers anew (strict=False)",
        )
    starting = _starting(old, wanted, frozenset(held))
    kept = {name: name for name in wanted if name in held and _stays(name, old, wanted)}
    misfits = {each.where for each in changed}
    dropped = tuple(name for name in held if name not in misfits and name not in kept)
    drawn = initial_tensors(graph, sorted(starting), seed)
    made = {name: drawn[name] for name in drawn if name not in kept}
    started = frozenset(map(_first, starting))
    new = frozenset(graph.names) - frozenset(network.graph.names) | (network.new & {*graph.names})
    # A nested model of which a part is kept is not new as a whole: initial values stand among its tensors.
    new |= started - set(map(_first, kept))
    keep = not started & {ref.layer for ref in graph.outputs} and _ends(graph) == _ends(network.graph)
    card = _carded(network.card, done, keep_classes=keep)
    return Edited(Network(graph, Chosen(network.tensors, kept, made), card, new), changed, dropped)


def _starting(old: Mapping[str, TensorSpec], wanted: Mapping[str, TensorSpec], held: frozenset[str]) -> frozenset[str]:
    """Layers, those inside nested models by their path, that an edit put in, or that cannot keep what they held.

    A tensor that was missing before and still is stays missing: nothing is made up for it.
    """
    return frozenset(
        spec.owner
        for name, spec in wanted.items()
        if name not in old
        or (name in held and (spec.shape, spec.layer_class) != (old[name].shape, old[name].layer_class))
    )


def _stays(name: str, old: Mapping[str, TensorSpec], wanted: Mapping[str, TensorSpec]) -> bool:
    """Whether a tensor has the same place in a layer of the same class, and the same shape."""
    before, after = old.get(name), wanted[name]
    return before is not None and (before.shape, before.layer_class) == (after.shape, after.layer_class)


def _ends(graph: Graph) -> list[object]:
    """The shapes of what a network gives."""
    shapes = infer_shapes(graph)
    return [shapes.get(ref) for ref in graph.outputs]


def _carded(card: Card | None, done: str, *, keep_classes: bool) -> Card | None:
    """The card of the new network; the classes stay where the outputs mean what they meant."""
    if card is None:
        return None
    classes = card.classes if keep_classes else ()
    return replace(card.without_proof(), architecture=None, classes=classes, history=(*card.history, done))


def _first(name: str) -> str:
    return name.split("/", 1)[0]


def _renamed(name: str, names: Mapping[str, str]) -> str:
    first, slash, rest = name.partition("/")
    return f"{names.get(first, first)}{slash}{rest}"
