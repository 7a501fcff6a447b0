"""The objective that a pretraining follows: an encoder of rows of one size, and what its method puts around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from transfer.data.inputs import Inputs, one_array
from transfer.errors import LayerError, Problem
from transfer.graphs.input_shapes import with_input_shapes
from transfer.jobs.examples.spooling_unlabelled import UnlabelledRows
from transfer.jobs.pretraining.preparing_encoders import PreparedEncoder
from transfer.jobs.pretraining.pretraining_requests import PretrainingRequest, method_name
from transfer.models.building import build_model, read_model
from transfer.models.mirrored_decoders import checked_decoder, mirrored_decoder
from transfer.models.naming import names_from_the_start
from transfer.surgery.network import Network
from transfer.training.pretraining.contrastive import Contrastive
from transfer.training.pretraining.encoders import Encoder, Scale
from transfer.training.pretraining.objectives import DecoderMaker, Objective

DecoderBuilder = Callable[[int, tuple[int, ...]], keras.Model]
_RANGES = (0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)  # of images that are numbers with a fraction


def build_objective(request: PretrainingRequest, decoder: DecoderBuilder | None) -> Objective:
    """All that is trained, as it starts.

    Args:
        request: what was asked.
        decoder: makes one from the length of the code and the shape of an example; None mirrors the encoder.

    Raises:
        LayerError: if the method is not for this network, or has no use for a decoder that is given.
    """
    rows, seed = request.rows, request.seed
    if request.feed.ids is not None and not isinstance(request.method, Contrastive):
        raise LayerError(
            f"{request.prepared.network.graph.name!r} takes token ids, which have no mean and take no noise.",
            [Problem("method", "contrastive", method_name(request.method))],
            "take --method contrastive, whose views exchange tokens",
        )
    network = read_model(request.feed.network)
    network = replace(network, graph=with_input_shapes(network.graph, rows.shape))
    encoder = _encoder(build_model(network, request.prepared.custom_objects), rows, seed)
    objective = request.method.build(encoder, _decoders(network, rows, decoder, seed), seed)
    if decoder is not None and objective.decoder is None:
        raise LayerError(
            f"The method {method_name(request.method)} gives no rows back, so a decoder would have no effect.",
            next_step="leave out --decoder (decoder=…), or take a method that has one: masked, autoencoder, gan",
        )
    return objective


def usual_preprocessing(prepared: PreparedEncoder, inputs: Inputs) -> str | None:
    """How images are prepared where neither card nor architecture says it; None for whatever else."""
    network = prepared.network
    if network.card is not None and network.card.preprocessing is not None:
        return None
    (ref,) = network.graph.inputs
    shape = network.graph.layer(ref.layer).config["batch_shape"][1:]
    is_pictures = isinstance(inputs.inputs, tuple)
    is_image = len(shape) == 3 and shape[-1] in (1, 3)
    if not is_image or not (is_pictures or one_array(inputs).dtype == np.uint8):
        return None
    scales = any(layer.class_name in ("Rescaling", "Normalization") for layer in network.graph)
    return "raw" if scales else "unit"


def _encoder(model: keras.Model, rows: UnlabelledRows, seed: int) -> Encoder:
    """All of a model, to be trained.

    Raises:
        LayerError: if it has no weights.
    """
    for layer in model._flatten_layers(include_self=False):
        layer.trainable = True
    if not model.trainable_variables:
        raise LayerError(f"{model.name!r} has no weights, so there is nothing to train.")
    is_image = len(rows.shape) == 3
    scale = Scale.measure(rows, is_image=is_image, seed=seed)
    black, white = _ends(rows, scale) if is_image else (0.0, 1.0)
    return Encoder(model, scale, is_image, white, black)


def _ends(rows: UnlabelledRows, scale: Scale) -> tuple[float, float]:
    """Black and white of images: of bytes, else the usual range that holds them, else as found."""
    usual = _RANGES[2:] if rows.dtype == np.uint8 else _RANGES
    fitting = [(low, high) for low, high in usual if low <= scale.lowest and scale.highest <= high]
    return fitting[0] if fitting else (scale.lowest, scale.highest)


def _decoders(network: Network, rows: UnlabelledRows, own: DecoderBuilder | None, seed: int) -> DecoderMaker:
    def make(code: int) -> keras.Model:
        if own is None:
            return mirrored_decoder(network, code=code, seed=seed)
        return checked_decoder(_called(own, code, rows.shape, seed), code=code, shape=rows.shape)

    return make


def _called(own: DecoderBuilder, code: int, shape: tuple[int, ...], seed: int) -> Any:
    """What a caller's function gives, named and drawn alike each time.

    Raises:
        LayerError: if it fails.
    """
    keras.utils.set_random_seed(seed)
    try:
        with names_from_the_start():
            return own(code, shape)
    except Exception as error:
        raise LayerError(
            f"The decoder's function failed: {type(error).__name__}: {str(error)[:200]}",
            next_step="mend it; it is called with the length of the code and the shape of an example",
        ) from error
