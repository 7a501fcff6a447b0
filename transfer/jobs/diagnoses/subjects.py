"""A network to look at, from whatever people have of it, and how data and its loss go with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import keras

from transfer.data.inputs import Examples
from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, LayerError, Problem
from transfer.graphs.attaching import free_name
from transfer.graphs.graph import Ref
from transfer.graphs.shapes import Shape
from transfer.jobs.examples.feeding import Feed, feed_of_run, make_feed
from transfer.jobs.runs.run_folders import ASKED
from transfer.jobs.runs.running import load_run
from transfer.models.building import build_model, classes_of, read_model
from transfer.models.exposing import ExposedModel, expose
from transfer.models.restoring import Into, Restored, restore_file
from transfer.models.shaping import known_shapes
from transfer.results import Run
from transfer.specs import Extraction, Head, Json, Preprocessing, Restoring
from transfer.surgery.extracting import FEATURES, extract_network
from transfer.surgery.network import Network
from transfer.weights.checkpoint import Checkpoint

HEAD = "label"

Source: TypeAlias = "keras.Model | Restored | Run | Checkpoint | str | os.PathLike[str]"


@dataclass(frozen=True, slots=True)
class Subject:
    """A network to look at.

    Attributes:
        name: for messages.
        model: the Keras model.
        classes: in the order of its outputs; empty where nothing says them.
        input: how examples go in, as the `run.json` of a run has it; None for all others.
        folder: of a run.
    """

    name: str
    model: keras.Model = field(repr=False)
    classes: tuple[str, ...] = ()
    input: Json = field(default=None, repr=False)
    folder: Path | None = None


def open_subject(source: Source, *, into: Into = None, restoring: Restoring | None = None) -> Subject:
    """The network behind a model, a checkpoint or a run.

    Raises:
        TransferError: of the kind that fits.
    """
    if isinstance(source, keras.Model):
        return Subject(source.name, source)
    if not isinstance(source, Restored | Run | Checkpoint) and (Path(source) / ASKED).is_file():
        source = load_run(source)
    if isinstance(source, Run):
        name = str(source.folder or source.model.name)
        return Subject(name, source.model, source.result.classes, source.asked["input"], source.folder)
    restored = source if isinstance(source, Restored) else restore_file(source, into, restoring or Restoring())
    return Subject(restored.receipt.source, restored.model, restored.card.classes if restored.card else ())


def feed_subject(
    subject: Subject,
    network: Network,
    data: Examples,
    *,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
) -> Feed:
    """How data goes into the subject, or into a network made from it.

    Raises:
        DataError: if it does not fit, or preprocessing is named for a run, whose network has its own.
        LayerError: if the network has several inputs, or does not take images of that size.
    """
    inputs = network.graph.inputs
    if len(inputs) != 1:
        raise LayerError(
            f"{network.graph.name!r} has {len(inputs)} inputs; networks of one are looked into.",
            [Problem(ref.layer, found="an input") for ref in inputs],
            next_step="give the part of it that takes them: keras.Model(one of its inputs, an output of that part)",
        )
    if subject.input is None:
        return make_feed(
            network, data, preprocessing=preprocessing, size=size, custom_objects=classes_of(subject.model)
        )
    if preprocessing is not None or size is not None:
        raise DataError(
            f"{subject.name} is a run: its network prepares images itself.",
            next_step="leave out --preprocessing and --size (preprocessing=…, size=…)",
        )
    return feed_of_run(build_model(network, classes_of(subject.model)), subject.input)


@dataclass(frozen=True, slots=True)
class WithLoss:
    """A network and labels for its loss.

    Attributes:
        exposed: the network; it has no logits where no loss can be put on it.
        data: labels are places among the classes of the loss.
        covers: whether the data has all the classes that the network was made for, as far as that is known.
        notes: what there is to say of the loss.
    """

    exposed: ExposedModel
    data: LabelledSet
    covers: bool
    notes: tuple[str, ...] = ()


def find_loss(subject: Subject, model: keras.Model, data: LabelledSet, *, seed: int) -> WithLoss:
    """Find the loss: the network's own where its outputs are the data's classes, else that of a fresh head.

    Args:
        subject: says what its classes are called.
        model: its network, raw input in.
        data: labelled examples.
        seed: of a fresh head.
    """
    network, shapes = read_model(model), known_shapes(model)
    exposed = expose(network, shapes)
    units = exposed.logits.classes if exposed.logits is not None else 0
    known = subject.classes if len(subject.classes) == units else ()
    if known and set(data.classes) <= set(known):
        return WithLoss(exposed, data.with_classes(known), set(known) == set(data.classes))
    if units == len(data.classes) and subject.folder is None:
        others = f", called {', '.join(known[:4])} there" if known else ""
        note = f"the {units} outputs{others} are taken for {', '.join(data.classes[:4])} … in this order"
        return WithLoss(exposed, data, True, (note.replace(" …", "") if units <= 4 else note,))
    return _with_head(network, shapes, data, seed, exposed)


def _with_head(
    network: Network, shapes: Mapping[Ref, Shape], data: LabelledSet, seed: int, plain: ExposedModel
) -> WithLoss:
    head = Head(free_name(network.graph, HEAD), len(data.classes))
    try:
        extracted = extract_network(network, Extraction(at=(FEATURES,), heads=(head,), seed=seed), shapes)
    except LayerError as error:
        return WithLoss(replace(plain, logits=None), data, False, (f"no gradients: {error.summary}",))
    dropped = f" in place of {', '.join(extracted.dropped)}" if extracted.dropped else ""
    note = f"the outputs are not the {len(data.classes)} classes of {data.source}: the loss is that of a fresh head"
    return WithLoss(expose(extracted.network, shapes), data, False, (f"{note} {head.name!r}{dropped}",))
