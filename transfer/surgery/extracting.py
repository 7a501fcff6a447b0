"""Taking the layers one needs out of a network, into a new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from transfer.errors import KerasNeededError, LayerError, nearest
from transfer.graphs.attaching import attach
from transfer.graphs.cutting import cut, drop_last
from transfer.graphs.feature_layers import feature_layer
from transfer.graphs.flattening import Flattened, flatten
from transfer.graphs.freezing import freeze, freeze_all, freeze_up_to, unfreeze_last
from transfer.graphs.graph import Graph, Ref
from transfer.graphs.shapes import Shape
from transfer.specs import Extraction
from transfer.surgery.adapting_inputs import adapt_input
from transfer.surgery.initializing import initial_tensors
from transfer.surgery.network import Chosen, Network, Selection

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
    """

    network: Network
    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    opened: tuple[str, ...]
    done: tuple[str, ...]


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
    network, adapted = _adapted(network, how)
    flat = _flat(network.graph, how)
    network, opened = _opened(network, flat, done)
    before = network.graph.names
    graph, patterns = _frozen(_shortened(network.graph, how, flat.names, done), how)
    kept = frozenset(graph.names)
    tensors = Selection(network.tensors, kept)
    if how.heads:
        graph = attach(graph, how.heads, seed=how.seed, shapes=shapes)
        done.append("attached " + ", ".join(f"{head.name}:{head.classes}" for head in how.heads))
    added = [name for name in graph.names if name not in kept]
    if how.unfreeze_last is not None:
        graph = unfreeze_last(graph, how.unfreeze_last, batch_norm=how.batch_norm)  # the heads are no blocks
    if patterns:
        graph = freeze(graph, patterns, batch_norm=how.batch_norm)
    drawn = _drawn(graph, added, how.seed, is_needed=shapes is None)
    card = network.card
    if card is not None and done:
        card = replace(card.without_proof(), architecture=None, history=(*card.history, *done))
        card = replace(card, classes=()) if how.heads or how.at or how.drop_last else card
    new = frozenset(added) | (network.new & kept)
    return ExtractedNetwork(
        Network(graph, Chosen(tensors, {name: name for name in tensors}, drawn), card, new),
        kept=tuple(name for name in graph.names if name in kept),
        dropped=tuple(name for name in before if name not in kept),
        opened=opened,
        done=(*adapted, *done),
    )


def _drawn(graph: Graph, added: list[str], seed: int, *, is_needed: bool) -> dict[str, NDArray[Any]]:
    try:
        return initial_tensors(graph, added, seed)
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


def _flat(graph: Graph, how: Extraction) -> Flattened:
    """The graph with those models opened that a cut leads into, or all."""
    around = [name.rpartition("/")[0] for name in how.at if "/" in name]
    return flatten(graph, None if how.flatten else around)


def _opened(network: Network, flat: Flattened, done: list[str]) -> tuple[Network, tuple[str, ...]]:
    if not flat.opened:
        return network, ()
    done.append(f"opened {', '.join(flat.opened)}")
    names = {flat.rename(name): name for name in network.tensors}
    return replace(network, graph=flat.graph, tensors=Chosen(network.tensors, names)), tuple(flat.opened)


def _shortened(graph: Graph, how: Extraction, names: Mapping[str, str], done: list[str]) -> Graph:
    """The graph up to where it shall end; `names` tells what layers inside opened models are called now."""
    if how.drop_last:
        shorter, dropped = drop_last(graph, how.drop_last)
        done.append(f"dropped {', '.join(dropped)}")
        return shorter
    if not how.at:
        return graph
    if how.at == (FEATURES,) and FEATURES not in graph.names:
        ends = [feature_layer(graph)]
    else:
        ends = [_named(graph, name, names) for name in how.at]
    done.append(f"cut at {', '.join(ends)}")
    return cut(graph, ends)


def _named(graph: Graph, name: str, names: Mapping[str, str]) -> str:
    if name not in names:
        raise LayerError(f"{graph.name!r} has no layer {name!r}.", next_step=f"nearest: {nearest(name, names)}")
    return names[name]


def _frozen(graph: Graph, how: Extraction) -> tuple[Graph, list[str]]:
    """The graph with what is to be fixed of it; and the patterns that are left for when the heads are there."""
    patterns = list(how.freeze)
    if how.freeze_up_to is not None:
        graph = freeze_up_to(graph, how.freeze_up_to, batch_norm=how.batch_norm)
    if BACKBONE in patterns and BACKBONE not in graph.names:
        graph = freeze_all(graph, batch_norm=how.batch_norm)
        patterns = [each for each in patterns if each != BACKBONE]
    return graph, patterns
