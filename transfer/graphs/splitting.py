"""Where training begins: the frozen prefix of a graph, which runs once per example, and the suffix that is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from transfer.errors import LayerError, Problem
from transfer.graphs.attaching import free_name
from transfer.graphs.cutting import keep_needed, needed_calls
from transfer.graphs.fixed_layers import UNKNOWN, why_not_fixed
from transfer.graphs.graph import Graph, Layer, Ref
from transfer.graphs.masks import masked_calls
from transfer.graphs.minimum_cut import farthest_cut
from transfer.graphs.shapes import infer_shapes, shape_of
from transfer.graphs.tensor_types import infer_types, size_of_type
from transfer.graphs.wrapping import Shape

OPEN_SIZE = 64  # what an axis of unknown length counts as when tensors are weighed against each other
FEATURES = "features"


@dataclass(frozen=True, slots=True)
class Split:
    """A graph in two parts; the second applied to what the first gives is the whole.

    Attributes:
        prefix: takes the graph's inputs, all of them, and gives the boundary. Where nothing can be computed before
            training it holds inputs alone, which are its outputs too.
        suffix: takes the boundary, in that order, and gives the graph's outputs. Its new inputs are called `features`,
            then `features_1` and so on; an input of the graph that stands at the boundary keeps its name.
        boundary: tensors of the graph between the two.
    """

    prefix: Graph
    suffix: Graph
    boundary: tuple[Ref, ...]


def split(
    graph: Graph,
    at: str | Sequence[str] | None = None,
    *,
    latest: bool = False,
    stilled: bool = False,
    shapes: Mapping[Ref, Shape] | None = None,
) -> Split:
    """Split a graph where training begins, at the tensors that are cheapest to keep.

    All that is trained, random under training or of a class not known here stands in the suffix, with what follows it.
    Of all such splits the one is chosen whose boundary takes the fewest bytes per example; among equals the latest. An
    open size counts as 64. A tensor whose shape or type is not known here is never at the boundary, nor is one that may
    carry a mask: a mask does not survive being kept. A layer that is called on both sides stands in both parts, each
    time with the calls that are needed there. Nested models stay whole, and are on the prefix's side if all of them
    can be.

    Args:
        graph: what is trained is what its flags say.
        at: names of layers to split at instead, each at its last call. Classes not known here may stand before them.
        latest: put all that can be computed once into the prefix, whatever its boundary takes. Without it a frozen
            layer whose output is larger than what goes in is computed again in every epoch.
        stilled: let frozen dropout and noise stand in the prefix; whoever trains the suffix as a part of the whole has
            to switch them off.
        shapes: of tensors, without the batch axis, where `infer_shapes` has no rule.

    Raises:
        LayerError: if something that is trained or random stands before `at`, if the outputs need more than what is
            named there, or if it cannot be an input of the suffix.
    """
    known = infer_shapes(graph, shapes)
    types = infer_types(graph, known)
    masked = masked_calls(graph)
    inputs = frozenset(layer.name for layer in graph if not layer.calls)
    cuttable = {ref: types[ref] for ref in types if ref in known and (ref.layer, ref.node) not in masked}
    reasons = {layer.name: why_not_fixed(layer, stilled=stilled) for layer in graph}
    if at is None:
        moving = frozenset(name for name, why in reasons.items() if why)
        costs = {ref: _bytes(known[ref], cuttable[ref]) for ref in cuttable}
        boundary = _cheapest(graph, costs, inputs, moving, latest=latest)
    else:
        boundary = _named(graph, [at] if isinstance(at, str) else list(at), reasons)
        _check_usable(
            [ref for ref in boundary if ref.layer not in inputs and ref not in cuttable], graph, known, masked
        )
    features = {ref: (known[ref], types[ref]) for ref in boundary if ref.layer not in inputs}
    return Split(_prefix(graph, boundary), _suffix(graph, boundary, features), boundary)


def _bytes(shape: Shape, dtype: str) -> int:
    return max(1, prod(OPEN_SIZE if size is None else size for size in shape) * size_of_type(dtype))


# The cheapest boundary


def _cheapest(
    graph: Graph, costs: Mapping[Ref, int], inputs: frozenset[str], moving: frozenset[str], *, latest: bool = False
) -> tuple[Ref, ...]:
    """The boundary of the cheapest split: what crosses a minimum cut, where a tensor is paid for once.

    Calls and tensors are the nodes. The way from a call to its tensor has a price; what uses a tensor is reached from
    it for nothing, and a call in the prefix holds all before it there. `latest` puts a price, above that of all
    tensors together, on each call that is left to the suffix.
    """
    calls = needed_calls(graph, graph.outputs, ())
    fallback = dict.fromkeys(graph.inputs, OPEN_SIZE)  # an input of unknown shape can be kept as it came
    dearest = sum(costs.values()) + sum(fallback.values()) + 1
    never = dearest * (len(calls) + 1)
    arcs: list[tuple[object, object, int]] = []
    for node, call in calls.items():
        if node[0] in inputs:
            arcs.append(("start", node, never))
        elif node[0] in moving:
            arcs.append((node, "end", never))
        elif latest:
            arcs.append(("start", node, dearest))
        for ref in call.sources:
            arcs += [(ref, node, never), (node, (ref.layer, ref.node), never)]
    arcs += [(ref, "end", never) for ref in graph.outputs]
    tensors = {ref for call in calls.values() for ref in call.sources} | set(graph.outputs)
    arcs += [((ref.layer, ref.node), ref, costs.get(ref, fallback.get(ref, never))) for ref in tensors]
    behind = farthest_cut(arcs, "start", "end")
    crossing = [ref for ref in tensors if ref in behind and (ref.layer, ref.node) not in behind]
    order = {name: place for place, name in enumerate(graph.names)}
    return tuple(sorted(crossing, key=lambda ref: (order[ref.layer], ref.node, ref.tensor)))


# A boundary that is named


def _named(graph: Graph, names: Sequence[str], reasons: Mapping[str, str]) -> tuple[Ref, ...]:
    if not names:
        raise ValueError("split takes at least one name, or none at all")
    if len(set(names)) < len(names):
        raise ValueError(f"a layer to split at is named twice: {', '.join(names)}")
    used = {ref for layer in graph for call in layer.calls for ref in call.sources} | set(graph.outputs)
    boundary: list[Ref] = []
    for name in names:
        node = max(0, len(graph.layer(name).calls) - 1)
        given = sorted((ref for ref in used if (ref.layer, ref.node) == (name, node)), key=lambda ref: ref.tensor)
        boundary += given or [Ref(name, node)]
    _check_before(graph, boundary, reasons)
    _check_behind(graph, boundary, names)
    return tuple(boundary)


def _check_before(graph: Graph, boundary: Sequence[Ref], reasons: Mapping[str, str]) -> None:
    before = dict.fromkeys(name for name, _ in needed_calls(graph, boundary, ()))
    moving = {name: reasons[name] for name in before if reasons[name] not in ("", UNKNOWN)}
    if moving:
        raise LayerError(
            f"{graph.name!r} is trained before the place at which it is to be split.",
            [Problem(name, "frozen, and the same at each step of training", why) for name, why in moving.items()],
            next_step="split before these layers, or freeze them",
        )


def _check_behind(graph: Graph, boundary: Sequence[Ref], names: Sequence[str]) -> None:
    behind = needed_calls(graph, graph.outputs, boundary)
    reached = {ref for call in behind.values() for ref in call.sources} | set(graph.outputs)
    at = ", ".join(map(repr, names))
    beside = [name for name, _ in behind if not graph.layer(name).calls and Ref(name) not in boundary]
    problems = [Problem(name, f"reaches the outputs through {at} alone", "reaches them beside") for name in beside]
    problems += [
        Problem(ref.layer, "feeds what follows the split", "nothing behind the split takes it")
        for ref in boundary
        if ref not in reached
    ]
    if problems:
        raise LayerError(
            f"{graph.name!r} does not come apart at {at}.",
            problems,
            next_step="name a layer on each way from the inputs to the outputs, and none that another one follows",
        )


def _check_usable(
    refs: Sequence[Ref], graph: Graph, known: Mapping[Ref, Shape], masked: frozenset[tuple[str, int]]
) -> None:
    for ref in refs:
        if ref not in known:
            shape_of(graph, ref)
    if refs:
        found = {ref: "a mask" if (ref.layer, ref.node) in masked else "a type not known here" for ref in refs}
        raise LayerError(
            f"What {refs[0].layer!r} gives cannot be kept between the parts of {graph.name!r}.",
            [Problem(ref.layer, "a tensor of a known type, without a mask", what) for ref, what in found.items()],
            next_step="split at another layer",
        )


# The parts


def _prefix(graph: Graph, boundary: tuple[Ref, ...]) -> Graph:
    part = keep_needed(graph, boundary, {})
    front = tuple(layer for layer in graph if layer.name in {ref.layer for ref in graph.inputs})
    layers = (*front, *(layer for layer in part if layer.calls))
    name = f"{graph.name}_prefix"
    return replace(part, name=name, layers=layers, inputs=graph.inputs, input_keys=graph.input_keys)


def _suffix(graph: Graph, boundary: tuple[Ref, ...], features: Mapping[Ref, tuple[Shape, str]]) -> Graph:
    front: dict[Ref, Layer] = {}
    for ref in boundary:
        front[ref] = _feature(graph, front, *features[ref]) if ref in features else graph.layer(ref.layer)
    part = keep_needed(graph, graph.outputs, {ref: Ref(layer.name) for ref, layer in front.items()})
    layers = (*front.values(), *(layer for layer in part if layer.calls))
    inputs = tuple(Ref(layer.name) for layer in front.values())
    name = f"{graph.name}_suffix"
    return replace(part, name=name, layers=layers, inputs=inputs, input_keys=None, output_keys=graph.output_keys)


def _feature(graph: Graph, front: Mapping[Ref, Layer], shape: Shape, dtype: str) -> Layer:
    """A new input for a tensor of the boundary."""
    name = free_name(replace(graph, layers=(*graph.layers, *front.values())), FEATURES)
    return Layer(name, "InputLayer", {"name": name, "batch_shape": [None, *shape], "dtype": dtype})
