"""Dead units of a network started anew where nothing that it has learnt is lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from transfer.analysis.activation_reports import ActivationReport
from transfer.analysis.diagnosis import Diagnosis
from transfer.analysis.finding_faults import is_mostly_dead
from transfer.errors import LayerError
from transfer.graphs.activation_sites import Site
from transfer.graphs.cutting import sources_of
from transfer.graphs.graph import Graph, Ref
from transfer.models.exposing import ExposedModel
from transfer.surgery.network import Network
from transfer.surgery.reviving import revive, silenced_units, turn_round

TOLERANCE = 1e-4  # of the largest logit: what rounding may change
FEW = 32  # distinct inputs: fewer that are answered alike may well be alike
Range = tuple[NDArray[np.float64], NDArray[np.float64]]
_OTHERS = "their biases do not keep them silent: inputs beside these may wake them"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a network does with the data.

    Attributes:
        activations: by the place of each among the network's sites, over all examples.
        logits: (n, k) of all its outputs, before their last activations, for some examples.
        distinct: how many of these examples differ.
    """

    activations: Mapping[int, ActivationReport]
    logits: NDArray[np.float32]
    distinct: int


class Trials(Protocol):
    """The data, to be sent through networks that are made from one."""

    def behaviour(self, network: Network) -> Behaviour:
        """What a network does with it."""

    def ranges(self, network: Network, refs: Iterable[Ref]) -> Mapping[Ref, Range]:
        """The smallest and the largest value of each channel of some tensors, over all examples."""


@dataclass(frozen=True, slots=True)
class Woken:
    """A network whose dead units live.

    Attributes:
        network: the new one.
        units: of each layer those that were started anew.
        refused: layers whose dead units stay, and why.
        outputs: what became of the network's outputs, in a sentence.
    """

    network: Network
    units: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    outputs: str = ""


@dataclass(frozen=True, slots=True)
class _Turned:
    """A network, and what it does."""

    network: Network
    behaviour: Behaviour


def wake(exposed: ExposedModel, diagnosis: Diagnosis, trials: Trials, *, seed: int = 0) -> Woken:
    """Start the dead units anew that a diagnosis names as such.

    Where half a layer is dead, all of them; of a few in a trained network those whose bias keeps them silent whatever
    comes in the range of the data. Units that stay dead with new weights are turned round: then they are active
    wherever they were not. A network that is cut off has nothing to keep; else no logit may change.

    Args:
        exposed: the network, left as it is.
        diagnosis: of it.
        trials: sends the data through networks.
        seed: of what is drawn.
    """
    sites = {exposed.name_of(site.after): site for site in exposed.sites.found}
    asked = {name for each in diagnosis.findings if each.fix == "revive" for name in each.layers}
    reports = [each for each in diagnosis.activations if each.dead and each.layer in asked & set(sites)]
    before = trials.behaviour(exposed.network)
    is_mute = _is_mute(exposed.network.graph, [sites[each.layer].after for each in reports if _is_dead(each)], before)
    few = [] if diagnosis.is_new else [each for each in reports if not is_mostly_dead(each)]
    ranges = _entering(exposed.network, [sites[each.layer] for each in few], trials)
    revived = _revive(exposed.network, reports, sites, ranges, silently=not is_mute, seed=seed)
    if not revived.units:
        return replace(revived, network=exposed.flat)
    after = _turn(revived, exposed, sites, trials)
    difference = float(np.abs(after.behaviour.logits - before.logits).max(initial=0.0))
    if not is_mute and not difference <= TOLERANCE * max(1.0, float(np.abs(before.logits).max(initial=0.0))):
        reasons = dict.fromkeys(revived.units, f"logits would change by {difference:.1e}")
        return Woken(exposed.flat, {}, {**revived.refused, **reasons})
    outputs = f"logits of {len(before.logits)} examples stay, to {difference:.1e}"
    if is_mute:
        outputs = "nothing passed them, so the network answered alike to all"
    return replace(revived, network=replace(exposed.flat, tensors=after.network.tensors), outputs=outputs)


def _revive(
    network: Network,
    reports: Iterable[ActivationReport],
    sites: Mapping[str, Site],
    ranges: Mapping[Ref, Range],
    *,
    silently: bool,
    seed: int,
) -> Woken:
    """Layer by layer; where a range is given, those alone that stay dead in it."""
    revived, refused = dict[str, tuple[int, ...]](), dict[str, str]()
    for place, report in enumerate(reports):
        site, units = sites[report.layer], report.dead
        try:
            if site.before in ranges:
                silenced = silenced_units(network, site, *ranges[site.before])
                units = tuple(unit for unit in units if unit in silenced)
            network = revive(network, site, units, silently=silently, seed=seed + place)
        except LayerError as error:
            refused[report.layer] = (
                f"wanted {error.problems[0].expected}, found {error.problems[0].found.split(' ')[0]}"
            )
            continue
        revived |= {report.layer: units} if units else {}
        refused |= {} if units else {report.layer: _OTHERS}
    return Woken(network, revived, refused)


def _turn(woken: Woken, exposed: ExposedModel, sites: Mapping[str, Site], trials: Trials) -> _Turned:
    """The network with those units turned round that are still dead, and what it does."""
    places = {exposed.name_of(site.after): place for place, site in enumerate(exposed.sites.found)}
    network, after = woken.network, trials.behaviour(woken.network)
    for name, units in woken.units.items():
        still = [unit for unit in after.activations[places[name]].dead if unit in units]
        if still:
            network = turn_round(network, sites[name], still)
            after = trials.behaviour(network)
    return _Turned(network, after)


def _entering(network: Network, sites: Iterable[Site], trials: Trials) -> dict[Ref, Range]:
    """By what goes into an activation: the range of what goes into the layer right before it."""
    sources = {site.before: ref for site in sites for ref in sources_of(network.graph, site.before)[:1]}
    ranges = trials.ranges(network, dict.fromkeys(sources.values())) if sources else {}
    return {before: ranges[ref] for before, ref in sources.items()}


def _is_dead(report: ActivationReport) -> bool:
    return len(report.dead) == report.units


def _is_mute(graph: Graph, dead: list[Ref], before: Behaviour) -> bool:
    """Whether every way from the input to the outputs leads through a layer that is wholly dead."""
    alike = bool((before.logits == before.logits[:1]).all())
    return before.distinct >= FEW and alike and _is_cut(graph, dead)


def _is_cut(graph: Graph, refs: list[Ref]) -> bool:
    seen, waiting = set(refs), [ref for ref in graph.outputs if ref not in refs]
    while waiting:
        ref = waiting.pop()
        if ref in graph.inputs:
            return False
        if ref not in seen:
            seen.add(ref)
            waiting += [each for each in sources_of(graph, ref) if each not in seen]
    return bool(refs)
