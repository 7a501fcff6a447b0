"""Changing a network that a diagnosis found wrong where that is safe; what is not is refused by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from transfer.analysis.diagnosis import Diagnosis
from transfer.analysis.findings import Finding, Fix
from transfer.jobs.diagnoses.waking_units import Trials, Woken, wake
from transfer.models.exposing import ExposedModel, expose
from transfer.surgery.network import Network
from transfer.surgery.restarting import rectify, rescale_input, restart, weighted_layers
from transfer.tabulating import shorten

_LATER = "what was changed comes first; run it again on what is written"


@dataclass(slots=True)
class Mended:
    """A network after its repair.

    Attributes:
        network: as it is now; nested models are open where anything was changed.
        done: what was changed, in sentences.
        refused: what was not, and why. Each finding is spoken of in one of both.
    """

    network: Network
    done: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def change(self, network: Network, findings: Iterable[Finding], what: str) -> None:
        """Note a change that some findings asked for."""
        self.network = network
        self.done += _sentences(findings, what)

    def refuse(self, findings: Iterable[Finding], why: str) -> None:
        """Note that some findings change nothing."""
        self.refused += _sentences(findings, why)


def mend(network: Network, diagnosis: Diagnosis, trials: Trials, *, seed: int = 0) -> Mended:
    """Do what the findings ask for.

    A network that was never trained may start otherwise. In a trained one dead units alone are started anew, and only
    where all outputs stay what they were.

    Args:
        network: left as it is.
        diagnosis: of it.
        trials: sends the data through networks made from it.
        seed: of what is drawn.
    """
    exposed = expose(network)
    mended = Mended(exposed.flat)
    asking: dict[Fix, list[Finding]] = {}
    for each in diagnosis.findings:
        asking.setdefault(each.fix, []).append(each)
    if found := asking.get("rectify"):
        _rectify(mended, exposed, diagnosis, found, seed)
    if found := asking.get("redraw"):
        _restart(mended, exposed, found, seed)
    if found := asking.get("rescale"):
        _rescale(mended, exposed, diagnosis, found)
    if found := asking.get("revive"):
        _revive(mended, exposed, diagnosis, trials, found, seed)
    for each in asking.get("", []):
        mended.refuse([each], f"nothing is changed of itself; {each.advice}")
    return mended


def _rectify(
    mended: Mended, exposed: ExposedModel, diagnosis: Diagnosis, findings: Sequence[Finding], seed: int
) -> None:
    squashing = {each.layer for each in diagnosis.activations if each.squashes and each.role == "hidden"}
    changed: dict[str, str | None] = {}
    for site in exposed.sites.found:
        name = exposed.name_of(site.after)
        if name not in squashing:
            continue
        owner = exposed.owners.get(site.layer, site.layer)
        if "activation" in exposed.flat.graph.layer(owner).config:
            changed[owner] = site.weighted
        else:
            mended.refused.append(f"{name}: {site.activation} is no option of a layer")
    if not changed:
        mended.refuse(findings, f"no activation can be changed; {findings[0].advice}")
        return
    restarted = rectify(mended.network, changed, seed=seed)
    drawn = _names(restarted.layers)
    what = f"relu as the activation of {_names(changed)}; drawn anew by he_normal: {drawn}"
    mended.change(restarted.network, findings, what)


def _restart(mended: Mended, exposed: ExposedModel, findings: Sequence[Finding], seed: int) -> None:
    if mended.done:
        mended.refuse(findings, _LATER)
        return
    follows = {site.weighted: site.activation for site in exposed.sites.found}
    feeding = {name: follows.get(name, "linear") for name in weighted_layers(mended.network)}
    restarted = restart(mended.network, feeding, seed=seed)
    if not restarted.layers:
        mended.refuse(findings, f"all weights start as they should already; {findings[0].advice}")
        return
    what = f"drawn anew by he_normal or glorot_uniform: {_names(restarted.layers)}"
    mended.change(restarted.network, findings, what)


def _rescale(mended: Mended, exposed: ExposedModel, diagnosis: Diagnosis, findings: Sequence[Finding]) -> None:
    mean, std = diagnosis.input.mean, diagnosis.input.std
    if not std > 0:
        mended.refuse(findings, "the input does not vary")
        return
    scaled = rescale_input(mended.network, exposed.sites.entry, mean=mean, std=std)
    mended.change(scaled, findings, f"a layer in front that computes (x - {mean:.4g}) / {std:.4g}")


def _revive(
    mended: Mended,
    exposed: ExposedModel,
    diagnosis: Diagnosis,
    trials: Trials,
    findings: Sequence[Finding],
    seed: int,
) -> None:
    """Each layer is spoken of where its own finding stands; that no gradient passes it goes by what became of it."""
    if mended.done:
        mended.refuse(findings, _LATER)
        return
    woken = wake(exposed, diagnosis, trials, seed=seed)
    mended.network = woken.network
    for each in findings:
        layers = each.layers if each.kind == "dead units" else (*woken.units, *woken.refused)
        counts = [f"{len(woken.units[name])} of {name}" for name in layers if name in woken.units]
        if counts:
            mended.done += _sentences([each], f"units started anew: {_names(counts)}; {woken.outputs}")
        for reason, names in _by_reason(woken, layers).items():
            mended.refused += _sentences([each], f"left as they are in {_names(names)}: {reason}")


def _by_reason(woken: Woken, layers: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in layers:
        if name in woken.refused:
            found.setdefault(woken.refused[name], []).append(name)
    return found


def _sentences(findings: Iterable[Finding], text: str) -> list[str]:
    """One for each; what is said of the first holds for all."""
    found: list[str] = []
    for each in findings:
        more = f" and {len(each.layers) - 1} more" if len(each.layers) > 1 else ""
        where = f" of {each.layers[0]}{more}" if each.layers else ""
        found.append(f"{each.kind}{where}: {'as said above' if found else text}")
    return found


def _names(names: Iterable[str]) -> str:
    return shorten(tuple(names)) or "nothing"
