"""Blocks of a network: the stretches in which people freeze and unfreeze it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from transfer.graphs.feature_layers import GLOBAL_POOLINGS
from transfer.graphs.graph import Graph, Layer, Ref
from transfer.graphs.layer_kinds import COMPANIONS
from transfer.graphs.weightless import WEIGHTLESS
from transfer.graphs.wrapping import is_model, is_operation, parse_nested, wrapped_layer

_NORMALIZATIONS = frozenset(f"{kind}Normalization" for kind in ("Batch", "Layer", "Group", "RMS", "Unit"))
_SHAPING = frozenset({"Flatten", "Reshape"})
# How networks name their blocks. The first that fits decides; its group is the block's name.
_NAMED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(block(?:35|17|8)_\d+)(?=_|$)",  # Inception-ResNet: block35_1_conv
        r"(.*?block_?\d+[a-z]?)(?=_|$)",  # block5_conv1, conv5_block3_2_conv, block_15_expand, block7a_project_bn
        r"(expanded_conv(?:_\d+)?)_",  # MobileNet 2 and 3
        r"conv_(?:dw|pw|pad)_(\d+)(?=_|$)",  # MobileNet 1: conv_dw_13 and conv_pw_13
        r"(?:res|bn)(\d[a-z])_branch",  # the ResNet of Keras 2
        r"(pool\d+)_",  # DenseNet's transitions
        r"(.*?(?:transformer|encoder|decoder)_?layer_?\d+)(?=_|$)",
    )
)
# Inception: what ends a block, or its part with automatic names.
_MIXED = re.compile(r"mixed_?\d+[a-z]?|block(?:35|17|8)_\d+_mixed")


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A layer that is no model, somewhere in a graph.

    Attributes:
        path: `outer/inner`.
        layer: itself.
        sources: paths of the layers that feed it, within its model.
    """

    path: str
    layer: Layer
    sources: tuple[str, ...]


def blocks_of(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """Names of the layers of each block, in the order in which the blocks begin; nested models are looked into.

    Where a network names its blocks, as those of keras.applications do, they are taken from the names: `block5_conv1`,
    `conv5_block3_2_conv`, `block_15_expand`, `block7a_project_conv`, `stage_3_block_2_…`, and for Inception all that
    comes before `mixed9`. A layer without such a name in the midst of a block belongs to it (a shortcut). Any other
    layer that holds weights is a block of its own (a stem, a convolution at the end), together with the normalisations
    and activations that follow it. The head is in no block (see `head_of`), nor are layers without weights that belong
    to none by name.
    """
    head = head_of(graph)
    leaves = [leaf for leaf in _leaves(graph) if leaf.path not in head]
    named = _by_names(leaves)
    block_of: dict[str, str] = {}
    blocks: dict[str, list[str]] = {}
    order = [""]
    for leaf in leaves:
        # Of several the one that began last: what is added to it came along a shortcut.
        before = max((block_of.get(source, "") for source in leaf.sources), key=order.index, default="")
        own = named.get(leaf.path, "")
        if not own and _holds_weights(leaf.layer) and leaf.layer.class_name not in _NORMALIZATIONS | COMPANIONS:
            own = leaf.path
        block_of[leaf.path] = own or before
        if own and own not in blocks:
            order.append(own)
        if own or (before and _follows(leaf, blocks[before])):
            blocks.setdefault(own or before, []).append(leaf.path)
    held = {leaf.path for leaf in leaves if _holds_weights(leaf.layer)}
    return tuple(tuple(names) for names in blocks.values() if held.intersection(names))


def head_of(graph: Graph) -> frozenset[str]:
    """Paths of the layers of the head, or heads: for each output the `Dense` that gives it.

    The hidden layers that `attach` put before it belong to it. A `Concatenate` of several `Dense` ends in as many
    heads. Where something else that holds weights stands at the end, a convolution of size 1 say, it is the head if it
    comes after the last global pooling or `Flatten`. A `Dense` that ends a backbone cannot be told from a head.
    """
    found: set[str] = set()
    for output in graph.outputs:
        for part in _joined(graph, output):
            found |= _head_at(graph, part)
    return frozenset(found)


def _joined(graph: Graph, output: Ref) -> list[Ref]:
    """The outputs of `Dense` layers that a `Concatenate` puts side by side; any other output itself."""
    layer = graph.layer(output.layer)
    parts = layer.calls[output.node].sources if layer.class_name == "Concatenate" and layer.calls else []
    return [*parts] if parts and all(graph.layer(ref.layer).class_name == "Dense" for ref in parts) else [output]


def _head_at(graph: Graph, output: Ref) -> set[str]:
    at = output
    while (layer := graph.layer(at.layer)).class_name in COMPANIONS | _SHAPING or is_operation(layer):
        sources = layer.calls[at.node].sources if layer.calls else ()
        if len(sources) != 1:
            return set()
        at = sources[0]
    if is_model(layer):
        inner = parse_nested(layer, ((),))
        place = at.tensor if at.tensor < len(inner.outputs) else 0
        return {f"{layer.name}/{path}" for path in _head_at(inner, inner.outputs[place])}
    if layer.class_name == "Dense":
        made = re.compile(rf"{re.escape(layer.name)}_(hidden|dropout)(_\d+)?")
        return {layer.name, *(name for name in graph.names if made.fullmatch(name))}
    return {layer.name} if _holds_weights(layer) and _comes_after_pooling(graph, at) else set()


def _comes_after_pooling(graph: Graph, at: Ref) -> bool:
    layer = graph.layer(at.layer)
    while layer.calls and len(sources := layer.calls[at.node].sources) == 1:
        at = sources[0]
        layer = graph.layer(at.layer)
        if layer.class_name in GLOBAL_POOLINGS | {"Flatten"}:
            return True
    return False


def _leaves(graph: Graph, prefix: str = "") -> Iterator[_Leaf]:
    for layer in graph:
        path = f"{prefix}{layer.name}"
        inner = _model_in(layer)
        if inner is not None:
            yield from _leaves(inner, f"{path}/" if is_model(layer) else f"{path}/{inner.name}/")
        elif layer.calls:
            sources = dict.fromkeys(f"{prefix}{ref.layer}" for call in layer.calls for ref in call.sources)
            yield _Leaf(path, layer, tuple(sources))


def _model_in(layer: Layer) -> Graph | None:
    """The graph of a model, or of the one that a wrapper holds."""
    if is_model(layer):
        return parse_nested(layer, ((),))
    held = layer.config.get("layer")
    if isinstance(held, dict) and "layers" in held.get("config", ()):
        return parse_nested(wrapped_layer(layer), ((),))
    return None


def _named(path: str) -> str | None:
    """A block's name from a layer's own, or from that of a model around it."""
    *around, own = path.split("/")
    for depth in range(len(around), -1, -1):
        name = [*around, own][depth]
        for pattern in _NAMED:
            if found := pattern.match(name):
                return "/".join([*around[:depth], found[1]])
    return None


def _by_names(leaves: list[_Leaf]) -> dict[str, str]:
    """Blocks by path, as far as names give them: a layer's own, or that it stands between two of one block."""
    found = {leaf.path: block for leaf in leaves if (block := _named(leaf.path))}
    last = {found[leaf.path]: place for place, leaf in enumerate(leaves) if leaf.path in found}
    open_block = ""
    for place, leaf in enumerate(leaves):
        open_block = found.get(leaf.path, open_block)
        if open_block and place < last[open_block]:
            found.setdefault(leaf.path, open_block)
    return {**_mixed(leaves), **found}


def _mixed(leaves: list[_Leaf]) -> dict[str, str]:
    """For layers of an Inception network, the `mixed9` that ends their block: the next one in the graph's order."""
    found: dict[str, str] = {}
    waiting: list[str] = []
    for leaf in leaves:
        waiting.append(leaf.path)
        if _MIXED.fullmatch(leaf.path.rpartition("/")[2]):
            found |= dict.fromkeys(waiting, _named(leaf.path) or leaf.path)
            waiting = []
    return found


def _follows(leaf: _Leaf, block: list[str]) -> bool:
    """Whether a layer goes with a block before it: a normalisation does, an activation right behind its layers."""
    if leaf.layer.class_name in _NORMALIZATIONS:
        return True
    activates = leaf.layer.class_name in COMPANIONS or (is_operation(leaf.layer) and len(leaf.sources) == 1)
    return activates and not set(block).isdisjoint(leaf.sources)


def _holds_weights(layer: Layer) -> bool:
    return layer.class_name not in WEIGHTLESS | {"Normalization"} and not is_operation(layer)
