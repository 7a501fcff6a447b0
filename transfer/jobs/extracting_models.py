"""Extraction from file to file through a Keras model: for what only Keras can tell, and to prove what is written."""

from __future__ import annotations

from pathlib import Path

import keras

from transfer.errors import OutputError
from transfer.graphs.graph import Graph
from transfer.jobs.extracted import Extracted, describe_extraction
from transfer.models.building import build_model, read_model
from transfer.models.extracting import extract_from_model
from transfer.models.restoring import restore_file
from transfer.models.saving import save_model, save_weights
from transfer.placing import refuse_existing
from transfer.specs import Extraction, Restoring
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
        out: `NAME.keras` for a whole model, `NAME.weights.h5`, `NAME.h5` or `NAME.safetensors` for weights with a card;
            None to write nothing.
        how: what to take, and what to make of it.
        into: the original architecture, or the name of a builder.
        restoring: how the file is brought into the architecture.
        force: whether `out` may be replaced.
        why: Keras was needed, for the notes.

    Raises:
        TransferError: of the kind that fits: the file, the match, a layer, the output.
    """
    if out is not None:
        if not out.name.endswith((".keras", ".h5", ".safetensors")):
            raise OutputError(
                f"{out} has no suffix that says what to write.",
                next_step="call it NAME.keras, NAME.h5 or NAME.weights.h5",
            )
        refuse_existing(out, force=force)
    keras.utils.set_random_seed(how.seed)  # layers that are skipped keep the initial values they are built with
    restored = restore_file(checkpoint, into, restoring or Restoring())
    found = extract_from_model(restored, how)
    if out is not None:
        (save_model if out.name.endswith(".keras") else save_weights)(build_model(found.network), out, force=force)
    notes = (f"built in Keras: {why}",) if why else ()
    return describe_extraction(read_model(restored.model).graph, found, restored.receipt, out, notes)
