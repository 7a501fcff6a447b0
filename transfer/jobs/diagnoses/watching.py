"""Examples sent through a network whose activations are watched, and its gradients computed: a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.analysis.activation_reports import ActivationReport, ActivationWatch
from transfer.analysis.gradient_flow import GradientFlow, GradientSums
from transfer.analysis.input_reports import InputReport, report_input
from transfer.analysis.moments import Moments
from transfer.data.labelled import LabelledSet
from transfer.data.loading import ImageBatch
from transfer.errors import DataError, Problem
from transfer.graphs.graph import Ref
from transfer.graphs.logits import Logits
from transfer.jobs.examples.feeding import Feed
from transfer.models.exposing import Built, ExposedModel, unit_axis
from transfer.models.gradients import norms, stream_gradients
from transfer.models.observing import observe
from transfer.models.variables import kernels_by_layer
from transfer.specs import Progress

_INPUT = "input"


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen.

    Attributes:
        input: what reaches the first layer that learns.
        activations: in the order of the network.
        places: of each of these among the network's sites.
        unseen: (layer, why) of activations whose tensors could not be watched.
        failures: (place, what is wrong) of examples that could not be read.
    """

    input: InputReport
    activations: tuple[ActivationReport, ...]
    places: tuple[int, ...]
    unseen: tuple[tuple[str, str], ...]
    failures: tuple[tuple[int, Problem], ...]


@dataclass(frozen=True, slots=True)
class Watchable:
    """A network that data can be sent through while it is watched.

    Attributes:
        exposed: the network.
        built: of it.
        feed: how examples go in.
        batch_size: how many go in at a time.
    """

    exposed: ExposedModel
    built: Built
    feed: Feed
    batch_size: int


def watch_activations(watchable: Watchable, data: LabelledSet, *, seed: int, progress: Progress) -> Watched:
    """Send all examples through that can be read, and keep statistics alone. Padded positions count as all others.

    Raises:
        DataError: if none can be read.
    """
    exposed, built, size = watchable.exposed, watchable.built, watchable.batch_size
    axis = unit_axis(exposed.network)
    watches: dict[int, ActivationWatch] = {}
    axes: dict[int, int] = {}  # a softmax has its own
    unseen: list[tuple[str, str]] = []
    tensors = {_INPUT: built.tensor(exposed.sites.entry)}
    for place, site in enumerate(exposed.sites.found):
        before, after = built.tensor(site.before), built.tensor(site.after)
        axes[place] = site.options.get("axis", axis)
        units = after.shape[axes[place]] if len(after.shape) > 2 else after.shape[-1]
        if len(after.shape) < 2 or units is None:
            unseen.append((exposed.name_of(site.after), f"{site.activation} of an open number of units"))
            continue
        watches[place] = ActivationWatch(site, units, seed)
        tensors |= {f"{place}/before": before, f"{place}/after": after}
    entering: Moments | None = None
    failures: list[tuple[int, Problem]] = []
    readable = _readable(watchable.feed.batches(data, size, progress), failures)
    for values in observe(built.model, tensors, readable, batch_size=size):
        given = _units_last(values[_INPUT], axis)
        entering = (entering or Moments.empty(given.shape[-1])).update(given)
        for place, watch in watches.items():
            watch.update(*(_units_last(values[f"{place}/{side}"], axes[place]) for side in ("before", "after")))
    if entering is None:
        raise DataError(f"{data.source} holds no example that can be used.", [problem for _, problem in failures])
    reports = tuple(
        watch.report(exposed.name_of(watch.site.after), exposed.paths.get(watch.site.weighted or "", ""))
        for watch in watches.values()
    )
    return Watched(report_input(entering), reports, tuple(watches), tuple(unseen), tuple(failures))


def watch_gradients(
    watchable: Watchable, logits: Logits, data: LabelledSet, *, batches: int, seed: int
) -> GradientFlow:
    """Gradients of some batches, drawn with the seed.

    Args:
        watchable: the network.
        logits: where the loss begins.
        data: labels are places among the loss's classes.
        batches: at most; fewer where there are not as many examples.
        seed: of the order of the examples.
    """
    order = np.random.default_rng(seed).permutation(len(data))
    size = min(watchable.batch_size, len(order))
    count = max(1, min(batches, len(order) // size))

    def chosen() -> Iterator[tuple[NDArray[Any], NDArray[np.int64]]]:
        for start in range(0, count * size, size):
            part = data.subset(order[start : start + size])
            yield watchable.feed.load(part, size), part.labels

    model, paths = watchable.built.to(logits.ref), watchable.exposed.paths
    weights = kernels_by_layer(model)
    sums = GradientSums()
    for each in stream_gradients(model, logits.loss, weights, chosen()):
        sums.add({paths[layer]: values for layer, values in each.layers.items()}, each.loss, each.error)
    return sums.flow({paths[layer]: norm for layer, norm in norms(weights).items()})


def watch_ranges(
    watchable: Watchable, data: LabelledSet, refs: Iterable[Ref]
) -> dict[Ref, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The smallest and the largest value of each channel of some tensors, over all examples that can be read."""
    axis, size = unit_axis(watchable.exposed.network), watchable.batch_size
    names = {str(place): ref for place, ref in enumerate(refs)}
    tensors = {name: watchable.built.tensor(ref) for name, ref in names.items()}
    found: dict[Ref, Moments] = {}
    for values in observe(watchable.built.model, tensors, watchable.feed.readable(data, size), batch_size=size):
        for name, ref in names.items():
            given = _units_last(values[name], axis)
            found[ref] = found.get(ref, Moments.empty(given.shape[-1])).update(given)
    return {ref: (each.low, each.high) for ref, each in found.items()}


def _readable(batches: Iterable[ImageBatch], failures: list[tuple[int, Problem]]) -> Iterator[NDArray[Any]]:
    """The batches without the examples that could not be read, which are noted."""
    for batch in batches:
        failures += batch.failures
        if len(rows := batch.readable):
            yield rows


def _units_last(values: NDArray[Any], axis: int) -> NDArray[Any]:
    return np.moveaxis(values, axis, -1) if values.ndim > 2 else values
