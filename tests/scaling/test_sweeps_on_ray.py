"""Sweeps on a cluster of two nodes: the trials of one process, whatever is killed on the way."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from transfer.errors import DataError
from transfer.scaling.tuning import TuneEngine

pytestmark = pytest.mark.ray

SWEEP = """
import json, os, signal, sys
from pathlib import Path
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
import numpy as np
from keras import Input, Sequential, layers, utils
import transfer
from transfer.recipes import Recipe, Stage

out, address, marks = sys.argv[1:]
utils.set_random_seed(0)
labels = np.arange(60) % 3
x = (np.random.default_rng(0).normal(size=(60, 6)) + np.eye(6)[labels]).astype("float32")
model = Sequential(
    [Input((6,)), layers.Dense(8, activation="relu", name="d"), layers.Dense(3, name="label")]
)
asked = {
    "recipe": Recipe((Stage("probe"), Stage(unfreeze_last=1, epochs=1, rate=1e-3)), seed=1),
    "over": ["stages.1.rate=1e-4..1e-1", "stages.1.optimizer=adam,sgd"],
    "trials": 6, "folds": 2, "at_once": 4, "out": out,
}
data = transfer.from_arrays(x, labels, ["a", "b", "c"])
if address == "local":
    found = transfer.sweep(model, data, **asked)
else:
    from transfer.jobs.sweeps.trying_recipes import Trying
    from transfer.scaling.tuning import TuneEngine

    class Dying:
        "Kills its process at one trial, once, or each time."
        def __init__(self, real): self.real = real
        def __call__(self):
            work = self.real()
            def do(task):
                mark = Path(marks) / "died"
                if task[0] == 2 and not mark.exists():
                    mark.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                return work(task)
            return do

    class Killing(TuneEngine):
        def map(self, prepare, shards, *, lost=None):
            return super().map(Dying(prepare), shards, lost=lost)

    with Killing(Path(out) / "tune", address) as engine:
        found = transfer.sweep(model, data, **asked, engine=engine)
told = found.to_json()
print(json.dumps({each: told[each] for each in ("trials", "tested", "difference", "best")}))
print(Path(found.best_recipe).read_text())
"""


def swept(out, address, marks):
    command = [sys.executable, "-c", SWEEP, out.name, address, str(marks)]  # workers stand in another folder
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, cwd=out.parent)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_a_cluster_finds_the_trials_and_the_best_of_one_process_though_one_is_killed(two_nodes, tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    there = swept(tmp_path / "there", two_nodes.address, marks)
    assert (marks / "died").exists()
    assert there == swept(tmp_path / "here", "local", marks)
    trials = json.loads(there.splitlines()[0])["trials"]
    assert len(trials) == 7
    assert all(each["reason"] == "" for each in trials)


def failing():
    """Work of which one shard kills its process each time."""

    def work(shard):
        if shard == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        if shard == 5:
            raise DataError("5 is bad.")
        return os.getpid(), shard

    return work


def test_what_kills_each_process_is_told_and_an_error_is_raised_as_it_was(two_nodes, tmp_path):  # noqa: ARG001
    with TuneEngine(tmp_path, workers=2) as engine:
        found = list(engine.map(failing, range(4), lost=lambda shard, reason: (0, shard, reason)))
        assert [each[1] for each in found] == [0, 1, 2, 3]
        assert "its process died 3 times" in found[3][2]
        assert len({each[0] for each in found[:3]}) <= 2
        with pytest.raises(DataError, match="5 is bad"):
            list(engine.map(failing, [4, 5]))
    assert {Path(each).name for each in tmp_path.iterdir()} == {"round_0", "round_1"}


class Waiting:
    """Work that says that it has begun, and goes on for a minute."""

    def __init__(self, begun: Path) -> None:
        self.begun = begun

    def __call__(self):
        def work(_shard):
            self.begun.touch()
            time.sleep(60)

        return work


def test_ctrl_c_is_an_interruption_and_no_trial_is_taken_for_lost(two_nodes, tmp_path):  # noqa: ARG001
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGUSR1)
    begun, lost = tmp_path / "begun", []

    def interrupt() -> None:
        while not begun.exists():
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with TuneEngine(tmp_path / "tune", workers=2) as engine, pytest.raises(KeyboardInterrupt):
        list(engine.map(Waiting(begun), range(3), lost=lambda shard, _: lost.append(shard)))
    assert lost == []
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGUSR1)) == before
