"""Taking the layers one needs out of a network, into a new one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from transfer.errors import KerasNeededError, LayerError, nearest
from transfer.graphs.attaching import attach
from transfer.graphs.cutting import cut, drop_last
from transfer.graphs.feature_layers import feature_layer
from transfer.graphs.flattening import Flattened
from transfer.graphs.freezing import fits_path, freeze, freeze_all, freeze_up_to, unfreeze_last
from transfer.graphs.graph import Graph, Ref
from transfer.graphs.shapes import Shape
from transfer.graphs.training_flags import parts_of
from transfer.graphs.walking import walk
from transfer.specs import Extraction
from transfer.surgery.adapting_inputs import adapt_input
from transfer.surgery.initializing import draw_lazily
from transfer.surgery.network import Chosen, Network, Selection
from transfer.surgery.opening_nested import open_nested
from transfer.weights.cards import Card

BACKBONE = "backbone"
FEATURES = "features"


@dataclass(frozen=True, slots=True)
class ExtractedNetwork:
    """A network made from another one.

    Attributes:
        network: the new one; the tensors that are kept are still read when asked for.
        kept: names of the layers taken over, as they are called now.
        dropped: names of the layers left behind.
        opened: names of the nested models that were opened, whose layers stand among the others now.
        done: what was done, step by step.
        notes: what else a reader should know.
    """

    network: Network
    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    opened: tuple[str, ...]
    done: tuple[str, ...]
    notes: tuple[str, ...] = ()


def extract_network(network: Network, how: Extraction, shapes: Mapping[Ref, Shape] | None = None) -> ExtractedNetwork:
    """Cut, freeze and attach heads, on the graph; the tensors that are kept are not read.

    Args:
        network: left as it is.
        how: what to do.
        shapes: of tensors in its graph for which there is no rule, where the caller knows them. With these, initial
            values that cannot be drawn here are left to Keras.

    Raises:
        LayerError: if a name or pattern fits no layer, or the cut is not possible.
    """
    done: list[str] = []
    network, flat = _opened(network, how, done)
    before = network.graph
    network, adapted = _adapted(_shortened(network, how, flat.names, done), how)
    graph = _frozen(network.graph, how, flat.names)
    kept = frozenset(graph.names)
    if how.heads:
        graph = attach(graph, how.heads, seed=how.seed, shapes=shapes)
        done.append("attached " + ", ".join(f"{head.name}:{head.classes}" for head in how.heads))
    added = [name for name in graph.names if name not in kept]
    if how.unfreeze_last is not None:
        graph = unfreeze_last(graph, how.unfreeze_last, batch_norm=how.batch_norm)  # the heads are no blocks
    before_names = {new: old for old, new in flat.names.items() if new in kept}
    patterns = [each for pattern in how.freeze if pattern != BACKBONE for each in _today(graph, pattern, before_names)]
    if patterns:
        graph = freeze(graph, patterns, batch_norm=how.batch_norm)
    drawn = _drawn(graph, added, how.seed, is_needed=shapes is None)
    new = frozenset(added) | (network.new & kept)
    tensors = Chosen(network.tensors, {name: name for name in network.tensors}, drawn)
    card = None if network.card is None else _carded(network.card, how, done)
    return ExtractedNetwork(
        Network(graph, tensors, card, new),
        kept=tuple(name for name in graph.names if name in kept),
        dropped=tuple(name for name in before.names if name not in kept),
        opened=tuple(flat.opened),
        done=(*adapted, *done),
        notes=(*_notes(before, how), *_unpooled(graph, added, how), *_fixed_heads(graph, added)),
    )


def _carded(card: Card, how: Extraction, done: list[str]) -> Card:
    """The card with what was done; classes stay where the outputs are the old ones."""
    if not done:
        return card
    classes = () if how.heads or how.at or how.drop_last else card.classes
    return replace(card.without_proof(), architecture=None, classes=classes, history=(*card.history, *done))


def _notes(graph: Graph, how: Extraction) -> tuple[str, ...]:
    """What a reader may not have meant: a head on the answers of the old classifier."""
    if not how.heads or how.at or how.drop_last or len(graph.outputs) != 1:
        return ()
    end = graph.layer(graph.outputs[0].layer)
    if end.class_name != "Softmax" and end.config.get("activation") not in ("softmax", "sigmoid"):
        return ()
    return (
        f"the heads take the answers of the old classifier, {end.name!r}: --at features (at='features') goes before it",
    )


def _unpooled(graph: Graph, added: list[str], how: Extraction) -> tuple[str, ...]:
    asked = [head.name for head in how.heads if head.pool != "avg"]
    if not asked or any(graph.layer(name).class_name.startswith("Global") for name in added):
        return ()
    return (f"the features have no positions: nothing is pooled for {', '.join(asked)}",)


def _fixed_heads(graph: Graph, added: list[str]) -> tuple[str, ...]:
    fixed = [name for name in added if graph.layer(name).config.get("trainable") is False]
    return (f"new layers that are frozen keep their initial values: {', '.join(fixed)}",) if fixed else ()


def _drawn(graph: Graph, added: list[str], seed: int, *, is_needed: bool) -> Mapping[str, NDArray[Any]]:
    try:
        return draw_lazily(graph, added, seed)
    except KerasNeededError:
        if is_needed:
            raise
        return {}


def _adapted(network: Network, how: Extraction) -> tuple[Network, tuple[str, ...]]:
    """The network for other images; its card says so already."""
    if how.channels is None and how.size is None:
        return network, ()
    done = [f"input of {how.channels} channels"] if how.channels is not None else []
    done += [f"input of {' x '.join(map(str, how.size))}"] if how.size is not None else []
    return adapt_input(network, channels=how.channels, size=how.size), tuple(done)


def _opened(network: Network, how: Extraction, done: list[str]) -> tuple[Network, Flattened]:
    """The network with those models opened that a cut leads into, or all."""
    around = [name.rpartition("/")[0] for name in how.at if "/" in name and name not in network.graph.names]
    opened, flat = open_nested(network, None if how.flatten else around)
    if flat.opened:
        done.append(f"opened {', '.join(flat.opened)}")
    return opened, flat


def _shortened(network: Network, how: Extraction, names: Mapping[str, str], done: list[str]) -> Network:
    """The network up to where it shall end; `names` tells what layers inside opened models are called now."""
    graph = network.graph
    if how.drop_last:
        graph, dropped = drop_last(graph, how.drop_last)
        done.append(f"dropped {', '.join(dropped)}")
    elif how.at:
        said = network.card.features if network.card is not None else ""
        ends = [_end(graph, name, names, said) for name in how.at]
        done.append(f"cut at {', '.join(ends)}")
        graph = cut(graph, ends)
    else:
        return network
    return replace(network, graph=graph, tensors=Selection(network.tensors, frozenset(graph.names)))


def _end(graph: Graph, name: str, names: Mapping[str, str], said: str) -> str:
    """What a layer at which to end is called now; of `features` the one that the card says, if it does."""
    if name == FEATURES and FEATURES not in graph.names:
        return said if said in graph.names else feature_layer(graph)
    return _named(graph, name, names)


def _named(graph: Graph, name: str, names: Mapping[str, str]) -> str:
    """What a layer is called now; names of today will do as well as paths of before."""
    if name in names or name in graph.names:
        return names.get(name, name)
    known = [FEATURES, *names, *(place.name for place in walk(graph) if "/" in place.name)]
    raise LayerError(f"{graph.name!r} has no layer {name!r}.", next_step=f"nearest: {nearest(name, known)}")


def _today(graph: Graph, pattern: str, before: Mapping[str, str]) -> list[str]:
    """A pattern for paths of before as patterns for paths of today: of what was inside opened models, and of the rest.

    Args:
        graph: as it is today.
        pattern: of a path of before, or of today. One that fits an opened model reaches all that was inside.
        before: name of a layer today → its path before models were opened.
    """
    fits = fits_path(pattern)
    today = [part.path for part in parts_of(graph)]
    moved = [path for path in today if (old := _path_before(path, before)) != path and _is_reached(old, fits)]
    rest = [pattern] if not moved or any(map(fits, today)) else []
    return [*(f"re:{re.escape(path)}" for path in moved), *rest]


def _path_before(path: str, before: Mapping[str, str]) -> str:
    outer, slash, inside = path.partition("/")
    return f"{before.get(outer, outer)}{slash}{inside}"


def _is_reached(path: str, fits: Callable[[str], bool]) -> bool:
    """Whether a pattern fits a path, or a model or wrapper around it."""
    parts = path.split("/")
    return any(fits("/".join(parts[:depth])) for depth in range(1, len(parts) + 1))


def _frozen(graph: Graph, how: Extraction, names: Mapping[str, str]) -> Graph:
    """The graph with what is to be fixed of all that is kept."""
    if how.freeze_up_to is not None:
        end = names.get(how.freeze_up_to, how.freeze_up_to)
        graph = freeze_up_to(graph, end, batch_norm=how.batch_norm)
    return freeze_all(graph, batch_norm=how.batch_norm) if BACKBONE in how.freeze else graph
