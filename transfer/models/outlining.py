"""What there is to say of each layer of a live model, also of classes that no rule knows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from math import prod

import keras

from transfer.graphs.summarizing import LayerSummary, summarize
from transfer.models.building import read_model
from transfer.models.shaping import known_shapes


def summarize_model(model: keras.Model, *, new: Collection[str] = ()) -> tuple[LayerSummary, ...]:
    """As `graphs.summarizing.summarize` of its graph; what is not known without building it is taken from the model.

    Args:
        model: functional or Sequential.
        new: names of layers to tell as new.

    Raises:
        LayerError: if the model has no graph.
    """
    found = summarize(read_model(model).graph, new=new, shapes=known_shapes(model))
    return tuple(_filled(each, model.get_layer(each.name)) if each.parameters is None else each for each in found)


def _filled(told: LayerSummary, layer: keras.Layer) -> LayerSummary:
    held, trained = (sum(prod(each.shape) for each in found) for found in (layer.weights, layer.trainable_weights))
    state = told.state
    if held and not state:
        state = "trainable" if trained else "frozen"
    return replace(told, parameters=held, trainable=trained, state=state)
