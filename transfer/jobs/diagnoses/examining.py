"""A subject looked at while data goes through it, as it is and as it would be otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.analysis.diagnosis import Diagnosis
from transfer.analysis.finding_faults import find
from transfer.analysis.findings import Finding
from transfer.analysis.gradient_flow import GradientFlow
from transfer.analysis.input_ranges import Slip
from transfer.analysis.update_reports import UpdateReport, read_updates
from transfer.data.labelled import LabelledSet
from transfer.data.sampling import draw
from transfer.errors import DataError
from transfer.graphs.graph import Ref
from transfer.graphs.wrapping import RECURRENT
from transfer.jobs.diagnoses.subjects import Subject, WithLoss, feed_subject, find_loss
from transfer.jobs.diagnoses.waking_units import Behaviour, Range
from transfer.jobs.diagnoses.watching import Watchable, Watched, watch_activations, watch_gradients, watch_ranges
from transfer.jobs.examples.checking_inputs import find_slips
from transfer.jobs.examples.feeding import Feed
from transfer.jobs.runs.run_folders import HISTORY
from transfer.models.batch_sizes import fitting_batch_size
from transfer.models.building import classes_of, read_model
from transfer.models.calibrating import calibrate
from transfer.models.exposing import Built, ExposedModel, expose
from transfer.models.observing import observe
from transfer.specs import Preprocessing, Progress
from transfer.surgery.network import Network
from transfer.surgery.untrained import is_untrained

_LINES = 5  # that are numbered
_MOST = 16  # examples at a time
_SOME = 4  # times as many stand for all


@dataclass(frozen=True, slots=True)
class Examination:
    """A subject and the data that goes through it.

    Attributes:
        subject: what is looked at.
        data: labelled examples.
        preprocessing: of images, where the subject does not say it.
        size: (h, w) of images.
        seed: of the choice of examples and of a fresh head.
        progress: told of what is going on.
    """

    subject: Subject
    data: LabelledSet
    preprocessing: Preprocessing | str | None
    size: tuple[int, int] | None
    seed: int
    progress: Progress

    def feed(self, network: Network) -> Feed:
        """How data goes into the subject, or into a network made from it."""
        return feed_subject(self.subject, network, self.data, preprocessing=self.preprocessing, size=self.size)

    def diagnose(self, batches: int, *, skip_unreadable: bool) -> tuple[Diagnosis, LabelledSet]:
        """The diagnosis, and the examples that could be read."""
        network = read_model(self.subject.model)
        feed = self.feed(network)
        asked = find_loss(self.subject, feed.network, self.data, seed=self.seed)
        exposed, logits = asked.exposed, asked.exposed.logits
        watchable, notes = self._watchable(exposed, feed)
        watched = watch_activations(watchable, asked.data, seed=self.seed, progress=self.progress)
        good = _readable(asked.data, watched, skip_unreadable=skip_unreadable)
        flow = None
        if logits is not None:
            flow = watch_gradients(watchable, logits, good, batches=batches, seed=self.seed)
        if flow is not None and not flow.is_judged and flow.verdict == "healthy":
            notes += ("the loss is 0: no gradient to judge",)
        notes += flow.notes if flow is not None else ()
        updates, unrecorded = _updates(self.subject.folder)
        is_new = is_untrained(network)
        slips = find_slips(feed, network, good, seed=self.seed)
        diagnosis = Diagnosis(
            source=self.subject.name,
            examples=len(good),
            is_new=is_new,
            input=watched.input,
            activations=watched.activations,
            gradients=flow,
            updates=updates,
            findings=_find(watched, flow, replace(asked, data=good), is_new=is_new, updates=updates, slips=slips),
            hidden=(*((exposed.paths[name], kind) for name, kind in exposed.sites.hidden), *watched.unseen),
            notes=(
                *asked.notes,
                *notes,
                *unrecorded,
                *(f"left out: {problem.where}" for _, problem in watched.failures),
            ),
        )
        return diagnosis, good

    def behaviour(self, network: Network) -> Behaviour:
        """The activations of a network made from the subject's, and its logits for some examples."""
        watchable = self._anew(network)
        watched = watch_activations(watchable, self.data, seed=self.seed, progress=self.progress)
        sites, built, size = watchable.exposed.sites.found, watchable.built, watchable.batch_size
        some = self._some(watchable.feed, _SOME * _MOST)
        before = {site.after: site.before for site in sites}
        refs = [before.get(ref, ref) for ref in watchable.exposed.network.graph.outputs]
        tensors = {str(place): built.tensor(ref) for place, ref in enumerate(refs)}
        batches = (some[start : start + size] for start in range(0, len(some), size))
        found = list(observe(built.model, tensors, batches, batch_size=size))
        logits = [np.concatenate([each[name] for each in found]).reshape(len(some), -1) for name in tensors]
        return Behaviour(
            dict(zip(watched.places, watched.activations, strict=True)),
            np.concatenate(logits, axis=1),
            len(np.unique(some.reshape(len(some), -1), axis=0)),
        )

    def ranges(self, network: Network, refs: Iterable[Ref]) -> Mapping[Ref, Range]:
        """The smallest and the largest value of each channel of some tensors of such a network."""
        return watch_ranges(self._anew(network), self.data, refs)

    def _anew(self, network: Network) -> Watchable:
        feed = self.feed(network)
        return self._watchable(expose(read_model(feed.network)), feed)[0]

    def _watchable(self, exposed: ExposedModel, feed: Feed) -> tuple[Watchable, tuple[str, ...]]:
        built = Built(exposed, classes_of(self.subject.model))
        size = fitting_batch_size(built.model, feed.example_shape(self.data), most=_MOST)
        watchable = Watchable(exposed, built, feed, size)
        if not calibrate(built.model, lambda: self._some(feed, _SOME * size)):
            return watchable, ()
        return watchable, ("batch normalization had seen no data: some examples gave it statistics, as in training",)

    def _some(self, feed: Feed, most: int) -> NDArray[Any]:
        """(n, …), drawn with the seed, without those that cannot be read."""
        return np.concatenate(list(feed.readable(draw(self.data, most, self.seed), _MOST)))


def _find(
    watched: Watched,
    flow: GradientFlow | None,
    asked: WithLoss,
    *,
    is_new: bool,
    updates: tuple[UpdateReport, ...],
    slips: tuple[Slip, ...],
) -> tuple[Finding, ...]:
    counts, logits = np.bincount(asked.data.labels, minlength=len(asked.data.classes)), asked.exposed.logits
    return find(
        watched.activations,
        flow,
        watched.input,
        is_new=is_new,
        chance=math.inf if logits is None else logits.chance,
        counts=counts[counts > 0].tolist(),
        covers=asked.covers and bool((counts > 0).all()),
        updates=updates,
        slips=slips,
        recurrent=any(layer.class_name in {*RECURRENT, "Bidirectional"} for layer in asked.exposed.network.graph),
    )


def _readable(data: LabelledSet, watched: Watched, *, skip_unreadable: bool) -> LabelledSet:
    if watched.failures and not skip_unreadable:
        raise DataError(
            f"{len(watched.failures)} of {len(data)} examples of {data.source} cannot be read.",
            [problem for _, problem in watched.failures],
            next_step="remove them, or leave them out with --skip-unreadable (skip_unreadable=True)",
        )
    bad = {place for place, _ in watched.failures}
    return data.subset(np.array([place for place in range(len(data)) if place not in bad], np.int64))


def _updates(folder: Path | None) -> tuple[tuple[UpdateReport, ...], tuple[str, ...]]:
    """What a run recorded of its steps, layer by layer, and what it did not."""
    if folder is None:
        return (), ()
    try:
        found, torn = read_updates((folder / HISTORY).read_text(errors="replace").splitlines())
    except OSError as error:
        return (), (f"nothing is said of the run's steps: {HISTORY} cannot be read ({error.strerror})",)
    lines = ", ".join(map(str, torn[:_LINES]))
    return found, (f"damaged lines of {HISTORY} are left out: {lines}",) if torn else ()
