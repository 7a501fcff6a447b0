"""Nested models opened up: their layers become layers of the graph around them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from transfer.errors import LayerError, Problem, nearest
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.joints import is_joint, settle_joints
from transfer.graphs.keras_names import LAYERS, MODELS
from transfer.graphs.layer_kinds import TRAINED_OTHERWISE
from transfer.graphs.plain_names import unused_name
from transfer.graphs.several_outputs import count_outputs
from transfer.graphs.shapes import infer_shapes
from transfer.graphs.wrapping import Shape, is_model, is_operation, parse_nested
from transfer.specs import Json

MOST_CALLS = 100_000  # of layers, once models are open
_ARGUMENTS = ("inputs", "training", "mask")  # of a model's call


@dataclass(frozen=True, slots=True)
class Flattened:
    """A graph whose nested models have been opened.

    Attributes:
        graph: the layers of the opened models stand among the others.
        names: where each of its layers stood, `backbone/conv1` → what it is called now. Layers that stood outside keep
            their names and are listed too.
    """

    graph: Graph
    names: Mapping[str, str]

    @property
    def opened(self) -> tuple[str, ...]:
        """Paths of the models that were opened, outer ones before those inside."""
        around = [path.split("/")[:-1] for path in self.names]
        return tuple(dict.fromkeys("/".join(each[:depth]) for each in around for depth in range(1, len(each) + 1)))

    @property
    def paths(self) -> dict[str, str]:
        """What each layer is called now → where it stood."""
        return {name: path for path, name in self.names.items()}

    def rename(self, tensor: str) -> str:
        """`backbone/conv1/kernel` → `conv1/kernel`.

        Raises:
            LayerError: if the tensor belongs to no layer of the graph; the nearest three are offered.
        """
        parts = tensor.split("/")
        for count in range(len(parts) - 1, 0, -1):
            path = "/".join(parts[:count])
            if path in self.names:
                return "/".join([self.names[path], *parts[count:]])
        raise LayerError(
            f"{tensor!r} belongs to no layer of {self.graph.name!r}.",
            next_step=f"nearest layers: {nearest(tensor, self.names)}",
        )


def flatten(graph: Graph, paths: Iterable[str] | None = None) -> Flattened:
    """Open nested models: the graph computes the same, and each of their layers can be cut at, frozen, replaced.

    A layer keeps its name where no other layer has it; else the name of its model goes in front (`backbone_conv1`), and
    a number behind where that is taken as well. Each layer keeps its own `trainable` flag, whatever its model says. The
    inputs of an opened model vanish; one that casts what it gets stays as that cast. A model that is called several
    times leaves layers that are called as often.

    `training=False`, or `True`, in the call of a model goes into the calls of those of its layers that do something
    else in training (batch normalization, dropout, noise, augmentation, recurrent layers, attention), in place of what
    they say themselves: so Keras does. A mask in the call of a model is left out where its input brings it along.
    Layers behind an output that nothing takes lead nowhere afterwards; Keras leaves them out of what it builds.

    Args:
        graph: left as it is.
        paths: names of the models to open, `backbone` or `outer/backbone`; opening an inner one opens those around it.
            None for all that are functional or Sequential. Models inside wrappers and models of a class of one's own
            are layers like others.

    Raises:
        LayerError: if a path names no such model, or a call of a model cannot be told in terms of its layers.
    """
    chosen = dict(_openable(graph, "") if paths is None else _named(graph, paths))
    _check_size(graph, chosen)
    spread = settle_joints(_spread(graph, "", chosen))
    names = _new_names(spread)
    return Flattened(_renamed(spread, names), names)


def _openable(graph: Graph, prefix: str) -> Iterator[tuple[str, Graph]]:
    """Path and graph of each model that can be opened."""
    for layer in graph:
        if _is_plain_model(layer):
            inner = _inside(graph, layer)
            yield f"{prefix}{layer.name}", inner
            yield from _openable(inner, f"{prefix}{layer.name}/")


def _named(graph: Graph, paths: Iterable[str]) -> Iterator[tuple[str, Graph]]:
    """The paths, with those of the models around them, and the graphs there."""
    for path in [paths] if isinstance(paths, str) else paths:
        around, prefix = graph, ""
        for name in path.split("/"):
            layer = around.layer(name)
            if not _is_plain_model(layer):
                raise LayerError(
                    f"{prefix}{name} is no model that can be opened.",
                    [Problem(f"{prefix}{name}", "a functional or Sequential model", layer.class_name)],
                    next_step="leave it as the one layer that it is",
                )
            around = _inside(around, layer)
            yield f"{prefix}{name}", around
            prefix = f"{prefix}{name}/"


def _check_size(graph: Graph, chosen: Mapping[str, Graph]) -> None:
    """Models that call each other multiply: a page of config may stand for more calls than any memory holds."""
    count = _count_calls(graph, "", chosen)
    if count > MOST_CALLS:
        raise LayerError(
            f"{graph.name!r} calls its nested models too often to be opened.",
            [Problem(graph.name, f"at most {MOST_CALLS} calls of layers", f"{float(count):.3g}")],
            next_step="leave models closed: name the others with paths=…",
        )


def _count_calls(graph: Graph, prefix: str, chosen: Mapping[str, Graph]) -> int:
    """How many calls of layers the graph has once the chosen models are open."""
    count = 0
    for layer in graph:
        path = f"{prefix}{layer.name}"
        each = _count_calls(chosen[path], f"{path}/", chosen) if path in chosen and layer.calls else 1
        count += max(1, len(layer.calls)) * each
    return count


def _is_plain_model(layer: Layer) -> bool:
    """A model whose class may have code of its own is not its layers alone."""
    return is_model(layer) and layer.class_name in MODELS


def _inside(graph: Graph, layer: Layer) -> Graph:
    """A model's own graph, its outputs in the order in which Keras numbers them."""
    inner = parse_nested(layer, ((),))
    if layer.class_name == "Sequential":
        count = count_outputs(graph, layer)
        return replace(inner, outputs=tuple(replace(inner.outputs[0], tensor=place) for place in range(count)))
    return inner


def _spread(graph: Graph, prefix: str, chosen: Mapping[str, Graph]) -> Graph:
    """The graph with the layers of the chosen models in their places, and each layer named by its path.

    Inputs of opened models become joints: they stay, and are called on what their model was called on.
    """
    opened = {
        layer.name: _Opened(_spread(chosen[f"{prefix}{layer.name}"], f"{prefix}{layer.name}/", chosen))
        for layer in graph
        if f"{prefix}{layer.name}" in chosen
    }
    shapes = infer_shapes(graph) if opened else {}

    def outside(ref: Ref) -> Ref:
        if ref.layer not in opened:
            return replace(ref, layer=f"{prefix}{ref.layer}")
        inner = opened[ref.layer]
        return inner.repeated(inner.graph.outputs[ref.tensor], ref.node)

    layers: list[Layer] = []
    for layer in graph:
        calls = tuple(call.redirected(outside) for call in layer.calls)
        if layer.name not in opened:
            layers.append(replace(layer, name=f"{prefix}{layer.name}", calls=calls))
            continue
        inner = opened[layer.name]
        for call in layer.calls:
            _check_ranks(inner, _given(inner.graph, layer, call), shapes, layer)
        given = [_given(inner.graph, layer, call) for call in calls]
        layers += [_opened(inner, each, given) for each in inner.graph]
    inputs, outputs = (tuple(map(outside, refs)) for refs in (graph.inputs, graph.outputs))
    return replace(graph, layers=tuple(layers), inputs=inputs, outputs=outputs)


class _Opened:
    """The graph of a model that is opened."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.inputs = {layer.name: layer.config.get("batch_shape") for layer in graph if not layer.calls}
        self._calls = {layer.name: max(1, len(layer.calls)) for layer in graph}

    def repeated(self, ref: Ref, node: int) -> Ref:
        """A tensor of the graph in one of the calls of the model."""
        return replace(ref, node=node * self._calls[ref.layer] + ref.node)


@dataclass(frozen=True, slots=True)
class _Given:
    """What one call of a model gives to its graph.

    Attributes:
        joints: for each of its inputs, by name, what it is called on: a tensor or None, and its mask.
        training: the flag in the call; None where it says nothing.
    """

    joints: Mapping[str, Call]
    training: Json


def _given(inner: Graph, model: Layer, call: Call) -> _Given:
    arguments = {**dict(zip(_ARGUMENTS, call.args, strict=False)), **call.kwargs}
    unknown = [key for key, value in arguments.items() if key not in _ARGUMENTS and value is not None]
    wanted = [ref.layer for ref in inner.inputs]
    tensors = arguments.get("inputs")
    if isinstance(tensors, dict) and inner.input_keys is None:
        by_name = {name: tensors.get(name.rpartition("/")[2]) for name in wanted}
        leaves = [value for value in by_name.values() if value is not None]
    else:
        leaves = list(_leaves(tensors))
    masks = list(_leaves(arguments.get("mask"))) if arguments.get("mask") is not None else [None] * len(wanted)
    if unknown or len(call.args) > len(_ARGUMENTS) or not len(leaves) == len(wanted) == len(masks):
        raise LayerError(
            f"A call of the model {model.name!r} cannot be told in terms of its layers.",
            [
                Problem(
                    model.name, f"{len(wanted)} inputs, training, mask", f"{len(leaves)} inputs, {sorted(arguments)}"
                )
            ],
            next_step="leave it closed: name the other models with paths=…",
        )
    joints = {
        name: Call([tensor], {} if mask is None else {"mask": mask})
        for name, tensor, mask in zip(wanted, leaves, masks, strict=True)
    }
    return _Given(joints, arguments.get("training"))


def _leaves(values: Json) -> Iterator[Json]:
    if isinstance(values, dict):
        for key in sorted(values):
            yield from _leaves(values[key])
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _leaves(value)
    else:
        yield values


def _check_ranks(inner: _Opened, given: _Given, shapes: Mapping[Ref, Shape], model: Layer) -> None:
    """Keras adds or takes away a last axis of 1 where a model is called on it; no layer here would."""
    for name, call in given.joints.items():
        wanted = inner.inputs.get(name)
        found = shapes.get(call.args[0]) if isinstance(call.args[0], Ref) else None
        if found is not None and wanted and len(wanted) > 1 and len(found) != len(wanted) - 1:
            raise LayerError(
                f"The model {model.name!r} is called on a tensor of another rank than its input has.",
                [Problem(name, str(tuple(wanted[1:])), str(found))],
                next_step="leave it closed: name the other models with paths=…",
            )


def _opened(inner: _Opened, layer: Layer, given: list[_Given]) -> Layer:
    """A layer of a model with its calls in each call of the model."""
    if not layer.calls:
        return replace(layer, calls=tuple(each.joints[layer.name] for each in given))
    calls = [
        _in_training(layer, call, each.training).redirected(partial(inner.repeated, node=node))
        for node, each in enumerate(given)
        for call in layer.calls
    ]
    return replace(layer, calls=tuple(calls))


def _in_training(layer: Layer, call: Call, training: Json) -> Call:
    if training is None or is_operation(layer) or is_joint(layer):
        return call
    if layer.class_name in TRAINED_OTHERWISE or _is_plain_model(layer):
        return Call(call.args, {**call.kwargs, "training": training})
    if layer.class_name in LAYERS:
        return call
    raise LayerError(
        f"The model around {layer.name!r} is called with training={training}; whether that concerns a "
        f"{layer.class_name} is not known here.",
        next_step="leave the model closed: name the others with paths=…",
    )


def _new_names(graph: Graph) -> dict[str, str]:
    """For each path the layer's name: its own, with its model's in front, or numbered."""
    own = {path: path.rpartition("/")[2] for path in graph.names}
    counts = Counter(own.values())
    names = {path: name for path, name in own.items() if path == name or counts[name] == 1}
    taken = set(names.values())
    for path in graph.names:
        if path not in names:
            names[path] = unused_name("_".join(path.split("/")[-2:]), taken)
            taken.add(names[path])
    return {path: names[path] for path in graph.names}


def _renamed(graph: Graph, names: Mapping[str, str]) -> Graph:
    def now(ref: Ref) -> Ref:
        return replace(ref, layer=names[ref.layer])

    layers = []
    for layer in graph:
        moved = replace(layer, name=names[layer.name], calls=tuple(call.redirected(now) for call in layer.calls))
        layers.append(moved if names[layer.name] == layer.name else moved.with_config(name=names[layer.name]))
    return replace(
        graph, layers=tuple(layers), inputs=tuple(map(now, graph.inputs)), outputs=tuple(map(now, graph.outputs))
    )
