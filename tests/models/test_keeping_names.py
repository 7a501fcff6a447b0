"""A model built anew has the names of the old one, and each of its layers the weights of its own."""

import keras
import numpy as np
import pytest

from transfer.errors import LayerError
from transfer.models.building import build_model, classes_of, read_model
from transfer.models.variables import name_variables
from transfer.surgery.network import Network

L = keras.layers


class Two(L.Layer):
    """Two layers of one class and shape, neither of which has a name."""

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units, self.first, self.second = units, L.Dense(units), L.Dense(units)

    def get_config(self):
        return {**super().get_config(), "units": self.units}

    def build(self, shape):
        self.first.build(shape)
        self.second.build(shape)
        super().build(shape)

    def call(self, x):
        return self.first(x) - 2 * self.second(x)


class Deep(L.Layer):
    """A layer that holds one that holds others, made when it is built."""

    def build(self, shape):
        self.inner = Two()
        self.inner.build(shape)
        super().build(shape)

    def call(self, x):
        return self.inner(x)


class Brief(L.Layer):
    """Options under another name than Keras looks for, which then leaves the layer's name out of its config."""

    def __init__(self, **k):
        super().__init__(**k)
        self.d = L.Dense(4)

    def call(self, x):
        return self.d(x)


class Bare(L.Layer):
    """No options at all."""

    def __init__(self):
        super().__init__()
        self.d = L.Dense(4, name="inner")

    def call(self, x):
        return self.d(x)


class Own(Bare):
    """Made from its config by code of its own."""

    @classmethod
    def from_config(cls, config):
        assert config.pop("dtype")["config"]["name"] == "float32"
        config.pop("name")
        return cls()


class Shifting(L.Layer):
    """Names that differ each time, and not by Keras's doing."""

    made = 0

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        Shifting.made += 1
        self.d = L.Dense(4, name=f"part_{Shifting.made}")

    def call(self, x):
        return self.d(x)


def around(*layers):
    inputs = x = keras.Input((4,), name="x")
    for layer in layers:
        x = layer(x)
    model = keras.Model(inputs, L.Dense(2, name="out")(x), name="around")
    for k, each in enumerate(model.weights):  # no two variables are alike
        each.assign(np.random.RandomState(k).normal(size=each.shape))
    return model


def check_rebuilt(model):
    again = build_model(read_model(model), classes_of(model))
    assert list(name_variables(again)) == list(name_variables(model))
    x = np.random.RandomState(0).normal(size=(5, 4)).astype("float32")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("made", [Two, Deep, Brief])
@pytest.mark.parametrize("name", ["mine", None])
def test_layers_inside_those_of_the_callers_own_keep_names_and_weights(made, name):
    check_rebuilt(around(made(name=name), made()))


def test_a_layer_made_without_options_keeps_its_name():
    model = around(Bare(), Bare(), Own())
    assert all("name" not in each.get_config() for each in model.layers if isinstance(each, Bare))
    check_rebuilt(model)


def test_a_layer_made_without_options_is_not_made_of_another_type():
    model = around(Bare())
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        with pytest.raises(LayerError, match="cannot build") as caught:
            build_model(read_model(model), classes_of(model))
    finally:
        keras.config.set_dtype_policy("float32")
    assert caught.value.problems[0].found == "Bare takes no dtype, and makes layers of mixed_bfloat16"


def test_a_chain_and_a_model_inside_keep_the_names_of_such_layers():
    inner = keras.Sequential([keras.Input((4,)), Brief(name="low"), Bare()], name="inner")
    check_rebuilt(around(inner, Brief(name="high")))
    check_rebuilt(keras.Sequential([keras.Input((4,)), Brief(name="low"), L.Dense(2, name="out")], name="chain"))


def test_names_that_overlap_are_settled_by_place_and_not_by_name():
    keras.utils.clear_session()
    model = around(Two(name="mine"))  # dense, dense_1
    keras.utils.clear_session()
    L.Dense(1)  # takes the first name: the layers made next are dense_1, dense_2
    check_rebuilt(model)


def test_layers_inside_that_are_counted_in_another_order_are_refused():
    network = read_model(around(Two(name="mine")))
    first, second = dict.fromkeys(name.split("/")[1] for name in network.tensors if name.startswith("mine/"))
    swapped = {first: "dense_9", second: "dense_8"}
    tensors = {
        "/".join(swapped.get(part, part) for part in name.split("/")): network.tensors[name] for name in network.tensors
    }
    with pytest.raises(LayerError, match="do not fit its graph") as caught:
        build_model(Network(network.graph, tensors), {"Two": Two})
    assert caught.value.next_step == "give a name to each layer that 'mine' makes inside"


def test_names_inside_that_the_caller_made_up_are_refused_where_they_differ():
    model = around(Shifting(name="mine"))
    with pytest.raises(LayerError, match="do not fit its graph") as caught:
        build_model(read_model(model), classes_of(model))
    assert caught.value.next_step == "give a name to each layer that 'mine' makes inside"
    assert [each.expected for each in caught.value.problems] == ["a tensor", "a tensor"]
