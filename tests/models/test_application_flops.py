"""Every network of keras.applications is counted whole; those whose cost is known elsewhere cost that.

The numbers are multiply-adds of Keras's own networks at their own input size, measured once by hand from their layers;
they agree with the papers where a network is the paper's: VGG16 15.5 G (Simonyan & Zisserman 2015), ResNet50 3.8 G
(He et al. 2016, table 1), MobileNet 569 M (Howard et al. 2017, table 4), MobileNetV2 300 M (Sandler et al. 2018,
table 4), EfficientNetB0 0.39 G (Tan & Le 2019, table 2), ConvNeXt-T 4.5 G (Liu et al. 2022, table 1).
"""

from __future__ import annotations

import inspect

import keras
import pytest

import transfer

GMACS = {
    "VGG16": 15.470,
    "ResNet50": 3.858,
    "ResNet50V2": 3.482,
    "MobileNet": 0.5687,
    "MobileNetV2": 0.3008,
    "EfficientNetB0": 0.3858,
    "DenseNet121": 2.834,
    "InceptionV3": 5.713,
    "Xception": 8.357,
    "NASNetMobile": 0.5636,
    "ConvNeXtTiny": 4.4555,
}
APPLICATIONS = {name: each for name, each in vars(keras.applications).items() if inspect.isfunction(each)}
QUICK = ("MobileNetV2", "ConvNeXtTiny")  # the others are built in .ci/run


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in APPLICATIONS]
)
def test_an_application_costs_what_is_known_of_it(name: str):
    model = APPLICATIONS[name](weights=None)
    shape = None if None not in model.input_shape[1:] else (224, 224, 3)

    found = transfer.count_flops(model, input_shape=shape)

    assert not found.uncounted
    assert found.parameters == model.count_params()
    assert found.macs > 0
    if name in GMACS:
        assert found.macs / 1e9 == pytest.approx(GMACS[name], rel=1e-3)
