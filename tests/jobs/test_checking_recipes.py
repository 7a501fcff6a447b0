"""Recipes whose stages would train nothing are refused before any work."""

import keras
import pytest

from transfer.errors import LayerError
from transfer.jobs.students.checking_recipes import check_recipe
from transfer.models.building import read_model
from transfer.recipes import Recipe, Stage


def from_layer(name):
    return Recipe((Stage("probe"), Stage("tune", unfreeze_from=name)))


@pytest.fixture(scope="module")
def graph():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.ReLU(name="relu_0")(inputs)
    x = keras.layers.Conv2D(4, 3, name="conv")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(keras.layers.ReLU(name="relu")(x))
    return read_model(keras.Model(inputs, keras.layers.Dense(2, name="label")(x), name="net")).graph


@pytest.mark.parametrize("name", ["conv", "relu_0"])
def test_a_layer_that_is_trained_or_has_one_after_it_will_do(graph, name):
    check_recipe(graph, "label", from_layer(name))


@pytest.mark.parametrize("name", ["norm", "relu", "pool", "label"])
def test_from_where_nothing_but_the_head_is_trained_is_refused_with_the_last_layer_that_is(graph, name):
    with pytest.raises(LayerError) as caught:
        check_recipe(graph, "label", from_layer(name))
    assert caught.value.problems[0].where == name
    assert "--unfreeze-from conv (unfreeze_from='conv')" in caught.value.next_step


def test_a_network_without_anything_to_train_says_so():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2, name="label")(keras.layers.ReLU(name="relu")(inputs)))
    with pytest.raises(LayerError) as caught:
        check_recipe(read_model(model).graph, "label", from_layer("relu"))
    assert caught.value.next_step.startswith("leave it out")


def test_a_layer_that_is_not_there_is_refused(graph):
    with pytest.raises(LayerError, match="no layer 'conf'"):
        check_recipe(graph, "label", from_layer("conf"))


@pytest.mark.parametrize(
    ("trained", "masks", "is_refused"),
    [("*", False, True), ("gru", False, False), ("gru", True, True)],  # a mask cannot be kept beside features
)
def test_token_ids_are_not_mixed(trained, masks, is_refused):
    ids, numbers = keras.Input((5,), name="ids", dtype="int32"), keras.Input((2,), name="numbers")
    told = keras.layers.GRU(3, name="gru")(keras.layers.Embedding(9, 2, mask_zero=masks, name="embed")(ids))
    joined = keras.layers.Concatenate()([told, numbers])
    graph = read_model(keras.Model([ids, numbers], keras.layers.Dense(2, name="label")(joined))).graph
    mixed = Recipe((Stage("probe"), Stage("tune", unfreeze=(trained,), mixup=0.2)))
    if not is_refused:
        check_recipe(graph, ["label"], mixed)
        return
    with pytest.raises(LayerError, match="Stage 1 mixes examples before their token ids are looked up") as caught:
        check_recipe(graph, ["label"], mixed)
    assert [each.where for each in caught.value.problems] == ["ids"]
    check_recipe(graph, ["label"], Recipe((Stage("probe"), Stage("tune", unfreeze=(trained,)))))
