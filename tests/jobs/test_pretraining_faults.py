"""A pretraining that is killed, interrupted, out of room or no longer finite, by the command line."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

import transfer
from transfer.training.training_state import read_state

pytestmark = pytest.mark.slow
BUILDER = """
import keras
from keras import layers as L

def build():
    return keras.Sequential([
        keras.Input((24, 24, 1)),
        L.RandomFlip("horizontal"),
        L.Conv2D(8, 3, strides=2, padding="same", use_bias=False),
        L.BatchNormalization(),
        L.ReLU(),
        L.Dropout(0.1),
        L.Flatten(),
        L.Dense(16, activation="relu"),
    ])

def middling():
    return keras.Sequential([keras.Input((24, 24, 1)), L.Flatten(), L.Dense(60, "relu"), L.Dense(30, "relu")])

def back(code, shape):
    return keras.Sequential([keras.Input((code,)), L.Dense(576), L.Reshape(shape)])
"""
SAME = ("encoder.weights.h5", "encoder.pretraining/history.jsonl")
EPOCHS = {"masked": "16", "gan": "4", "contrastive": "4"}  # a second and more after the first state is written


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a builder and 4,000 images."""
    folder = tmp_path_factory.mktemp("encoders")
    (folder / "encoders.py").write_text(BUILDER)
    small = np.random.default_rng(0).integers(0, 256, (4000, 6, 6), np.uint8)
    np.savez(folder / "images.npz", x=np.kron(small, np.ones((1, 4, 4), np.uint8)))
    return folder


def command(place: Path, out: Path, *options: str, encoder: str = "build") -> list[str]:
    asked = ["pretrain", f"{place / 'encoders.py'}:{encoder}", str(place / "images.npz"), "--seed", "3", *options]
    return [sys.executable, "-m", "transfer", *asked, "-o", str(out / "encoder.weights.h5")]


def run(asked: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(asked, capture_output=True, text=True, check=False)


def states(out: Path) -> list[Path]:
    return list(out.glob(".encoder.weights.h5.unfinished/*.state"))


def stop(asked: list[str], out: Path, how: signal.Signals, seconds: float) -> int:
    """Stop a command some time after it wrote its first state; its exit code."""
    heard = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    hearing = [sys.executable, "-c", heard, *asked]  # also where tests run in the background, deaf to Ctrl-C
    child = subprocess.Popen(hearing, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    end = time.monotonic() + 300
    while child.poll() is None and time.monotonic() < end and not states(out):
        time.sleep(0.02)
    time.sleep(seconds)
    child.send_signal(how)
    child.communicate()
    return child.returncode


def bits(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in SAME}


@pytest.mark.parametrize("method", list(EPOCHS))
def test_a_kill_amid_an_epoch_changes_no_bit(method, place, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    options = ("--epochs", EPOCHS[method], "--method", method)
    if method == "masked":  # what the caller draws is drawn alike as well
        options = (*options, "--decoder", f"{place / 'encoders.py'}:back")
    done = run(command(place, whole, *options))
    assert done.returncode == 0, done.stderr
    cut.mkdir()
    seconds = random.Random(method).uniform(0.0, 0.4)
    assert stop(command(place, cut, *options), cut, signal.SIGKILL, seconds) == -signal.SIGKILL
    assert states(cut)
    done = run(command(place, cut, *options))
    assert done.returncode == 0, done.stderr
    assert "resumed   from step" in done.stdout
    assert bits(cut) == bits(whole)
    assert sorted(each.name for each in cut.iterdir()) == ["encoder.pretraining", "encoder.weights.h5"]
    again = run(command(place, cut, *options))
    assert "is of this very request already" in again.stdout


def test_an_interrupted_one_goes_on_beside_another_only_by_force_and_not_from_damage(place, tmp_path):
    asked = command(place, tmp_path, "--epochs", "400")
    assert stop(asked, tmp_path, signal.SIGINT, 0.1) == 130
    kept = {each: each.read_bytes() for each in states(tmp_path)}
    assert kept
    other = run(command(place, tmp_path, "--epochs", "2"))
    assert other.returncode == 8
    assert "begun with other settings or inputs" in other.stderr
    assert {each: each.read_bytes() for each in states(tmp_path)} == kept
    for each in kept:
        each.write_bytes(each.read_bytes()[:-40])
    damaged = run(asked)
    assert damaged.returncode == 7
    assert "is damaged, and" in damaged.stderr
    assert stop(asked, tmp_path, signal.SIGINT, 0.1) == 130
    forced = run(command(place, tmp_path, "--epochs", "2", "--force"))
    assert forced.returncode == 0, forced.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["encoder.pretraining", "encoder.weights.h5"]


@pytest.mark.parametrize("room", [800_000, 0])
def test_a_full_disk_costs_nothing_that_was_kept_and_the_same_command_goes_on(
    place, small_disk, leave_room, tmp_path, room
):
    options = ("--epochs", "3", "--method", "autoencoder", "--decoder", f"{place / 'encoders.py'}:back")
    done = run(command(place, tmp_path, *options, encoder="middling"))
    assert done.returncode == 0, done.stderr
    filler = leave_room(small_disk, room)
    ended = run(command(place, small_disk, *options, encoder="middling"))
    assert ended.returncode == 8, ended.stderr
    assert "No space left on device" in ended.stderr
    for each in states(small_disk):
        read_state(each)  # its checksum holds
    told = {filler.name, ".encoder.weights.h5.unfinished", "encoder.pretraining"}  # the last is whole where it is there
    assert {each.name for each in small_disk.iterdir()} <= told
    filler.unlink()
    done = run(command(place, small_disk, *options, encoder="middling"))
    assert done.returncode == 0, done.stderr
    assert bits(small_disk) == bits(tmp_path)


def test_what_overflows_ends_with_7_and_leaves_the_weights_before_it(place, tmp_path):
    ended = run(command(place, tmp_path, "--rate", "1e6", "--method", "autoencoder"))
    assert ended.returncode == 7
    kept = tmp_path / ".encoder.weights.h5.unfinished" / "last_finite.keras"
    assert str(kept) in ended.stderr.replace("\n", "")
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [kept]
    model = keras.saving.load_model(kept, compile=False)
    assert all(np.isfinite(each).all() for each in model.get_weights())
    assert run(command(place, tmp_path, "--epochs", "1")).returncode == 0
    assert sorted(each.name for each in tmp_path.iterdir()) == ["encoder.pretraining", "encoder.weights.h5"]


def test_a_time_limit_ends_it_in_time_with_what_was_learnt(place, tmp_path):
    start = time.monotonic()
    ended = run(command(place, tmp_path, "--epochs", "100000", "--time-limit", "25s"))
    seconds = time.monotonic() - start
    assert ended.returncode == 0, ended.stderr
    assert "the time limit ended it after" in ended.stdout
    assert seconds < 25 + 20  # starting Python and TensorFlow comes before the limit is known
    model = transfer.restore(tmp_path / "encoder.weights.h5").model
    assert model.output_shape == (None, 16)
    assert run(command(place, tmp_path, "--time-limit", "4s", "--force")).returncode == 7
