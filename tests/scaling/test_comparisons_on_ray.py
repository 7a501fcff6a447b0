"""Rankings and curves on a cluster of two nodes: the numbers of one process of one thread, whatever is lost."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import transfer
from transfer.jobs.rankings import scoring_candidates
from transfer.scaling.ray_engine import RayEngine

pytestmark = pytest.mark.ray

CLIPART = Path(__file__).parents[2] / "examples" / "data" / "clipart"


def told(*words, folder):
    """What a command gives as JSON, asked for in a folder of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "transfer", *words, "--json", "--no-cache"],
        capture_output=True,
        text=True,
        timeout=400,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_ranking_and_a_curve_are_those_of_one_process(two_nodes, tmp_path):
    (tmp_path / "some").symlink_to(CLIPART)
    there = ("--engine", "ray", "--address", two_nodes.address, "--workers", "2")
    how = ("rank", "mobilenet_v2_imagenet", "digits_mlp", "no.h5", "--on", "some", "--random", "--cuts", "2", "--size")
    how = (*how, "64", "--preprocessing", "unit")
    assert told(*how, *there, folder=tmp_path) == told(*how, "--threads", "1", folder=tmp_path)
    how = ("curve", "mobilenet_v2_imagenet", "some", "--size", "64", "--recipe", "probe", "--shots", "1,3")
    how = (*how, "--divisions", "2")
    assert told(*how, *there, folder=tmp_path) == told(*how, "--threads", "1", folder=tmp_path)


def test_a_candidate_that_kills_each_process_is_a_row_with_its_reason(two_nodes, tmp_path):  # noqa: ARG001
    inputs = keras.Input((6,))
    deep = keras.layers.Dense(8, activation="relu", name="deep")(inputs)
    keras.Model(inputs, keras.layers.Dense(3, name="top")(deep), name="good").save(tmp_path / "good.keras")
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 20)
    x = (random.normal(size=(60, 6)) + np.eye(6)[labels]).astype("float32")
    real = scoring_candidates.CandidateScoring.prepare

    class Killing(RayEngine):
        def map(self, prepare, shards, *, lost=None):
            work = prepare.__self__

            def dying():
                score = real(work)

                def do(turn):
                    if turn[0] == 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return score(turn)

                return do

            return super().map(dying, shards, lost=lost)

    data = transfer.from_arrays(x, labels, ["a", "b", "c"])
    with Killing(workers=2) as engine:
        found = transfer.rank([str(tmp_path / "bad.keras"), str(tmp_path / "good.keras")], data, engine=engine)
    assert [Path(each.candidate).name for each in found.failures] == ["bad.keras"]
    assert "its process died 3 times" in found.failures[0].reason
    assert found.failures[0].exit_code == 7
    assert Path(found.best.candidate).name == "good.keras"


def test_models_are_sent_with_their_weights(two_nodes):  # noqa: ARG001
    inputs = keras.Input((6,))
    deep = keras.layers.Dense(8, activation="relu", name="deep")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, name="top")(deep), name="live")
    labels = np.repeat(np.arange(3), 20)
    x = (np.random.default_rng(0).normal(size=(60, 6)) + np.eye(6)[labels]).astype("float32")
    data = transfer.from_arrays(x, labels, ["a", "b", "c"])
    with RayEngine(workers=1) as engine:
        there = transfer.rank([model], data, random=True, engine=engine)
    here = transfer.rank([model], data, random=True)
    assert [each.name for each in there.cuts] == [each.name for each in here.cuts]
    assert [each.accuracy.value for each in there.cuts] == pytest.approx([each.accuracy.value for each in here.cuts])
