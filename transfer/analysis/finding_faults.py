"""From what was seen of a network to what is wrong with it: layer, cause, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from transfer.analysis.activation_reports import ActivationReport
from transfer.analysis.finding_gradient_faults import find_gradient_faults
from transfer.analysis.findings import Finding, Severity
from transfer.analysis.gradient_flow import GradientFlow
from transfer.analysis.input_ranges import Slip
from transfer.analysis.input_reports import InputReport
from transfer.analysis.update_reports import UpdateReport
from transfer.tabulating import shorten

MOSTLY = 0.5  # of the values of an activation: then it is saturated for a typical example
LARGE_INPUT = 3.0  # root mean square; standardised data have 1, and tanh is flat from 2.2
LARGE_GAIN = 3.0  # of a layer: initialisers that keep the variance have about 1
HUGE_INPUT, HUGE_LOSS = 10.0, 5.0  # the loss beside that of guessing
ENOUGH, ENOUGH_OF_CLASS = 100, 10  # examples: a unit that none of n wakes may yet wake for 3 / n of all
WORSE, SHOWING = 1.5, 30  # times the loss of guessing, and examples: then a trained network contradicts the labels
BELOW = 0.9  # of the loss of guessing: then what a trained network learnt serves
FAST, SLOW = 1e-2, 1e-6  # updates; 1e-3 is healthy in training from scratch, fine-tuning moves less


def find(
    activations: Sequence[ActivationReport],
    flow: GradientFlow | None,
    entering: InputReport,
    *,
    is_new: bool,
    chance: float,
    counts: Sequence[int],
    covers: bool = True,
    updates: Sequence[UpdateReport] = (),
    slips: Sequence[Slip] = (),
    recurrent: bool = False,
) -> tuple[Finding, ...]:
    """What is wrong with a network, faults before remarks.

    Args:
        activations: in the order of the network.
        flow: of gradients; None where there is none.
        entering: what reaches the first layer that learns.
        is_new: whether the network was never trained.
        chance: the loss of guessing, in nats.
        counts: examples of each class that the data has.
        covers: whether the data has all the classes that the network was made for.
        updates: of a run.
        slips: what is wrong with the preprocessing, by the card or the first batch norm: it explains all that the data
            shows, so nothing is mended before it is.
        recurrent: whether the network has recurrent layers.

    Source: of the examples that it takes to call a unit dead, Hanley & Lippman-Hand (1983), "If nothing goes wrong, is
    everything all right?": none of n leaves up to 3 / n, with 95 % certainty.
    """
    found = [*_not_finite(activations, flow), *_input_scale(activations, flow, entering, is_new, chance)]
    explained = {layer for each in found for layer in each.layers}
    learning = () if is_new or flow is None else _learning(activations, flow)
    found += _saturated(activations, explained, learning, is_new=is_new)
    doubt = _doubt(counts, covers=covers or is_new)
    found += _dead(activations, doubt)
    kinds = {each.kind for each in found}
    if flow is not None and flow.is_judged and "not finite" not in kinds:
        is_input = bool(slips) or "input scale" in kinds
        found += find_gradient_faults(
            activations,
            flow,
            doubt,
            is_new=is_new,
            is_input=is_input,
            recurrent=recurrent,
            below=flow.loss < BELOW * chance,
        )
        if not is_new and covers and not is_input:
            found += _labels(flow, chance, sum(counts))
    found = [*_below_slips(found, slips), *_updates(updates)]
    return tuple(sorted(found, key=lambda each: each.severity != "fault"))


def _below_slips(found: list[Finding], slips: Sequence[Slip]) -> list[Finding]:
    """Wrong preprocessing first; what else the data shows may go away with it."""
    if not slips:
        return found
    first = [
        Finding("input scale", (), each.what, "by its card or its first batch norm", each.next_step) for each in slips
    ]
    after = "mend the preprocessing first, then look again"
    return first + [replace(each, advice=after, fix="") for each in found if each.kind != "input scale"]


def _not_finite(activations: Sequence[ActivationReport], flow: GradientFlow | None) -> Iterator[Finding]:
    """The first layer alone: NaN spreads to all that follow."""
    first = next((each for each in activations if each.nonfinite), None)
    if first is not None:
        yield Finding(
            "not finite",
            (first.layer,),
            "it is the first whose values are NaN or infinite: its weights are, or they overflow here",
            f"{first.nonfinite} values",
            "look at its weights with 'transfer inspect --health'; train with a smaller rate, or clip gradients",
        )
    elif flow is not None and flow.verdict == "not finite":
        yield Finding(
            "not finite",
            (),
            "the activations are finite, but the loss or its gradients are not",
            f"loss {flow.loss:.3g}",
            "look for divisions and roots near 0, and for logits that overflow",
        )


def _input_scale(
    activations: Sequence[ActivationReport],
    flow: GradientFlow | None,
    entering: InputReport,
    is_new: bool,
    chance: float,
) -> Iterator[Finding]:
    """The input is to blame where the layer between would have kept a standardised one in range."""
    seen = f"the input has values from {entering.low:.3g} to {entering.high:.3g}, root mean square {entering.rms:.3g}"
    advice = "scale the input: subtract its mean and divide by its deviation, as in training (--preprocessing)"
    for each in activations:
        flooded = each.is_first and each.role == "hidden" and each.saturated >= MOSTLY
        if flooded and entering.rms > LARGE_INPUT and each.input_rms <= LARGE_GAIN * entering.rms:
            evidence = f"{each.saturated:.0%} of the values of {each.activation} are saturated; {seen}"
            cause = "the input is not scaled: it drives the first activation to its flat ends"
            yield Finding("input scale", (each.layer,), cause, evidence, advice, fix="rescale" if is_new else "")
            return
    wild = flow is not None and flow.loss > HUGE_LOSS * chance
    if is_new and flow is not None and wild and entering.rms > HUGE_INPUT:
        evidence = f"loss {flow.loss:.3g}, where guessing has {chance:.3g}; {seen}"
        cause = "the input is not scaled: all that follows is as large, and the first steps are wild"
        yield Finding("input scale", (), cause, evidence, advice, fix="rescale")


def _learning(activations: Sequence[ActivationReport], flow: GradientFlow) -> tuple[str, ...]:
    """Activations of layers whose gradients arrive: all, or those behind where gradients are lost."""
    if flow.verdict == "healthy":
        return tuple(each.layer for each in activations)
    if flow.verdict != "vanishing" or not flow.starved:
        return ()
    layers = [each.layer for each in flow.layers]
    behind = layers[layers.index(flow.starved[-1]) + 1 :]
    return tuple(each.layer for each in activations if each.weighted in behind)


def _saturated(
    activations: Sequence[ActivationReport], explained: set[str], learning: Sequence[str], *, is_new: bool
) -> Iterator[Finding]:
    """Outputs may be confident and gates may be open; hidden units that hardly respond do not learn.

    In a trained network they may have learnt to be sure, where its gradients arrive: that is a remark.
    """
    for each in activations:
        if each.role != "hidden" or each.saturated < MOSTLY or each.layer in explained:
            continue
        if each.activation in ("softmax", "log_softmax"):
            continue
        yield Finding(
            "saturated",
            (each.layer,),
            "what goes in is too large for it: large weights or biases before it, or a large input",
            f"{each.saturated:.0%} of the values are saturated, most of them for {each.examples:.0%} of the examples "
            f"and {each.flat_units} of {each.units} units",
            "normalise before it (batch or layer normalization), start from smaller weights, or change the activation",
            severity="remark" if each.layer in learning else "fault",
            fix="redraw" if is_new else "",
        )


def _doubt(counts: Sequence[int], *, covers: bool) -> str:
    """Why a unit that no example woke may yet not be dead; empty where it is."""
    examples = f"{sum(counts)} examples do not show that a unit is dead"
    if sum(counts) < ENOUGH:
        return f"{examples}: {ENOUGH} would"
    if min(counts) < ENOUGH_OF_CLASS:
        return f"{examples}: {ENOUGH_OF_CLASS} of each class would, not {min(counts)}"
    return "" if covers else f"{examples}: the network was made for other classes than theirs"


def is_mostly_dead(report: ActivationReport) -> bool:
    """Whether at least half of the units are dead."""
    return len(report.dead) >= MOSTLY * report.units


def _dead(activations: Sequence[ActivationReport], doubt: str) -> Iterator[Finding]:
    """A few dead units are common and harmless, also in networks that answer well; half a layer is not."""
    concerned = [each for each in activations if each.dead and each.role != "output"]
    severities: tuple[Severity, ...] = ("remark",) if doubt else ("fault", "remark")
    for severity in severities:
        here = [each for each in concerned if doubt or is_mostly_dead(each) == (severity == "fault")]
        if not here:
            continue
        units = shorten(tuple(map(_count_dead, here)), separator="; ")
        yield Finding(
            "dead units",
            tuple(each.layer for each in here),
            "they are active on no example, so no gradient reaches what is before them: a bias far below 0, or weights "
            "that too large a step has thrown there",
            f"{units}; {doubt}" if doubt else units,
            "look again with more examples, of all classes"
            if doubt
            else "start them anew (--fix), take a smaller rate, or an activation that leaks (leaky_relu, gelu)",
            severity=severity,
            fix="" if doubt else "revive",
        )


def _count_dead(report: ActivationReport) -> str:
    return f"{report.layer} {len(report.dead)} of {report.units} ({shorten(tuple(map(str, report.dead)))})"


def _labels(flow: GradientFlow, chance: float, examples: int) -> Iterator[Finding]:
    """A trained network that does not know is near guessing; far above it, it is sure of other classes."""
    if examples >= SHOWING and flow.loss > WORSE * chance:
        yield Finding(
            "labels",
            (),
            "a trained network is sure of other classes than the data names: they may be in another order, or shuffled",
            f"loss {flow.loss:.3g}, where guessing has {chance:.3g}",
            "check the order of the classes, then some labels by eye, then whether it learnt from such data",
        )


def _updates(updates: Sequence[UpdateReport]) -> Iterator[Finding]:
    """Source: Karpathy, CS231n notes, "Neural networks 3", section "Ratio of weights:updates": about 1e-3."""
    fast = [each for each in updates if max(each.ratios) > FAST]
    if fast:
        worst = max(max(each.ratios) for each in fast)
        yield Finding(
            "large updates",
            tuple(each.layer for each in fast),
            "a step changes the weights by more than a hundredth: what was learnt before is soon overwritten",
            f"up to {worst:.1e} of the weights in a step; about 1e-3 is healthy",
            "take a smaller rate",
        )
    if updates and all(max(each.ratios) < SLOW for each in updates):
        most = max(max(each.ratios) for each in updates)
        yield Finding(
            "small updates",
            tuple(each.layer for each in updates),
            "a thousand steps would change the weights by less than a thousandth",
            f"at most {most:.1e} of the weights in a step; about 1e-3 is healthy",
            "take a larger rate, or leave these layers frozen",
            severity="remark",
        )
