"""Pretraining as a whole job: examples read once, an objective followed, the encoder saved with its card."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.graphs.input_shapes import with_input_shapes
from transfer.jobs.clock import Clock, TimeLimit
from transfer.jobs.feeding import Feed, make_feed
from transfer.jobs.preparing_encoders import Architecture, PreparedEncoder, prepare_encoder
from transfer.jobs.pretrained import Pretrained
from transfer.jobs.pretrained_files import find_finished, refuse_target, write_pretrained
from transfer.jobs.pretraining_requests import describe_pretraining, method_name
from transfer.jobs.reading_unlabelled import Unlabelled, read_unlabelled
from transfer.jobs.spooling_unlabelled import UnlabelledRows, spool_rows
from transfer.jobs.unfinished import kept_state
from transfer.models.building import attach_card, build_model, read_model
from transfer.models.mirrored_decoders import checked_decoder, mirrored_decoder
from transfer.models.restoring import Into
from transfer.specs import Json, Preprocessing, Progress, Restoring, silent
from transfer.surgery.network import Chosen, Network
from transfer.surgery.targets import form_of
from transfer.training.pretraining.encoders import Encoder, Scale
from transfer.training.pretraining.fitting import Followed, Pace, follow
from transfer.training.pretraining.methods import named_method
from transfer.training.pretraining.objectives import Method, Objective
from transfer.training.pretraining.signs import LOOKED_AT, features_of, find_signs
from transfer.weights.cards import Card

DecoderBuilder = Callable[[int, tuple[int, ...]], keras.Model]
_WHITE = 255.0
_SHOWN = 10  # examples of the pictures


def pretrain(
    architecture: Architecture,
    data: Unlabelled,
    *,
    method: str | Method = "masked",
    options: Mapping[str, Any] | None = None,
    pace: Pace | None = None,
    into: Into = None,
    restoring: Restoring | None = None,
    at: str | None = None,
    decoder: DecoderBuilder | None = None,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    time_limit: float | TimeLimit | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Pretrained:
    """Teach an encoder from examples without labels.

    What a method needs besides, a decoder, a projection, a classifier, is thrown away. With `out` the encoder is an
    ordinary checkpoint with a card, for `finetune`, `rank` and `curve`; beside it lies a folder with its curve and
    pictures; a run that was cut off goes on when it is asked for again, and ends with the same bits.

    Args:
        architecture: what is pretrained: a builder or its name `module:function`, `app:NAME`, a file, a shipped
            checkpoint, a model. Files and models go on from their weights, `random:FILE` does not.
        data: examples; labels are not looked at.
        method: `autoencoder`, `denoising`, `masked`, `variational`, `gan`, `rotation`, `contrastive`, or one of these
            with options of its own.
        options: of a method that is named.
        pace: how long and how fast; by default about 600,000 examples are seen.
        into: the architecture of a file that holds none.
        restoring: how the file is brought into it.
        at: the last layer of the encoder; by default all but a classifier.
        decoder: makes one from the length of the code and the shape of an example; by default it mirrors the encoder.
        preprocessing: how images are prepared, or the name of a common way; by default what the card says, else `unit`
            where nothing in the architecture does it.
        size: (h, w) to which images are fitted.
        out: `NAME.weights.h5`, say; None to write nothing.
        force: whether what is there may be replaced.
        time_limit: seconds by which it is written, with what was learnt by then; such a run does not repeat to the bit.
        seed: of initial weights, of the order of examples and of all that is drawn.
        progress: told of what is going on.

    Raises:
        LayerError: if the method is not for the architecture, or that cannot be cut or mirrored.
        DataError: if the examples do not fit it, or are too few.
        OutputError: if `out` exists already, unless it is of this very request.
        NotFiniteError: if a step is not finite.
    """
    chosen = named_method(method, options) if isinstance(method, str) else method
    pace = pace or Pace()
    target = Path(out) if out is not None else None
    if target is not None:
        form_of(target)
    limit = TimeLimit(time_limit) if isinstance(time_limit, int | float) else time_limit
    if limit is not None:
        limit.refuse_hopeless()
    prepared = prepare_encoder(architecture, into=into, restoring=restoring, at=at, seed=seed)
    inputs = read_unlabelled(data)
    feed = make_feed(
        prepared.network,
        inputs,
        preprocessing=preprocessing or _usual(prepared, inputs),
        size=size,
        custom_objects=prepared.custom_objects,
    )
    clock = Clock()
    with clock("reading"):
        rows = spool_rows(feed, inputs, progress)
    asked = describe_pretraining(prepared, feed, rows, chosen, pace, seed, limit)
    if target is not None:
        if not force and (found := find_finished(target, asked)) is not None:
            return found
        refuse_target(target, force=force)
    with kept_state(target, asked, force=force) as state_folder:
        network = _sized(feed, rows)
        encoder = _encoder(build_model(network, prepared.custom_objects), rows, seed)
        objective = chosen.build(encoder, _decoders(network, rows, decoder, seed), seed)
        looked_at = np.asarray(rows.read(np.arange(min(LOOKED_AT, len(rows)))), np.float32)
        before = features_of(objective, looked_at)
        with clock("pretraining"):
            followed = follow(
                objective,
                rows,
                pace,
                seed=seed,
                state_folder=state_folder,
                digest=asked["digest"],
                deadline=limit.training_ends(_size_bytes(feed)) if limit else None,
                progress=progress,
            )
        objective.finish()
        found = _told(prepared, feed, rows, chosen, asked, followed, objective, (before, looked_at), pace)
        if target is not None:
            pictures = objective.pictures(looked_at[:_SHOWN]) if encoder.is_image and objective.pictures else None
            found = write_pretrained(
                found, target, seconds=clock.seconds, pictures=pictures, white=encoder.white, force=force
            )
    return found


def _usual(prepared: PreparedEncoder, inputs: Any) -> str | None:
    """How images are prepared where neither card nor architecture says it; None for whatever else."""
    network = prepared.network
    if network.card is not None and network.card.preprocessing is not None:
        return None
    scales = any(layer.class_name in ("Rescaling", "Normalization") for layer in network.graph)
    (ref,) = network.graph.inputs
    shape = network.graph.layer(ref.layer).config["batch_shape"][1:]
    is_pictures = isinstance(inputs.inputs, tuple)
    is_image = len(shape) == 3 and shape[-1] in (1, 3) and (is_pictures or inputs.inputs.dtype == np.uint8)
    if not is_image:
        return None
    return "raw" if scales else "unit"


def _sized(feed: Feed, rows: UnlabelledRows) -> Network:
    """From raw rows to features, for rows of one shape."""
    network = read_model(feed.network)
    return replace(network, graph=with_input_shapes(network.graph, rows.shape))


def _encoder(model: keras.Model, rows: UnlabelledRows, seed: int) -> Encoder:
    for layer in model._flatten_layers(include_self=False):
        layer.trainable = True
    is_image = len(rows.shape) == 3
    white = _WHITE if rows.dtype == np.uint8 else 1.0
    return Encoder(model, Scale.measure(rows, is_image=is_image, seed=seed), is_image, white)


def _decoders(
    network: Network, rows: UnlabelledRows, own: DecoderBuilder | None, seed: int
) -> Callable[[int], keras.Model]:
    def make(code: int) -> keras.Model:
        if own is None:
            return mirrored_decoder(network, code=code, seed=seed)
        return checked_decoder(own(code, rows.shape), code=code, shape=rows.shape)

    return make


def _size_bytes(feed: Feed) -> int:
    return 4 * int(feed.network.count_params())


def _told(
    prepared: PreparedEncoder,
    feed: Feed,
    rows: UnlabelledRows,
    method: Method,
    asked: Json,
    followed: Followed,
    objective: Objective,
    looked: tuple[NDArray[Any], NDArray[Any]],
    pace: Pace,
) -> Pretrained:
    before, looked_at = looked
    after = features_of(objective, looked_at)
    signs = find_signs(objective, followed.history[-1], before, after) if followed.history else ()
    size = min(pace.batch_size, len(rows))
    notes = (
        prepared.note,
        *rows.notes,
        feed.note,
        *([f"batches hold {size} examples: there are no more"] if size < pace.batch_size else []),
        *([f"the time limit ended it after {len(followed.history)} epochs"] if followed.ended == "deadline" else []),
    )
    model = _saved_model(prepared, objective.encoder.model, feed, asked, followed, method)
    return Pretrained(
        model,
        method_name(method),
        rows.source,
        len(rows),
        followed.history,
        signs,
        notes,
        None,
        asked,
        rows.failures,
        followed.resumed_at,
    )


def _saved_model(
    prepared: PreparedEncoder, trained: keras.Model, feed: Feed, asked: Json, followed: Followed, method: Method
) -> keras.Model:
    """The architecture as it came, with what was learnt, and a card that says it."""
    learnt, network = read_model(trained), prepared.network
    held = Chosen(learnt.tensors, {name: name for name in network.tensors})
    model = build_model(replace(network, tensors=held), prepared.custom_objects)
    card = network.card or Card(name=network.graph.name)
    curve = [f"{each.loss:.4g}" for each in followed.history]
    data = asked["data"]
    done = (
        f"pretrained: {method_name(method)} {asked['options']}, {data['examples']} examples of {data['source']} "
        f"(digest {data['digest'][:16]}), {followed.steps} steps, seed {asked['seed']}, loss by epoch {' '.join(curve)}"
    )
    (end,) = network.graph.outputs
    described = replace(
        card.without_proof(),
        architecture=None,
        preprocessing=feed.preprocessing or card.preprocessing,
        classes=(),
        features=end.layer,
        history=(*card.history, done),
    )
    attach_card(model, described)
    return model
