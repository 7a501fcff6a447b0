"""Extraction from file to file through a Keras model: for what only Keras can tell, and to prove what is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras

from transfer.errors import KerasNeededError, OutputError, Problem
from transfer.graphs.graph import Graph
from transfer.jobs.extraction.extracted import Extracted, describe_extraction
from transfer.models.building import build_model, classes_of, read_model
from transfer.models.extracting import extract_from_model
from transfer.models.fingerprints import record_fingerprint
from transfer.models.outlining import summarize_model
from transfer.models.restoring import restore_file
from transfer.models.saving import save_model, save_weights
from transfer.placing import refuse_existing
from transfer.specs import Extraction, Restoring
from transfer.surgery.targets import form_of
from transfer.surgery.writing import write_network
from transfer.weights.cards import Card
from transfer.weights.checkpoint import Checkpoint


def extract_through_keras(
    checkpoint: Checkpoint,
    out: Path | None,
    how: Extraction,
    *,
    into: Graph | str | None = None,
    restoring: Restoring | None = None,
    force: bool = False,
    why: str = "",
) -> Extracted:
    """As `extracting.extract_file`, with models that Keras builds; outputs are recorded on the new file's card.

    Args:
        checkpoint: the file.
        out: `NAME.keras` or `NAME.h5` for a whole model, `NAME.weights.h5` or `NAME.safetensors` for weights with a
            card; None to write nothing.
        how: what to take, and what to make of it.
        into: the original architecture, or the name of a builder, whose own classes may stand in the new network.
        restoring: how the file is brought into the architecture.
        force: whether `out` may be replaced.
        why: Keras was needed, for the notes.

    Raises:
        TransferError: of the kind that fits: the file, the match, a layer, the output.
    """
    if out is not None:
        form_of(out)  # a name that does not say what to write shows before any work
        refuse_existing(out, force=force)
    keras.utils.set_random_seed(how.seed)  # layers that are skipped keep the initial values they are built with
    restored = restore_file(checkpoint, into, restoring or Restoring())
    found = extract_from_model(restored, how)
    model = build_model(found.network, classes_of(restored.model))
    if out is not None:
        _write(model, out, force=force)
    notes = (f"built in Keras: {why}",) if why else ()
    before, after = summarize_model(restored.model), summarize_model(model, new=found.network.new)
    return describe_extraction(before, after, found, restored.receipt, out, notes)


def _write(model: keras.Model, out: Path, *, force: bool) -> None:
    form = form_of(out)
    if form == "archive":
        save_model(model, out, force=force)
    elif form == "whole":
        _write_whole(model, out, force=force)
    else:
        save_weights(model, out, force=force)


def _write_whole(model: keras.Model, out: Path, *, force: bool) -> None:
    """A whole model in the legacy layout, as it is written without Keras, with its outputs on the card."""
    network = read_model(model)
    card = replace(network.card or Card(name=model.name), fingerprint=record_fingerprint(model))
    try:
        write_network(replace(network, card=card), out, force=force)
    except KerasNeededError as error:
        raise OutputError(
            f"{out} cannot hold this model: only Keras can tell where its tensors stand there.",
            error.problems or [Problem(model.name, found=error.summary)],
            next_step=f"call it {out.with_suffix('.keras').name}",
        ) from error
