"""Defaults that changed are named where they matter, and nowhere else; put in, they leave no doubt."""

import keras
import numpy as np
import pytest

from transfer.graphs.eras import apply_era, find_doubts
from transfer.graphs.graph import Graph, Layer
from transfer.graphs.hard_sigmoid import is_old_hard_sigmoid
from transfer.graphs.parsing import parse_config
from transfer.models.building import build_graph, read_model
from transfer.specs import Writer

L = keras.layers
DISPUTED = Writer("2.2.4-tf", "tensorflow")
FIRST_GRU = {"gru/kernel": (2, 9), "gru/recurrent_kernel": (3, 9), "gru/bias": (9,)}
SECOND_GRU = {**FIRST_GRU, "gru/bias": (2, 9)}
OF_ERA = [Writer("0"), Writer("1"), Writer("1.2.2"), Writer("2.0.5"), Writer("2.2.5"), Writer("2.1.6-tf")]
SINCE = [Writer("2.3.0-tf"), Writer("2.4.0"), Writer("2.15.0"), Writer("2.21.0"), Writer("3.0.5"), Writer("3.15.1")]


def graph_of(*layers, shape=(4, 2)):
    inputs = keras.Input(shape, name="x")
    x = inputs
    for layer in layers:
        x = layer(x)
    return read_model(keras.Model(inputs, x, name="net")).graph


def doubts(graph, writer, shapes=(), stored=None):
    return [(each.where, each.expected.split()[0]) for each in find_doubts(graph, writer, dict(shapes), stored)]


@pytest.mark.parametrize("writer", OF_ERA, ids=str)
def test_recurrent_layers_of_today_are_named_for_files_of_the_hard_sigmoid(writer):
    graph = graph_of(L.LSTM(3, return_sequences=True, name="lstm"), L.GRU(3, name="gru"))
    found = [("lstm", "recurrent_activation"), ("gru", "recurrent_activation"), ("gru", "reset_after")]
    assert doubts(graph, writer) == found
    assert doubts(apply_era(graph, writer, {}), writer) == []


@pytest.mark.parametrize("writer", SINCE, ids=str)
def test_files_written_since_raise_no_doubt(writer):
    graph = graph_of(
        L.Conv1D(3, 2, strides=2, padding="same"), L.BatchNormalization(), L.LSTM(3, return_sequences=True), L.GRU(3)
    )
    assert doubts(graph, writer) == []
    assert apply_era(graph, writer, {}) == graph


def test_keras_2_3_had_todays_activation_and_the_old_reset():
    graph = graph_of(L.LSTM(3, return_sequences=True), L.GRU(3, name="gru"))
    assert doubts(graph, Writer("2.3.1")) == [("gru", "reset_after")]


@pytest.mark.parametrize("writer", [*OF_ERA, DISPUTED, *SINCE, Writer(), Writer("2.12+")], ids=str)
def test_a_model_without_recurrent_layers_raises_no_doubt(writer):
    graph = graph_of(L.Dense(3, activation="relu"), L.LayerNormalization(), L.Flatten(), L.Dense(2))
    assert doubts(graph, writer) == []


def test_layers_in_wrappers_and_in_models_inside_models_are_found():
    inner = keras.Sequential([keras.Input((4, 2)), L.Bidirectional(L.LSTM(3), name="bi")], name="inner")
    graph = graph_of(inner, L.Dense(2))
    assert doubts(graph, Writer("2.2.4")) == [("inner/bi", "recurrent_activation")]
    again = build_graph(apply_era(graph, Writer("2.2.4"), {}))
    cells = [
        again.get_layer("inner").get_layer("bi").forward_layer,
        again.get_layer("inner").get_layer("bi").backward_layer,
    ]
    x = np.array([-9.0, -1.0, 0.0, 2.0, 9.0], "float32")
    for each in cells:
        np.testing.assert_allclose(each.cell.recurrent_activation(x), [0, 0.3, 0.5, 0.9, 1], atol=1e-6)


def test_what_the_user_chose_is_no_default():
    graph = graph_of(L.LSTM(3, recurrent_activation="tanh"))
    assert doubts(graph, Writer("2.2.4")) == []


@pytest.mark.parametrize("writer", [*OF_ERA, Writer("2.15.0"), Writer("2.21.0")], ids=str)
def test_hard_sigmoid_by_name_was_another_function(writer):
    graph = graph_of(L.Dense(3, activation="hard_sigmoid", name="gate"))
    (problem,) = find_doubts(graph, writer, {})
    assert problem.where == "gate"
    assert "0.2 x" in problem.expected
    assert "x / 6" in problem.found
    model = build_graph(apply_era(graph, writer, {}))
    np.testing.assert_allclose(model.get_layer("gate").activation(np.float32(1.0)), 0.7, rtol=1e-6)
    assert doubts(graph, Writer("3.1.0")) == []


def test_convolutional_recurrent_layers_changed_with_keras_3():
    graph = graph_of(L.ConvLSTM1D(3, 2, name="conv"), shape=(4, 5, 2))
    assert doubts(graph, Writer("2.15.0")) == [("conv", "recurrent_activation")]
    assert doubts(graph, Writer("3.0.5")) == []
    (problem,) = find_doubts(graph, Writer("2.12+"), {})
    assert "Keras 3" in problem.expected


# The version that TensorFlow 1.13 to 1.15 and 2.0 and 2.1 wrote


def test_a_bias_of_a_gru_tells_which_tensorflow_wrote_the_file():
    graph = graph_of(L.LSTM(3, return_sequences=True, name="lstm"), L.GRU(3, name="gru"))
    assert doubts(graph, DISPUTED, SECOND_GRU) == []
    first = find_doubts(graph, DISPUTED, FIRST_GRU)
    assert [each.where for each in first] == ["lstm", "gru", "gru"]
    assert not any("2.0 or 2.1" in each.expected for each in first)


def test_without_evidence_the_doubt_says_both():
    graph = graph_of(L.LSTM(3, name="lstm"))
    (problem,) = find_doubts(
        graph, DISPUTED, {"lstm/kernel": (2, 12), "lstm/recurrent_kernel": (3, 12), "lstm/bias": (12,)}
    )
    assert "hard_sigmoid" in problem.expected
    assert "1.15" in problem.expected
    assert "recurrent_activation sigmoid if 2.0 or 2.1" in problem.expected
    applied = apply_era(graph, DISPUTED, {}).layer("lstm").config["recurrent_activation"]
    assert is_old_hard_sigmoid(applied)


# Keras 1


@pytest.mark.parametrize(
    ("version", "epsilon"), [("0.3.3", 1e-6), ("1.0.7", 1e-6), ("1.0.8", 1e-5), ("1.1.2", 1e-5), ("1.2.2", None)]
)
def test_the_epsilon_of_batch_norm_before_1_2(version, epsilon):
    graph = graph_of(L.BatchNormalization(name="bn"), L.BatchNormalization(epsilon=1e-4, name="chosen"))
    assert doubts(graph, Writer(version)) == ([] if epsilon is None else [("bn", "epsilon")])
    assert apply_era(graph, Writer(version), {}).layer("bn").config["epsilon"] == (epsilon or 1e-3)


def test_where_only_the_layout_tells_keras_1_the_epsilon_stays_open():
    graph = graph_of(L.BatchNormalization(name="bn"))
    (problem,) = find_doubts(graph, Writer("1"), {})
    assert problem.where == "bn"
    assert "1e-05" in problem.expected


# Backends


@pytest.mark.parametrize(
    ("layer", "is_named"),
    [
        (L.Conv2D(2, 3, strides=2, padding="same", name="c"), True),
        (L.Conv2D(2, 2, padding="same", name="c"), True),
        (L.Conv2D(2, 3, padding="same", name="c"), False),
        (L.Conv2D(2, 3, strides=2, name="c"), False),
        (L.MaxPooling2D(2, padding="same", name="c"), True),
        (L.MaxPooling2D(2, name="c"), False),
    ],
)
def test_uneven_paddings_are_named_for_files_of_theano_alone(layer, is_named):
    graph = graph_of(layer, shape=(8, 8, 2))
    assert [where for where, _ in doubts(graph, Writer("2.0.5", "theano"))] == (["c"] if is_named else [])
    assert doubts(graph, Writer("2.0.5", "tensorflow")) == []


def test_bilinear_upsampling_moved_to_the_centres_of_pixels():
    graph = graph_of(L.UpSampling2D(2, interpolation="bilinear", name="up"), shape=(4, 4, 2))
    assert [where for where, _ in doubts(graph, Writer("2.2.5", "tensorflow"))] == ["up"]
    assert doubts(graph, Writer("2.4.0", "tensorflow")) == []


def test_images_of_the_first_theano_were_flattened_with_their_channels_first():
    graph = graph_of(L.Conv2D(2, 3), L.Flatten(name="flat"), L.Dense(2), shape=(8, 8, 2))
    assert [where for where, _ in doubts(graph, Writer("0", "theano"))] == ["flat"]
    assert doubts(graph, Writer("1.2.2", "tensorflow")) == []


# The file's own architecture


def stored(**options):
    config = {"units": 3, "return_sequences": False, **options}
    lstm = {"class_name": "GRU", "config": {"name": "gru", "batch_input_shape": [None, 4, 2], **config}}
    return parse_config({"class_name": "Sequential", "config": [lstm]}, Writer("2.2.4"))


def test_the_files_own_architecture_decides():
    graph = graph_of(L.GRU(3, name="gru"))
    modern = {"recurrent_activation": "sigmoid", "reset_after": True}
    assert doubts(graph, Writer("2.2.4"), stored=stored(**modern)) == []
    found = find_doubts(graph, Writer("2.2.4"), {}, stored(recurrent_activation="hard_sigmoid", reset_after=True))
    assert [(each.where, each.expected) for each in found] == [
        ("gru", "recurrent_activation hard_sigmoid, clip(0.2 x + 0.5, 0, 1), as the file's own architecture says")
    ]
    again = apply_era(graph, Writer("2.2.4"), {}, stored(recurrent_activation="hard_sigmoid", reset_after=True))
    assert is_old_hard_sigmoid(again.layer("gru").config["recurrent_activation"])
    assert again.layer("gru").config["reset_after"] is True


def test_a_graph_raises_no_doubt_against_itself():
    own = stored(recurrent_activation="hard_sigmoid")
    assert find_doubts(own, Writer("2.2.4"), {}, own) == ()
    assert apply_era(own, Writer("2.2.4"), {}, own) == own


def test_the_order_of_axes_that_the_file_had_is_named():
    graph = graph_of(L.Conv2D(2, 3, name="c"), shape=(8, 8, 2))
    other = Graph("net", (Layer("c", "Conv2D", {"data_format": "channels_first"}),), (), ())
    ((where, expected),) = doubts(graph, Writer("2.0.5"), stored=other)
    assert (where, expected) == ("c", "data_format")


@pytest.mark.parametrize("era", ["refuse", "apply"])
def test_a_normalisation_that_had_the_other_of_its_vectors_is_named(era):
    def own(**options):
        return graph_of(L.BatchNormalization(name="norm", **options), L.LayerNormalization(name="other", **options))

    graph = own(scale=False)
    if era == "apply":
        graph = apply_era(graph, Writer("3.5.0"), {}, own(center=False))
    assert doubts(graph, Writer("3.5.0"), stored=own(center=False)) == [("norm", "gamma"), ("other", "gamma")]
    assert doubts(graph, Writer("3.5.0"), stored=own(scale=False)) == []
    assert doubts(graph, Writer("3.5.0"), stored=own()) == []  # then a tensor is left over, and told by the plan
