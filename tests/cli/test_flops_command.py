"""`transfer flops` counts a file without TensorFlow, and asks it where it is wanted."""

import json
import subprocess
import sys

import keras
import pytest

L = keras.layers


@pytest.fixture
def stored(here):
    inputs = keras.Input((None, None, 3), name="picture")
    x = L.GlobalAveragePooling2D()(L.Conv2D(4, 3, activation="relu", name="block1_conv")(inputs))
    keras.Model(inputs, L.Dense(2, name="label")(x), name="small").save(here / "small.keras")
    return here


def test_a_shipped_checkpoint_is_counted_layer_by_layer(call):
    ended = call("flops", "digits_mlp")
    assert (ended.code, ended.stderr) == (0, "")
    assert "dense_1      Dense       64          50,240  50,176" in ended.stdout
    assert ended.stdout.splitlines()[-1].startswith("54.91 kMAC (109.8 kFLOP), 266 elementwise operations, 55,050 par")


@pytest.mark.usefixtures("stored")
def test_a_network_for_any_size_asks_for_one_and_takes_it(call):
    ended = call("flops", "small.keras")
    assert ended.code == 5
    assert "--input 224,224,3" in ended.stderr
    for text in ("8,8,3", "8x8x3", "picture=8,8,3"):
        assert call("flops", "small.keras", "--input", text, "--json").json["macs"] == 36 * 4 * 27 + 8
    assert call("flops", "small.keras", "--input", "8,0,3").code == 2


def test_several_inputs_are_given_by_name(call):
    ended = call("flops", "digits_mlp", "--input", "3", "--input", "4")
    assert (ended.code, "name of its input" in ended.stderr) == (2, True)


def test_json_holds_what_the_table_shows(call):
    found = call("flops", "digits_mlp", "--json").json
    assert (found["macs"], found["flops"], found["parameters"]) == (54912, 109824, 55050)
    assert found["layers"][1]["name"] == "dense_1"
    assert found["uncounted"] == []


@pytest.mark.usefixtures("stored")
def test_training_is_told_for_each_block(call):
    found = call("flops", "small.keras", "--input", "8,8,3", "--training", "--json").json["training"]
    assert [(each["first"], each["backward_weights"]) for each in found] == [("head", 8), ("block1_conv", 36 * 108 + 8)]
    printed = call("flops", "small.keras", "--input", "8,8,3", "--training").stdout
    assert "multiply-adds of one step of training" in printed
    assert "block1_conv" in printed.splitlines()[-1]


@pytest.mark.usefixtures("stored")
def test_tensorflow_counts_the_same_products_and_speed_stands_beside_a_matrix_product(call):
    found = call(
        "flops", "small.keras", "--input", "8,8,3", "--profile", "--measure", "--batch-size", "2", "--json"
    ).json
    assert found["profile"]["products"] == found["flops"]
    assert found["measured"]["batch_size"] == 2
    rate = found["measured"]["examples_per_second"]
    assert found["measured"]["gflops_per_second"] == pytest.approx(rate * found["flops"] / 1e9)
    assert 0 < found["measured"]["share_of_peak"] < 2
    printed = call("flops", "small.keras", "--input", "8,8,3", "--profile").stdout
    assert "100.00 %" in printed


@pytest.mark.usefixtures("here")
def test_an_architecture_is_counted_by_its_name(call):
    assert call("flops", "functional_models:create_functional_model", "--json").json["macs"] == 54912
    assert (
        call("flops", "pretrained.weights.h5", "--into", "functional_models:create_functional_model", "--json").json[
            "macs"
        ]
        == 54912
    )
    ended = call("flops", "pretrained.weights.h5")
    assert (ended.code, "--into" in ended.stderr) == (3, True)


OWN = """
import keras


class Halving(keras.layers.Layer):
    def call(self, x):
        return x[:, ::2]


def create_own():
    inputs = keras.Input((8,))
    return keras.Model(inputs, keras.layers.Dense(3, name="after")(Halving(name="half")(inputs)))


def create_open():
    inputs = keras.Input((None, 2))
    return keras.Model(inputs, keras.layers.Conv1D(3, 2, name="after")(Halving(name="half")(inputs)))
"""


def test_a_builders_model_is_counted_with_the_shapes_of_its_own_classes(call, here):
    (here / "own.py").write_text(OWN)
    found = call("flops", "own.py:create_own", "--measure", "--profile", "--training", "--json").json
    assert (found["macs"], found["profile"]["products"]) == (4 * 3, 2 * 4 * 3)
    assert found["uncounted"] == [{"layer": "half", "what": "Halving"}]
    assert found["measured"]["examples_per_second"] > 0
    assert {each["forward"] for each in found["training"]} == {4 * 3}
    found = call("flops", "own.py:create_open", "--input", "10,2", "--profile", "--json").json
    assert (found["macs"], found["profile"]["products"]) == (4 * 3 * 2 * 2, 2 * 4 * 3 * 2 * 2)


def test_classes_that_nobody_gave_are_named_without_tensorflow(here):
    (here / "own.py").write_text(OWN)
    make = "import own; own.create_own().save('own.keras')"
    subprocess.run([sys.executable, "-c", make], cwd=here, check=True, capture_output=True)
    ask = "import sys; from transfer.cli.group import transfer; transfer(standalone_mode=False); "
    ask += "print('tensorflow' in sys.modules, file=sys.stderr)"
    ended = subprocess.run(
        [sys.executable, "-c", ask, "flops", "own.keras"], cwd=here, capture_output=True, text=True, check=True
    )
    assert "not counted: half (Halving, whose size is not known), after" in ended.stdout
    assert ended.stderr == "False\n"


def test_tensorflow_says_nothing_where_keras_is_asked_for_a_shape(here):
    inputs = keras.Input((800,))
    mel = L.MelSpectrogram(name="mel", fft_length=256)(inputs)
    keras.Model(inputs, L.Dense(2, name="label")(L.GlobalAveragePooling1D()(mel))).save(here / "mel.keras")
    ask = "from transfer.cli.group import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", ask, "flops", "mel.keras", "--json"],
        cwd=here,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr == ""
    assert json.loads(ended.stdout)["layers"][-1]["macs"] > 0
