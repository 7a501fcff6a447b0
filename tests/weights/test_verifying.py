"""Verifying: whatever changed in a file is told, bit by bit; what is not recorded is said to be so."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from transfer.errors import CheckpointError
from transfer.surgery.converting import convert
from transfer.weights.cards import ATTRIBUTE, Card, parse_card
from transfer.weights.opening import open_checkpoint
from transfer.weights.signing import write_card
from transfer.weights.verifying import verify
from transfer.weights.writing import write_legacy

FILES = Path(__file__).parent / "files"
ROOT = Path(__file__).parents[2]
SOURCE = FILES / "keras-3.15.1" / "g_shared__full.h5"
LAYOUTS = ["whole.h5", "weights_only.h5", "keras3.weights.h5", "archive.keras", "tensors.safetensors"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The same small network in each layout that is written."""
    folder = tmp_path_factory.mktemp("written")
    for name in LAYOUTS:
        convert(SOURCE, folder / name, weights_only=name == "weights_only.h5")
    return folder


@pytest.fixture
def copied(written, tmp_path):
    def copy(name):
        return Path(shutil.copy(written / name, tmp_path / name))

    return copy


def flip(path, first, step, count):
    done = subprocess.run(
        [sys.executable, "-m", "tests.weights.flips", str(path), str(first), str(step), str(count)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=3000,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_was_written_is_verified_to_its_last_tensor(written, name):
    found = verify(written / name)
    assert (found.is_verified, found.outline, found.tensors, found.recorded) == (True, True, 4, 4)
    assert found.size_bytes == 4 * (12 * 6 + 6 + 12 * 2 + 2)
    assert "every bit is as recorded" in str(found)
    assert found.to_json()["verified"] is True


@pytest.mark.parametrize("name", LAYOUTS)
def test_any_flipped_bit_is_told_or_changes_nothing_that_can_be_read(written, name):
    bits = 8 * (written / name).stat().st_size
    found = flip(written / name, 5, bits // 60, 0)
    assert found["tried"] >= 60
    assert (found["changed"], found["strange"]) == ([], [])
    assert found["told"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYOUTS)
def test_thousands_of_flipped_bits_are_told_or_change_nothing(written, name):
    bits = 8 * (written / name).stat().st_size
    found = flip(written / name, 2, bits // 2000, 0)
    assert found["tried"] >= 2000
    assert (found["changed"], found["strange"]) == ([], [])


def test_every_flipped_bit_of_a_card_is_told_or_leaves_the_same_card(written):
    with h5py.File(written / "whole.h5") as file:
        text = file.attrs[ATTRIBUTE].encode()
    card, told, same = parse_card(text.decode(), "here"), 0, 0
    assert card.architecture is not None
    for bit in range(8 * len(text)):
        flipped = bytearray(text)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            assert parse_card(flipped.decode("utf-8", "surrogateescape"), "here") == card
            same += 1
        except CheckpointError:
            told += 1
    assert told > 100 * same


# What may change


def changes():
    """Each changes something that a reader may go by, in a whole legacy file."""

    def rename_layer(file):
        names = file["model_weights"].attrs["layer_names"]
        file["model_weights"].attrs["layer_names"] = names[::-1]

    def swap_values(file):
        group = file["model_weights/shared/shared"]
        group["kernel"][...] = group["kernel"][...][::-1]

    def change_config(file):
        config = file.attrs["model_config"].replace('"relu"', '"tanh"').replace('"linear"', '"tanh"')
        file.attrs.create("model_config", config, dtype=h5py.string_dtype())

    def change_version(file):
        file["model_weights"].attrs["keras_version"] = np.bytes_(b"2.2.4")

    def add_tensor(file):
        file["model_weights/shared/more"] = np.ones(2)

    def drop_config(file):
        del file.attrs["model_config"]

    return [rename_layer, swap_values, change_config, change_version, add_tensor, drop_config]


@pytest.mark.parametrize("change", changes(), ids=lambda change: change.__name__)
def test_a_change_of_names_order_values_config_or_writer_is_told(copied, change):
    path = copied("whole.h5")
    with h5py.File(path, "r+") as file:
        if change.__name__ == "swap_values":
            name = next(iter(open_checkpoint(path)))
            layer = name.split("/")[0]
            place = file[f"model_weights/{layer}/{name}"]
            place[...] = place[...][::-1]
        else:
            change(file)
    with pytest.raises(CheckpointError, match=r"is not what was written|damaged") as caught:
        verify(path)
    assert caught.value.exit_code == 3


def test_all_tensors_that_differ_are_named(copied):
    path = copied("weights_only.h5")
    names = list(open_checkpoint(path))
    with h5py.File(path, "r+") as file:
        for name in names[:3]:
            place = file[f"{name.split('/')[0]}/{name}"]
            place[...] = place[...] + 1
    with pytest.raises(CheckpointError) as caught:
        verify(path)
    assert [each.where for each in caught.value.problems] == names[:3]


def test_an_asset_of_an_archive_is_covered(copied):
    path = copied("archive.keras")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/words.txt", "a\nb\n")
    with pytest.raises(CheckpointError):
        verify(path)
    write_card(path, Card())
    assert verify(path).is_verified
    content = path.read_bytes()
    place = content.index(b"a\nb\n")
    path.write_bytes(content[:place] + b"x" + content[place + 1 :])
    with pytest.raises(CheckpointError, match="damaged"):
        verify(path)


# What is not recorded


def test_a_file_without_a_card_is_read_and_said_to_have_nothing_to_go_by():
    found = verify(SOURCE)
    assert (found.is_verified, found.recorded, found.tensors) == (False, 0, 4)
    assert "nothing is recorded to verify it against" in str(found)


def test_a_file_without_a_card_that_cannot_be_read_is_an_error(tmp_path):
    path = tmp_path / "short.h5"
    path.write_bytes(SOURCE.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="truncated"):
        verify(path)


def test_a_card_that_misses_a_tensor_is_told(tmp_path):
    path = tmp_path / "a.h5"
    write_legacy(path, {"a": {"a/kernel": np.ones((2, 2)), "a/bias": np.ones(2)}}, writer="3.15.1")
    card = write_card(path, Card())
    with h5py.File(path, "r+") as file:
        text = Card(
            digests={"a/kernel": card.digests["a/kernel"], "b/kernel": "0" * 64}, outline=card.outline
        ).to_text()
        file.attrs.create(ATTRIBUTE, text, dtype=h5py.string_dtype())
    with pytest.raises(CheckpointError) as caught:
        verify(path)
    assert {each.where for each in caught.value.problems} == {"b/kernel", "a/bias"}


def test_cards_of_the_first_schema_vouch_for_tensors_alone():
    found = verify("digits_mlp")
    assert found.is_verified
    if not found.outline:
        assert "of names and config nothing is recorded" in str(found)
