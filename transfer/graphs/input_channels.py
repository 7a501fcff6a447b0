"""Where the channels of a network's input end: the first convolutions, and what stands before them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from transfer.errors import Problem
from transfer.graphs.feature_layers import CONVOLUTIONS
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.layer_kinds import COMPANIONS
from transfer.graphs.wrapping import is_model, is_operation, parse_nested
from transfer.specs import Json

# Layers that do the same to each channel and hold no weights: what goes in alike in all channels comes out alike.
_ALIKE = (
    (COMPANIONS - {"PReLU", "Softmax"})
    | {"Resizing", "CenterCrop", "Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"}
    | {f"Random{what}" for what in ("Crop", "Flip", "Rotation", "Shear", "Translation", "Zoom", "Perspective")}
    | {f"{kind}{rank}D" for kind in ("ZeroPadding", "Cropping", "UpSampling") for rank in (1, 2, 3)}
    | {f"{kind}Pooling{rank}D" for kind in ("Max", "Average") for rank in (1, 2, 3)}
)
_ALIKE_OPERATIONS = frozenset(
    {"Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Maximum", "Minimum", "Negative", "Absolute", "Abs"}
    | {"Cast", "Clip", "Relu", "Relu6", "Tanh", "Sigmoid", "Identity", "StopGradient", "Square", "Sqrt"}
)
_MIXING_ACTIVATIONS = ("softmax", "log_softmax", "glu", "sparsemax")


@dataclass(slots=True)
class Front:
    """The part of a network in which its tensors have the channels of the input.

    Attributes:
        kernels: names of the kernels that take these channels, `backbone/conv_1/kernel`.
        problems: layers that would not do with other channels.
        raw: tensors that have the channels of the input.
    """

    kernels: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    raw: set[Ref] = field(default_factory=set)


def find_front(graph: Graph, inputs: frozenset[int] = frozenset({0}), prefix: str = "") -> Front:
    """Follow the channels of some of a graph's inputs, into nested models too.

    Args:
        graph: a model.
        inputs: places of the inputs to follow.
        prefix: of the names, for a nested model.
    """
    front = Front(raw={graph.inputs[place] for place in inputs})
    seen: set[tuple[str, int]] = set()
    while True:
        ahead = [
            (layer, node)
            for layer in graph
            for node, call in enumerate(layer.calls)
            if (layer.name, node) not in seen and not front.raw.isdisjoint(call.sources)
        ]
        if not ahead:
            break
        for layer, node in ahead:
            seen.add((layer.name, node))
            _follow(front, layer, node, prefix)
    front.problems += [
        Problem(f"{prefix}{layer.name}", "only images of the input", "also applied to something else")
        for layer in graph
        if {node for name, node in seen if name == layer.name} not in ({*range(len(layer.calls))}, set())
        and not _is_alike(layer, layer.calls[0])
    ]
    front.kernels = list(dict.fromkeys(front.kernels))
    front.problems = list(dict.fromkeys(front.problems))
    return front


def _follow(front: Front, layer: Layer, node: int, prefix: str) -> None:
    call, name = layer.calls[node], f"{prefix}{layer.name}"
    places = frozenset(place for place, source in enumerate(call.sources) if source in front.raw)
    if is_model(layer):
        inner = find_front(parse_nested(layer, ((),)), places, f"{name}/")
        front.kernels += inner.kernels
        front.problems += inner.problems
        outputs = parse_nested(layer, ((),)).outputs
        front.raw |= {Ref(layer.name, node, place) for place, ref in enumerate(outputs) if ref in inner.raw}
    elif len(places) < len(call.sources):
        front.problems.append(Problem(name, "the image alone, or nothing of it", f"{layer.class_name} joins it"))
    elif layer.class_name in CONVOLUTIONS and layer.config.get("groups", 1) == 1 and not is_operation(layer):
        front.kernels.append(f"{name}/kernel")
    elif _is_alike(layer, call):
        front.raw.add(Ref(layer.name, node))
    else:
        front.problems.append(
            Problem(name, "a convolution, or a layer that treats all channels alike", _described(layer))
        )


def _is_alike(layer: Layer, call: Call) -> bool:
    kind, config = layer.class_name, layer.config
    if is_operation(layer):
        return kind in _ALIKE_OPERATIONS and all(map(_is_number, _constants([call.args, call.kwargs])))
    if kind == "Rescaling":
        return _is_number(config.get("scale", 1.0)) and _is_number(config.get("offset", 0.0))
    if kind == "Normalization":
        return not config.get("axis", (-1,)) or (_is_number(config.get("mean")) and _is_number(config.get("variance")))
    return kind in _ALIKE and config.get("activation") not in _MIXING_ACTIVATIONS


def _described(layer: Layer) -> str:
    if layer.class_name in ("Rescaling", "Normalization"):
        return f"{layer.class_name} with values for each channel"
    return f"{layer.class_name} in groups" if layer.config.get("groups", 1) != 1 else layer.class_name


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float)


def _constants(values: Json) -> Iterator[Json]:
    """What goes into a call beside tensors, options in words left out."""
    if isinstance(values, dict) and "class_name" not in values:
        values = list(values.values())
    if isinstance(values, list | tuple):
        for value in values:
            yield from _constants(value)
    elif not isinstance(values, Ref | str | None):
        yield values
