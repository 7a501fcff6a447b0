"""Single layers of a live model put in, taken out, replaced and renamed: a new model, the old one is not touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from transfer.errors import LayerError, Problem
from transfer.graphs.graph import Layer
from transfer.graphs.wrapping import read_inner
from transfer.models.building import build_model, classes_of, read_model
from transfer.models.restoring import Restored
from transfer.surgery import editing
from transfer.surgery.network import Network


@dataclass(frozen=True, slots=True)
class EditedModel:
    """A model after an edit, and what the edit cost.

    Attributes:
        model: the new one; it shares no variable with the old.
        changed: tensors that no longer fit and start anew: their shapes in the new model, and in the old.
        dropped: names of all other tensors that were not kept.
    """

    model: keras.Model
    changed: tuple[Problem, ...] = ()
    dropped: tuple[str, ...] = ()


def insert_layer(
    source: keras.Model | Restored,
    layer: keras.Layer,
    *,
    after: str | None = None,
    before: str | None = None,
    strict: bool = False,
    seed: int = 0,
) -> EditedModel:
    """A new model with a layer on every edge that leaves another one, or enters it.

    Args:
        source: a functional or Sequential Keras model, or what `restore` gave.
        layer: a fresh one, not yet called; its name is free in the model.
        after: name of the layer whose outputs it takes.
        before: name of the layer that it feeds.
        strict: refuse what makes a tensor misfit.
        seed: of the initial values of what is new.

    Raises:
        LayerError: if the graph does not allow it, or, under `strict`, a tensor would fit no more.
        ValueError: if not exactly one of `after` and `before` is given.
    """
    found = _read_layer(layer)
    return _edit(source, lambda old: editing.insert(old, found, after=after, before=before, strict=strict, seed=seed))


def remove_layer(source: keras.Model | Restored, name: str, *, strict: bool = False, seed: int = 0) -> EditedModel:
    """A new model without one of the layers: what it fed takes what it took.

    Args:
        source: a functional or Sequential Keras model, or what `restore` gave.
        name: of a layer with one input.
        strict: refuse what makes a tensor of another layer misfit.
        seed: of the initial values of what is new.

    Raises:
        LayerError: if the graph does not allow it, or, under `strict`, a tensor would fit no more.
    """
    return _edit(source, lambda old: editing.remove(old, name, strict=strict, seed=seed))


def replace_layer(
    source: keras.Model | Restored, name: str, layer: keras.Layer, *, strict: bool = False, seed: int = 0
) -> EditedModel:
    """A new model with another layer in the place of one.

    Args:
        source: a functional or Sequential Keras model, or what `restore` gave.
        name: of the layer that goes.
        layer: a fresh one, not yet called; its name is free or the same.
        strict: refuse what makes a tensor misfit.
        seed: of the initial values of what is new.

    Raises:
        LayerError: if the graph does not allow it, or, under `strict`, a tensor would fit no more.
    """
    found = _read_layer(layer)
    return _edit(source, lambda old: editing.replace_layer(old, name, found, strict=strict, seed=seed))


def rename_layers(source: keras.Model | Restored, names: Mapping[str, str], *, model: str | None = None) -> EditedModel:
    """A new model whose layers have other names.

    Args:
        source: a functional or Sequential Keras model, or what `restore` gave.
        names: old to new, all at once: two may swap theirs.
        model: a new name for the whole.

    Raises:
        LayerError: if there is no layer of an old name, or a new one is taken.
    """
    return _edit(source, lambda old: editing.rename(old, names, model=model))


def _edit(source: Any, act: Callable[[Network], editing.Edited]) -> EditedModel:
    model = source.model if isinstance(source, Restored) else source
    found = act(read_model(model))
    return EditedModel(build_model(found.network, classes_of(model)), found.changed, found.dropped)


def _read_layer(layer: Any) -> Layer:
    """A Keras layer as a graph has it.

    Raises:
        LayerError: if it is none, or holds values that a fresh layer would not have.
    """
    if not isinstance(layer, keras.Layer):
        raise LayerError(f"{type(layer).__name__} is no Keras layer.", next_step="pass keras.layers.Dense(64), say")
    if layer.weights:
        raise LayerError(
            f"{layer.name!r} has weights already, which would not be taken over.",
            [Problem(layer.name, "a fresh layer, not yet called", f"{len(layer.weights)} weights")],
            next_step="make a new one from its config: type(layer).from_config(layer.get_config())",
        )
    return read_inner(keras.saving.serialize_keras_object(layer))
