"""Options that a newer Keras writes into every config do not keep an older one from reading it."""

import json

import keras
import pytest

from transfer.errors import LayerError
from transfer.graphs.parsing import parse_config
from transfer.models.adapting import leave_out_unknown
from transfer.models.building import build_graph


def config(**changes):
    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, keras.layers.Dense(2, name="label")(inputs))
    values = keras.saving.serialize_keras_object(model)
    dense = values["config"]["layers"][1]["config"]
    dense.update(changes)
    dense["kernel_initializer"]["config"]["of_tomorrow"] = None
    return values


def test_an_option_that_is_off_is_left_out_of_layers_and_initializers():
    left = leave_out_unknown(config(of_tomorrow=None))["config"]["layers"][1]["config"]
    assert "of_tomorrow" not in left
    assert "of_tomorrow" not in left["kernel_initializer"]["config"]
    assert left["units"] == 2
    assert left["kernel_regularizer"] is None
    assert build_graph(parse_config(config(of_tomorrow=None))).count_params() == 10


def test_an_option_that_says_something_is_refused_by_name():
    with pytest.raises(LayerError) as caught:
        build_graph(parse_config(config(of_tomorrow=3)))
    assert "of_tomorrow" in caught.value.problems[0].found


def test_an_option_of_one_that_is_off_is_left_out():
    left = leave_out_unknown(config(renorm=False, renorm_momentum=0.99))["config"]["layers"][1]["config"]
    assert not {"renorm", "renorm_momentum"} & set(left)
    kept = leave_out_unknown(config(renorm=True, renorm_momentum=0.99))["config"]["layers"][1]["config"]
    assert {"renorm", "renorm_momentum"} <= set(kept)


def test_a_config_without_such_options_stays_as_it_is():
    values = config()
    del values["config"]["layers"][1]["config"]["kernel_initializer"]["config"]["of_tomorrow"]
    left = leave_out_unknown(values)
    assert json.dumps(left) == json.dumps(values)


def test_a_range_that_keras_3_0_wrote_for_layers_without_use_for_it_is_left_out():
    values = {
        "module": "keras.layers",
        "class_name": "RandomRotation",
        "config": {"factor": 0.1, "value_range": [0, 255]},
    }
    assert leave_out_unknown(values)["config"] == {"factor": 0.1}
    values["class_name"] = "RandomBrightness"
    assert "value_range" in leave_out_unknown(values)["config"]
