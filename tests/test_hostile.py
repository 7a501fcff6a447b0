"""Every hostile or broken checkpoint of a set: the verdict that its manifest asks for, and nothing else happens.

python -m pytest -m hostile --hostile=FOLDER

A file that only holds weights is restored into the two dense layers that the set was made with. Extra memory is
measured, and so is time; a marker would show an execution, and a canary's text that another file was read.
"""

import hashlib
import json
import shutil
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from transfer.errors import TransferError
from transfer.models.restoring import restore
from transfer.weights.opening import open_checkpoint

pytestmark = pytest.mark.hostile

CANARY = "CANARY-SECRET"
SLOWEST = 10  # seconds
LONGEST = 2048  # bytes of a message


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        folder = metafunc.config.getoption("hostile")
        cases = json.loads((folder / "files" / "manifest.json").read_text()) if folder else []
        chosen = [case for case in cases if case["api"] == "auto"]
        metafunc.parametrize("case", chosen, ids=[case["id"] for case in chosen])


@pytest.fixture(scope="module")
def canary(hostile):
    """What the files try to read lies where they expect it."""
    place = Path(tempfile.gettempdir()) / "transfer-hostile" / "canary"
    made = not place.exists()
    if made:
        shutil.copytree(hostile / "canary", place)
    yield place
    if made:
        shutil.rmtree(place.parent)


@pytest.fixture
def markers(tmp_path, monkeypatch):
    """Where a payload would leave its mark."""
    folder = tmp_path / "markers"
    folder.mkdir()
    monkeypatch.setenv("HOSTILE_MARKER_DIR", str(folder))
    return folder


def dense_layers():
    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="relu", name="dense_a"),
            keras.layers.Dense(3, name="dense_b"),
        ]
    )


def resident(key):
    """Megabytes of this process: `VmRSS` now, `VmHWM` at the highest."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1024


def outcome(path):
    """What a restore ends with: the model and receipt, or the error; with seconds and extra megabytes."""
    into = dense_layers if path.name.endswith(".weights.h5") else None
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak
    before, start = resident("VmRSS"), time.perf_counter()
    try:
        restored, error = restore(path, into), None
    except TransferError as caught:
        restored, error = None, caught
    return restored, error, time.perf_counter() - start, resident("VmHWM") - before


def test_the_verdict_is_the_manifests_and_nothing_else_happens(case, hostile, canary, markers):
    before = sorted(path.name for path in canary.parent.rglob("*"))
    restored, error, seconds, megabytes = outcome(hostile / "files" / Path(case["file"]).name)
    text = str(error) if error is not None else str(restored.receipt)
    may_load = case["note"] is not None and "load-ok" in case["note"]
    if case["expected"] == "refuse" and not (may_load and error is None):
        assert error is not None
        assert error.exit_code in (3, 4, 5)
    else:
        assert error is None, text
        if case["tensors_sha256"]:
            values = [np.asarray(each, "float32").tobytes() for each in restored.model.get_weights()]
            assert hashlib.sha256(b"".join(values)).hexdigest() == case["tensors_sha256"]
    if error is not None or case["expected"] == "warn":
        assert [word for word in case["must_mention"] if word not in text] == []
    assert len(text.encode()) <= LONGEST
    assert CANARY not in text
    assert list(markers.iterdir()) == []
    assert sorted(path.name for path in canary.parent.rglob("*")) == before
    assert seconds < SLOWEST
    assert megabytes < case["max_extra_rss_mb"]


@pytest.mark.usefixtures("canary")
def test_looking_at_a_file_is_no_more_dangerous_than_restoring_it(case, hostile, markers):
    start, error = time.perf_counter(), ""
    try:
        checkpoint = open_checkpoint(hostile / "files" / Path(case["file"]).name)
        small = sum(spec.size_bytes for spec in checkpoint.specs.values()) < 1 << 20
        read = [values.tobytes() for _, values in checkpoint.stream()] if small else []
    except TransferError as caught:
        read, error = [], str(caught)
    assert not any(CANARY.encode() in each for each in read)
    assert CANARY not in error
    assert len(error.encode()) <= LONGEST
    assert list(markers.iterdir()) == []
    assert time.perf_counter() - start < SLOWEST


def test_the_set_is_whole(hostile):
    cases = json.loads((hostile / "files" / "manifest.json").read_text())
    assert sum(case["api"] == "auto" for case in cases) == 90
    assert sum(case["api"] == "dataset" for case in cases) == 10
