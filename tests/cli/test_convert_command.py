"""`transfer convert` and `transfer verify`: without TensorFlow, and with exit codes that scripts can go by."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from transfer.weights.opening import open_checkpoint

ROOT = Path(__file__).parents[2]
SHARED = ROOT / "tests" / "weights" / "files" / "keras-3.15.1" / "g_shared__full.h5"
TARGETS = ["out.h5", "out.keras", "out.weights.h5", "out.safetensors"]


def without_tensorflow(*commands):
    """Run commands in a fresh interpreter; which of TensorFlow and Keras it has loaded at the end."""
    code = """
import json, sys
from transfer.cli.group import transfer
for arguments in json.loads(sys.argv[1]):
    try:
        transfer.main(arguments, prog_name="transfer")
    except SystemExit as stop:
        assert stop.code == 0, (arguments, stop.code)
print([each for each in ("keras", "tensorflow") if each in sys.modules], file=sys.stderr)
"""
    arguments = json.dumps([[str(each) for each in command] for command in commands])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, arguments], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stderr.splitlines()[-1]


def test_converting_and_verifying_load_neither_tensorflow_nor_keras(tmp_path):
    commands = [("convert", SHARED, tmp_path / target) for target in TARGETS]
    commands += [("verify", tmp_path / target) for target in TARGETS]
    commands += [
        ("convert", tmp_path / "out.safetensors", tmp_path / "again.keras", "--json"),
        ("convert", tmp_path / "out.weights.h5", tmp_path / "into.h5", "--into", tmp_path / "out.keras"),
    ]
    assert without_tensorflow(*commands) == "[]"


@pytest.mark.parametrize("target", TARGETS)
def test_convert_says_what_it_wrote(call, tmp_path, target):
    ended = call("convert", SHARED, tmp_path / target)
    assert (ended.code, ended.stderr) == (0, "")
    assert "4 tensors, 416 bytes, read back bit by bit" in ended.stdout
    ended = call("convert", SHARED, tmp_path / target, "--force", "--json")
    assert (ended.json["schema"], ended.json["tensors"], ended.json["was"]) == (
        "transfer/convert/1",
        4,
        "full legacy .h5",
    )


def test_an_existing_output_ends_with_8(call, tmp_path):
    (tmp_path / "out.h5").write_text("precious")
    ended = call("convert", SHARED, tmp_path / "out.h5", "--json")
    assert ended.code == ended.error["exit_code"] == 8
    assert "--force" in ended.error["next"]
    assert (tmp_path / "out.h5").read_text() == "precious"


def test_a_file_without_an_architecture_ends_with_3_and_says_what_is_missing(call, here):
    ended = call("convert", "pretrained.weights.h5", "out.keras")
    assert ended.code == 3
    assert "--into" in ended.stderr
    assert not (here / "out.keras").exists()


def test_a_builder_of_the_users_gives_the_architecture(call, here):
    ended = call("convert", "pretrained.weights.h5", "out.keras", "--into", "functional_models:create_functional_model")
    assert ended.code == 0, ended.stderr
    model = keras.models.load_model(here / "out.keras")
    with h5py.File(here / "pretrained.weights.h5") as file:
        np.testing.assert_array_equal(model.get_layer("dense_1").kernel, file["layers/dense/vars/0"])


def test_a_shipped_checkpoint_goes_by_its_name(call, tmp_path):
    ended = call("convert", "digits_mlp", tmp_path / "digits.keras")
    assert ended.code == 0
    assert open_checkpoint(tmp_path / "digits.keras").card.name == open_checkpoint("digits_mlp").card.name


def test_weights_only_leaves_the_architecture_to_the_card(call, tmp_path):
    call("convert", SHARED, tmp_path / "out.h5", "--weights-only")
    checkpoint = open_checkpoint(tmp_path / "out.h5")
    assert checkpoint.config is None
    assert checkpoint.architecture is not None


def test_nan_over_a_finite_file_asks_for_a_word_of_its_own(call, tmp_path):
    call("convert", SHARED, tmp_path / "out.h5")
    call("convert", SHARED, tmp_path / "spoilt.h5", "--weights-only")
    name = next(iter(open_checkpoint(tmp_path / "spoilt.h5")))
    with h5py.File(tmp_path / "spoilt.h5", "r+") as file:
        file[f"{name.split('/')[0]}/{name}"][0] = np.nan
        del file.attrs["transfer_card"]
    order = ("convert", tmp_path / "spoilt.h5", tmp_path / "out.h5", "--into", SHARED, "--force")
    ended = call(*order)
    assert ended.code == 8
    assert "--allow-nonfinite" in ended.stderr
    assert name in ended.stderr
    ended = call(*order, "--allow-nonfinite")
    assert ended.code == 0
    assert f"not finite, as in the source: {name}" in ended.stdout


# verify


def test_verify_ends_with_0_where_all_is_as_recorded(call, tmp_path):
    call("convert", SHARED, tmp_path / "out.keras")
    ended = call("verify", tmp_path / "out.keras", "--json")
    assert ended.code == 0
    assert (ended.json["verified"], ended.json["recorded"], ended.json["outline"]) == (True, 4, True)
    assert "every bit is as recorded" in call("verify", tmp_path / "out.keras").stdout


def test_verify_ends_with_1_where_nothing_is_recorded(call):
    ended = call("verify", SHARED, "--json")
    assert (ended.code, ended.json["verified"], ended.json["tensors"]) == (1, False, 4)
    ended = call("verify", SHARED)
    assert ended.code == 1
    assert "nothing is recorded to verify it against" in ended.stdout


@pytest.mark.parametrize("target", TARGETS)
def test_verify_ends_with_3_where_a_bit_differs(call, tmp_path, target):
    call("convert", SHARED, tmp_path / target)
    name = next(iter(open_checkpoint(SHARED)))
    value = open_checkpoint(SHARED)[name].tobytes()
    content = bytearray((tmp_path / target).read_bytes())
    content[content.index(value)] ^= 4
    (tmp_path / target).write_bytes(content)
    ended = call("verify", tmp_path / target, "--json")
    assert ended.code == 3
    assert "model.weights.h5" in str(ended.error) if target.endswith(".keras") else name in str(ended.error["problems"])


def test_verify_of_a_file_that_is_not_there_ends_with_3(call, tmp_path):
    assert call("verify", tmp_path / "nowhere.h5").code == 3
