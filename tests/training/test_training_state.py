"""A state comes back to the bit, and whatever is damaged is found out."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from transfer.errors import OutputError, TrainingError
from transfer.training.history import Epoch
from transfer.training.training_state import NAMES, StateFolder, TrainingState


def state(number: int = 0) -> TrainingState:
    return TrainingState(
        asked="a" * 64,
        rate=0.1 + number,
        epoch=2,
        step=3,
        losses=(1 / 3, 2.5),
        known=(4.0, 3.5),
        history=(Epoch(1, 0.7, {"head": 1e-17}, 0.1), Epoch(2, 0.6, {}, 0.1, 0.5, 2 / 3)),
        best_epoch=2,
        variables=(
            np.array([[number, -0.0], [np.nan, np.inf]], np.float32),
            np.array([1, 2**32 - 1], np.uint32),
            np.array([1.5], ml_dtypes.bfloat16),
        ),
        optimizer=(np.array(7 + number), np.float32(0.1).reshape(())),
        averages=(np.zeros((0, 3)),),
        best=(np.array([True, False]),),
    )


def plain(one: TrainingState) -> tuple:
    arrays = ("variables", "optimizer", "averages", "best")
    groups = [[(each.dtype.name, each.shape, each.tobytes()) for each in getattr(one, name)] for name in arrays]
    return (*(getattr(one, name) for name in TrainingState.__slots__ if name not in arrays), groups)


def test_a_state_comes_back_with_every_bit(tmp_path):
    StateFolder(tmp_path / "state").save(state())
    assert plain(StateFolder(tmp_path / "state").load("a" * 64)) == plain(state())


def test_without_a_file_there_is_no_state(tmp_path):
    assert StateFolder(tmp_path / "none").load("a") is None


def test_the_newest_of_two_serves_and_no_more_than_two_are_kept(tmp_path):
    folder = StateFolder(tmp_path)
    for number in range(5):
        folder.save(state(number))
        assert plain(StateFolder(tmp_path).load("a" * 64)) == plain(state(number))
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(NAMES)


def test_another_run_s_state_is_refused(tmp_path):
    StateFolder(tmp_path).save(state())
    with pytest.raises(TrainingError, match="another run") as caught:
        StateFolder(tmp_path).load("b" * 64)
    (problem,) = caught.value.problems
    assert (problem.expected, problem.found) == ("b" * 16, "a" * 16)


def newest(folder: Path) -> Path:
    return folder / NAMES[0]  # the second of two


def two(folder: Path) -> bytes:
    states = StateFolder(folder)
    states.save(state(1))
    states.save(state(2))
    return newest(folder).read_bytes()


def test_a_truncation_anywhere_is_found_out_and_the_one_before_serves(tmp_path):
    content = two(tmp_path)
    for length in range(len(content)):
        newest(tmp_path).write_bytes(content[:length])
        assert plain(StateFolder(tmp_path).load("a" * 64)) == plain(state(1)), length


def test_a_flipped_bit_anywhere_is_found_out_and_the_one_before_serves(tmp_path):
    content = two(tmp_path)
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        newest(tmp_path).write_bytes(damaged)
        assert plain(StateFolder(tmp_path).load("a" * 64)) == plain(state(1)), place


def test_bytes_too_many_are_found_out(tmp_path):
    newest(tmp_path).write_bytes(two(tmp_path) + b"\0")
    assert plain(StateFolder(tmp_path).load("a" * 64)) == plain(state(1))


@pytest.mark.parametrize("content", [b"", b"[]\n", b"null\n", b'{"format": 1}\n', b"\xff\n", b"[" * 100_000])
def test_what_was_never_a_state_is_damaged(tmp_path, content):
    two(tmp_path)
    newest(tmp_path).write_bytes(content)
    assert plain(StateFolder(tmp_path).load("a" * 64)) == plain(state(1))


def test_the_next_state_goes_where_the_damaged_one_is(tmp_path):
    content = two(tmp_path)
    newest(tmp_path).write_bytes(content[:-1])
    folder = StateFolder(tmp_path)
    folder.load("a" * 64)
    folder.save(state(3))
    assert plain(StateFolder(tmp_path).load("a" * 64)) == plain(state(3))
    newest(tmp_path).write_bytes(content[:-1])
    assert plain(StateFolder(tmp_path).load("a" * 64)) == plain(state(1))


def test_where_both_are_damaged_it_says_so(tmp_path):
    two(tmp_path)
    for name in NAMES:
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(TrainingError, match="damaged, and so is the one before it") as caught:
        StateFolder(tmp_path).load("a" * 64)
    assert {problem.where for problem in caught.value.problems} == set(NAMES)
    assert {problem.found for problem in caught.value.problems} == {"its checksum does not hold"}
    assert "start anew" in caught.value.next_step


def test_where_the_only_one_is_damaged_it_says_so(tmp_path):
    StateFolder(tmp_path).save(state())
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"")
    with pytest.raises(TrainingError, match="there is none before it"):
        StateFolder(tmp_path).load("a" * 64)


def test_a_state_that_claims_more_than_there_is_takes_no_memory(tmp_path):
    content = two(tmp_path)
    newest(tmp_path).write_bytes(content.replace(b"[0, 3]", b"[9999999, 9999999]", 1))
    assert plain(StateFolder(tmp_path).load("a" * 64)) == plain(state(1))


def test_where_no_folder_can_be_made_it_says_so(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        StateFolder(tmp_path / "file" / "state").save(state())


WRITER = """
import sys
from pathlib import Path
import numpy as np
from dataclasses import replace
from transfer.training.training_state import StateFolder, TrainingState

folder = StateFolder(Path(sys.argv[1]))
start = folder.load("run")
for number in range(start.epoch + 1 if start else 1, 10**9):
    values = np.full(200_000, number, np.float32)
    folder.save(TrainingState("run", 0.1, number, 0, (0.0,), (0.0,), (), 0, (values,), ()))
    print(number, flush=True)
"""


def test_a_kill_at_any_moment_leaves_the_last_state_that_was_said_to_be_kept(tmp_path):
    moments = random.Random(0)
    seen = 0
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
        ) as child:
            first = child.stdout.readline()
            time.sleep(moments.uniform(0, 0.1))
            os.kill(child.pid, signal.SIGKILL)
            said = [int(line) for line in (first + child.stdout.read()).splitlines()]
        found = StateFolder(tmp_path).load("run")
        assert found.epoch >= said[-1] > seen
        assert (found.variables[0] == found.epoch).all()
        seen = found.epoch
    for _ in NAMES:
        StateFolder(tmp_path).save(replace(found, losses=(1.0,)))
    assert StateFolder(tmp_path).load("run").losses == (1.0,)
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(NAMES)  # what dead writers left is gone
