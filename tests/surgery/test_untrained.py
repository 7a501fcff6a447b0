"""Fresh networks are told from those that were trained a single step."""

import keras
import numpy as np

from transfer.models.building import read_model
from transfer.surgery.untrained import is_untrained

L = keras.layers


def network(*, use_bias: bool = True) -> keras.Model:
    inputs = keras.Input((6, 6, 2))
    x = L.Conv2D(3, 3, use_bias=use_bias, name="conv")(inputs)
    x = L.BatchNormalization(name="norm")(x) if use_bias else x
    return keras.Model(inputs, L.Dense(2, use_bias=use_bias, name="out")(L.Flatten()(x)))


def test_a_fresh_network_was_never_trained() -> None:
    assert is_untrained(read_model(network()))


def test_one_step_of_training_shows() -> None:
    model = network()
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    model.train_on_batch(np.ones((2, 6, 6, 2)), np.ones((2, 2)))
    assert not is_untrained(read_model(model))


def test_so_does_anything_else_that_left_its_first_value() -> None:
    for name, place in (("conv", 1), ("norm", 3), ("out", 1)):
        model = network()
        values = model.get_layer(name).get_weights()
        values[place][-1] += 0.25
        model.get_layer(name).set_weights(values)
        assert not is_untrained(read_model(model)), name


def test_other_first_values_are_no_training() -> None:
    inputs = keras.Input((5, 3))
    x = L.LSTM(4, name="lstm")(inputs)  # its forget gate starts at 1
    x = L.Dense(2, bias_initializer=keras.initializers.Constant(-3.0))(x)
    assert is_untrained(read_model(keras.Model(inputs, x)))


def test_a_network_with_nothing_constant_is_taken_for_trained() -> None:
    assert not is_untrained(read_model(network(use_bias=False)))


def test_kernels_without_a_constant_may_be_what_was_learnt_under_a_new_head() -> None:
    inner = keras.Sequential([keras.Input((5,)), L.Dense(4, "sigmoid", use_bias=False), L.Dense(4, use_bias=False)])
    model = keras.Sequential([keras.Input((5,)), inner, L.Dense(2, name="head")])
    assert not is_untrained(read_model(model))
    head = keras.Sequential([keras.Input((5, 3)), L.LSTM(4, use_bias=False), L.Dense(2)])
    assert not is_untrained(read_model(head))


def test_a_normalization_behind_them_speaks_for_them() -> None:
    inputs = keras.Input((6, 6, 2))
    x = L.ReLU()(L.BatchNormalization()(L.DepthwiseConv2D(3, use_bias=False, padding="same")(inputs)))
    y = L.Conv2D(3, 1, use_bias=False)(x)
    z = L.LayerNormalization(center=False)(L.Concatenate()([y, x]))
    block = keras.Model(inputs, L.SeparableConv2D(3, 3, name="last")(z), name="block")
    outer = keras.Input((6, 6, 2))
    assert is_untrained(read_model(keras.Model(outer, L.Dense(2)(L.Flatten()(block(outer))))))
    block.layers[2].moving_mean.assign([0.1, 0])
    assert not is_untrained(read_model(block))
