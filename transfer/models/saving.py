"""Writing a live model: weights with a card, or the whole `.keras` archive; whole or not at all."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.errors import LayerError, OutputError
from transfer.graphs.unparsing import unparse_graph
from transfer.models.building import build_model, card_of, read_model
from transfer.models.fingerprints import record_fingerprint
from transfer.models.variables import describe_variables, name_variables
from transfer.placing import placed_file, refuse_existing, refuse_full
from transfer.specs import Writer
from transfer.weights.cards import Card
from transfer.weights.finiteness import is_finite, refuse_nonfinite
from transfer.weights.safetensors import SUFFIX, write_safetensors
from transfer.weights.signing import write_card
from transfer.weights.verifying import verify
from transfer.weights.writing import check_written, halve, halve_kernels, write_legacy

_AROUND = 4096  # bytes that a file takes for each tensor besides


@dataclass(frozen=True, slots=True)
class Saved:
    """A file that was written.

    Attributes:
        path: where.
        card: as it went in, with a digest of each tensor.
        nonfinite: names of tensors that hold NaN or infinities.
    """

    path: str
    card: Card
    nonfinite: tuple[str, ...] = ()


def save_weights(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    card: Card | None = None,
    dtype: Literal["float32", "float16"] = "float32",
    force: bool = False,
    allow_nonfinite: bool = False,
) -> Saved:
    """Save a model's weights with a card, so that they restore without a builder.

    `NAME.weights.h5` gets Keras 3's layout, `NAME.safetensors` its own, any other name the legacy one, which every
    Keras reads.

    Args:
        model: any built Keras model; one without a config (a subclass) is saved without an architecture.
        path: where to.
        card: what else to say of the weights; the model's own card, if it carries one, otherwise.
        dtype: `float16` halves the kernels in the file; vectors keep their type, and Keras reads it as before.
        force: whether an existing file may be replaced.
        allow_nonfinite: whether a finite file may be replaced by one with NaN or infinities in it.

    Returns:
        What was written; it names the tensors that are not finite.

    Raises:
        OutputError: if the file exists, cannot be written, does not read back bit by bit, or would replace a finite
            file by one that is not.
    """
    target = Path(path)
    if target.name.endswith(".keras"):
        raise OutputError(
            f"{target} names a whole model.", next_step="save it with transfer.save_model, or call it NAME.weights.h5"
        )
    nonfinite = _nonfinite(model)
    refuse_existing(target, force=force)
    refuse_nonfinite(target, nonfinite, allow=allow_nonfinite)
    with placed_file(target, force=force) as temporary:
        described = _describe(model, card or card_of(model) or Card(name=model.name), dtype)
        if target.name.endswith(SUFFIX):
            return Saved(str(target), _write_safetensors(model, temporary, described, dtype), nonfinite)
        refuse_full(temporary, sum(values.nbytes + _AROUND for values in _arrays(model).values()))
        if target.name.endswith(".weights.h5"):
            model.save_weights(temporary)
        else:
            write_legacy(temporary, _layers(model), writer=keras.__version__)
        if dtype == "float16":
            check_written(temporary, _arrays(model))
            halve_kernels(temporary)
        signed = write_card(temporary, described, _arrays(model) if dtype == "float32" else None)
    return Saved(str(target), signed, nonfinite)


def save_model(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    card: Card | None = None,
    force: bool = False,
    allow_nonfinite: bool = False,
) -> Saved:
    """Save a whole model as a `.keras` archive with its card inside; stock Keras loads it.

    Args:
        model: any built Keras model.
        path: where to; it ends in `.keras`.
        card: what else to say of it; the model's own card, if it carries one, otherwise.
        force: whether an existing file may be replaced.
        allow_nonfinite: whether a finite file may be replaced by one with NaN or infinities in it.

    Returns:
        What was written; it names the tensors that are not finite.

    Raises:
        OutputError: if the file exists, cannot be written, does not read back, or would replace a finite file by one
            that is not.
    """
    target = Path(path)
    if not target.name.endswith(".keras"):
        raise OutputError(
            f"{target} does not end in .keras, which Keras asks of a whole model.",
            next_step=f"call it {target.stem}.keras",
        )
    nonfinite = _nonfinite(model)
    refuse_existing(target, force=force)
    refuse_nonfinite(target, nonfinite, allow=allow_nonfinite)
    with placed_file(target, force=force) as temporary:
        model.save(temporary, overwrite=True)
        described = _describe(model, card or card_of(model) or Card(name=model.name), "float32")
        signed = write_card(temporary, described, _arrays(model))
    return Saved(str(target), signed, nonfinite)


def _nonfinite(model: keras.Model) -> tuple[str, ...]:
    return tuple(name for name, values in _arrays(model).items() if not is_finite(values))


def _write_safetensors(model: keras.Model, path: Path, card: Card, dtype: str) -> Card:
    arrays = {name: _halved(values) if dtype == "float16" else values for name, values in _arrays(model).items()}
    specs = [replace(spec, dtype=arrays[name].dtype.name) for name, spec in describe_variables(model).items()]
    signed = write_safetensors(path, specs, arrays.items(), card, Writer(keras.__version__, keras.backend.backend()))
    verify(path)
    return signed


def _halved(values: NDArray[Any]) -> NDArray[Any]:
    """A kernel as float16; anything else as it is."""
    return halve(values) if values.dtype == np.float32 and values.ndim >= 2 else values


def _describe(model: keras.Model, card: Card, dtype: str) -> Card:
    """The card with this model's architecture and with what it computes from the values as they are stored."""
    try:
        network = read_model(model)
    except LayerError:  # a class of the caller's own: its code is the architecture
        return replace(card, architecture=None, fingerprint=None)
    architecture = unparse_graph(network.graph)
    if dtype == "float16":
        halved = {name: _halved(values).astype(values.dtype) for name, values in network.tensors.items()}
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
