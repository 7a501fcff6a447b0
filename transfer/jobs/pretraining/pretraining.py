"""Pretraining as a whole job: examples read once, an objective followed, the encoder saved with its card."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transfer.errors import NotFiniteError
from transfer.jobs.examples.feeding import make_feed
from transfer.jobs.examples.reading_unlabelled import Unlabelled, read_unlabelled
from transfer.jobs.examples.spooling_unlabelled import spool_rows
from transfer.jobs.pretraining.building_objectives import DecoderBuilder, build_objective, usual_preprocessing
from transfer.jobs.pretraining.preparing_encoders import Architecture, prepare_encoder
from transfer.jobs.pretraining.pretrained import Pretrained
from transfer.jobs.pretraining.pretrained_files import find_finished, refuse_place, refuse_target, write_pretrained
from transfer.jobs.pretraining.pretraining_requests import PretrainingRequest
from transfer.jobs.pretraining.telling_pretrained import Learnt, encoder_as_it_came, tell_pretrained
from transfer.jobs.runs.unfinished import kept_state, with_last_finite
from transfer.jobs.students.clock import Clock, TimeLimit
from transfer.models.restoring import Into
from transfer.specs import Json, Preprocessing, Progress, Restoring, silent
from transfer.surgery.targets import form_of
from transfer.training.batching import read_rows
from transfer.training.pretraining.fitting import Pace, follow
from transfer.training.pretraining.methods import named_method
from transfer.training.pretraining.objectives import Method, Objective
from transfer.training.pretraining.signs import evenly, features_of

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
        size: (h, w) to which images are fitted, and at which `app:NAME` is built.
        out: `NAME.weights.h5`, say; None to write nothing.
        force: whether what is there may be replaced.
        time_limit: seconds by which it is written, with what was learnt by then; such a run does not repeat to the bit.
        seed: of initial weights, of the order of examples and of all that is drawn.
        progress: told of what is going on.

    Raises:
        LayerError: if the method is not for the architecture, or that cannot be cut or mirrored.
        DataError: if the examples do not fit it, or are too few.
        OutputError: if `out` exists already, unless it is of this very request.
        NotFiniteError: if a step is not finite; with `out` the last finite weights lie beside it.
        ValueError: if the seed is out of bounds.
    """
    chosen = named_method(method, options) if isinstance(method, str) else method
    target, limit = _checked(out, time_limit, seed, force=force)
    clock, pace = Clock(), pace or Pace()
    prepared = prepare_encoder(architecture, into=into, restoring=restoring, at=at, size=size, seed=seed)
    inputs = read_unlabelled(data)
    feed = make_feed(
        prepared.network,
        inputs,
        preprocessing=preprocessing or usual_preprocessing(prepared, inputs),
        size=size,
        custom_objects=prepared.custom_objects,
    )
    with clock("reading"):
        rows = spool_rows(feed, inputs, progress)
    request = PretrainingRequest(prepared, feed, rows, chosen, pace, seed, limit)
    objective = build_objective(request, decoder)
    asked = request.describe(objective.decoder if decoder is not None else None)
    if target is not None:
        if not force and (there := find_finished(target, asked, prepared.custom_objects)) is not None:
            return there
        refuse_target(target, asked, force=force)
    with kept_state(target, asked, force=force) as folder:
        learnt = _learn(request, objective, asked, folder, clock, progress)
        found = tell_pretrained(request, asked, learnt)
        return found if target is None else write_pretrained(found, learnt, target, clock.seconds, force=force)


def _checked(
    out: str | os.PathLike[str] | None, time_limit: float | TimeLimit | None, seed: int, *, force: bool
) -> tuple[Path | None, TimeLimit | None]:
    """Where the encoder goes and by when, as far as can be said before anything is read."""
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed: expected an integer in 0 … {2**32 - 1}, found {seed}")
    target = Path(out) if out is not None else None
    if target is not None:
        form_of(target)
        refuse_place(target, force=force)
    limit = TimeLimit(time_limit) if isinstance(time_limit, int | float) else time_limit
    if limit is not None:
        limit.refuse_hopeless("give more time")
    return target, limit


def _learn(
    request: PretrainingRequest,
    objective: Objective,
    asked: Json,
    folder: Path | None,
    clock: Clock,
    progress: Progress,
) -> Learnt:
    """Follow the objective.

    Raises:
        NotFiniteError: if a step is not finite; the weights before it lie in the folder.
    """
    rows, limit = request.rows, request.limit
    before = features_of(objective, rows, request.batch_size)
    size_bytes = 4 * int(objective.encoder.model.count_params())
    with clock("pretraining"):
        try:
            followed = follow(
                objective,
                rows,
                request.pace,
                seed=request.seed,
                state_folder=folder,
                digest=asked["digest"],
                deadline=limit.training_ends(size_bytes) if limit else None,
                progress=progress,
            )
        except NotFiniteError as error:
            objective.finish()
            raise with_last_finite(
                error, lambda: encoder_as_it_came(request, objective.encoder.model), folder
            ) from error
    objective.finish()
    return Learnt(objective, followed, before, read_rows(rows, evenly(_SHOWN, len(rows))))
