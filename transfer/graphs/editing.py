"""Single layers put in, taken out, replaced and renamed; all other layers stay as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from transfer.errors import LayerError, Problem, nearest
from transfer.graphs.graph import Call, Graph, Layer, Ref, is_mask
from transfer.specs import is_layer_name


def insert(graph: Graph, layer: Layer, *, after: str | None = None, before: str | None = None) -> Graph:
    """Put a layer on every edge that leaves or enters another one.

    After a layer, whatever took one of its outputs takes what the new layer makes of it, outputs of the model
    included. Before a layer, the new one gets all that goes in but masks. Edges from different tensors are different
    calls: the new layer is shared where the other one is called several times, or takes several tensors.

    Args:
        graph: left as it is.
        layer: its name is free, and it has no calls of its own.
        after: the layer whose outputs it takes.
        before: the layer that it feeds.

    Raises:
        LayerError: if there is no such layer, the name is taken, or there is no such edge.
        ValueError: if not exactly one of `after` and `before` is given.
    """
    if (after is None) == (before is None):
        raise ValueError("give after or before, and not both")
    neighbour = graph.layer(before if after is None else after)  # type: ignore[arg-type]  # one of them is given
    _check_new(graph, layer)
    _check_names(graph, [*graph.names, layer.name])
    if after is not None:
        return _insert_after(graph, neighbour, layer)
    return _insert_before(graph, neighbour, layer)


def _insert_after(graph: Graph, neighbour: Layer, layer: Layer) -> Graph:
    met = {ref for each in graph for call in each.calls for ref in call.sources} | set(graph.outputs)
    taken = sorted((ref for ref in met if ref.layer == neighbour.name), key=lambda ref: (ref.node, ref.tensor))
    if not taken:
        raise LayerError(f"{layer.name!r} cannot stand after {neighbour.name!r}: nothing takes what that gives.")
    made, new = _fed_with(layer, taken)
    changed = _redirected(graph, lambda ref: new.get(ref, ref))
    place = graph.names.index(neighbour.name) + 1
    return replace(changed, layers=(*changed.layers[:place], made, *changed.layers[place:]))


def _insert_before(graph: Graph, neighbour: Layer, layer: Layer) -> Graph:
    taken = list(dict.fromkeys(ref for call in neighbour.calls for ref in call.values))
    if not taken:
        raise LayerError(
            f"{layer.name!r} cannot stand before {neighbour.name!r}: that takes nothing.",
            next_step=f"put it after {neighbour.name!r}",
        )
    made, new = _fed_with(layer, taken)
    fed = replace(neighbour, calls=tuple(_with_values(call, lambda ref: new.get(ref, ref)) for call in neighbour.calls))
    place = graph.names.index(neighbour.name)
    return replace(graph, layers=(*graph.layers[:place], made, fed, *graph.layers[place + 1 :]))


def _fed_with(layer: Layer, taken: list[Ref]) -> tuple[Layer, dict[Ref, Ref]]:
    """The layer called on each of these tensors, and what it makes of each."""
    made = replace(layer, calls=tuple(Call([ref], {}) for ref in taken)).with_config(name=layer.name)
    return made, {ref: Ref(layer.name, node) for node, ref in enumerate(taken)}


def remove(graph: Graph, name: str) -> Graph:
    """Take a layer out: whatever took its output takes what went into it, call by call.

    Raises:
        LayerError: if there is no such layer, it is an input or the only layer, several tensors go into it, or
            something takes an output of it other than the first.
    """
    layer = graph.layer(name)
    if not layer.calls:
        raise LayerError(
            f"{name!r} is an input of {graph.name!r} and cannot be taken out.", next_step="replace it by another input"
        )
    if sum(bool(each.calls) for each in graph) == 1:
        raise LayerError(
            f"{name!r} is the only layer of {graph.name!r} besides its inputs.", next_step="replace it by another one"
        )
    through = dict(enumerate(_only_source(layer, call) for call in layer.calls))
    used = {
        ref: each.name for each in graph if each.name != name for call in each.calls for ref in call.sources
    } | dict.fromkeys(graph.outputs, "the model's output")
    others = [
        Problem(taker, found=f"takes output {ref.tensor} of {name!r}")
        for ref, taker in used.items()
        if ref.layer == name and ref.tensor
    ]
    if others:
        raise LayerError(
            f"{name!r} has several outputs, and one input cannot stand for all of them.",
            others,
            next_step="take out what takes them first",
        )

    def skip(ref: Ref) -> Ref:
        while ref.layer == name:
            ref = through[ref.node]
        return ref

    changed = _redirected(graph, skip)
    return replace(changed, layers=tuple(each for each in changed if each.name != name))


def replace_layer(graph: Graph, name: str, layer: Layer) -> Graph:
    """Put another layer in a layer's place: it is called on the same tensors, and feeds the same layers.

    Args:
        graph: left as it is.
        name: of the layer that goes.
        layer: its name is free or the same, and it has no calls of its own. An input replaces an input.

    Raises:
        LayerError: if there is no such layer, the name is taken, or one of both is an input and the other is not.
    """
    old = graph.layer(name)
    if layer.calls:
        raise _own_calls(layer)
    if (layer.class_name == "InputLayer") != (old.class_name == "InputLayer"):
        raise LayerError(
            f"{layer.class_name} {layer.name!r} cannot take the place of {old.class_name} {name!r}.",
            [Problem(name, "an input for an input, a layer for a layer", layer.class_name)],
        )
    _check_names(graph, [layer.name if each == name else each for each in graph.names])
    new = replace(layer, calls=old.calls).with_config(name=layer.name)
    return _renamed(
        replace(graph, layers=tuple(new if each.name == name else each for each in graph)), {name: layer.name}
    )


def rename(graph: Graph, names: Mapping[str, str], *, model: str | None = None) -> Graph:
    """Give layers other names, all at once: two of them can change places.

    Keys of a dictionary of inputs that are the names of their layers change with them; keys of outputs stay.

    Args:
        graph: left as it is.
        names: old to new.
        model: a new name for the whole.

    Raises:
        LayerError: if there is no layer of an old name, or a new one is taken or cannot be a layer's.
    """
    known = set(graph.names)
    missing = [old for old in names if old not in known]
    if len(missing) == 1:
        graph.layer(missing[0])
    if missing:
        raise LayerError(
            f"{graph.name!r} has no layers of these names.",
            [Problem(old, f"one of {nearest(old, graph.names)}", "no such layer") for old in missing],
        )
    _check_names(graph, [names.get(each, each) for each in graph.names])
    if model is not None:
        _check_name(model)
    named = tuple(_with_name(each, names.get(each.name, each.name)) for each in graph)
    return replace(_renamed(replace(graph, layers=named), names), name=graph.name if model is None else model)


def _only_source(layer: Layer, call: Call) -> Ref:
    """The one tensor that goes into a call; masks do not count."""
    sources = list(dict.fromkeys(call.values))
    if len(sources) != 1:
        raise LayerError(
            f"{layer.name!r} has {len(sources)} inputs, so nothing can stand in its place.",
            [Problem(ref.layer, found=f"goes into {layer.name!r}") for ref in sources],
            next_step="take out all but one of these layers first, or replace it by a layer that takes as many",
        )
    return sources[0]


def _with_values(call: Call, change: Callable[[Ref], Ref]) -> Call:
    changed = call.redirected(change)
    masks = {key: value for key, value in call.kwargs.items() if is_mask(key)}
    return replace(changed, kwargs={**changed.kwargs, **masks})


# Names


def _check_new(graph: Graph, layer: Layer) -> None:
    if layer.calls:
        raise _own_calls(layer)
    if layer.class_name == "InputLayer":
        raise LayerError(
            f"{layer.name!r} is an input: nothing can go into it, so it cannot stand between layers of {graph.name!r}."
        )


def _own_calls(layer: Layer) -> LayerError:
    return LayerError(
        f"{layer.name!r} has inputs of its own, and would take others here.",
        [Problem(layer.name, "no calls", ", ".join(ref.layer for call in layer.calls for ref in call.sources))],
        next_step="give the layer without its calls: dataclasses.replace(layer, calls=())",
    )


def _check_names(graph: Graph, names: list[str]) -> None:
    for name in names:
        if name not in graph.names:
            _check_name(name)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise LayerError(
            f"{graph.name!r} would have several layers of one name.",
            [Problem(name, "a new name", "taken") for name in twice],
            next_step="choose a name that is free",
        )


def _check_name(name: str) -> None:
    if not is_layer_name(name):
        raise LayerError(
            f"{name!r} cannot be a name.", [Problem(repr(name), "letters of ASCII, digits, '_', '.' and '-'", "others")]
        )


def _with_name(layer: Layer, name: str) -> Layer:
    renamed = replace(layer, name=name)
    return renamed.with_config(name=name) if "name" in layer.config else renamed


def _renamed(graph: Graph, names: Mapping[str, str]) -> Graph:
    """The graph with edges and ends that follow layers which have their new names already."""

    def follow(ref: Ref) -> Ref:
        return replace(ref, layer=names.get(ref.layer, ref.layer))

    keys = graph.input_keys
    if keys is not None:
        keys = tuple(
            names.get(key, key) if key == ref.layer else key for key, ref in zip(keys, graph.inputs, strict=True)
        )
    changed = _redirected(graph, follow)
    return replace(changed, inputs=tuple(map(follow, graph.inputs)), input_keys=keys)


def _redirected(graph: Graph, change: Callable[[Ref], Ref]) -> Graph:
    """The graph whose layers take other tensors, and which gives others; its inputs stay."""
    layers = tuple(
        replace(layer, calls=tuple(call.redirected(change) for call in layer.calls)) if layer.calls else layer
        for layer in graph
    )
    return replace(graph, layers=layers, outputs=tuple(map(change, graph.outputs)))
