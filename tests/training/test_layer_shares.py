"""Shares of the rate, counted by hand on small networks."""

import keras
import pytest

from transfer.models.building import read_model
from transfer.models.variables import name_variables
from transfer.training.layer_shares import layer_shares, shares_of


def network() -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.BatchNormalization(name="norm_of_inputs")(inputs)
    x = keras.layers.Conv2D(4, 3, name="stem")(x)
    x = keras.layers.Conv2D(4, 3, name="block1_conv1")(x)
    x = keras.layers.BatchNormalization(name="block1_norm")(x)
    x = keras.layers.Conv2D(4, 3, name="block2_conv1")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="label")(x))


def test_the_share_falls_by_the_decay_from_block_to_block_below_the_head():
    shares = layer_shares(read_model(network()).graph, 0.5)
    assert shares == {
        "label": 1.0,
        "block2_conv1": 0.5,
        "block1_conv1": 0.25,
        "block1_norm": 0.25,
        "stem": 0.125,
    }


def test_each_variable_has_the_share_of_its_layer():
    model = network()
    shares = shares_of(name_variables(model), layer_shares(read_model(model).graph, 0.5))
    assert shares["label/kernel"] == shares["label/bias"] == 1.0
    assert shares["block1_norm/gamma"] == shares["block1_conv1/kernel"] == 0.25
    assert shares["norm_of_inputs/gamma"] == 0.125  # in no block: before all


def test_variables_inside_nested_models_have_the_share_of_their_own_block():
    inner = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(4, name="one"), keras.layers.Dense(4, name="two")], name="body"
    )
    model = keras.Sequential([keras.Input((4,)), inner, keras.layers.Dense(2, name="label")])
    shares = shares_of(name_variables(model), layer_shares(read_model(model).graph, 0.1))
    assert shares == pytest.approx(
        {
            "body/one/kernel": 0.01,
            "body/one/bias": 0.01,
            "body/two/kernel": 0.1,
            "body/two/bias": 0.1,
            "label/kernel": 1.0,
            "label/bias": 1.0,
        }
    )


def test_weights_of_cells_have_the_share_of_the_layer_that_holds_them():
    inputs = keras.Input((5, 3))
    x = keras.layers.Bidirectional(keras.layers.LSTM(2), name="reader")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, name="label")(x))
    shares = shares_of(name_variables(model), layer_shares(read_model(model).graph, 0.5))
    assert {name: share for name, share in shares.items() if not name.startswith("label")} == {
        name: 0.5 for name in name_variables(model) if name.startswith("reader")
    }


def test_without_a_decay_all_have_the_whole_rate():
    assert set(layer_shares(read_model(network()).graph, 1.0).values()) == {1.0}


@pytest.mark.parametrize("decay", [0.0, -0.1, 1.1])
def test_a_decay_outside_its_range_is_refused(decay):
    with pytest.raises(ValueError, match="decay"):
        layer_shares(read_model(network()).graph, decay)
