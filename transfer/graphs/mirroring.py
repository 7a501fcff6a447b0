"""The way back from a code to what an encoder takes: the steps of a decoder that mirrors it.

A decoder passes the shapes that the encoder has on its main path, from the last to the first. Only what changes the
shape counts: one convolution for each size of a map, with the fewest channels that the encoder has there, and one
Dense for each number of units. So the decoder of a deep network stays shallow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from transfer.graphs.graph import Graph, Ref
from transfer.graphs.main_paths import POOLINGS, RESHAPING, kind_of, learns, main_path
from transfer.graphs.mirror_steps import Step, factor_between, step_between
from transfer.graphs.shapes import infer_shapes
from transfer.graphs.variables import describe_graph
from transfer.graphs.wrapping import Shape, is_operation

Sizes = tuple[int, ...]

_SLACK = 1.05  # biases and normalizations of an exact mirror may exceed those of the encoder
_NARROWEST = 8  # channels or units that are halved no further
_UNFOLDED = (64, 16, 4)  # most positions of the map that a Dense makes; fewer where it would cost too much
_LARGEST_FACTOR = 3  # by which a map grows in one step
_MAP_RANKS = (2, 3, 4)  # of shapes that convolutions take


@dataclass(frozen=True, slots=True)
class _Stop:
    """A shape that the decoder passes.

    Attributes:
        shape: without the batch axis.
        exact: whether it has to be just this, because the way from the input there holds nothing that learns.
        reshaped: whether the shape before is another arrangement of the same values.
    """

    shape: Sizes
    exact: bool = False
    reshaped: bool = False


def mirror(graph: Graph, *, code: int, most: float | None = None) -> tuple[Step, ...]:
    """Steps that lead from a code vector to an input of the graph.

    Channels and units are halved where the decoder would have too many parameters, as behind a global pooling of many
    channels; but none below 8, and no shape to fewer values than the code has. The decoder of a very small encoder, or
    of a long code, may hold more after all.

    Args:
        graph: an encoder with one input of known sizes and one output; nested models opened.
        code: length of the vector, at least 1. An encoder that gives vectors of this length gives the code itself.
        most: parameters that the steps may hold; as many as the encoder, and a twentieth, unless told.

    Raises:
        LayerError: if the graph has no main path (`main_path`); layers that cannot be turned round are named.
        ValueError: if the code is empty.
    """
    if code < 1:
        raise ValueError(f"a code has at least one value, not {code}")
    shapes = infer_shapes(graph)
    stops = list(_rising([wide for each in _stops(graph, shapes) if (wide := _widened(each, code))]))
    if stops[0] == _Stop((code,)):
        stops = stops[1:]
    if most is None:
        most = _SLACK * sum(prod(spec.shape) for spec in describe_graph(graph).values())
    ways = [_fitted(_bridged(code, stops, unfolded), code, most) for unfolded in _UNFOLDED]
    fitting = [each for each in ways if _count(each, code) <= most]
    return _steps(fitting[0] if fitting else min(ways, key=lambda each: _count(each, code)), code)


def _stops(graph: Graph, shapes: Mapping[Ref, Shape]) -> Iterator[_Stop]:
    """Shapes from the output back to the input, of layers that learn or pool; and of all reshaping near the input."""
    path = main_path(graph, shapes)
    learning = [place for place, ref in enumerate(path) if learns(graph.layer(ref.layer))]
    first = learning[-1] if learning else -1
    for place, ref in enumerate(path):
        layer, shape = graph.layer(ref.layer), _known(shapes[ref])
        pooled = not is_operation(layer) and kind_of(layer) in POOLINGS
        if place <= first and (learns(layer) or (pooled and prod(shape[:-1]) > 1)):
            yield _Stop(shape if prod(shape[:-1]) > 1 else (prod(shape),))  # a map of one position is a vector
        elif place > first and kind_of(layer) in RESHAPING and not is_operation(layer):
            yield _Stop(shape, exact=True)
            yield _Stop(_known(shapes[path[place + 1]]), exact=True, reshaped=True)
    yield _Stop(_known(shapes[path[-1]]), exact=True)


def _widened(stop: _Stop, code: int) -> _Stop | None:
    """The stop with at least as many values as the code has; None for a vector that has fewer.

    Branches that are concatenated are narrower than what they bring together.
    """
    if stop.exact or prod(stop.shape) >= code:
        return stop
    return _Stop((*_sizes(stop), -(-code // prod(_sizes(stop))))) if len(stop.shape) > 1 else None


def _rising(stops: Sequence[_Stop]) -> Iterator[_Stop]:
    """Stops whose maps never shrink on the way to the input, each size once and with its fewest channels."""
    rising = [each for place, each in enumerate(stops) if each.exact or _fits_below(each, stops[place + 1 :])]
    kept: list[_Stop] = []
    for each in rising:
        last = kept[-1] if kept else None
        if last is not None and last.shape == each.shape and (not each.reshaped) and last.exact >= each.exact:
            continue
        if last is not None and not (last.exact or each.exact) and _is_map(each) and _sizes(last) == _sizes(each):
            kept[-1] = replace(last, shape=(*_sizes(last), min(last.shape[-1], each.shape[-1])))
        else:
            kept.append(each)
    yield from kept


def _fits_below(stop: _Stop, others: Sequence[_Stop]) -> bool:
    """Whether no map nearer the input is smaller along an axis."""
    maps = [each for each in others if _is_map(each) and len(each.shape) == len(stop.shape)]
    return not _is_map(stop) or all(
        own <= other for each in maps for own, other in zip(_sizes(stop), _sizes(each), strict=True)
    )


def _bridged(code: int, stops: Sequence[_Stop], unfolded: int) -> list[_Stop]:
    """The stops with others between them where a map would grow too much at once."""
    found: list[_Stop] = []
    before: Sizes = (code,)
    for each in stops:
        if _is_map(each) and not each.reshaped:
            found += _unfolding(each, code, unfolded) if _unfolds(before, each) else _growing(before, each)
        found.append(each)
        before = each.shape
    return found


def _unfolds(before: Sizes, stop: _Stop) -> bool:
    """Whether a Dense makes a map: what stands before has no positions, or those of another rank."""
    return len(before) != len(stop.shape) or prod(before[:-1]) == 1


def _unfolding(stop: _Stop, code: int, most: int) -> list[_Stop]:
    """Smaller maps to begin with, in place of one of very many positions; none of fewer values than the code."""
    if stop.exact:  # the input of an encoder without maps: its mirror has none either
        return []
    found = [stop]
    while prod(sizes := _sizes(found[-1])) > most:
        smaller = (*(-(-size // 2) for size in sizes), stop.shape[-1])
        if prod(smaller) < code:
            break
        found.append(_Stop(smaller))
    return found[:0:-1]


def _growing(before: Sizes, stop: _Stop) -> list[_Stop]:
    """Maps between two, of which one is far more than three times as large as the other along an axis."""
    sizes, found = _sizes(stop), list[_Stop]()
    channels = min(before[-1], max(_NARROWEST, before[-1] // 2)) if stop.exact else stop.shape[-1]
    while any(factor_between(own, size) > _LARGEST_FACTOR for own, size in zip(before[:-1], sizes, strict=True)):
        sizes = tuple(max(own, -(-size // 2)) for size, own in zip(sizes, before[:-1], strict=True))
        found.append(_Stop((*sizes, channels)))
    return found[::-1]


def _steps(stops: Sequence[_Stop], code: int) -> tuple[Step, ...]:
    """From stop to stop; the last step that holds a kernel is linear."""
    last = max(place for place, each in enumerate(stops) if not each.reshaped)
    befores = [(code,), *(each.shape for each in stops)]
    return tuple(
        step_between(before, each.shape, linear=place == last, reshaped=each.reshaped)
        for place, (before, each) in enumerate(zip(befores, stops, strict=False))
    )


def _fitted(stops: list[_Stop], code: int, most: float) -> list[_Stop]:
    """The stops with widths halved, always the one that saves the most, until few enough parameters are left."""
    while (now := _count(stops, code)) > most:
        smaller = [found for place in range(len(stops)) if (found := _halved(stops, place, code))]
        best = min(smaller, key=lambda found: _count(found, code), default=stops)
        if _count(best, code) >= now:
            break
        stops = best
    return stops


def _halved(stops: list[_Stop], place: int, code: int) -> list[_Stop] | None:
    stop = stops[place]
    shape = (*stop.shape[:-1], -(-stop.shape[-1] // 2))
    if stop.exact or stop.shape[-1] <= _NARROWEST or prod(shape) < code:
        return None
    return [*stops[:place], replace(stop, shape=shape), *stops[place + 1 :]]


def _count(stops: Sequence[_Stop], code: int) -> int:
    return sum(step.parameters for step in _steps(stops, code))


def _is_map(stop: _Stop) -> bool:
    return len(stop.shape) in _MAP_RANKS


def _sizes(stop: _Stop) -> Sizes:
    return stop.shape[:-1]


def _known(shape: Shape) -> Sizes:
    return tuple(int(size or 0) for size in shape)  # sizes are known: `main_path` refuses others
