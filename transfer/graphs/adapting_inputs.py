"""Another input for a network: other channels, another size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod

from transfer.errors import LayerError, Problem
from transfer.graphs.graph import Graph, Layer, Ref
from transfer.graphs.input_channels import find_front
from transfer.graphs.layer_kinds import COMPANIONS
from transfer.graphs.shapes import Shape, infer_shapes, shape_of
from transfer.graphs.variables import describe_graph
from transfer.graphs.walking import walk
from transfer.graphs.wrapping import is_model, parse_nested, read_inner, wrapped_layer
from transfer.specs import Json

Shapes = Mapping[Ref, Shape]


def adapt_input(graph: Graph, *, channels: int | None = None, size: Sequence[int] | None = None) -> Graph:
    """The same layers for images of other channels, or of another size.

    Of its variables only the kernels that take the channels change their shapes (see `first_kernels`). Options stay: a
    padding that a builder chose for one size (MobileNet, NASNet) is kept for the other.

    Args:
        graph: with one input of shape (h, w, c), or other numbers of axes before the channels.
        channels: how many; None to leave them.
        size: (h, w), or as many numbers as the input has axes beside its channels; None to leave it.

    Raises:
        LayerError: if the graph has several inputs or one without channels, or the rest of it does not take the new
            one; each layer that does not is named.
    """
    if channels is None and size is None:
        raise ValueError("adapt_input takes channels, a size, or both")
    if any(each < 1 for each in (*(size or ()), *(() if channels is None else (channels,)))):
        raise ValueError(f"channels and sizes are at least 1: {channels}, {size}")
    old = _image_shape(graph)
    new = _new_shape(graph, old, channels, size)
    if new == old:
        return graph
    changed = _with_inputs(graph, {graph.inputs[0]: new})
    front = find_front(graph)
    count = old[_channel_axis(graph)]
    if channels not in (None, count):
        problems = list(front.problems)
        if not front.raw.isdisjoint(graph.outputs):
            problems.append(Problem(graph.outputs[0].layer, "something made of the image", "the image itself"))
        if problems:
            raise _refused(graph, old, new, problems, f"leave the {count} channels: a grey image goes into all of them")
    problems = _misfits(graph, changed) or list(_changed_variables(graph, changed, set(front.kernels)))
    if problems:
        raise _refused(
            graph,
            old,
            new,
            problems,
            "another size, or cut before these layers with --at (at=…): global pooling takes any",
        )
    return changed


def _refused(graph: Graph, old: Shape, new: Shape, problems: list[Problem], next_step: str) -> LayerError:
    summary = f"{graph.name!r} does not take an input of {_written(new)} instead of {_written(old)}."
    return LayerError(summary, problems, next_step=next_step)


def first_kernels(graph: Graph) -> tuple[str, ...]:
    """Names of the kernels whose last axis but one are the channels of the graph's one input."""
    return tuple(find_front(graph).kernels)


def input_channels(graph: Graph) -> int | None:
    """Channels of the graph's one input; None where their number is open.

    Raises:
        LayerError: if it has several inputs, or one without channels.
    """
    return _image_shape(graph)[_channel_axis(graph)]


def _image_shape(graph: Graph) -> Shape:
    if len(graph.inputs) != 1:
        raise LayerError(
            f"{graph.name!r} has {len(graph.inputs)} inputs; only one can be adapted.",
            [Problem(ref.layer, found="an input") for ref in graph.inputs],
        )
    shape = shape_of(graph, graph.inputs[0])
    if len(shape) < 2:
        raise LayerError(
            f"{graph.name!r} takes no images.",
            [Problem(graph.inputs[0].layer, "(h, w, c), or other axes before the channels", _written(shape))],
        )
    return shape


def _channel_axis(graph: Graph) -> int:
    """0 where a layer says `channels_first`, else -1."""
    return 0 if any(place.config.get("data_format") == "channels_first" for place in walk(graph)) else -1


def _new_shape(graph: Graph, old: Shape, channels: int | None, size: Sequence[int] | None) -> Shape:
    axis = _channel_axis(graph)
    sizes = old[1:] if axis == 0 else old[:-1]
    if size is not None and len(size) != len(sizes):
        raise LayerError(
            f"{graph.name!r} takes a size of {len(sizes)} numbers.",
            [Problem(graph.inputs[0].layer, _written(sizes), _written(tuple(size)))],
        )
    positions = sizes if size is None else tuple(size)
    count = old[axis] if channels is None else channels
    return (count, *positions) if axis == 0 else (*positions, count)


def _with_inputs(graph: Graph, new: Shapes) -> Graph:
    """The graph with other shapes of its inputs, and nested models with what reaches them then."""
    names = {ref.layer: shape for ref, shape in new.items()}
    before = infer_shapes(graph)
    layers = [
        layer.with_config(batch_shape=[layer.config["batch_shape"][0], *names[layer.name]])
        if layer.name in names
        else layer
        for layer in graph
    ]
    after = infer_shapes(replace(graph, layers=tuple(layers)))
    return replace(graph, layers=tuple(_with_shapes(layer, before, after) for layer in layers))


def _with_shapes(layer: Layer, before: Shapes, after: Shapes) -> Layer:
    """A nested model, or a wrapper around one, for what goes in at its first call."""
    sources = layer.calls[0].sources if layer.calls else ()
    if all(before.get(ref) == after.get(ref) for ref in sources) or not all(ref in after for ref in sources):
        return layer
    shapes = tuple(after[ref] for ref in sources)
    if is_model(layer):
        return replace(layer, config=_model_config(layer, shapes))
    if layer.class_name == "TimeDistributed" and is_model(inner := wrapped_layer(layer)):
        config = _model_config(inner, tuple(shape[1:] for shape in shapes))
        return layer.with_config(layer={**layer.config["layer"], "config": config})
    return layer


def _model_config(layer: Layer, shapes: tuple[Shape, ...]) -> Mapping[str, Json]:
    """The config of a model with other inputs; sizes that it leaves open stay open."""
    config = layer.config
    graph = parse_nested(layer, shapes)
    if len(graph.inputs) != len(shapes):
        return config
    named = {
        ref.layer: tuple(None if own is None else given for own, given in zip(old, shape, strict=True))
        for ref, shape in zip(graph.inputs, shapes, strict=True)
        if len(old := shape_of(graph, ref)) == len(shape)
    }
    inside = {each.name: each for each in _with_inputs(graph, {Ref(name): shape for name, shape in named.items()})}
    entries = [
        {**entry, "config": inside[read_inner(entry).name].config} if read_inner(entry).name in inside else entry
        for entry in config["layers"]
    ]
    changed = {**config, "layers": entries}
    if config.get("build_input_shape") and len(named) == 1:
        changed["build_input_shape"] = [config["build_input_shape"][0], *next(iter(named.values()))]
    return changed


def _misfits(old: Graph, new: Graph, prefix: str = "") -> list[Problem]:
    """The first layers whose inputs no longer fit it or each other."""
    before, after = infer_shapes(old), infer_shapes(new)
    found: list[Problem] = []
    for was, layer in zip(old, new, strict=True):
        for node, call in enumerate(layer.calls):
            if not all(ref in before and ref in after for ref in call.sources):
                continue
            given = [[shapes[ref] for ref in call.sources] for shapes in (before, after)]
            if given[0] == given[1]:
                continue
            made = [shapes.get(Ref(layer.name, node)) for shapes in (before, after)]
            problem = _misfit(layer, given, made)
            if problem:
                found.append(Problem(f"{prefix}{layer.name}", *problem))
            elif is_model(layer):
                graphs = [parse_nested(each, tuple(g)) for each, g in zip((was, layer), given, strict=True)]
                found += _misfits(graphs[0], graphs[1], f"{prefix}{layer.name}/")
        if found:  # what comes after follows from it
            break
    return found


def _misfit(layer: Layer, given: list[list[Shape]], made: list[Shape | None]) -> tuple[str, str] | None:
    """What a layer expects and finds, where it cannot do with the new input; each list has the old and the new."""
    old, new = made
    if old is not None and new is None:
        return f"an input like {_written(given[0][0])}", f"{_written(given[1][0])}, for which it gives no shape"
    if new is not None and any(size is not None and size < 1 for size in new):
        return "an output of at least 1 along each axis", f"{_written(new)} of {_written(given[1][0])}"
    if layer.class_name == "Reshape" and old is not None and new is not None:
        counts = [_count(each) for each in (given[0][0], old, given[1][0], new)]
        if None not in counts and counts[0] == counts[1] and counts[2] != counts[3]:
            return f"{counts[3]} values for the shape {_written(new)}", f"{counts[2]} of {_written(given[1][0])}"
    if len({len(shape) for shape in given[1]}) == 1:
        for axis in range(len(given[1][0])):
            sizes = [{shape[axis] for shape in shapes} for shapes in given]
            if len(sizes[0]) == 1 and len(sizes[1]) > 1:
                return "inputs of equal sizes", " and ".join(map(_written, given[1]))
    return None


def _changed_variables(old: Graph, new: Graph, allowed: set[str]) -> Iterator[Problem]:
    before, after = describe_graph(old), describe_graph(new)
    for name, spec in before.items():
        if name not in allowed and after[name].shape != spec.shape:
            behind = _flattening_before(old, spec.owner)
            yield Problem(
                name,
                f"{spec.shape}, as it was trained",
                f"{after[name].shape} for the new input{f', behind {behind}' if behind else ''}",
            )


def _flattening_before(graph: Graph, path: str) -> str:
    """What layer put positions into one vector before another one, which holds weights for each; empty for none."""
    first, _, rest = path.partition("/")
    layer = graph.layer(first)
    if rest and is_model(layer):
        return _flattening_before(parse_nested(layer, ((),)), rest)
    while layer.calls and len(sources := layer.calls[0].sources) == 1:
        layer = graph.layer(sources[0].layer)
        if layer.class_name in ("Flatten", "Reshape"):
            return f"{layer.class_name} {layer.name!r}"
        if layer.class_name not in COMPANIONS:
            break
    return ""


def _count(shape: Shape) -> int | None:
    known = [size for size in shape if size is not None]
    return prod(known) if len(known) == len(shape) else None


def _written(shape: Shape) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"
