"""The old hard_sigmoid is an ordinary part of a Keras 3 model."""

import subprocess
import sys

import keras
import numpy as np

from transfer.graphs.hard_sigmoid import is_old_hard_sigmoid, old_hard_sigmoid
from transfer.graphs.parsing import parse_config
from transfer.models.building import build_graph, build_model, read_model
from transfer.specs import Writer

STOCK = """
import sys, keras, numpy as np
model = keras.models.load_model(sys.argv[1])
assert "transfer" not in sys.modules
np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0))
"""


def old_model(dtype="float32"):
    layers = [
        {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 5, 3], "dtype": "float32"}},
        {"class_name": "Bidirectional", "config": {"name": "bi", "layer": {
            "class_name": "LSTM", "config": {"name": "lstm", "units": 2, "return_sequences": True, "dtype": dtype}}}},
        {"class_name": "GRU", "config": {"name": "gru", "units": 3, "dtype": dtype}},
        {"class_name": "Dense", "config": {"name": "out", "units": 4, "activation": "hard_sigmoid", "dtype": dtype}},
    ]  # fmt: skip
    config = {"class_name": "Sequential", "config": {"name": "old", "layers": layers}}
    return build_graph(parse_config(config, Writer("2.2.4")))


X = np.random.RandomState(0).randn(6, 5, 3).astype("float32") * 4


def test_it_is_the_function_of_keras_2():
    x = np.linspace(-4, 4, 41, dtype="float32")
    layer = keras.layers.Activation(keras.saving.deserialize_keras_object(old_hard_sigmoid()))
    np.testing.assert_allclose(layer(x), np.clip(0.2 * x + 0.5, 0, 1), atol=1e-7)
    assert np.abs(keras.activations.hard_sigmoid(x) - layer(x)).max() > 0.05


def test_it_changes_neither_layers_nor_variables():
    model = old_model()
    plain = keras.Sequential(
        [
            keras.Input((5, 3), name="x"),
            keras.layers.Bidirectional(keras.layers.LSTM(2, return_sequences=True, name="lstm"), name="bi"),
            keras.layers.GRU(3, reset_after=False, name="gru"),
            keras.layers.Dense(4, name="out"),
        ]
    )
    assert [each.name for each in model.layers[1:]] == [each.name for each in plain.layers]
    assert [each.path for each in model.weights] == [each.path.removeprefix(f"{plain.name}/") for each in plain.weights]


def test_stock_keras_loads_it_in_a_fresh_process(tmp_path):
    model = old_model()
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", X)
    paths = [str(tmp_path / name) for name in ("model.keras", "x.npy", "y.npy")]
    subprocess.run([sys.executable, "-c", STOCK, *paths], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), model.predict(X, verbose=0), atol=1e-6)


def test_it_survives_reading_and_building():
    model = old_model()
    network = read_model(model)
    assert is_old_hard_sigmoid(network.graph.layer("out").config["activation"])
    assert is_old_hard_sigmoid(network.graph.layer("gru").config["recurrent_activation"])
    again = build_model(network)
    np.testing.assert_array_equal(again(X), model(X))
    assert read_model(again).graph == network.graph


def test_it_takes_batches_of_any_size_and_is_trained():
    model = old_model()
    whole = model.predict(X, verbose=0)
    np.testing.assert_allclose(model.predict(X[:2], verbose=0), whole[:2], atol=1e-6)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(X, np.ones((6, 4)), verbose=0)
    assert np.abs(model.predict(X, verbose=0) - whole).max() > 0


def test_it_computes_in_the_type_of_its_layer():
    model = old_model("mixed_float16")
    assert model.get_layer("out").compute_dtype == "float16"
    assert model(X).dtype == "float16"
