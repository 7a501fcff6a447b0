"""From a model that gives logits to one that gives probabilities, whose finer classes agree with their parents.

Of what stands under a parent's class P it gives p(P) times the softmax, or the sigmoid, of the logits there: no class
has more than its parent's, and the classes under P have as much as P in all. Everything is made of Keras's own layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from transfer.labellings import Labelling, Output
from transfer.models.taking_rows import inputs_of

_SINGLE = ("probabilities", "class_probabilities", "output_probabilities")


def give_probabilities(model: keras.Model, labelling: Labelling, heads: Sequence[str]) -> keras.Model:
    """A model with the same inputs; of one softmax output it gives (n, k), else (n, k) of each by the output's name.

    Numbers are given as they are.

    Args:
        model: shared with what is given back.
        labelling: of its heads.
        heads: names of the layers that give the logits, in the order of the outputs.
    """
    taken = {layer.name for layer in model.layers}
    if labelling.is_single:
        name = next(each for each in _SINGLE if each not in taken)
        answer = keras.layers.Softmax(name=name)(model.get_layer(heads[0]).output)
        return keras.Model(inputs_of(model), answer, name=model.name)
    found: dict[str, Any] = {}
    for output, head in zip(labelling, heads, strict=True):
        found[output.name] = _of_output(output, labelling, model.get_layer(head).output, found, taken)
    return keras.Model(inputs_of(model), found, name=model.name)


def _of_output(output: Output, labelling: Labelling, logits: Any, found: Mapping[str, Any], taken: set[str]) -> Any:
    name = _unused(f"{output.name}_probabilities", taken)
    if output.kind == "regression":
        return keras.layers.Identity(name=_unused(f"{output.name}_numbers", taken))(logits)
    if not output.parent:
        return _shares(output, name)(logits)
    parent, classes = found[output.parent], labelling[output.parent].classes
    parts = []
    for number, (above, places) in enumerate(output.groups):
        place, own = classes.index(above), f"{output.name}_group_{number}"
        inside = _part(logits, places, _unused(f"{own}_logits", taken))
        share = _part(parent, slice(place, place + 1), _unused(f"{own}_parent", taken))
        given = _shares(output, _unused(f"{own}_given", taken))(inside)
        parts.append(keras.layers.Multiply(name=_unused(own, taken))([given, share]))
    return keras.layers.Concatenate(name=name)(parts) if len(parts) > 1 else keras.layers.Identity(name=name)(parts[0])


def _part(values: Any, places: slice, name: str) -> Any:
    """Some columns of (n, k), by an operation of that name: automatic ones differ from run to run."""
    part = values[:, places.start : places.stop]
    part._keras_history.operation.name = name
    return part


def _shares(output: Output, name: str) -> keras.layers.Layer:
    if output.kind == "softmax":
        return keras.layers.Softmax(name=name)
    return keras.layers.Activation("sigmoid", name=name)


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name
