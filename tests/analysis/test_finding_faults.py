"""Findings from reports that are made by hand: what is named, and what is left in peace."""

import math
from dataclasses import replace

import pytest

from transfer.analysis.activation_reports import ActivationReport
from transfer.analysis.finding_faults import find
from transfer.analysis.findings import Finding
from transfer.analysis.gradient_flow import GradientFlow, LayerGradient, decades_of
from transfer.analysis.input_ranges import Slip
from transfer.analysis.input_reports import InputReport
from transfer.analysis.update_reports import UpdateReport

PLAIN = InputReport(mean=0.0, std=1.0, low=-3.0, high=3.0)
RAW = InputReport(mean=127.0, std=74.0, low=0.0, high=255.0)


def report(layer: str = "dense", activation: str = "relu", **changes) -> ActivationReport:
    squashes = activation in ("sigmoid", "tanh")
    made = {"units": 10, "low": 0.1, "high": 0.1 * squashes, "examples": 0.0, "slope": 0.7, "input_rms": 1.0}
    made |= {"mean": 0.0, "std": 1.0, "kurtosis": 0.0, "effective_rank": 5.0, "dead": (), "stuck": 0, "flat_units": 0}
    made |= {"never_silent": 0, "nonfinite": 0, "role": "hidden", "is_first": False, "squashes": squashes}
    return ActivationReport(layer=layer, activation=activation, **{**made, **changes})


def flow(*ratios: float, strength: float = 0.5, loss: float = 1.6) -> GradientFlow:
    layers = tuple(LayerGradient(f"d{k}", ratio, 1.0, 1.0) for k, ratio in enumerate(ratios))
    return GradientFlow(layers, decades_of(ratios), strength, loss, 8)


def found(*reports: ActivationReport, gradients: GradientFlow | None = None, **options) -> tuple[Finding, ...]:
    given = {"entering": PLAIN, "is_new": True, "chance": math.log(5), "counts": [40] * 5, **options}
    return find(reports, gradients or flow(0.3, 0.4, 0.5), given.pop("entering"), **given)


def test_a_healthy_network_has_no_findings() -> None:
    assert found(report(), report("b", "tanh"), report("c", "sigmoid", role="output", low=0.6, high=0.4)) == ()


def test_confident_outputs_and_open_gates_are_no_fault() -> None:
    assert found(report("out", "softmax", role="output", high=1.0)) == ()
    assert found(report("out", "sigmoid", role="output", low=0.7, high=0.3)) == ()
    assert found(report("squeeze", "sigmoid", role="gate", high=0.95)) == ()
    assert found(report("act", "relu", low=0.9)) == ()  # sparse, not saturated


def test_an_input_that_is_not_scaled_is_named_and_not_the_layer() -> None:
    (finding,) = found(report("first", "tanh", low=0.5, high=0.48, is_first=True, input_rms=110.0), entering=RAW)
    assert (finding.kind, finding.layers, finding.fix, finding.severity) == (
        "input scale",
        ("first",),
        "rescale",
        "fault",
    )
    assert "255" in finding.evidence
    assert "98%" in finding.evidence


def test_weights_are_to_blame_where_the_input_is_scaled_or_they_multiply_it() -> None:
    flooded = report("first", "tanh", low=0.5, high=0.48, is_first=True, input_rms=30.0)
    (finding,) = found(flooded)
    assert (finding.kind, finding.layers, finding.fix) == ("saturated", ("first",), "redraw")
    (finding,) = found(replace(flooded, input_rms=3000.0), entering=RAW)
    assert finding.kind == "saturated"
    (finding,) = found(flooded, is_new=False)
    assert (finding.severity, finding.fix) == ("remark", "")  # it learnt to be sure, and gradients arrive
    assert found(flooded, is_new=False, gradients=flow(1e-5, 1e-2, 1.0))[0].severity == "fault"


def test_a_trained_network_is_not_given_another_input() -> None:
    flooded = report("first", "tanh", low=0.5, high=0.48, is_first=True, input_rms=110.0)
    (finding,) = found(flooded, entering=RAW, is_new=False)
    assert (finding.kind, finding.fix) == ("input scale", "")


def test_wrong_preprocessing_comes_first_and_nothing_is_mended_before_it() -> None:
    slips = (Slip("inputs look like 0 to 255", "prepare them with --preprocessing torch"),)
    dead = report("a", dead=tuple(range(10)))
    given = {"is_new": False, "gradients": flow(20, 20, 60, strength=500), "entering": RAW, "slips": slips}
    scale, units = found(dead, **given)
    assert (scale.kind, scale.severity, scale.cause) == ("input scale", "fault", slips[0].what)
    assert scale.advice == slips[0].next_step
    assert (units.kind, units.fix) == ("dead units", "")  # and "exploding" is not spoken of
    assert "--fix" not in units.advice
    flooded = report("first", "tanh", low=0.5, high=0.48, is_first=True, input_rms=110.0)
    assert [each.cause for each in found(flooded, entering=RAW, slips=slips)] == [slips[0].what]


def test_wild_first_steps_of_a_new_relu_network_are_the_inputs_fault() -> None:
    (finding,) = found(report(), gradients=flow(20, 20, 60, strength=50, loss=75.0), entering=RAW)
    assert (finding.kind, finding.layers) == ("input scale", ())
    (finding,) = found(report(), gradients=flow(20, 20, 60, loss=75.0), entering=RAW, is_new=False)
    assert finding.kind == "labels"
    assert found(report(), gradients=flow(0.3, 0.3, 0.6, loss=3.0), entering=RAW) == ()
    assert found(report(), gradients=flow(1, 1, 1, loss=50), entering=RAW, chance=40 * math.log(2)) == ()


def test_a_trained_network_far_above_guessing_is_given_labels_it_does_not_know() -> None:
    above = {"gradients": flow(1, 1, 1, loss=1.6 * math.log(5)), "is_new": False}
    (finding,) = found(report(), **above)
    assert (finding.kind, finding.severity, finding.fix) == ("labels", "fault", "")
    assert "order of the classes" in finding.advice
    assert found(report(), **{**above, "gradients": flow(1, 1, 1, loss=1.4 * math.log(5))}) == ()
    assert found(report(), **{**above, "is_new": True}) == ()
    assert found(report(), **above, counts=[5, 6, 6, 6, 6]) == ()
    assert found(report(), **above, covers=False) == ()  # a fresh head, or other classes


def test_vanishing_is_laid_to_activations_that_squash() -> None:
    sigmoids = [report(f"s{k}", "sigmoid", low=0, high=0, slope=0.23) for k in range(8)]
    (finding,) = found(*sigmoids, gradients=flow(1e-6, 1e-4, 1e-2, 1.0))
    assert (finding.kind, finding.layers, finding.fix) == ("vanishing", ("d0", "d1", "d2"), "rectify")
    assert "8 x sigmoid" in finding.cause
    assert "5.1 decades" in finding.cause  # 8 log10(1 / 0.23)
    assert found(*sigmoids, gradients=flow(1e-6, 1e-4, 1e-2, 1.0), is_new=False)[0].fix == ""


def test_vanishing_without_them_is_laid_to_weights_or_to_a_dead_layer() -> None:
    (finding,) = found(report(), gradients=flow(1e-6, 1e-6, 1e-6, strength=1e-6))
    assert (finding.kind, finding.fix) == ("vanishing", "redraw")
    assert "too small" in finding.cause
    dead, vanishing = found(report("cut", dead=tuple(range(10))), gradients=flow(0, 0, 0, 1.0))
    assert (dead.kind, vanishing.kind, vanishing.fix) == ("dead units", "vanishing", "revive")
    assert "cut" in vanishing.cause


def test_layers_that_alone_get_no_gradient_are_named_with_what_lets_none_pass() -> None:
    partly = flow(0, 0, 0, *[0.5] * 9)
    stuck = report("d2", "hard_tanh", low=0.5, high=0.5, slope=0.0, stuck=10, squashes=True, weighted="d2")
    sure = report("d7", "tanh", low=0.3, high=0.3, weighted="d7")
    given = {"is_new": False, "gradients": partly}
    first, vanishing, remark = found(stuck, sure, **given)
    assert (first.kind, first.layers, first.severity) == ("saturated", ("d2",), "fault")
    assert (vanishing.kind, vanishing.layers) == ("vanishing", ("d0", "d1", "d2"))
    assert "all units of d2 are flat" in vanishing.cause
    assert (remark.kind, remark.layers, remark.severity) == ("saturated", ("d7",), "remark")
    (finding,) = found(report(), **given)
    assert "what reaches d3 does not reach d2" in finding.cause


def test_a_branch_without_gradient_is_a_fault_but_may_start_so() -> None:
    branch = flow(0.3, 0, 0, 0.4, 0.5)
    (finding,) = found(report(), gradients=branch, is_new=False)
    assert (finding.kind, finding.layers, finding.severity) == ("vanishing", ("d1", "d2"), "fault")
    (finding,) = found(report(), gradients=branch)
    assert (finding.severity, finding.fix) == ("remark", "")


def test_nothing_is_said_of_gradients_where_the_loss_is_0() -> None:
    assert found(report(), gradients=flow(0, 0, 0, strength=math.nan, loss=0), is_new=False) == ()


def test_exploding() -> None:
    (finding,) = found(report(), gradients=flow(1e4, 1e2, 1.0))
    assert (finding.kind, finding.fix) == ("exploding", "redraw")
    assert "way back" in finding.cause
    (finding,) = found(report(), gradients=flow(1e6, 1e6, 1e6, strength=1e6))
    assert "grow" in finding.cause


def test_few_dead_units_are_a_remark_and_half_a_layer_a_fault() -> None:
    fault, remark = found(report("a", dead=(1, 7)), report("b", dead=(0, 1, 2, 3, 4)))
    assert (fault.severity, fault.layers) == ("fault", ("b",))
    assert (remark.severity, remark.layers, remark.evidence) == ("remark", ("a",), "a 2 of 10 (1, 7)")


@pytest.mark.parametrize(
    ("counts", "covers", "reason"),
    [
        ([4, 4], True, "8 examples do not show that a unit is dead: 100"),
        ([200, 9], True, "10 of each class would, not 9"),
        ([100, 100], False, "made for other classes"),
    ],
)
def test_what_few_examples_or_other_classes_do_not_wake_is_not_called_dead(
    counts: list[int], covers: bool, reason: str
) -> None:
    given = {"counts": counts, "covers": covers, "is_new": False, "gradients": flow(0.1, 0.2, 0.3)}
    (finding,) = found(report("a", dead=(1, 7)), report("b", dead=tuple(range(10))), **given)
    assert (finding.severity, finding.fix, finding.layers) == ("remark", "", ("a", "b"))
    assert reason in finding.evidence
    (vanishing, _) = found(report("b", dead=tuple(range(10))), **{**given, "gradients": flow(0, 0, 0, 1.0)})
    assert (vanishing.kind, vanishing.fix) == ("vanishing", "")


def test_a_network_that_was_never_trained_has_no_classes_to_lose() -> None:
    assert found(report("b", dead=tuple(range(10))), covers=False)[0].severity == "fault"


def test_the_first_layer_with_nan_is_named_alone() -> None:
    (finding,) = found(report("a"), report("b", nonfinite=3), report("c", nonfinite=30), gradients=flow(float("nan")))
    assert (finding.kind, finding.layers) == ("not finite", ("b",))
    (finding,) = found(report("a"), gradients=flow(float("nan"), 1.0))
    assert (finding.kind, finding.layers) == ("not finite", ())


@pytest.mark.parametrize(
    ("ratios", "kinds"),
    [((1e-3, 8e-4), []), ((3e-2, 1e-3), ["large updates"]), ((1e-8, 1e-8), ["small updates"]), ((2e-4,), [])],
)
def test_updates(ratios: tuple[float, ...], kinds: list[str]) -> None:
    assert [each.kind for each in found(report(), updates=[UpdateReport("a", ratios)])] == kinds


def test_recurrent_layers_get_their_own_advice_and_no_fault_where_the_network_answers() -> None:
    weak = {"is_new": False, "recurrent": True}
    (finding,) = found(report(), gradients=flow(1e-5, 1e-5, 1e-2, strength=1e-5, loss=0.5), **weak)
    assert (finding.kind, finding.severity) == ("vanishing", "remark")
    assert "recurrent" in finding.advice
    assert "he_normal" not in finding.advice
    assert found(report(), gradients=flow(1e-5, 1e-5, 1e-2, strength=1e-5, loss=1.6), **weak)[0].severity == "fault"
