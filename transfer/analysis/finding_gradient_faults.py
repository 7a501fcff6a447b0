"""From gradients that vanish or explode to what makes them: activations that squash, dead layers, weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from transfer.analysis.activation_reports import ActivationReport
from transfer.analysis.findings import Finding, Fix
from transfer.analysis.gradient_flow import STEEP, STRONG, WEAK, GradientFlow

_RECURRENT = (
    "train the recurrent layers with the head, at their own rate and with clipped gradients; take orthogonal recurrent "
    "weights and a forget bias of 1, or shorter sequences"
)
_MOST = 20.0  # decades that are told apart


def find_gradient_faults(
    activations: Sequence[ActivationReport],
    flow: GradientFlow,
    doubt: str,
    *,
    is_new: bool,
    is_input: bool,
    recurrent: bool,
    below: bool,
) -> Iterator[Finding]:
    """Why gradients vanish or explode.

    Args:
        activations: in the order of the network.
        flow: of gradients.
        doubt: why a unit that no example woke may yet not be dead; empty where it is.
        is_new: whether the network was never trained.
        is_input: whether the input alone is to blame for what is too large.
        recurrent: whether the network has recurrent layers.
        below: whether the loss is clearly below that of guessing.
    """
    if flow.verdict == "vanishing":
        found = _vanishing(activations, flow, doubt, is_new=is_new)
        weak = recurrent and not flow.cut_off
        if weak:
            found = replace(found, advice=_RECURRENT)
        yield replace(found, severity="remark") if weak and below and not is_new else found
    elif flow.verdict == "exploding" and not is_input:
        ratios = [each.ratio for each in flow.layers]
        backwards = "each layer makes gradients larger on the way back: the weights are too large for the depth"
        forwards = "activations, and gradients with them, grow from layer to layer: the weights are too large"
        yield Finding(
            "exploding",
            tuple(each.layer for each in flow.layers if each.ratio > STRONG) or (flow.layers[0].layer,),
            forwards if flow.strength > STRONG else backwards,
            f"gradient over weights {ratios[0]:.1e} in the first layer, {ratios[-1]:.1e} in the last",
            "start from he_normal (ReLU) or glorot_uniform (tanh), normalise between layers, or clip gradients",
            fix="redraw" if is_new else "",
        )


def _vanishing(activations: Sequence[ActivationReport], flow: GradientFlow, doubt: str, *, is_new: bool) -> Finding:
    ratios = [each.ratio for each in flow.layers]
    evidence = f"gradient over weights {ratios[0]:.1e} in the first layer, {ratios[-1]:.1e} in the last"
    hidden = [each for each in activations if each.role == "hidden"]
    cut = next((each for each in hidden if each.units and len(each.dead) == each.units), None)
    squashing = [each for each in hidden if each.squashes]
    lost = -sum(math.log10(max(each.slope, 1e-30)) for each in squashing)
    layers = flow.starved or tuple(each.layer for each in flow.layers)
    if cut is not None:
        cause = f"all units of {cut.layer} are dead: nothing passes them"
        advice = f"start that layer anew{'' if doubt else ' (--fix)'}"
        return Finding("vanishing", layers, cause, evidence, advice, fix="" if doubt else "revive")
    stuck = next((each for each in hidden if each.units and each.stuck == each.units), None)
    if stuck is not None:
        cause = f"all units of {stuck.layer} are flat for every example: nothing passes {stuck.activation}"
        advice = "start that layer anew with smaller weights and biases, or normalise before it"
        fix: Fix = "rectify" if is_new and stuck.squashes else ""
        return Finding("vanishing", layers, cause, evidence, advice, fix=fix)
    if squashing and lost >= max(1.0, min(flow.decades, _MOST) / 2):
        names = ", ".join(dict.fromkeys(each.activation for each in squashing))
        ends = dict.fromkeys(f"{each:.2g}" for each in sorted(each.slope for each in squashing))
        part = " to ".join(list(ends)[:: max(1, len(ends) - 1)])
        cause = (
            f"{len(squashing)} x {names}: each passes on {part} of a gradient, which makes {lost:.1f} decades in all"
        )
        advice = (
            "take relu with he_normal (--fix on a network that was never trained), or normalise before each of them"
        )
        return Finding("vanishing", layers, cause, evidence, advice, fix="rectify" if is_new else "")
    if flow.decades < STEEP and flow.strength >= WEAK:
        return _lost_between(flow, evidence, is_new=is_new)
    cause = "activations and gradients shrink from layer to layer: the weights are too small for the depth"
    if flow.strength >= WEAK:
        cause = "gradients shrink on the way back: the weights are too small for the depth"
    advice = "start from he_normal (ReLU), normalise between layers, or add connections around them"
    return Finding("vanishing", layers, cause, evidence, advice, fix="redraw" if is_new else "")


def _lost_between(flow: GradientFlow, evidence: str, *, is_new: bool) -> Finding:
    """Some layers alone get no gradient: the first ones, or a branch, which may start at 0 for the first step."""
    layers = flow.starved if flow.starts_starved else flow.cut_off
    names = [each.layer for each in flow.layers]
    following = next((name for name in names[names.index(layers[-1]) :] if name not in layers), names[-1])
    cause = f"what reaches {following} does not reach {layers[-1]}: what stands between passes next to nothing"
    advice = "look at the activations and weights between them: smaller ones, or normalization before them"
    if flow.starts_starved or not is_new:
        return Finding("vanishing", layers, cause, evidence, advice, fix="redraw" if is_new else "")
    advice = "nothing, if a branch starts at 0 on purpose: it gets gradients from the second step on"
    return Finding("vanishing", layers, cause, evidence, advice, severity="remark")
