"""What goes into the heads of a student, of all examples of a set: features that are computed once, and no more."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

import keras

from transfer.data.labelled import LabelledSet
from transfer.errors import Problem
from transfer.graphs.joining_outputs import join_outputs
from transfer.jobs.examples.cached_features import Cache, open_store
from transfer.jobs.examples.feeding import as_learnt, make_feed
from transfer.jobs.examples.kept_pictures import checked_batches
from transfer.jobs.students.checking_heads import check_heads
from transfer.jobs.students.preparing import Student
from transfer.models.building import classes_of
from transfer.recipes import Stage
from transfer.specs import Preprocessing, Progress, silent
from transfer.training.feature_store import MEMORY_BYTES
from transfer.training.probing import HeadInputs
from transfer.training.stage_features import Examples, StageFeatures
from transfer.training.stage_flags import flag_stage


@dataclass(frozen=True, slots=True)
class ProbeFeatures:
    """Features of a set.

    Attributes:
        inputs: of the heads, of all its examples; rows of those that could not be read are zeros.
        failures: what is wrong with these, by place.
        note: how examples went in, in a sentence.
    """

    inputs: HeadInputs = field(repr=False)
    failures: dict[int, Problem]
    note: str


def compute_features(
    student: keras.Model | Student,
    data: LabelledSet,
    *,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
    cache: Cache | str | os.PathLike[str] | None = None,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress = silent,
) -> ProbeFeatures:
    """Run a student up to its heads over a set; arguments as those of `finetune`.

    Raises:
        LayerError: if the student does not end in the heads of the set's outputs.
        DataError: if the examples do not fit it.
    """
    network, heads = check_heads(student, data, None)
    own = student.custom_objects if isinstance(student, Student) else classes_of(student)
    feed = make_feed(network, data, preprocessing=preprocessing, size=size, custom_objects=own)
    whole = as_learnt(feed, data)
    graph = flag_stage(join_outputs(whole.graph, heads), Stage("probe"), heads)
    digests = data.digests()
    examples = Examples(
        digests, checked_batches(feed, data, digests, progress), feed.example_shape(data), feed.to_json()
    )
    with open_store(cache, memory_bytes=memory_bytes, own_classes=own) as store:
        network = replace(whole, graph=graph)
        features = StageFeatures(network, [graph], examples, store, custom_objects=own, progress=progress)
        inputs = HeadInputs(heads, features.into_heads(graph, heads))
    return ProbeFeatures(inputs, dict(features.rows.failures), feed.note)
