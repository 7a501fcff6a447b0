"""Changing a network that a diagnosis found wrong where that is safe; what is not is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from transfer.analysis.diagnosis import ActivationReport, Diagnosis, Finding, shorten
from transfer.errors import LayerError
from transfer.graphs.activation_sites import Site
from transfer.models.exposing import ExposedModel, expose
from transfer.surgery.network import Network
from transfer.surgery.restarting import rectify, rescale_input, restart, weighted_layers
from transfer.surgery.reviving import revive, turn_round

TOLERANCE = 1e-4  # of the largest output: what rounding may change


@dataclass(frozen=True, slots=True)
class Look:
    """A network seen at work.

    Attributes:
        activations: by the place of each among the network's sites.
        outputs: (n, k) of all its outputs, for some examples.
    """

    activations: Mapping[int, ActivationReport]
    outputs: NDArray[np.float32]


@dataclass(slots=True)
class Mended:
    """A network after its repair.

    Attributes:
        network: as it is now; nested models are open where anything was changed.
        done: what was changed, in sentences.
        refused: what was not, and why.
    """

    network: Network
    done: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def mend(network: Network, diagnosis: Diagnosis, look: Callable[[Network], Look], *, seed: int = 0) -> Mended:
    """Do what the findings ask for.

    A network that was never trained may start otherwise. In a trained one dead units alone are started anew, and only
    where all outputs stay what they were.

    Args:
        network: left as it is.
        diagnosis: of it.
        look: sends the data through a network again.
        seed: of what is drawn.
    """
    exposed = expose(network)
    mended = Mended(exposed.flat)
    fixes = {each.fix: each for each in diagnosis.findings if each.fix}
    if "rectify" in fixes:
        _rectify(mended, exposed, diagnosis, seed)
    elif "redraw" in fixes:
        _restart(mended, exposed, fixes["redraw"], seed)
    if "rescale" in fixes:
        _rescale(mended, exposed, diagnosis)
    if "revive" in fixes and not mended.done:
        _revive_all(mended, exposed, diagnosis.activations, look, seed)
    mended.refused += [
        f"{each.kind}: nothing is changed of itself; {each.advice}" for each in diagnosis.findings if not each.fix
    ]
    return mended


def _rectify(mended: Mended, exposed: ExposedModel, diagnosis: Diagnosis, seed: int) -> None:
    squashing = {each.layer for each in diagnosis.activations if each.squashes and each.role == "hidden"}
    changed: dict[str, str | None] = {}
    for name, site in _sites(exposed).items():
        if name not in squashing:
            continue
        owner = exposed.owners.get(site.layer, site.layer)
        if "activation" in exposed.flat.graph.layer(owner).config:
            changed[owner] = site.weighted
        else:
            mended.refused.append(f"{name}: {site.activation} is no option of a layer")
    if not changed:
        return
    restarted = rectify(mended.network, changed, seed=seed)
    mended.network = restarted.network
    drawn = _names(restarted.layers)
    mended.done.append(f"relu as the activation of {_names(changed)}; drawn anew by he_normal: {drawn}")


def _restart(mended: Mended, exposed: ExposedModel, finding: Finding, seed: int) -> None:
    follows = {site.weighted: site.activation for site in exposed.sites.found}
    feeding = {name: follows.get(name, "linear") for name in weighted_layers(mended.network)}
    restarted = restart(mended.network, feeding, seed=seed)
    if not restarted.layers:
        mended.refused.append(f"{finding.kind}: all weights start as they should already; {finding.advice}")
        return
    mended.network = restarted.network
    mended.done.append(f"drawn anew by he_normal or glorot_uniform: {_names(restarted.layers)}")


def _rescale(mended: Mended, exposed: ExposedModel, diagnosis: Diagnosis) -> None:
    mean, std = diagnosis.input.mean, diagnosis.input.std
    if not std > 0:
        mended.refused.append("input scale: the input does not vary")
        return
    mended.network = rescale_input(mended.network, exposed.sites.entry, mean=mean, std=std)
    mended.done.append(f"a layer in front that computes (x - {mean:.4g}) / {std:.4g}")


def _revive_all(
    mended: Mended,
    exposed: ExposedModel,
    reports: Iterable[ActivationReport],
    look: Callable[[Network], Look],
    seed: int,
) -> None:
    """Units that stay dead with new weights are turned round: then they are active wherever they were not.

    A network that answers alike to all examples has nothing to keep; else no output may change.
    """
    sites, before = _sites(exposed), look(exposed.network)
    is_mute = bool((before.outputs == before.outputs[:1]).all())
    current, revived = exposed.network, dict[str, tuple[int, ...]]()
    refused: dict[str, list[str]] = {}
    for place, report in enumerate(each for each in reports if each.dead and each.layer in sites):
        try:
            current = revive(current, sites[report.layer], report.dead, silently=not is_mute, seed=seed + place)
        except LayerError as error:
            problem = error.problems[0]
            reason = f"wanted {problem.expected}, found {problem.found.split(' ')[0]}"
            refused.setdefault(reason, []).append(report.layer)
            continue
        revived[report.layer] = report.dead
    mended.refused += [f"dead units of {_names(names)}: {reason}" for reason, names in refused.items()]
    if not revived:
        return
    places = {exposed.name_of(site.after): place for place, site in enumerate(exposed.sites.found)}
    after = look(current)
    for name, units in revived.items():
        still = [unit for unit in after.activations[places[name]].dead if unit in units]
        if still:
            current = turn_round(current, sites[name], still)
            after = look(current)
    difference = float(np.abs(after.outputs - before.outputs).max(initial=0.0))
    if not is_mute and not difference <= TOLERANCE * max(1.0, float(np.abs(before.outputs).max(initial=0.0))):
        mended.refused.append(f"dead units of {_names(revived)}: outputs would change by {difference:.1e}")
        return
    mended.network = replace(mended.network, tensors=current.tensors)
    counts = _names(f"{len(units)} of {name}" for name, units in revived.items())
    outputs = "it answered alike to all" if is_mute else f"outputs on these examples stay, to {difference:.1e}"
    mended.done.append(f"dead units started anew: {counts}; {outputs}")


def _sites(exposed: ExposedModel) -> dict[str, Site]:
    return {exposed.name_of(site.after): site for site in exposed.sites.found}


def _names(names: Iterable[str]) -> str:
    return shorten(tuple(names)) or "nothing"
