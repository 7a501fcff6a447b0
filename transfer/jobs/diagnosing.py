"""Looking at a network while data goes through it: saturation, dead units, gradients, and what is wrong."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transfer.analysis.diagnosis import Diagnosis
from transfer.analysis.findings import find
from transfer.analysis.update_reports import UpdateReport, read_updates
from transfer.data.arrays import from_arrays
from transfer.data.labelled import LabelledSet
from transfer.data.sampling import draw
from transfer.errors import DataError
from transfer.graphs.graph import Ref
from transfer.jobs.feeding import Feed
from transfer.jobs.mending import mend
from transfer.jobs.run_folders import HISTORY
from transfer.jobs.subjects import Source, Subject, feed_subject, open_subject, pose
from transfer.jobs.waking_units import Behaviour, Range
from transfer.jobs.watching import Watchable, Watched, watch_activations, watch_gradients, watch_ranges
from transfer.models.batch_sizes import fitting_batch_size
from transfer.models.building import build_model, classes_of, read_model
from transfer.models.calibrating import calibrate
from transfer.models.exposing import Built, ExposedModel, expose
from transfer.models.observing import observe
from transfer.models.restoring import Into
from transfer.models.saving import save_model, save_weights
from transfer.placing import refuse_existing
from transfer.specs import Preprocessing, Progress, Restoring, silent
from transfer.surgery.network import Network
from transfer.surgery.untrained import is_untrained

_LINES = 5  # that are numbered
_MOST = 16  # examples at a time
_SOME = 4  # times as many stand for all


def diagnose(
    source: Source,
    data: LabelledSet | tuple[ArrayLike, ArrayLike],
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
        data: labelled examples, or arrays (x, y).
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
    labelled = data if isinstance(data, LabelledSet) else from_arrays(*data)
    subject = open_subject(source, into=into, restoring=restoring)
    bench = _Bench(subject, labelled, preprocessing, size, seed, progress)
    diagnosis, good = bench.diagnose(batches, skip_unreadable=skip_unreadable)
    if fix is None or not diagnosis.findings:
        return diagnosis if fix is None else replace(diagnosis, fixes=("nothing to mend; nothing written",))
    mended = mend(read_model(subject.model), diagnosis, replace(bench, data=good), seed=seed)
    refused = tuple(f"not done: {each}" for each in mended.refused)
    if not mended.done:
        return replace(diagnosis, fixes=(*refused, "nothing written"))
    _write(mended.network, subject, Path(fix), mended.done, force=force)
    return replace(diagnosis, fixes=(*mended.done, *refused, f"wrote {fix}{_asking(subject)}"))


@dataclass(frozen=True, slots=True)
class _Bench:
    """A subject and the data that goes through it."""

    subject: Subject
    data: LabelledSet
    preprocessing: Preprocessing | str | None
    size: tuple[int, int] | None
    seed: int
    progress: Progress

    def feed(self, network: Network) -> Feed:
        return feed_subject(self.subject, network, self.data, preprocessing=self.preprocessing, size=self.size)

    def diagnose(self, batches: int, *, skip_unreadable: bool) -> tuple[Diagnosis, LabelledSet]:
        """The diagnosis, and the examples that could be read."""
        network = read_model(self.subject.model)
        feed = self.feed(network)
        posed = pose(self.subject, feed.network, self.data, seed=self.seed)
        exposed, logits = posed.exposed, posed.exposed.logits
        watchable, notes = self._watchable(exposed, feed)
        watched = watch_activations(watchable, posed.data, seed=self.seed, progress=self.progress)
        good = _readable(posed.data, watched, skip_unreadable=skip_unreadable)
        flow = None
        if logits is not None:
            flow = watch_gradients(watchable, logits, good, batches=batches, seed=self.seed)
        if flow is not None and not flow.is_judged and flow.verdict == "healthy":
            notes += ("the loss is 0: no gradient to judge",)
        updates, unrecorded = _updates(self.subject.folder)
        is_new = is_untrained(network)
        counts = np.bincount(good.labels, minlength=len(good.classes))
        diagnosis = Diagnosis(
            source=self.subject.name,
            examples=len(good),
            is_new=is_new,
            input=watched.input,
            activations=watched.activations,
            gradients=flow,
            updates=updates,
            findings=find(
                watched.activations,
                flow,
                watched.input,
                is_new=is_new,
                chance=math.inf if logits is None else logits.chance,
                counts=counts[counts > 0].tolist(),
                covers=posed.covers and bool((counts > 0).all()),
                updates=updates,
            ),
            hidden=(*((exposed.paths[name], kind) for name, kind in exposed.sites.hidden), *watched.unseen),
            notes=(
                *posed.notes,
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
