"""Writing a live model: weights with a card, or the whole `.keras` archive; whole or not at all."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from transfer.errors import LayerError, OutputError
from transfer.graphs.unparsing import unparse_graph
from transfer.models.building import build_model, card_of, read_model
from transfer.models.fingerprints import record_fingerprint
from transfer.models.variables import name_variables
from transfer.placing import placed_file
from transfer.weights.cards import Card
from transfer.weights.signing import write_card
from transfer.weights.writing import check_written, halve_kernels, write_legacy


def save_weights(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    card: Card | None = None,
    dtype: Literal["float32", "float16"] = "float32",
    force: bool = False,
) -> None:
    """Save a model's weights with a card, so that they restore without a builder.

    `NAME.weights.h5` gets Keras 3's layout, any other name the legacy one, which every Keras reads.

    Args:
        model: any built Keras model; one without a config (a subclass) is saved without an architecture.
        path: where to.
        card: what else to say of the weights; the model's own card, if it carries one, otherwise.
        dtype: `float16` halves the kernels in the file; vectors keep their type, and Keras reads it as before.
        force: whether an existing file may be replaced.

    Raises:
        OutputError: if the file exists, cannot be written, or does not read back bit by bit.
    """
    target = Path(path)
    if target.name.endswith(".keras"):
        raise OutputError(
            f"{target} names a whole model.", next_step="save it with transfer.save_model, or call it NAME.weights.h5"
        )
    with placed_file(target, force=force) as temporary:
        if target.name.endswith(".weights.h5"):
            model.save_weights(temporary)
        else:
            write_legacy(temporary, _layers(model), writer=keras.__version__)
        check_written(temporary, _arrays(model))
        if dtype == "float16":
            halve_kernels(temporary)
        write_card(temporary, _describe(model, card or card_of(model) or Card(name=model.name), dtype))


def save_model(
    model: keras.Model, path: str | os.PathLike[str], *, card: Card | None = None, force: bool = False
) -> None:
    """Save a whole model as a `.keras` archive with its card inside; stock Keras loads it.

    Raises:
        OutputError: if the file exists, cannot be written, or does not read back.
    """
    target = Path(path)
    if not target.name.endswith(".keras"):
        raise OutputError(
            f"{target} does not end in .keras, which Keras asks of a whole model.",
            next_step=f"call it {target.stem}.keras",
        )
    with placed_file(target, force=force) as temporary:
        model.save(temporary, overwrite=True)
        check_written(temporary, _arrays(model))
        write_card(temporary, _describe(model, card or card_of(model) or Card(name=model.name), "float32"))


def _describe(model: keras.Model, card: Card, dtype: str) -> Card:
    """The card with this model's architecture and with what it computes from the values as they are stored."""
    try:
        network = read_model(model)
    except LayerError:  # a class of the caller's own: its code is the architecture
        return replace(card, architecture=None, fingerprint=None)
    architecture = unparse_graph(network.graph)
    if dtype == "float16":
        halved = {
            name: values.astype(np.float16).astype(values.dtype) if values.ndim >= 2 else values
            for name, values in network.tensors.items()
        }
        model = build_model(replace(network, tensors=halved))
    return replace(card, architecture=architecture, fingerprint=record_fingerprint(model))


def _arrays(model: keras.Model) -> dict[str, Any]:
    return {name: keras.ops.convert_to_numpy(each) for name, each in name_variables(model).items()}


def _layers(model: keras.Model) -> dict[str, dict[str, Any]]:
    """Every layer's tensors by full name. Keras reads them by place: trainable ones first, as they stand now."""
    names = {id(variable): name for name, variable in name_variables(model).items()}
    return {
        layer.name: {
            names[id(each)]: keras.ops.convert_to_numpy(each)
            for each in (*layer.trainable_weights, *layer.non_trainable_weights)
            if id(each) in names
        }
        for layer in model.layers
    }
