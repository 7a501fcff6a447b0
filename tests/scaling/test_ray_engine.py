"""The engine on a cluster of two nodes: all shards once, whatever is killed, and errors as they were raised."""

import os
import signal
import threading
from functools import partial
from pathlib import Path

import pytest

from transfer.errors import DataError, Problem, TrainingError
from transfer.scaling.ray_engine import RayEngine
from transfer.training.engines import LocalEngine

pytestmark = pytest.mark.ray


def tripling():
    """Work that needs nothing."""
    return lambda shard: 3 * shard


def killing(marks: Path, deadly: int, times: int):
    """Work of which one shard kills its process the first times."""

    def work(shard):
        if shard == deadly and len(list(marks.iterdir())) < times:
            (marks / str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return shard

    return work


def failing():
    """Work that ends in an error of ours."""

    def work(shard):
        raise DataError(f"{shard} is bad.", [Problem("shard", "good", "bad")], "give a good one")

    return work


@pytest.fixture
def engine(two_nodes):  # noqa: ARG001  # it runs there
    """On all of a cluster."""
    with RayEngine() as engine:
        yield engine


def test_it_gives_what_the_local_engine_gives(engine):
    assert sorted(engine.map(tripling, range(50))) == sorted(LocalEngine().map(tripling, range(50)))


def test_what_was_tried_out_tells_its_cost_and_how_many_will_work(engine):
    tried = engine.try_out(tripling, 5)
    assert (tried.done, tried.workers) == (15, 4)
    assert 2**25 < tried.memory_bytes < 2**33
    assert sorted(engine.map(tripling, range(9))) == [3 * each for each in range(9)]


def test_a_shard_whose_process_is_killed_is_done_by_another(engine, tmp_path):
    found = list(engine.map(partial(killing, tmp_path, 3, 2), range(12)))
    assert sorted(found) == list(range(12))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_shard_that_kills_every_process_is_an_error_that_names_it(engine, tmp_path):
    with pytest.raises(TrainingError, match="died each time on the same shard, 3 times") as caught:
        list(engine.map(partial(killing, tmp_path, 3, 99), range(12)))
    assert caught.value.problems[0].where == "3"


def test_or_what_is_said_of_it_and_the_others_are_done(engine, tmp_path):
    found = engine.map(partial(killing, tmp_path, 3, 99), range(12), lost=lambda shard, reason: (shard, reason))
    lost = [each for each in found if isinstance(each, tuple)]
    assert [shard for shard, _ in lost] == [3]
    assert "died 3 times" in lost[0][1]


def test_a_node_that_goes_takes_no_shard_with_it(two_nodes):
    with RayEngine() as engine:
        found = []
        for done in engine.map(tripling, range(60)):
            found.append(done)
            if len(found) == 10:
                two_nodes.remove_node(two_nodes.second, allow_graceful=False)
    assert sorted(found) == [3 * each for each in range(60)]


def test_an_error_of_the_work_arrives_as_it_was_raised(engine):
    with pytest.raises(DataError, match="is bad") as caught:
        list(engine.map(failing, range(3)))
    assert caught.value.problems == (Problem("shard", "good", "bad"),)
    assert caught.value.next_step == "give a good one"


def unsendable():
    """Work that gives what no other process can be given."""
    return lambda _shard: threading.Lock()


def test_what_cannot_be_sent_is_said_at_once_and_taken_for_no_death(engine):
    with pytest.raises(TrainingError, match="cannot give back") as caught:
        list(engine.map(unsendable, range(3)))
    assert "cannot pickle '_thread.lock' object" in caught.value.problems[0].found
    with pytest.raises(TrainingError, match="cannot be sent") as caught:
        list(engine.map(partial(killing, threading.Lock(), 0), range(3)))
    assert "cannot pickle '_thread.lock' object" in caught.value.problems[0].found
    assert list(engine.map(tripling, [1])) == [3]


@pytest.mark.parametrize(
    ("how", "missing"), [({"workers": 7}, "3 CPUs"), ({"threads": 3}, "3 CPUs"), ({"gpus": 1}, "1 CPU, 1 GPU")]
)
@pytest.mark.usefixtures("two_nodes")
def test_too_little_room_is_said_before_anything_starts(how, missing):
    with RayEngine(**how) as engine, pytest.raises(TrainingError, match="The cluster has room for") as caught:
        list(engine.map(tripling, range(3)))
    assert f"{missing} are missing" in caught.value.summary


@pytest.mark.usefixtures("two_nodes")
def test_workers_end_with_the_map():
    with RayEngine() as engine:
        found = set(engine.map(pids, range(40)))
        list(engine.map(tripling, range(4)))
    assert len(found) == 4
    assert wait_until_gone(found)


def pids():
    """Work that tells its process."""
    return lambda _: os.getpid()


def wait_until_gone(found, seconds=30.0):
    """Whether none of some processes is there any more."""
    import time

    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not [each for each in found if Path(f"/proc/{each}").exists()]:
            return True
        time.sleep(0.2)
    return False
