"""Every hostile or broken data set: refused by name, or read with all that was left out told; and nothing else is read.

python -m pytest -m hostile --hostile=FOLDER
"""

import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from transfer.data.loading import load_images
from transfer.data.reading import read_labelled
from transfer.errors import TransferError

pytestmark = pytest.mark.hostile

EMPTY_FOLDERS = {"G06_empty_class": ("bird",)}  # version control keeps no empty folder
LONGEST = 2048  # bytes of a message
SLOWEST = 10  # seconds
LIBRARIES = (sys.prefix, sys.base_prefix)
opened: list[str] = []


def note_opening(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        opened.append(arguments[0])


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        folder = metafunc.config.getoption("hostile")
        cases = json.loads((folder / "files" / "manifest.json").read_text()) if folder else []
        chosen = [case for case in cases if case["api"] == "dataset"]
        metafunc.parametrize("case", chosen, ids=[case["id"] for case in chosen])


@pytest.fixture(scope="module")
def listening():
    """A list of the files that this process opens; a hook stays, so that there is one."""
    sys.addaudithook(note_opening)
    return opened


@pytest.fixture
def folder(case, hostile, tmp_path):
    """A copy of the set, whole."""
    copy = tmp_path / Path(case["file"]).name
    shutil.copytree(hostile / "files" / copy.name, copy, symlinks=True)
    for name in EMPTY_FOLDERS.get(copy.name, ()):
        (copy / name).mkdir()
    return copy


def resident(key):
    """Megabytes of this process: `VmRSS` now, `VmHWM` at the highest."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1024


def outcome(path, **options):
    """The set with its pictures decoded, or the error."""
    try:
        data = read_labelled(path, **options)
        return data, np.concatenate([batch.images for batch in load_images(data, size=(16, 16))]), None
    except TransferError as caught:
        return None, None, caught


def test_the_verdict_is_the_manifests_and_nothing_else_is_read(case, folder, listening):
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak
    before, start = resident("VmRSS"), time.perf_counter()
    listening.clear()
    data, images, error = outcome(folder)
    touched = [Path(name) for name in listening]
    seconds, megabytes = time.perf_counter() - start, resident("VmHWM") - before
    text = str(error) if error is not None else "\n".join(map(str, data.problems))
    if case["expected"] == "refuse":
        assert error is not None
        assert error.exit_code == 6
    else:
        assert error is None, text
        assert len(images) == len(data)
        assert len(set(data.labels.tolist())) == len(data.classes) >= 2
    if case["expected"] != "load-ok":
        assert [word for word in case["must_mention"] if word not in text] == []
    assert len(text.encode()) <= LONGEST
    assert seconds < SLOWEST
    assert megabytes < case["max_extra_rss_mb"]
    assert any(path.is_relative_to(folder) for path in touched)
    outside = [path for path in touched if not path.is_relative_to(folder)]
    assert [path for path in outside if not str(path).startswith((*LIBRARIES, "/proc/self"))] == []


def test_the_pictures_are_those_that_lie_there_and_the_classes_those_that_are_written_there(case, folder):
    """What is read is counted again, by the folder's own listing and by splitting the table's lines."""
    data, _, error = outcome(folder, skip_unreadable=True)
    if error is not None:
        assert case["expected"] == "refuse"
        return
    table = folder / "labels.csv"
    if table.exists():
        lines = table.read_text("utf-8-sig").splitlines()[1:]
        expected = dict(line.replace(";", ",").split(",") for line in lines)
    else:
        expected = {f"{path.parent.name}/{path.name}": path.parent.name for path in folder.glob("*/*.png")}
    found = {name: data.classes[label] for name, label in zip(data.names, data.labels, strict=True)}
    dropped = {problem.where for problem in data.problems}
    assert found == {name: label for name, label in expected.items() if name not in dropped}
