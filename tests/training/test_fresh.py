"""Weights that start anew: where each starts from, what is kept, and that seeds repeat."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests.surgery.networks import attending, nested_frozen, recurrent
from transfer.errors import LayerError
from transfer.models.building import build_model, read_model
from transfer.models.variables import name_variables
from transfer.training.fresh import start_anew

L = keras.layers
CONSTANT = {"bias": 0, "beta": 0, "gamma": 1, "moving_mean": 0, "moving_variance": 1, "scale": 1}


class Scaling(L.Layer):
    """A layer of the caller's own."""

    def build(self, shape):
        self.factor = self.add_weight(name="factor", shape=(shape[-1],), initializer="random_normal")

    def call(self, inputs):
        return inputs * self.factor


def trained(model):
    """The model with values that no initialiser gives."""
    random = np.random.default_rng(0)
    model.set_weights([random.uniform(3, 4, each.shape) for each in model.get_weights()])
    return model


@pytest.mark.parametrize("builder", [nested_frozen, recurrent, attending])
def test_every_tensor_starts_anew_and_fits_its_place(builder):
    network = read_model(trained(builder()))
    fresh = start_anew(network, 7)
    assert list(fresh.tensors) == list(network.tensors)
    assert fresh.graph == network.graph
    built = name_variables(build_model(fresh))
    for name, values in fresh.tensors.items():
        role = name.rpartition("/")[2]
        assert np.abs(values).max() < 3
        assert_array_equal(keras.ops.convert_to_numpy(built[name]), values)
        if role in CONSTANT and "lstm" not in name:
            assert_array_equal(values, np.full(values.shape, CONSTANT[role]))
        elif role == "kernel":
            limit = np.sqrt(6 / (values.shape[-2] + values.shape[-1])) if values.ndim == 2 else np.inf
            assert 0 < np.abs(values).max() <= limit
    assert min(each.min() for each in network.tensors.values()) >= 3


def test_kernels_spread_as_their_initialiser_says():
    inputs = keras.Input((300,))
    x = L.Dense(400, kernel_initializer="he_normal", name="he")(inputs)
    model = trained(keras.Model(inputs, L.Dense(200, name="glorot")(x)))
    fresh = start_anew(read_model(model), 0).tensors
    assert fresh["he/kernel"].var() == pytest.approx(2 / 300, rel=0.03)
    assert fresh["glorot/kernel"].var() == pytest.approx(2 / (400 + 200), rel=0.03)


def test_the_same_seed_draws_the_same_bits_and_another_does_not():
    network = read_model(trained(nested_frozen()))
    one, again, other = (start_anew(network, seed).tensors for seed in (1, 1, 2))
    name = "backbone/backbone_conv/kernel"
    assert one[name].tobytes() == again[name].tobytes() != other[name].tobytes()


def test_what_a_normalization_of_the_inputs_measured_is_kept():
    inner = keras.Sequential([keras.Input((4,)), L.Normalization(name="measured"), L.Dense(3, name="own")], name="in")
    inputs = keras.Input((4,))
    model = trained(keras.Model(inputs, inner(L.Normalization(name="outer")(inputs))))
    network = read_model(model)
    fresh = start_anew(network, 0).tensors
    assert list(fresh) == list(network.tensors)
    for name in ("outer/mean", "outer/variance", "in/measured/mean", "in/measured/variance"):
        assert_array_equal(fresh[name], network.tensors[name])
    assert np.abs(fresh["in/own/kernel"]).max() < 1


def test_layers_of_the_callers_own_start_as_keras_starts_them():
    inputs = keras.Input((50,))
    model = trained(keras.Model(inputs, L.Dense(3, name="own")(Scaling(name="scaling")(inputs))))
    network, classes = read_model(model), {"Scaling": Scaling}
    fresh, again, other = (start_anew(network, seed, classes).tensors for seed in (5, 5, 6))
    assert list(fresh) == list(network.tensors)
    assert 0.02 < fresh["scaling/factor"].std() < 0.08
    assert not fresh["own/bias"].any()
    for name in fresh:
        assert fresh[name].tobytes() == again[name].tobytes()
    assert fresh["scaling/factor"].tobytes() != other["scaling/factor"].tobytes()
    with pytest.raises(LayerError, match="not built from a file"):
        start_anew(network, 5)


def test_a_tensor_without_an_initial_value_is_told_of():
    network = read_model(trained(nested_frozen()))
    odd = replace(network, tensors={**network.tensors, "label/odd": np.zeros(1)})
    with pytest.raises(LayerError, match="start anew") as caught:
        start_anew(odd, 0)
    assert [each.where for each in caught.value.problems] == ["label/odd"]
