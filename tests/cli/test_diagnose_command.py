"""`transfer diagnose`: tables, JSON, runs, fixes and slips."""

import keras
import numpy as np
import pytest

import transfer
from transfer.jobs.finetuning.learning import Learning, learn_file

L = keras.layers


pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def _sigmoids(here):
    """A deep sigmoid network that was never trained, and points for it."""
    keras.utils.set_random_seed(1)
    inputs = x = keras.Input((8,))
    for place in range(8):
        x = L.Dense(16, "sigmoid", name=f"hidden_{place}")(x)
    transfer.save_model(keras.Model(inputs, L.Dense(3, "softmax", name="out")(x)), here / "deep.keras")
    points = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    np.savez(here / "points.npz", x=points, y=np.arange(60) % 3)
    return here


def test_a_healthy_network_gets_its_tables(call, pictures):
    ended = call("diagnose", "digits_mlp", pictures, "--batches", "1")
    assert (ended.code, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert lines[0].endswith("digits_mlp.h5 (trained), 24 examples")
    assert any(line.split()[:3] == ["dense_1", "relu", "64"] for line in lines)
    assert "gradients healthy" in ended.stdout
    assert "healthy   nothing found that keeps it from learning" in lines


@pytest.mark.usefixtures("_sigmoids")
def test_an_ill_one_is_told_why_and_written_mended(call):
    ended = call("diagnose", "deep.keras", "points.npz", "--fix", "-o", "mended.keras")
    assert ended.code == 0
    assert "fault   vanishing: hidden_0, hidden_1" in ended.stdout
    assert "fix       wrote mended.keras" in ended.stdout
    again = call("diagnose", "mended.keras", "points.npz", "--json").json
    assert [each["kind"] for each in again["findings"] if each["severity"] == "fault"] == []
    assert again["gradients"]["verdict"] == "healthy"
    assert call("diagnose", "deep.keras", "points.npz", "--fix", "-o", "mended.keras").code == 8


@pytest.mark.usefixtures("_sigmoids")
def test_json_holds_every_number(call):
    values = call("diagnose", "deep.keras", "points.npz", "--json").json
    assert values["schema"] == "transfer/diagnose/1"
    assert values["is_new"] is True
    assert [each["activation"] for each in values["activations"]] == ["sigmoid"] * 8 + ["softmax"]
    assert values["gradients"]["verdict"] == "vanishing"
    assert values["findings"][0]["layers"][0] == "hidden_0"


def test_a_run_is_a_folder(call, pictures, tmp_path):
    learn_file("digits_mlp", transfer.read_labelled(pictures), tmp_path / "run", Learning(shots=5))
    ended = call("diagnose", tmp_path / "run", pictures, "--batches", "1")
    assert ended.code == 0
    assert f"{tmp_path / 'run'} (trained), 24 examples" in ended.stdout
    assert call("diagnose", tmp_path / "run", pictures, "--into", "app:VGG16").code == 2
    assert call("diagnose", tmp_path / "run", pictures, "--preprocessing", "unit").code == 6


def test_slips(call, pictures):
    assert call("diagnose", "digits_mlp", pictures, "--fix").code == 2
    assert call("diagnose", "digits_mlp", pictures, "-o", "x.keras").code == 2
    assert call("diagnose", "digits_mlp", pictures, "--batches", "0").code == 2
    ended = call("diagnose", "nowhere.h5", pictures)
    assert ended.code == 3
    assert "nowhere.h5" in ended.stderr
