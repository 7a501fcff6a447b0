"""`drift`, and what `finetune` says of wrongly prepared pictures."""

import numpy as np
import pytest


@pytest.fixture
def rows(tmp_path):
    """An .npz with grey images and no labels."""
    images = np.random.default_rng(0).integers(0, 256, (12, 28, 28), np.uint8)
    np.savez(tmp_path / "rows.npz", x=images)
    return tmp_path / "rows.npz"


@pytest.fixture
def convolutional(here):
    """A builder with batch norm, in the current folder, and a file with weights of it."""
    (here / "nets.py").write_text(
        """
import keras


def create_model():
    inputs = keras.Input((16, 16, 1), name="pixels")
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras.layers.BatchNormalization(name="norm", moving_mean_initializer="ones")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="classes")(x), name="net")
"""
    )
    names = {}
    exec((here / "nets.py").read_text(), names)  # noqa: S102
    names["create_model"]().save_weights(here / "net.weights.h5")
    return here / "net.weights.h5"


def test_pictures_without_labels_are_held_against_a_shipped_file(call, pictures):
    ended = call("drift", "digits_mlp", pictures)
    assert ended.code == 0
    assert ended.stderr == ""
    assert "24 examples of" in ended.stdout
    assert "inputs 0 to 1, " in ended.stdout
    assert "card expects about 0 to 1" in ended.stdout
    assert "no batch norm has kept statistics; the input shows nothing wrong" in ended.stdout


def test_each_batch_norm_has_a_row_and_json_holds_the_same(call, convolutional, pictures):
    options = ("--into", "nets.py:create_model", "--preprocessing", "unit")
    printed = call("drift", convolutional, pictures, *options)
    assert printed.code == 0, printed.stderr
    found = call("drift", convolutional, pictures, *options, "--json").json
    (layer,) = found["layers"]
    assert (layer["layer"], layer["channels"], layer["positions"]) == ("norm", 4, 196)
    row = next(line.split() for line in printed.stdout.splitlines() if line.startswith("norm "))
    assert row[:6] == ["norm", "4", "196", f"{layer['score']:.3f}", f"{layer['shift']:.2f}", f"{layer['spread']:.2f}"]
    assert found["score"] == pytest.approx(layer["score"])
    assert found["examples"] == 24
    assert set(found["inputs"]["readings"]) == {"as given", "raw", "unit", "tf"}


def test_another_way_of_preparing_takes_the_size_on_the_card_and_is_named_as_wrong(call, rows):
    ended = call("drift", "digits_mlp", rows, "--preprocessing", "raw", "--most", "5")
    assert "5 examples of" in ended.stdout
    assert "check the preprocessing: inputs look like 0 to 255, this file expects about 0 to 1" in ended.stdout
    assert "next: leave out --preprocessing" in ended.stdout


def test_a_table_of_pictures_is_taken_too(call, pictures):
    names = sorted(path.relative_to(pictures) for path in pictures.rglob("*.png"))
    (pictures / "some.csv").write_text("file,label\n" + "".join(f"{name},{name.parent}\n" for name in names[::4]))
    ended = call("drift", "digits_mlp", pictures / "some.csv")
    (pictures / "some.csv").unlink()
    assert ended.code == 0, ended.stderr
    assert "6 examples of" in ended.stdout


def test_what_is_not_there_ends_with_the_code_of_the_data(call, tmp_path):
    assert call("drift", "digits_mlp", tmp_path / "nothing").code == 6


def test_finetune_warns_on_stderr_and_goes_on(call, pictures, tmp_path):
    options = ("--preprocessing", "raw", "--size", "28", "--shots", "5")
    ended = call("finetune", "digits_mlp", pictures, "-o", tmp_path / "run", *options)
    assert ended.code == 0
    said = "warning: check the preprocessing: inputs look like 0 to 255, this file expects about 0 to 1"
    assert ended.stderr.startswith(said)
    assert "check the preprocessing" not in ended.stdout
    again = call("finetune", "digits_mlp", pictures, "-o", tmp_path / "run", *options, "--json")
    assert again.stderr.startswith(said)
    (warning,) = again.json["warnings"]
    assert f"warning: {warning}\n" == again.stderr


def test_a_runs_folder_is_looked_at_as_it_prepares_pictures_itself(call, pictures, tmp_path):
    assert call("finetune", "digits_mlp", pictures, "-o", tmp_path / "run", "--shots", "5").code == 0
    found = call("drift", tmp_path / "run", pictures, "--json").json
    assert found["source"] == str(tmp_path / "run")
    assert (found["inputs"]["low"], found["inputs"]["high"], found["inputs"]["slips"]) == (0, 255, [])
    for options in (("--preprocessing", "unit"), ("--size", "28")):
        refused = call("drift", tmp_path / "run", pictures, *options)
        assert refused.code == 6
        assert "leave out --preprocessing and --size" in refused.stderr
    assert call("drift", tmp_path / "run", pictures, "--into", "app:MobileNetV2").code == 2
