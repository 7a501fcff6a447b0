"""Between workers and whoever asks, without a cluster: states, what is told, how it ends, rows in blocks."""

import time

import numpy as np
import pytest

from transfer.errors import TrainingError
from transfer.scaling import lesson_post, shipped_rows
from transfer.scaling.lesson_post import Ended, LessonPost, PostedStates
from transfer.scaling.ray_fitting import RayFitter
from transfer.scaling.shipped_rows import ship_rows
from transfer.training.training_state import TrainingState


class Kept:
    """A Ray that keeps everything in this process."""

    def put(self, value):
        return value

    def get(self, value):
        return value


class Remote:
    """An actor that is called here."""

    def __init__(self, actor):
        self._actor = actor

    def __getattr__(self, name):
        method = getattr(self._actor, name)
        return type("Method", (), {"remote": staticmethod(method)})


@pytest.fixture(autouse=True)
def kept(monkeypatch):
    for module in (lesson_post, shipped_rows):
        monkeypatch.setattr(module, "load_ray", Kept)


def state(asked: str, epoch: int) -> TrainingState:
    return TrainingState(asked, 0.1, epoch, 0, (0.0,), (0.0,), (), 0, (np.arange(3),), ())


@pytest.mark.parametrize("lasting", [True, False])
def test_the_first_worker_writes_states_and_all_read_them(tmp_path, lasting):
    post = Remote(LessonPost(str(tmp_path) if lasting else None, None))
    first, second = PostedStates(post, is_first=True), PostedStates(post, is_first=False)
    assert first.load("a") is None
    first.save(state("a", 1))
    second.save(state("a", 2))
    assert (first.load("a").epoch, second.load("a").epoch) == (1, 1)
    assert bool(list(tmp_path.iterdir())) is lasting


def test_a_state_of_another_run_is_an_error_where_it_was_asked_for(tmp_path):
    states = PostedStates(Remote(LessonPost(str(tmp_path), None)), is_first=True)
    states.save(state("a", 1))
    with pytest.raises(TrainingError, match="another run"):
        states.load("b")


def test_what_is_told_is_collected_once_and_the_first_end_stands():
    post = LessonPost(None, time.monotonic() + 50)
    post.tell("progress", "tuning", 1, 2)
    assert post.collect() == [("progress", ("tuning", 1, 2))]
    assert post.collect() == []
    assert post.ended() is None
    post.end(Ended(error=ValueError("first")))
    post.end(Ended())
    assert str(post.ended().error) == "first"
    assert 40 < post.seconds_left() <= 50
    assert LessonPost(None, None).seconds_left() is None


@pytest.mark.parametrize("rows", [1, 3, 7, 100])
def test_shipped_rows_are_read_in_any_order_whatever_their_blocks(monkeypatch, rows):
    features = np.random.default_rng(0).normal(size=(7, 2, 5)).astype(np.float32)
    monkeypatch.setattr(shipped_rows, "_BLOCK_BYTES", rows * features[0].nbytes)
    shipped = ship_rows(features)
    assert (len(shipped), len(shipped.blocks)) == (7, -(-7 // rows))
    for places in ([6, 0, 3, 3], [2], list(range(7))):
        found = shipped.read(np.array(places))
        assert found.dtype == features.dtype
        np.testing.assert_array_equal(found, features[places])


def test_numbers_out_of_bounds_are_refused():
    pytest.importorskip("ray", reason="needs the extra: pip install 'h5transfer[ray]'")
    for how in ({"workers": 0}, {"workers": 2, "threads": 0}, {"workers": 2, "gpus": -1}):
        with pytest.raises(ValueError, match="above 0"):
            RayFitter(**how)
