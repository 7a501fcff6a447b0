"""Extraction from file to file, as a whole job. Keras is not loaded: `extracting_models` is for where it is needed."""

from __future__ import annotations

from pathlib import Path

from transfer.graphs.graph import Graph
from transfer.graphs.summarizing import summarize
from transfer.jobs.extraction.extracted import Extracted, describe_extraction
from transfer.placing import refuse_existing
from transfer.specs import Extraction, Restoring
from transfer.surgery.extracting import extract_network
from transfer.surgery.opening import open_network
from transfer.surgery.targets import form_of
from transfer.surgery.writing import write_network
from transfer.weights.checkpoint import Checkpoint


def extract_file(
    checkpoint: Checkpoint,
    out: Path | None,
    how: Extraction,
    *,
    into: Graph | None = None,
    restoring: Restoring | None = None,
    force: bool = False,
) -> Extracted:
    """Bring a file into its architecture, extract, and write the result: tensors are copied, none is computed with.

    Args:
        checkpoint: the file; it is not changed.
        out: `NAME.keras` or `NAME.h5` for a whole model, `NAME.weights.h5` or `NAME.safetensors` for weights with a
            card; None to write nothing and say what would be done.
        how: what to take, and what to make of it.
        into: the original architecture, where the file does not hold it.
        restoring: how the file is brought into the architecture.
        force: whether `out` may be replaced.

    Raises:
        KerasNeededError: if only Keras can tell what a layer holds, or recorded outputs are to be checked.
        TransferError: of the kind that fits: the file, the match, a layer, the output.
    """
    if out is not None:
        form_of(out)  # a name that does not say what to write shows before any work
        refuse_existing(out, force=force)
    opened = open_network(checkpoint, into, restoring or Restoring(), seed=how.seed)
    found = extract_network(opened.network, how)
    if out is not None:
        write_network(found.network, out, force=force)
    notes = () if out is not None else ("no value was read: nothing was held against a digest",)
    before, after = summarize(opened.network.graph), summarize(found.network.graph, new=found.network.new)
    return describe_extraction(before, after, found, opened.receipt, out, notes)
