"""Fine-tuning on several devices ends where one does, on real pictures; processors divided in three stand for GPUs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import transfer
from transfer.errors import TrainingError
from transfer.training.devices import settle_devices

CHILD = """
import sys
import numpy as np
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 3
)
import transfer
from transfer.jobs.students.preparing import prepare_student

folder, out, *counts = sys.argv[1:]


def weights(name, devices, data, recipe, **how):
    student = prepare_student(transfer.restore(name), data.labelling, seed=7)
    run = transfer.finetune(student, data, recipe=recipe, devices=devices, report=False, **how)
    assert run.asked.get("devices", 1) == devices
    return {each.path: each.numpy() for each in run.model.weights}


def gap(name, data, devices, *, stage, **how):
    tune = transfer.Stage("tune", epochs=3, **{"batch_size": 31, **stage})
    recipe = transfer.Recipe((transfer.Stage("probe"), tune), seed=7, validation=0)
    before = weights(name, 1, data, transfer.Recipe((transfer.Stage("probe"),), seed=7), **how)
    alone = weights(name, 1, data, recipe, **how)
    moved = max(np.abs(alone[each] - before[each]).max() for each in before)
    assert moved > 1e-4, moved
    together = weights(name, devices, data, recipe, **how)
    return max(float(np.abs(alone[each] - together[each]).max()) for each in alone)


data = transfer.read_labelled(folder)
"""
DIGITS = """
stage = {"optimizer": "sgd", "rate": 0.01, "unfreeze": ("*",), "batch_size": 10}
assert gap("digits_mlp", data, 3, stage=stage, shots=9) < 1e-6
student = prepare_student(transfer.restore("digits_mlp"), data.labelling, seed=7)
transfer.finetune(student, data, recipe=transfer.Recipe(transfer.Stage("probe")), devices="all", out=out, report=False)
try:
    gap("digits_mlp", data, 2, stage=stage, shots=9)
except transfer.TransferError as error:
    print(error.problems[0].expected, error.problems[0].found)
"""
PICTURES = """
how = {"shots": 20, "size": (96, 96)}
last = {"unfreeze_last": 2, "batch_norm": "adapt", "rate": 1e-3}
count = int(counts[0])
assert gap("mobilenet_v2_imagenet", data, count, stage={**last, "optimizer": "sgd"}, **how) < 1e-6
if count == 3:
    sys.exit()
assert gap("mobilenet_v2_imagenet", data, count, stage={**last, "optimizer": "sgd", "momentum": 0.0}, **how) < 1e-6
assert gap("mobilenet_v2_imagenet", data, count, stage={**last, "rate": 1e-4, "optimizer": "adam"}, **how) < 1e-4
"""


def run_child(code: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CHILD + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_three_devices_give_the_weights_of_one_and_the_run_says_how_many_it_had(digits_folder, tmp_path):
    assert run_child(DIGITS, digits_folder, tmp_path / "run") == "3 2\n"  # another number needs another process
    assert json.loads((tmp_path / "run" / "run.json").read_text())["devices"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_several_devices_give_the_weights_of_one_on_pictures_with_norms_that_are_trained(tmp_path, count):
    run_child(PICTURES, Path(__file__).parents[2] / "examples" / "data" / "clipart", tmp_path, count)


def test_more_devices_than_there_are_and_what_is_no_number_are_refused(student, digits_folder):
    with pytest.raises(TrainingError) as error:
        transfer.finetune(student, digits_folder, devices=99)
    assert (error.value.problems[0].expected, error.value.problems[0].found) == ("at most 1", "99")
    for asked in (0, True, "two"):
        with pytest.raises(TrainingError, match="from 1, or 'all'"):
            settle_devices(asked)
    assert settle_devices("all") == settle_devices(None) == 1


def test_one_device_asks_for_the_same_run_as_none(student, digits_folder, tmp_path):
    how = {"recipe": transfer.Recipe(transfer.Stage("probe")), "out": tmp_path / "run", "report": False}
    first = transfer.finetune(student, digits_folder, **how)
    again = transfer.finetune(student, digits_folder, devices=1, **how)
    assert again.reused
    assert "devices" not in first.asked
