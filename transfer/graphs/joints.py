"""Where an opened model was joined to the graph around it: its inputs, called on what the model was called on.

A joint is an `InputLayer` with calls. It does what Keras does at the entrance of a model: it casts to the input's type
and hands a mask on. Most do nothing and vanish.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from transfer.errors import LayerError, Problem
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.layer_kinds import MASK_PASSING
from transfer.graphs.tensor_types import infer_types
from transfer.graphs.wrapping import RECURRENT, is_operation
from transfer.specs import Json

Layers = Mapping[str, Layer]

_OPEN_OTHERS = "leave the model closed: name the others with paths=…"


def is_joint(layer: Layer) -> bool:
    """Whether it stands where an opened model began."""
    return layer.class_name == "InputLayer" and bool(layer.calls)


def settle_joints(graph: Graph) -> Graph:
    """The graph without its joints; those that cast become a `Cast`, or an `Identity` of their type between floats.

    Raises:
        LayerError: if a mask goes in that the tensor does not bring along, or one that a cast would lose.
    """
    joints = {layer.name: layer for layer in graph if is_joint(layer)}
    if not joints:
        return graph
    layers = {layer.name: layer for layer in graph}
    masks = {ref.layer for joint in joints.values() for ref in _check_masks(joint, layers)}
    types = infer_types(graph, {})
    casts = {name: cast for name, joint in joints.items() if (cast := _cast(joint, types)) is not None}

    ends: dict[Ref, Json] = {}

    def through(ref: Ref) -> Json:
        way, found = [], ref
        while isinstance(found, Ref) and found not in ends and found.layer in joints and found.layer not in casts:
            way.append(found)
            found = joints[found.layer].calls[found.node].args[0]
        end = ends.get(found, found) if isinstance(found, Ref) else found
        ends.update(dict.fromkeys(way, end))
        return end

    left = [casts.get(layer.name, layer) for layer in graph if layer.name not in joints or layer.name in casts]
    left = [replace(layer, calls=tuple(call.redirected(through) for call in layer.calls)) for layer in left]
    outputs = tuple(map(through, graph.outputs))
    return replace(graph, layers=tuple(_without_unused(left, outputs, masks)), outputs=outputs)


def _cast(joint: Layer, types: Mapping[Ref, str]) -> Layer | None:
    """The layer that does what the input of the model did; None where that was nothing."""
    own = str(joint.config.get("dtype") or "float32")
    given = [call.args[0] for call in joint.calls]
    found = {types.get(ref, "") for ref in given if isinstance(ref, Ref)}
    if found <= {own} or None in given:
        return None
    calls = tuple(Call(call.args, {}) for call in joint.calls)
    if all("float" in name for name in (own, *found)):
        return Layer(joint.name, "Identity", {"name": joint.name, "trainable": True, "dtype": own}, calls)
    if any(call.kwargs for call in joint.calls):
        raise LayerError(
            f"The input {joint.name!r} casts to {own} what comes with a mask; a cast that keeps it has no layer.",
            [Problem(joint.name, own, ", ".join(sorted(found)))],
            next_step=_OPEN_OTHERS,
        )
    return Layer(joint.name, "Cast", {"name": joint.name, "dtype": own}, calls, "keras.src.ops.core", "Cast")


def _check_masks(joint: Layer, layers: Layers) -> list[Ref]:
    """The masks in the calls of a joint, each of which its tensor brings along by itself."""
    masks = []
    for call in joint.calls:
        if "mask" not in call.kwargs:
            continue
        tensor, mask = call.args[0], call.kwargs["mask"]
        if not isinstance(tensor, Ref) or not isinstance(mask, Ref) or not _brings(tensor, mask, layers):
            raise LayerError(
                f"A model is called with a mask that its input {joint.name!r} does not bring along.",
                [Problem(joint.name, "a mask that Keras made for that tensor", f"the output of {mask!r}")],
                next_step=_OPEN_OTHERS,
            )
        masks.append(mask)
    return masks


def _brings(tensor: Ref, mask: Ref, layers: Layers) -> bool:
    """Whether a mask is the one that Keras has beside a tensor."""
    while True:
        layer = layers[tensor.layer]
        if not layer.calls or is_operation(layer):
            return False
        call = layer.calls[tensor.node]
        if layer.class_name == "Masking" or layer.config.get("mask_zero"):
            return _is_made_by(layer, call, mask, layers)
        passes = layer.class_name in MASK_PASSING or is_joint(layer)
        if not passes and not (layer.class_name in RECURRENT and layer.config.get("return_sequences")):
            return False
        if call.kwargs.get("mask") == mask:
            return True
        sources = Call(call.args, {}).sources
        if len(sources) != 1 or isinstance(call.kwargs.get("mask"), Ref):
            return False
        tensor = sources[0]


def _is_made_by(layer: Layer, call: Call, mask: Ref, layers: Layers) -> bool:
    """Whether a mask says where the input of a layer that makes masks is not its value for "nothing here"."""
    made = layers[mask.layer]
    if layer.class_name == "Masking" and made.class_name == "Any" and made.calls:
        mask = made.calls[mask.node].sources[0]
        made = layers[mask.layer]
    if made.class_name != "NotEqual" or not is_operation(made):
        return False
    compared = made.calls[mask.node]
    nothing = layer.config.get("mask_value", 0)
    return compared.sources == call.sources[:1] and list(compared.args[1:]) == [nothing]


def _without_unused(layers: list[Layer], outputs: tuple[Json, ...], suspects: set[str]) -> list[Layer]:
    """Layers without the operations that made masks which nothing takes any more."""
    while True:
        used = {ref.layer for layer in layers for call in layer.calls for ref in call.sources}
        used |= {ref.layer for ref in outputs}
        dead = [layer for layer in layers if layer.name in suspects - used and is_operation(layer)]
        if not dead:
            return layers
        suspects = suspects | {ref.layer for layer in dead for call in layer.calls for ref in call.sources}
        layers = [layer for layer in layers if layer not in dead]
