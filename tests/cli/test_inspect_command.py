"""What `transfer inspect` shows: a tree with numbers, a known network, what stands out; the same as JSON."""

import json
import math
import random

import keras
import numpy as np
import pytest

import transfer
from transfer.cli.outlining import in_model_order, outline_rows
from transfer.models.variables import describe_variables
from transfer.specs import TensorSpec

L = keras.layers
FILES = ("net.h5", "net.weights.h5", "net.keras")


def nested():
    inner = keras.Sequential(
        [keras.Input((8, 8, 3)), L.Conv2D(4, 3, name="conv"), L.BatchNormalization(name="norm")], name="net"
    )
    inputs = keras.Input((8, 8, 3), name="image")
    x = L.GlobalAveragePooling2D(name="gap")(inner(inputs))
    return keras.Model(inputs, L.Dense(5, name="head")(L.Dense(6, name="a_hidden")(x)), name="classifier")


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The same model in each layout, in the current folder."""
    monkeypatch.chdir(tmp_path)
    model = nested()
    model.save_weights("net.weights.h5")
    model.save("net.keras")
    transfer.save_weights(model, "net.h5")
    return model


TREE = [
    "net/ 6 tensors 128 512",
    "conv/kernel 3 x 3 x 3 x 4 float32 108 432",
    "conv/bias 4 float32 4 16",
    "norm/gamma 4 float32 4 16",
    "norm/beta 4 float32 4 16",
    "norm/moving_mean 4 float32 4 16",
    "norm/moving_variance 4 float32 4 16",
    "a_hidden/kernel 4 x 6 float32 24 96",
    "a_hidden/bias 6 float32 6 24",
    "head/kernel 6 x 5 float32 30 120",
    "head/bias 5 float32 5 20",
    "10 tensors 193 772",
]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("file", ["net.h5", "net.keras"])
def test_a_nested_model_is_a_tree_in_the_models_order(call, file):
    ended = call("inspect", file)
    assert (ended.code, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("tensor "))
    assert [" ".join(line.split()) for line in lines[start + 1 :]] == TREE
    indents = [len(line) - len(line.lstrip()) for line in lines[start + 1 :]]
    assert indents == [0, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0]


@pytest.mark.usefixtures("files")
def test_weights_alone_are_shown_in_the_order_of_the_file(call):
    rows = [line.split()[0] for line in call("inspect", "net.weights.h5").stdout.splitlines() if "float32" in line]
    assert sorted(rows) == sorted(line.split()[0] for line in TREE if "float32" in line)


def test_totals_are_those_of_keras(call, files):
    described = call("inspect", "net.keras", "--json").json
    assert described["parameters"] == files.count_params()
    assert described["size_bytes"] == sum(np.array(each).nbytes for each in files.get_weights())


@pytest.mark.usefixtures("files")
def test_the_writer_is_named(call):
    assert f"written by Keras {keras.__version__} on tensorflow" in call("inspect", "net.keras").stdout.splitlines()[0]
    described = call("inspect", "net.keras", "--json").json
    assert (described["writer"], described["backend"]) == (keras.__version__, "tensorflow")


def test_a_long_file_has_a_row_a_layer_unless_every_tensor_is_asked_for(call, tmp_path):
    layers = [L.Dense(3, name=f"d{place}") for place in range(61)]
    keras.Sequential([keras.Input((3,)), *layers]).save_weights(tmp_path / "long.weights.h5")
    short = call("inspect", tmp_path / "long.weights.h5").stdout
    assert [" ".join(line.split()) for line in short.splitlines() if line.startswith("d60 ")] == [
        "d60 kernel 3x3, bias 3 float32 12 48"
    ]
    assert "d60/kernel" not in short
    long = call("inspect", tmp_path / "long.weights.h5", "--tensors").stdout
    assert sum("/kernel" in line for line in long.splitlines()) == 61
    assert short.splitlines()[-1].split() == long.splitlines()[-1].split() == ["122", "tensors", "732", "2,928"]


def test_a_known_network_is_named_with_how_images_are_prepared(call, tmp_path):
    backbone = keras.applications.MobileNet(weights=None, include_top=False, alpha=0.25, input_shape=(96, 96, 3))
    backbone.save_weights(tmp_path / "net.weights.h5")
    printed = call("inspect", tmp_path / "net.weights.h5").stdout
    assert "  known    MobileNet (width 0.25) without top, keras.applications, by its shapes\n" in printed
    assert "  images   224 x 224 pixels, rgb, x 0.00784314, minus 1 (--preprocessing tf)\n" in printed
    known = call("inspect", tmp_path / "net.weights.h5", "--json").json["known"]
    assert (known["names"], known["top"], known["preprocessing_name"]) == (["MobileNet (width 0.25)"], "none", "tf")
    assert known["preprocessing"]["size"] == [224, 224]


def test_the_card_knows_better_how_images_are_prepared(call):
    printed = call("inspect", "mobilenet_v2_imagenet").stdout
    assert "  known    MobileNetV2 without top" in printed
    assert (
        "  images   160 x 160 pixels, rgb, x 0.00392157, minus 0.485 0.456 0.406, over 0.229 0.224 0.225\n" in printed
    )
    assert "--preprocessing" not in printed


def test_an_unknown_network_is_not_named(call):
    assert "known" not in call("inspect", "digits_mlp").stdout
    assert call("inspect", "digits_mlp", "--json").json["known"] is None


def sick(folder):
    model = nested()
    kernel, bias = model.get_layer("head").get_weights()
    kernel[0, :2] = math.nan
    kernel[1, 1] = math.inf
    model.get_layer("head").set_weights([kernel, bias])
    model.get_layer("a_hidden").set_weights([np.full((4, 6), 0.5), np.zeros(6)])
    model.save_weights(folder / "sick.weights.h5")
    return folder / "sick.weights.h5"


def test_health_tells_what_stands_out_and_what_is_as_it_was_made(call, tmp_path):
    ended = call("inspect", sick(tmp_path), "--health")
    assert (ended.code, ended.stderr) == (0, "")
    rows = {line.split()[0]: line for line in ended.stdout.splitlines() if "float32" in line}
    assert rows["head/kernel"].endswith("2 NaN, 1 infinite")
    assert rows["a_hidden/kernel"].endswith("all 0.5")
    assert rows["head/bias"].endswith("all 0 (as it was made)")
    assert rows["norm/moving_variance"].endswith("all 1 (as it was made: the layer has seen no data)")
    assert rows["conv/kernel"].endswith("432")
    summary = next(line for line in ended.stdout.splitlines() if line.startswith("  health"))
    assert summary == (
        "  health   10 tensors read: 1 with NaN or infinities (head/kernel), "
        "1 of one value throughout (a_hidden/kernel), 7 as they were made"
    )


def test_health_as_json(call, tmp_path):
    described = call("inspect", sick(tmp_path), "--health", "--json").json
    assert described["health"] == {"broken": ["head/kernel"], "odd": ["a_hidden/kernel"]}
    found = {each["name"]: each["health"] for each in described["tensors"]}
    assert found["head/kernel"] == {"nan": 2, "infinite": 1, "denormal": 0, "constant": None, "remark": ""}
    assert found["a_hidden/kernel"]["constant"] == 0.5
    without = call("inspect", sick(tmp_path), "--json").json
    assert without["health"] is None
    assert "health" not in without["tensors"][0]


def test_a_healthy_file_is_told_so(call):
    ended = call("inspect", "digits_mlp", "--health")
    assert "6 tensors read: nothing stands out" in ended.stdout


def test_json_keeps_its_keys(call):
    described = call("inspect", "digits_mlp", "--json").json
    assert list(described) == [
        *("schema", "path", "dialect", "writer", "backend", "parameters", "size_bytes", "has_architecture", "known"),
        *("guarded", "doubts", "tensors", "health", "extras", "card"),
    ]
    assert described["schema"] == "transfer/inspect/1"
    tensor = {"name", "shape", "dtype", "layer", "role", "layer_class", "position", "nesting", "owner", "converted"}
    assert set(described["tensors"][0]) == tensor | {"parameters", "size_bytes"}
    assert described["tensors"][0]["shape"] == [784, 64]
    assert json.loads(json.dumps(described)) == described


def model_order(model, names):
    """The names in the order of the model's layers, from its config, after they were mixed."""
    specs = [TensorSpec(name, (), "float32", name, "w", owner=name) for name in names]
    random.Random(1).shuffle(specs)
    return [spec.name for spec in in_model_order(specs, keras.saving.serialize_keras_object(model))]


def test_layers_come_in_the_order_of_the_config_by_name():
    names = ["net/conv", "net/norm", "a_hidden", "head"]
    assert model_order(nested(), names) == names


def test_layers_come_in_the_order_of_the_config_by_class_where_the_file_numbers_them():
    names = ["sequential/conv2d", "sequential/batch_normalization", "dense", "dense_1"]
    assert model_order(nested(), names) == names


def test_an_order_that_the_config_does_not_tell_is_left():
    specs = [TensorSpec(f"{name}/w", (), "float32", name, "w") for name in ("b", "a")]
    for config in (
        None,
        {},
        {"class_name": "Sequential", "config": [{"class_name": "Dense", "config": {"name": "a"}}]},
    ):
        assert in_model_order(specs, config) == specs


def attentive():
    inputs = keras.Input((5, 8))
    x = L.Bidirectional(L.LSTM(2, return_sequences=True, name="lstm"), name="both")(
        L.MultiHeadAttention(2, 3, name="mha")(inputs, inputs)
    )
    return keras.Model(inputs, L.LSTM(2, name="last")(x))


@pytest.mark.parametrize("build", [nested, attentive])
@pytest.mark.parametrize("by_layer", [True, False])
def test_every_tensor_stands_in_one_row(build, by_layer):
    specs = list(describe_variables(build()).values())
    rows = outline_rows(specs, by_layer=by_layer)
    assert sorted(name for _, names in rows for name in names) == sorted(spec.name for spec in specs)


def test_layers_inside_a_layer_stand_below_it_where_there_are_several():
    rows = [row[0] for row, _ in outline_rows(describe_variables(attentive()).values(), by_layer=False)]
    assert rows[:3] == ["mha/", "  query/kernel", "  query/bias"]
    assert rows[9:11] == ["both/", "  forward_lstm/lstm_cell/kernel"]
    assert rows[-1] == "last/lstm_cell/bias"
