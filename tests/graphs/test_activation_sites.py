"""Activations are found with what feeds them and what takes them; logits behind the last one."""

import math

import keras
import pytest

from transfer.graphs.activation_sites import Site, find_sites
from transfer.graphs.exposing_activations import expose_activations
from transfer.graphs.graph import Ref
from transfer.graphs.logits import Logits, find_logits
from transfer.models.building import read_model

L = keras.layers


def sites_of(model: keras.Model) -> dict[str, Site]:
    found = find_sites(expose_activations(read_model(model).graph).graph).found
    return {f"{site.layer}{site.after.node or ''}": site for site in found}


def chain(*layers: keras.Layer, shape: tuple[int, ...] = (6,)) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *layers])


def test_the_first_activation_and_those_behind_it() -> None:
    found = sites_of(
        chain(
            L.Rescaling(1 / 255),
            L.Conv2D(4, 3, activation="tanh", name="a"),
            L.BatchNormalization(),
            L.ReLU(6.0, name="b"),
            L.Flatten(),
            L.Dense(4, name="c"),
            L.LayerNormalization(),
            L.Activation("gelu", name="d"),
            L.Dense(2, activation="softmax", name="e"),
            shape=(8, 8, 1),
        )
    )
    assert {name: site.activation for name, site in found.items()} == {
        "a_activation": "tanh",
        "b": "relu6",
        "d": "gelu",
        "e_activation": "softmax",
    }
    assert [site.weighted for site in found.values()] == ["a", None, "c", "e"]
    assert [site.is_first for site in found.values()] == [True, False, False, False]
    assert [site.is_output for site in found.values()] == [False, False, False, True]


@pytest.mark.parametrize(
    ("layers", "is_first"),
    [
        ([L.Flatten(), L.Dense(3), L.Dropout(0.1), L.Activation("tanh")], True),
        ([L.Normalization(mean=0.0, variance=1.0), L.Flatten(), L.Dense(3), L.Activation("tanh")], True),
        ([L.BatchNormalization(), L.Flatten(), L.Dense(3), L.Activation("tanh")], False),
        ([L.Flatten(), L.Dense(3), L.BatchNormalization(), L.Activation("tanh")], False),
        ([L.Flatten(), L.Dense(3), L.Dense(3), L.Activation("tanh")], False),
        ([L.Flatten(), L.Activation("tanh")], False),
    ],
)
def test_what_stands_between_the_input_and_an_activation(layers: list[keras.Layer], is_first: bool) -> None:
    (site,) = sites_of(chain(*layers, L.Dense(2, name="out"), shape=(3, 3, 1))).values()
    assert site.is_first is is_first


def test_what_only_multiplies_is_a_gate() -> None:
    inputs = keras.Input((8, 8, 4))
    x = L.Conv2D(4, 3, padding="same", name="conv")(inputs)
    gate = L.Dense(4, activation="sigmoid", name="gate")(L.GlobalAveragePooling2D()(x))
    gated = L.Multiply()([x, L.Reshape((1, 1, 4))(gate)])
    both = L.Dense(4, activation="sigmoid", name="both")(L.GlobalAveragePooling2D()(x))
    y = L.Add()([L.GlobalAveragePooling2D()(gated), L.Multiply()([both, gate]), both])
    found = sites_of(keras.Model(inputs, y))
    assert (found["gate_activation"].is_gate, found["both_activation"].is_gate) == (True, False)


def test_operations_and_both_calls_of_a_shared_layer_are_found() -> None:
    inputs = keras.Input((4,))
    shared = L.Dense(4, activation="elu", name="shared")
    x = keras.ops.relu6(shared(shared(inputs)))
    found = sites_of(keras.Model(inputs, L.PReLU(name="p")(keras.ops.tanh(x))))
    assert [site.activation for site in found.values()] == ["elu", "elu", "relu6", "tanh", "leaky_relu"]
    assert found["shared_activation1"].before == Ref("shared", 1)
    assert found["p"].options == {"negative_slope": 1.0}


def test_what_computes_inside_is_listed() -> None:
    inputs = keras.Input((5, 4))
    x = L.LSTM(3, name="lstm", return_sequences=True)(inputs)
    x = L.TimeDistributed(L.Dense(2, activation="relu"), name="steps")(x)
    x = L.Activation(keras.activations.threshold, name="threshold")(L.Flatten()(x))
    sites = find_sites(read_model(keras.Model(inputs, x)).graph)
    assert sites.hidden == (("lstm", "LSTM"), ("steps", "TimeDistributed"))
    assert [site.activation for site in sites.found] == ["threshold"]


def test_the_entry_lies_behind_what_prepares_the_input() -> None:
    model = chain(
        L.Resizing(4, 4), L.RandomFlip(), L.Rescaling(2.0, name="last"), L.Conv2D(2, 1), L.ReLU(), shape=(8, 8, 3)
    )
    assert find_sites(read_model(model).graph).entry == Ref("last")


def logits_of(model: keras.Model) -> Logits | None:
    graph = expose_activations(read_model(model).graph).graph
    return find_logits(graph, find_sites(graph).found)


@pytest.mark.parametrize(
    ("units", "activation", "loss", "classes"),
    [
        (3, "softmax", "softmax", 3),
        (3, None, "softmax", 3),
        (3, "sigmoid", "sigmoid", 3),
        (1, "sigmoid", "sigmoid", 2),
        (1, None, "sigmoid", 2),
    ],
)
def test_logits_and_their_loss(units: int, activation: str | None, loss: str, classes: int) -> None:
    found = logits_of(chain(L.Dense(5, activation="relu"), L.Dense(units, activation=activation, name="out")))
    assert found == Logits(Ref("out"), units, loss)
    assert found.classes == classes


def test_guessing_costs_ln_k_of_a_softmax_and_ln_2_of_each_sigmoid() -> None:
    assert Logits(Ref("out"), 40, "softmax").chance == pytest.approx(-math.log(1 / 40))
    assert Logits(Ref("out"), 40, "sigmoid").chance == pytest.approx(-40 * math.log(1 / 2))
    assert Logits(Ref("out"), 1, "sigmoid").chance == pytest.approx(-math.log(1 / 2))


def test_a_softmax_layer_has_its_logits_before_it() -> None:
    assert logits_of(chain(L.Dense(4, name="head"), L.Softmax())) == Logits(Ref("head"), 4, "softmax")


def test_what_gives_no_class_scores_has_no_logits() -> None:
    assert logits_of(chain(L.Dense(5, activation="relu"))) is None
    assert logits_of(chain(L.Conv2D(5, 1), shape=(4, 4, 2))) is None
    inputs = keras.Input((4,))
    assert logits_of(keras.Model(inputs, [L.Dense(2)(inputs), L.Dense(3)(inputs)])) is None


def test_a_softmax_has_its_own_axis_and_one_over_several_is_not_looked_into() -> None:
    inputs = keras.Input((3, 4))
    x = keras.ops.softmax(L.Softmax(axis=1, name="layer")(inputs), axis=2)
    x = L.Activation("softmax", name="last")(L.Softmax(axis=[1, 2], name="both")(x))
    graph = expose_activations(read_model(keras.Model(inputs, x)).graph).graph
    found = find_sites(graph)
    assert [each.options.get("axis", -1) for each in found.found] == [1, 2, -1]
    assert [name for name, _ in found.hidden] == ["both"]
