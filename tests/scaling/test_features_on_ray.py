"""Features on a cluster of two nodes: the bytes of the local engine, whatever is lost on the way."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import transfer

pytestmark = pytest.mark.ray

CLIPART = Path(__file__).parents[2] / "examples" / "data" / "clipart"
CLASSES = """
import keras

@keras.saving.register_keras_serializable("mine")
class Doubled(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs

def build():
    image = keras.Input((8,))
    return keras.Model(image, Doubled(name="features")(keras.layers.Dense(4, name="dense")(image)))
"""


def files_of(folder):
    """Every file by its path below, but for times."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def locally(file, data, out, *options):
    """What a process of one thread computes by itself."""
    words = ["features", str(file), str(data), "-o", str(out), "--threads", "1", *options]
    done = subprocess.run([sys.executable, "-m", "transfer", *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return files_of(out)


def kill_a_worker():
    """One process that is at work on a shard, if there is one."""
    for each in Path("/proc").iterdir():
        try:
            title = (each / "cmdline").read_bytes().replace(b"\0", b" ").strip()
        except OSError:
            continue
        if title.startswith(b"ray::Worker"):
            os.kill(int(each.name), signal.SIGKILL)
            return True
    return False


def test_pictures_give_the_same_bytes_though_a_worker_and_a_node_are_lost(two_nodes, tmp_path):
    killed, lost = [], []

    def harm(_, done, count):
        if not killed and done >= count / 8:
            killed.append(kill_a_worker())
        if not lost and done >= count / 3:
            lost.append(two_nodes.remove_node(two_nodes.second, allow_graceful=False))

    here = locally("mobilenet_v2_imagenet", CLIPART, tmp_path / "here", "--shard-rows", "10")
    there = tmp_path / "there"
    with transfer.RayEngine() as engine:
        found = transfer.compute_features(
            "mobilenet_v2_imagenet", CLIPART, there, shard_rows=10, engine=engine, progress=harm
        )
    assert (killed, len(lost)) == ([True], 1)
    assert files_of(there) == here
    assert len(set(found.ids)) == len(found) == 300


def test_either_engine_goes_on_with_what_the_other_has_begun(two_nodes, tmp_path):  # noqa: ARG001
    rows = np.random.default_rng(3).uniform(0, 255, (300, 784)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", x=rows)
    out = tmp_path / "features"
    with transfer.RayEngine(workers=2) as engine:
        first = transfer.compute_features("digits_mlp", tmp_path / "rows.npz", out, shard_rows=50, engine=engine)
    before = files_of(out)
    (piece,) = [each for each in out.iterdir() if each.is_dir()]
    next(piece.iterdir()).unlink()
    assert locally("digits_mlp", tmp_path / "rows.npz", out, "--shard-rows", "50") == before
    assert len(first) == 300


def test_bad_pictures_are_set_aside_as_they_are_here(two_nodes, tmp_path):  # noqa: ARG001
    data = tmp_path / "pictures"
    data.mkdir()
    for place, path in enumerate(sorted(CLIPART.rglob("*.png"))[:8]):
        content = path.read_bytes()
        (data / f"{place}.png").write_bytes(content[: len(content) // 3] if place in (2, 5) else content)
    here = locally("mobilenet_v2_imagenet", data, tmp_path / "here", "--shard-rows", "3")
    with transfer.RayEngine(workers=2) as engine:
        found = transfer.compute_features(
            "mobilenet_v2_imagenet", data, tmp_path / "there", shard_rows=3, engine=engine
        )
    assert [each.where for each in found.failed] == ["2.png", "5.png"]
    assert files_of(tmp_path / "there") == here


def test_classes_of_a_file_of_the_users_go_along(two_nodes, tmp_path, monkeypatch):  # noqa: ARG001
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "classes_of_mine.py").write_text(CLASSES)
    import classes_of_mine

    model = classes_of_mine.build()
    transfer.save_weights(model, tmp_path / "mine.weights.h5")
    restored = transfer.restore(tmp_path / "mine.weights.h5", classes_of_mine.build)
    rows = np.random.default_rng(3).uniform(-1, 1, (40, 8)).astype(np.float32)
    with transfer.RayEngine(workers=2) as engine:
        found = transfer.compute_features(restored, rows, tmp_path / "out", at="features", shard_rows=10, engine=engine)
    np.testing.assert_allclose(found.load(), model.predict(rows, verbose=0), rtol=1e-5, atol=1e-6)


def test_what_it_needs_is_measured_in_a_worker_before_it_begins(two_nodes, tmp_path):  # noqa: ARG001
    with transfer.RayEngine() as engine:
        found = transfer.estimate_features(
            "mobilenet_v2_imagenet", CLIPART, tmp_path / "out", shard_rows=75, engine=engine
        )
    assert (found.examples, found.shards, found.workers) == (300, 4, 4)
    assert 2**28 < found.memory_bytes < 2**32
    assert found.written_bytes == 300 * (1280 * 4 + 120)
    assert 0 < found.seconds == 300 * found.seconds_each / 4
    assert not (tmp_path / "out").exists()


def test_the_command_does_it_on_processes_of_this_machine(tmp_path):
    here = locally("digits_mlp", CLIPART, tmp_path / "here", "--shard-rows", "100")
    there = locally(
        "digits_mlp", CLIPART, tmp_path / "there", "--shard-rows", "100", "--engine", "ray", "--workers", "2"
    )
    assert there == here
    assert json.loads(there["manifest.json"])["rows"] == 300
