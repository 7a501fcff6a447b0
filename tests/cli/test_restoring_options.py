"""The options that say how a file is brought into an architecture, the same for every command."""

from pathlib import Path

import keras
import numpy as np
import pytest

from transfer.weights.opening import open_checkpoint

FILES = Path(__file__).parents[1] / "weights" / "files" / "keras-1.2.2-theano"
BUILDER = """
import keras


def backbone():
    layers = keras.layers
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, strides=2, use_bias=False, name="bb_conv1")(inputs)
    x = layers.Activation("relu")(layers.BatchNormalization(name="bb_bn1")(x))
    x = layers.Conv2D(8, 3, use_bias=False, name="bb_conv2")(x)
    x = layers.Activation("relu")(layers.BatchNormalization(name="bb_bn2")(x))
    inner = keras.Model(inputs, x, name="backbone")
    head = layers.Dense(5, activation="softmax", name="head")
    return keras.Sequential([keras.Input((16, 16, 3)), inner, layers.GlobalAveragePooling2D(), head])
"""
WEIGHTS = FILES / "c_nested_bnfrozen__weights.h5"


@pytest.fixture
def into(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(BUILDER)
    return ("--into", "nets.py:backbone", "-o", "new.keras")


def test_what_a_file_leaves_open_is_refused_and_the_options_that_settle_it_are_named(call, into, tmp_path):
    ended = call("extract", WEIGHTS, *into)
    assert ended.code == 4
    assert "leaves open what it computes" in ended.stderr
    for option in ("--backend", "--era apply", "--check"):
        assert option in ended.stderr
    assert not (tmp_path / "new.keras").exists()


@pytest.mark.parametrize(
    "settled",
    [("--backend", "theano", "--era", "apply"), ("--check", FILES / "c_nested_bnfrozen.npz")],
    ids=["told", "by recorded outputs"],
)
def test_a_file_of_keras_1_on_theano_is_extracted_once_it_is_settled(call, into, tmp_path, settled):
    ended = call("extract", WEIGHTS, *into, *settled)
    assert ended.code == 0, ended.stderr
    assert "turned round as Theano has it" in ended.stdout
    with np.load(FILES / "c_nested_bnfrozen.npz") as truth:
        found = keras.models.load_model(tmp_path / "new.keras").predict(truth["x0"], verbose=0)
        np.testing.assert_allclose(found, truth["y0"], rtol=1e-4, atol=1e-5)


def test_ignoring_the_doubts_takes_kernels_as_they_lie(call, into, tmp_path):
    ended = call("extract", WEIGHTS, *into, "--era", "ignore")
    assert ended.code == 0, ended.stderr
    stored = open_checkpoint(WEIGHTS)["backbone/bb_conv1/kernel"]
    model = keras.models.load_model(tmp_path / "new.keras")
    np.testing.assert_array_equal(model.get_layer("backbone").get_layer("bb_conv1").get_weights()[0], stored)


def test_less_than_all_may_be_filled_if_it_is_asked_for(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wider = BUILDER.replace(
        "GlobalAveragePooling2D(), head]", 'GlobalAveragePooling2D(), head, layers.Dense(3, name="more")]'
    )
    (tmp_path / "nets.py").write_text(wider)
    options = ("--into", "nets.py:backbone", "-o", "new.keras", "--backend", "theano", "--era", "apply")
    refused = call("extract", WEIGHTS, *options)
    assert refused.code == 4
    assert "more/kernel" in refused.stderr
    assert call("extract", WEIGHTS, *options, "--min-coverage", "0.9").code == 0


def test_an_unknown_choice_is_a_slip_on_the_command_line(call, into):
    assert call("extract", WEIGHTS, *into, "--era", "later").code == 2
    assert call("extract", WEIGHTS, *into, "--min-coverage", "2").code == 2
