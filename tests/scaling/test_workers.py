"""What a process of a cluster settles before its first shard; Ray is played."""

import threading

import pytest

from transfer.scaling import workers
from transfer.scaling.workers import Worker
from transfer.training import devices


class Kept:
    """What Ray has of the work."""

    @staticmethod
    def get(kept):
        return kept


@pytest.mark.parametrize(("gpus", "hidden"), [(0, ["hidden"]), (1, [])])
def test_a_worker_sees_a_gpu_only_where_it_has_one_of_its_own(monkeypatch, gpus, hidden):
    told = []
    monkeypatch.setattr(workers, "load_ray", Kept)
    monkeypatch.setattr(devices, "hide_gpus", lambda: told.append("hidden"))
    monkeypatch.setattr(devices, "settle_threads", lambda threads: told.append(threads))
    monkeypatch.setattr(devices, "make_repeatable", lambda: told.append("repeatable"))
    answer = Worker(2, gpus, []).do([lambda: str.upper], "shard")
    assert answer.done == "SHARD"
    assert told == [*hidden, 2, "repeatable"]


class LockedError(Exception):
    """An error that cannot be sent."""

    def __init__(self, text):
        super().__init__(text)
        self.lock = threading.Lock()


def test_an_error_that_cannot_be_sent_is_told_with_its_text_and_where_it_was():
    def work(_shard):
        raise LockedError("too much")

    worker = Worker(1, 0, [])
    worker._work = work
    error = worker.do([], "shard").error
    assert (type(error), str(error)) == (RuntimeError, "LockedError: too much")
    assert "raised in a worker: process" in error.__notes__[0]
