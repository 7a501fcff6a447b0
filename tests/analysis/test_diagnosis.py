"""A diagnosis as people see it, and as plain values."""

import json
import math
from dataclasses import replace

from transfer.analysis.activation_reports import ActivationReport
from transfer.analysis.diagnosis import Diagnosis
from transfer.analysis.gradient_flow import GradientFlow, LayerGradient
from transfer.analysis.input_reports import InputReport

PLAIN = InputReport(mean=0.0, std=1.0, low=-3.0, high=3.0)
FLOW = GradientFlow(tuple(LayerGradient(name, 0.3, 1.0, 1.0) for name in ("d0", "d1")), 0.0, 0.3, 1.6, 8)
RELU = ActivationReport(
    layer="dense",
    activation="relu",
    units=10,
    low=0.1,
    high=0.0,
    examples=0.0,
    slope=0.7,
    input_rms=1.0,
    mean=0.0,
    std=1.0,
    kurtosis=math.nan,
    effective_rank=5.0,
    dead=(3,),
    flat_units=0,
    stuck=0,
    never_silent=0,
    nonfinite=0,
    role="hidden",
    is_first=False,
    squashes=False,
)


def test_a_diagnosis_prints_and_gives_plain_values() -> None:
    diagnosis = Diagnosis("net.h5", 20, True, PLAIN, (RELU,), FLOW, hidden=(("lstm", "LSTM"),))
    text = str(diagnosis)
    assert repr(diagnosis) == text
    assert text.startswith("net.h5 (never trained), 20 examples")
    assert "lstm (LSTM)" in text
    assert "healthy" in text
    ill = replace(diagnosis, gradients=replace(FLOW, layers=(*FLOW.layers, LayerGradient("d2", math.nan, 1.0, 1.0))))
    assert "healthy" not in str(ill)
    values = ill.to_json()
    assert values["activations"][0]["dead"] == [3]
    assert values["gradients"]["verdict"] == "not finite"
    assert values["gradients"]["layers"][2]["ratio"] is None
    assert values["activations"][0]["kurtosis"] is None
    json.dumps(values, allow_nan=False)


def test_gradients_that_nobody_can_judge_are_not_called_healthy_nor_ill() -> None:
    still = replace(
        FLOW, layers=tuple(replace(each, gradient=0.0) for each in FLOW.layers), strength=math.nan, loss=0.0
    )
    text = str(Diagnosis("net.h5", 20, False, PLAIN, (RELU,), still))
    assert "gradients not judged: the loss is 0" in text
    assert "nothing found that keeps it from learning" in text
