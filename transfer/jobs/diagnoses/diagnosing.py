"""Looking at a network while data goes through it: saturation, dead units, gradients, and what is wrong."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from transfer.analysis.diagnosis import Diagnosis
from transfer.data.forms import LabelledData, as_labelled
from transfer.jobs.diagnoses.examining import Examination
from transfer.jobs.diagnoses.mending import mend
from transfer.jobs.diagnoses.subjects import Source, Subject, open_subject
from transfer.models.building import build_model, classes_of, read_model
from transfer.models.restoring import Into
from transfer.models.saving import save_model, save_weights
from transfer.placing import refuse_existing
from transfer.specs import Preprocessing, Progress, Restoring, silent
from transfer.surgery.network import Network


def diagnose(
    source: Source,
    data: LabelledData,
    *,
    into: Into = None,
    restoring: Restoring | None = None,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
    batches: int = 8,
    seed: int = 0,
    skip_unreadable: bool = False,
    fix: str | os.PathLike[str] | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> Diagnosis:
    """Send data through a network, and say what keeps it from learning: where, why, and what to do.

    All examples go through for the activations, some batches for the gradients. Only statistics are kept; the network
    is not changed. The loss is the network's own cross-entropy where its outputs are the data's classes; else that of a
    fresh head on its features, as `finetune` would attach it. Padded positions of sequences count as all others.

    Args:
        source: a Keras model with one input, what `restore` or `finetune` gave, a run's folder, or a checkpoint.
        data: labelled examples, their path, or arrays (x, y).
        into: the original architecture, where a checkpoint does not hold it.
        restoring: how a checkpoint is brought into it.
        preprocessing: of images, or the name of a common way; by default what the card says.
        size: (h, w) of images.
        batches: for the gradients, of up to 16 examples each, fewer where the network gives very much for each.
        seed: of the choice of these, of a fresh head, and of weights that a fix draws.
        skip_unreadable: whether examples that cannot be decoded are left out.
        fix: a new file for the network with what can safely be mended: `NAME.keras`, or weights with a card. What was
            done and what was not stands in the diagnosis; where nothing was, no file is written.
        force: whether an existing file may be replaced.
        progress: told of what is going on.

    Raises:
        LayerError: if the network cannot be looked into.
        DataError: if the examples do not fit it, or cannot be read.
        OutputError: if the file exists already or cannot be written.
    """
    if batches < 1:
        raise ValueError(f"gradients take at least one batch, not {batches}")
    if fix is not None:
        refuse_existing(Path(fix), force=force)
    labelled = as_labelled(data)
    subject = open_subject(source, into=into, restoring=restoring)
    examination = Examination(subject, labelled, preprocessing, size, seed, progress)
    diagnosis, good = examination.diagnose(batches, skip_unreadable=skip_unreadable)
    if fix is None or not diagnosis.findings:
        return diagnosis if fix is None else replace(diagnosis, fixes=("nothing to mend; nothing written",))
    mended = mend(read_model(subject.model), diagnosis, replace(examination, data=good), seed=seed)
    refused = tuple(f"not done: {each}" for each in mended.refused)
    if not mended.done:
        return replace(diagnosis, fixes=(*refused, "nothing written"))
    _write(mended.network, subject, Path(fix), mended.done, force=force)
    return replace(diagnosis, fixes=(*mended.done, *refused, f"wrote {fix}{_asking(subject)}"))


def _asking(subject: Subject) -> str:
    """How what a run's network became is asked again: it prepares images itself, and has no card that says so."""
    if subject.input is None or subject.input["kind"] != "images":
        return ""
    height, width = subject.input["size"]
    return f"; it takes raw images: --preprocessing raw --size {height}x{width}"


def _write(network: Network, subject: Subject, out: Path, done: list[str], *, force: bool) -> None:
    card = network.card
    if card is not None:
        card = replace(card.without_proof(), architecture=None, history=(*card.history, *done))
    model = build_model(replace(network, card=card), classes_of(subject.model))
    save = save_model if out.name.endswith(".keras") else save_weights
    save(model, out, force=force)
