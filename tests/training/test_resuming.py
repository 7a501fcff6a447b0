"""A run that was cut off anywhere goes on to the same bits."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from suffixes import FEATURES, LABELS, VALIDATION, VALIDATION_LABELS, bits, suffix

from transfer.errors import TrainingError
from transfer.recipes import Stage
from transfer.training.fitting import Fit, fit
from transfer.training.rate_finding import STEPS

BATCH = 8
STAGES = {
    "all at once": {
        "optimizer": "adamw",
        "weight_decay": 0.1,
        "ema": 0.7,
        "patience": 3,
        "epochs": 9,
        "rate": 0.1,
        "mixup": 0.3,
        "l2_sp": 0.1,
        "layer_decay": 0.5,
        "schedule": "cosine",
        "warmup": 0.2,
    },
    "momentum": {"optimizer": "sgd", "momentum": 0.9, "epochs": 4, "rate": 0.1, "schedule": "steps"},
    "found rate": {"rate": "auto", "epochs": 3, "steps": 10},
}


def stage(name: str) -> Stage:
    return Stage("tune", unfreeze=("*",), batch_size=BATCH, **STAGES[name])


FINDING = 2 * STEPS  # batches read before the first step, where the rate is found


class CutOffError(Exception):
    """The run was cut off."""


class Cut:
    """Features of which so many batches can be read."""

    def __init__(self, batches: int) -> None:
        self.batches = batches

    def read(self, places: np.ndarray) -> np.ndarray:
        self.batches -= len(places) // BATCH
        if self.batches < 0:
            raise CutOffError
        return FEATURES[places]


def run(name: str, features: object, **options) -> tuple[Fit, list[bytes]]:
    model = suffix(dropout=0.3, norm=True)
    validation = (VALIDATION, VALIDATION_LABELS)
    found = fit(model, features, LABELS, stage(name), seed=7, validation=validation, **options)
    return found, bits(model)


@pytest.mark.parametrize("name", STAGES)
def test_a_run_cut_off_at_random_steps_ends_with_the_same_bits(name, tmp_path):
    whole = run(name, FEATURES)
    moments = random.Random(name)
    cuts = 0
    while True:
        try:
            options = {"state_folder": tmp_path, "save_every_steps": moments.randint(1, 3)}
            finding = FINDING if name == "found rate" and not any(tmp_path.iterdir()) else 0
            found = run(name, Cut(finding + moments.randint(3, 9)), **options)
            break
        except CutOffError:
            cuts += 1
    assert cuts > 0
    assert found == whole


def test_where_states_lie_does_not_matter(tmp_path):
    """Saving itself changes nothing, at whichever steps."""
    whole = run("all at once", FEATURES)
    for every in (1, 5):
        assert run("all at once", FEATURES, state_folder=tmp_path / str(every), save_every_steps=every) == whole


def test_a_run_that_is_over_gives_its_result_again_and_takes_no_step(tmp_path):
    first = run("all at once", FEATURES, state_folder=tmp_path)
    again = run("all at once", Cut(0), state_folder=tmp_path)
    assert again == first
    assert (first[0].resumed_at, again[0].resumed_at) == (0, first[0].steps)


def test_the_steps_that_were_kept_are_told(tmp_path):
    with pytest.raises(CutOffError):
        run("momentum", Cut(7), state_folder=tmp_path, save_every_steps=1)
    assert run("momentum", FEATURES, state_folder=tmp_path)[0].resumed_at == 7


def test_a_damaged_state_falls_back_to_the_one_before_and_ends_with_the_same_bits(tmp_path):
    whole = run("momentum", FEATURES)
    with pytest.raises(CutOffError):
        run("momentum", Cut(9), state_folder=tmp_path, save_every_steps=1)
    newest = max(tmp_path.iterdir(), key=lambda each: each.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes()[:-5])
    assert run("momentum", FEATURES, state_folder=tmp_path) == whole


def started(folder: Path, **options) -> None:
    fit(
        suffix(),
        FEATURES,
        options.pop("labels", LABELS),
        options.pop("stage", stage("momentum")),
        **{"seed": 7, "state_folder": folder, "deadline": time.monotonic(), "digest": "one", **options},
    )


def test_other_inputs_weights_or_options_are_refused(tmp_path):
    started(tmp_path)
    started(tmp_path)  # the same may go on
    others = [{"seed": 8}, {"digest": "two"}, {"labels": np.roll(LABELS, 1)}, {"stage": stage("all at once")}]
    others[3]["validation"] = (VALIDATION, VALIDATION_LABELS)
    for other in others:
        with pytest.raises(TrainingError, match="another run"):
            started(tmp_path, **other)


def test_other_starting_weights_and_other_frozen_layers_are_refused(tmp_path):
    started(tmp_path)
    moved, frozen = suffix(), suffix()
    moved.get_layer("label").bias.assign([0.0, 0.0, 1e-6])
    frozen.get_layer("block1_dense").trainable = False
    for model in (moved, frozen):
        with pytest.raises(TrainingError, match="another run"):
            fit(model, FEATURES, LABELS, stage("momentum"), seed=7, state_folder=tmp_path, digest="one")


CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, "tests/training")
import numpy as np
import test_resuming
from suffixes import FEATURES

class Slow:
    def read(self, places):
        print("step", flush=True)
        time.sleep(0.02)
        return FEATURES[places]

found, bits = test_resuming.run(sys.argv[1], Slow(), state_folder=Path(sys.argv[2]), save_every_steps=2)
print("end", hash((repr(found), tuple(bits))), flush=True)
"""


def child(name: str, folder: Path, steps: int | None) -> str:
    """Run in a process of its own, killed at a moment after so many steps; its last line."""
    surroundings = {**os.environ, "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-c", CHILD, name, str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=surroundings
    ) as one:
        lines = []
        for line in one.stdout:
            lines.append(line)
            if len(lines) == steps:
                time.sleep(random.Random(steps).uniform(0, 0.03))
                os.kill(one.pid, signal.SIGKILL)
        return lines[-1]


@pytest.mark.slow
def test_a_process_killed_at_any_moment_ends_with_the_same_bits(tmp_path):
    whole = child("all at once", tmp_path / "whole", None)
    assert whole.startswith("end")
    for steps in (3, 5, 8):
        assert child("all at once", tmp_path / "cut", steps) == "step\n"
    assert child("all at once", tmp_path / "cut", None) == whole
