"""What the command line makes of numbers that overflow, damaged pictures, full disks, kills and changed inputs."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import transfer
from transfer.errors import DataError
from transfer.jobs.finetuning import finetuning
from transfer.training.training_state import read_state

SAME = ("model.keras", "result.json", "run.json", "history.jsonl")
CLIPART = Path(__file__).parents[2] / "examples" / "data" / "clipart"
QUICK = ("--no-cache", "--epochs", "3", "--seed", "3")
LONG = ("--no-cache", "--epochs", "5000")
TRAINED = {f"{layer}/kernel" for layer in ("block_16_expand", "block_16_depthwise", "block_16_project", "Conv_1")}


def command(file: object, data: Path, out: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "transfer", "finetune", str(file), str(data), "-o", str(out), *options]


def run(*asked: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*asked), capture_output=True, text=True, check=False)


def bits(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in SAME}


@pytest.fixture
def pictures(digits_folder, tmp_path) -> Path:
    """A copy that may be changed."""
    return shutil.copytree(digits_folder, tmp_path / "pictures")


# What is not finite


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--set", "stages.1.lora_rank=2")], ids=["kernels", "products"])
def test_training_that_overflows_ends_with_7_and_leaves_the_weights_before_it(digits_folder, tmp_path, options):
    ended = run("digits_mlp", digits_folder, tmp_path / "run", "--set", "stages.1.rate=1e30", *options)
    assert ended.returncode == 7
    assert "step 1 of epoch 1" in ended.stderr
    assert "next: choose a smaller rate; at this step it was 1e+30" in ended.stderr
    kept = tmp_path / ".run.unfinished" / "last_finite.keras"
    assert str(kept) in ended.stderr.replace("\n", "")
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [kept]
    started = transfer.restore("digits_mlp").model.get_layer("dense_2").get_weights()
    for ours, theirs in zip(
        transfer.restore(kept).model.get_layer("dense_2").get_weights(), started, strict=True
    ):  # no step was taken
        np.testing.assert_array_equal(ours, theirs)
    assert run("digits_mlp", digits_folder, tmp_path / "run", *QUICK).returncode == 0
    assert [each.name for each in tmp_path.iterdir()] == ["run"]


# Damaged pictures


@pytest.mark.slow
def test_a_damaged_picture_is_named_or_left_out(pictures, truncate, tmp_path):
    truncate(pictures / "digit_1" / "zz.jpg")
    ended = run("digits_mlp", pictures, tmp_path / "run", *QUICK)
    assert ended.returncode == 6
    assert "digit_1/zz.jpg" in ended.stderr
    assert "--skip-unreadable" in ended.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["pictures"]
    assert run("digits_mlp", pictures, tmp_path / "run", *QUICK, "--skip-unreadable").returncode == 0
    left_out = json.loads((tmp_path / "run" / "result.json").read_text())["left_out"]
    assert [each["where"] for each in left_out] == ["digit_1/zz.jpg"]


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize("damage", [cut_off, Path.unlink])
@pytest.mark.parametrize("moment", ["describe_request", "warn_of_inputs"])
def test_a_picture_that_is_damaged_after_it_was_listed_is_named(
    pictures, student, tmp_path, damage, moment, monkeypatch
):
    data = transfer.read_labelled(pictures)
    what_comes_then = getattr(finetuning, moment)

    def damage_before(*given: object, **options: object) -> object:
        damage(pictures / data.names[4])
        return what_comes_then(*given, **options)

    monkeypatch.setattr(finetuning, moment, damage_before)
    with pytest.raises(DataError) as caught:
        transfer.finetune(student, data, recipe=transfer.Recipe(), out=tmp_path / "run")
    assert data.names[4] in str(caught.value)
    assert [each.name for each in tmp_path.iterdir()] == ["pictures"]


# Full disks


@pytest.mark.slow
@pytest.mark.parametrize(
    ("room", "hit"), [(1_000_000, "training."), (1_500_000, "model.keras")], ids=["states", "the run"]
)
def test_a_full_disk_leaves_the_last_good_state_and_the_same_command_goes_on(
    digits_folder, small_disk, leave_room, tmp_path, room, hit
):
    assert run("digits_mlp", digits_folder, tmp_path / "whole", *QUICK).returncode == 0
    filler = leave_room(small_disk, room)
    ended = run("digits_mlp", digits_folder, small_disk / "run", *QUICK)
    assert ended.returncode == 8
    assert hit in ended.stderr
    assert "No space left on device" in ended.stderr
    assert "the same command then goes on where it was" in ended.stderr
    assert sorted(each.name for each in small_disk.iterdir()) == [".run.unfinished", "filler"]
    states = list(small_disk.rglob("training.*"))
    assert states
    for each in states:
        read_state(each)  # its checksum holds
    filler.unlink()
    done = run("digits_mlp", digits_folder, small_disk / "run", *QUICK)
    assert done.returncode == 0, done.stderr
    assert bits(small_disk / "run") == bits(tmp_path / "whole")
    assert [each.name for each in small_disk.iterdir()] == ["run"]


@pytest.mark.slow
def test_a_disk_without_any_room_is_left_as_it_was(digits_folder, small_disk, leave_room):
    leave_room(small_disk, 0)
    ended = run("digits_mlp", digits_folder, small_disk / "run", *QUICK)
    assert ended.returncode == 8
    assert [each.name for each in small_disk.iterdir()] == ["filler"]


# The same bits


@pytest.mark.slow
def test_processes_agree_with_mixup_changed_copies_and_dropout_whatever_the_cache(digits_folder, tmp_path):
    keras.utils.set_random_seed(1)
    layers = keras.layers
    net = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(4, 3, strides=3, activation="relu", name="conv"),
            layers.Flatten(name="flat"),
            layers.Dense(16, activation="relu", name="hidden"),
            layers.Dropout(0.5, name="dropout"),
            layers.Dense(4, activation="softmax", name="old"),
        ]
    )
    transfer.save_model(net, tmp_path / "net.keras")
    options = ["--preprocessing", "unit", "--drop-last", "--unfreeze-from", "hidden", "--epochs", "4", "--rate", "1e-2"]
    options += ["--set", "stages.1.mixup=0.3", "--set", "stages.1.augment=shift,rotate", "--seed", "5"]
    cache = ["--cache", str(tmp_path / "cache")]
    for name, kept in {"cold": cache, "warm": cache, "none": ["--no-cache"]}.items():
        ended = run(tmp_path / "net.keras", digits_folder, tmp_path / name, *options, *kept)
        assert ended.returncode == 0, ended.stderr
    assert bits(tmp_path / "cold") == bits(tmp_path / "warm") == bits(tmp_path / "none")


@pytest.mark.slow
def test_what_a_run_freezes_has_the_bits_of_the_checkpoint_and_what_it_trains_has_others(tmp_path):
    for folder in sorted(each for each in CLIPART.iterdir() if each.is_dir()):
        (tmp_path / "clipart" / folder.name).mkdir(parents=True)
        for each in sorted(folder.iterdir())[:5]:
            shutil.copy(each, tmp_path / "clipart" / folder.name)
    ended = run("mobilenet_v2_imagenet", tmp_path / "clipart", tmp_path / "run", "--size", "96", "--no-cache")
    assert ended.returncode == 0, ended.stderr
    before = tensors(transfer.restore("mobilenet_v2_imagenet").model)
    after = tensors(keras.saving.load_model(tmp_path / "run" / "model.keras", compile=False))
    moved = {name for name, values in after.items() if name in before and before[name] != values}
    assert set(after) - set(before) == {"label/kernel", "label/bias"}
    assert moved == TRAINED
    assert sum("moving_" in name for name in set(before) - moved) == 104


def tensors(model: keras.Model) -> dict[str, bytes]:
    """The bytes of each by the name of its layer, however deep."""
    layers = [each for each in model._flatten_layers() if not each._layers]
    return {
        f"{layer.name}/{each.name}": keras.ops.convert_to_numpy(each).tobytes()
        for layer in layers
        for each in layer.weights
    }


# Changed inputs


@pytest.fixture
def interrupted(pictures, tmp_path) -> Path:
    """Where a run on pictures and `net.h5` was killed after its first state."""
    shutil.copy(Path(transfer.restore("digits_mlp").receipt.source), tmp_path / "net.h5")
    child = subprocess.Popen(command(tmp_path / "net.h5", pictures, tmp_path / "run", *LONG), stderr=subprocess.PIPE)
    end = time.monotonic() + 300
    while child.poll() is None and time.monotonic() < end and not list(tmp_path.glob(".run.unfinished/*/*.state")):
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    _, errors = child.communicate()
    assert child.returncode == -signal.SIGKILL, errors
    return tmp_path


def change_picture(folder: Path) -> None:
    path = sorted(folder.glob("pictures/*/*.png"))[0]
    values = np.array(Image.open(path))
    values[0, 0] ^= 1
    Image.fromarray(values).save(path)


def change_weight(folder: Path) -> None:
    model = transfer.restore(folder / "net.h5").model
    model.get_layer("dense_1").bias.assign_add(np.full(64, 1e-3))
    transfer.save_weights(model, folder / "net.h5", force=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "options", "what"),
    [
        (change_picture, (), "data"),
        (change_weight, (), "network"),
        (lambda _: None, ("--set", "validation=0.3"), "recipe"),
    ],
    ids=["picture", "weight", "recipe"],
)
def test_a_run_that_was_cut_off_does_not_go_on_with_other_inputs(interrupted, change, options, what):
    change(interrupted)
    state = {path: path.read_bytes() for path in interrupted.glob(".run.unfinished/*/*")}
    ended = run(interrupted / "net.h5", interrupted / "pictures", interrupted / "run", *LONG, *options)
    assert ended.returncode == 8, ended.stderr
    assert "begun with other settings or inputs" in ended.stderr
    assert f"  {what}: has changed\n" in ended.stderr
    assert ended.stderr.count("has changed") == 1
    assert "--force" in ended.stderr
    assert {path: path.read_bytes() for path in interrupted.glob(".run.unfinished/*/*")} == state
