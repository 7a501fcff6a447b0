"""The exposed model computes what the model did, and its tensors are those of the layers that people know."""

import keras
import numpy as np
import pytest

from transfer.errors import LayerError
from transfer.models.building import read_model
from transfer.models.exposing import Built, expose, unit_axis

L = keras.layers
IMAGES = np.random.default_rng(0).normal(size=(3, 8, 8, 2)).astype(np.float32)


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    inner = keras.Sequential([keras.Input((8, 8, 2)), L.Conv2D(4, 3, activation="relu", name="conv")], name="trunk")
    inputs = keras.Input((8, 8, 2))
    x = L.GlobalAveragePooling2D(name="pool")(inner(inputs))
    return keras.Model(inputs, L.Dense(3, "softmax", name="out")(x))


def test_it_computes_the_same_and_names_layers_by_their_paths() -> None:
    model = network()
    exposed = expose(read_model(model))
    built = Built(exposed, {})
    np.testing.assert_allclose(built.model.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0), atol=1e-6)
    assert [exposed.name_of(site.after) for site in exposed.sites.found] == ["trunk/conv", "out"]
    assert exposed.flat.graph.layer("conv").config["activation"] == "relu"
    assert (exposed.logits.units, exposed.logits.loss) == (3, "softmax")


def test_tensors_before_and_after_an_activation_can_be_asked_for() -> None:
    exposed = expose(read_model(network()))
    built = Built(exposed, {})
    site = exposed.sites.found[0]
    before, after = (built.to(ref).predict(IMAGES, verbose=0) for ref in (site.before, site.after))
    assert (before < 0).any()
    np.testing.assert_array_equal(after, np.maximum(before, 0))


def test_calls_of_shared_layers_are_numbered_from_two() -> None:
    inputs = keras.Input((4,))
    shared = L.Dense(4, "relu", name="shared")
    exposed = expose(read_model(keras.Model(inputs, shared(shared(inputs)))))
    assert [exposed.name_of(site.after) for site in exposed.sites.found] == ["shared", "shared (2)"]


def test_several_inputs_are_refused() -> None:
    inputs = [keras.Input((4,)), keras.Input((4,))]
    with pytest.raises(LayerError):
        expose(read_model(keras.Model(inputs, L.Add()(inputs))))


def test_channels_may_come_first() -> None:
    inputs = keras.Input((2, 8, 8))
    first = keras.Model(inputs, L.Conv2D(4, 3, data_format="channels_first")(inputs))
    assert unit_axis(read_model(first)) == 1
    assert unit_axis(read_model(network())) == -1
