"""Dead units are started anew where nothing changes on the data, and refused where something might."""

import keras
import numpy as np
import pytest

from transfer.errors import LayerError
from transfer.graphs.activation_sites import Site, find_sites
from transfer.graphs.exposing_activations import expose_activations
from transfer.models.building import build_model, read_model
from transfer.surgery.network import Network
from transfer.surgery.reviving import revive, turn_round

L = keras.layers
IMAGES = np.random.default_rng(0).normal(size=(30, 8, 8, 2)).astype(np.float32)


def opened(*layers: keras.Layer) -> tuple[Network, Site]:
    """A network whose first layer has two dead units, and its first activation."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((8, 8, 2)), *layers])
    kernel, *rest = model.layers[0].get_weights()
    if rest:
        rest[0][[1, 4]] = -50
    model.layers[0].set_weights([kernel, *rest])
    read = read_model(model)
    network = Network(expose_activations(read.graph).graph, read.tensors)
    return network, find_sites(network.graph).found[0]


def conv(**options) -> keras.Layer:
    return L.Conv2D(6, 3, **{"activation": "relu", "name": "conv", **options})


@pytest.mark.parametrize(
    "after",
    [
        [L.Flatten(), L.Dense(3, name="out")],
        [L.MaxPooling2D(), L.Dropout(0.5), L.Conv2D(4, 2, name="out")],
        [L.GlobalAveragePooling2D(), L.Dense(3, name="out")],
        [L.AveragePooling2D(2), L.Flatten(), L.Dense(3, name="out")],
    ],
)
def test_outputs_stay_and_the_units_live(after: list[keras.Layer]) -> None:
    network, site = opened(conv(), *after)
    revived = revive(network, site, [1, 4], seed=2)
    before, now = build_model(network), build_model(revived)
    np.testing.assert_allclose(now.predict(IMAGES, verbose=0), before.predict(IMAGES, verbose=0), atol=1e-5)
    active = keras.Model(now.inputs, now.get_layer("conv_activation").output).predict(IMAGES, verbose=0)
    assert (active.max((0, 1, 2)) > 0).all()
    assert revived.tensors["conv/bias"][[1, 4]].tolist() == [0, 0]
    kept = [0, 2, 3, 5]
    assert revived.tensors["conv/kernel"][..., kept].tobytes() == network.tensors["conv/kernel"][..., kept].tobytes()
    changed = (revived.tensors["out/kernel"] != network.tensors["out/kernel"]).reshape(-1, 6, changed_units(network))
    assert changed[:, [1, 4]].all()
    assert not changed[:, kept].any()


def changed_units(network: Network) -> int:
    return network.tensors["out/kernel"].shape[-1]


def test_new_weights_have_the_variance_of_he() -> None:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((400,))
    model = keras.Model(inputs, L.Dense(2)(L.Dense(300, "relu", name="wide")(inputs)))
    read = read_model(model)
    network = Network(expose_activations(read.graph).graph, read.tensors)
    (site,) = find_sites(network.graph).found
    drawn = revive(network, site, list(range(100)), seed=5).tensors["wide/kernel"]
    assert drawn[:, :100].var() == pytest.approx(2 / 400, rel=0.05)


def test_units_are_turned_round() -> None:
    network, site = opened(conv(), L.Flatten(), L.Dense(3))
    turned = turn_round(network, site, [2]).tensors["conv/kernel"]
    assert (turned[..., 2] == -network.tensors["conv/kernel"][..., 2]).all()
    assert (turned[..., 3] == network.tensors["conv/kernel"][..., 3]).all()


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ([conv(activation="gelu"), L.Flatten(), L.Dense(3)], "gelu"),
        ([conv(activation=None), L.BatchNormalization(), L.ReLU(), L.Flatten(), L.Dense(3)], "BatchNormalization"),
        ([L.DepthwiseConv2D(3, depth_multiplier=3, activation="relu"), L.Flatten(), L.Dense(3)], "DepthwiseConv2D"),
        ([conv(), L.BatchNormalization(), L.Flatten(), L.Dense(3)], "BatchNormalization"),
        ([conv(), L.SeparableConv2D(3, 2)], "SeparableConv2D"),
        ([conv(activation=None), L.ReLU(negative_slope=0.01), L.Flatten(), L.Dense(3)], "relu"),
        ([conv()], "output"),
        ([conv(), L.Softmax()], "Softmax"),
    ],
)
def test_what_might_change_an_output_is_refused(layers: list[keras.Layer], found: str) -> None:
    network, site = opened(*layers)
    with pytest.raises(LayerError) as caught:
        revive(network, site, [1])
    assert found in caught.value.problems[0].found


def test_a_skip_around_the_next_layer_is_refused() -> None:
    inputs = keras.Input((8, 8, 2))
    x = conv()(inputs)
    y = L.Add(name="sum")([x, L.Conv2D(6, 1)(x)])
    read = read_model(keras.Model(inputs, y))
    network = Network(expose_activations(read.graph).graph, read.tensors)
    with pytest.raises(LayerError) as caught:
        revive(network, find_sites(network.graph).found[0], [1])
    assert "sum" in caught.value.problems[0].found
