"""Batches that run in threads: their order, the first one alone, and what happens on errors."""

import threading
import time

import numpy as np
import pytest

from transfer.data.loading import ImageBatch
from transfer.training.running_ahead import run_ahead


def batches_of(count):
    return (ImageBatch(k, np.full((1, 2), k, np.uint8)) for k in range(count))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 9])
def test_order_is_that_of_the_batches_whichever_ends_first(count):
    def slow_where_even(batch):
        time.sleep(0.02 if batch[0, 0] % 2 == 0 else 0)
        return batch * 2

    found = [(batch.first, values[0, 0]) for batch, values in run_ahead(slow_where_even, batches_of(count))]
    assert found == [(k, 2 * k) for k in range(count)]


def test_first_runs_alone_and_later_ones_two_at_once():
    at_work, most, before_second = 0, 0, 0
    lock, met = threading.Lock(), threading.Barrier(2)

    def run(batch):
        nonlocal at_work, most, before_second
        with lock:
            at_work += 1
            most = max(most, at_work)
            if batch[0, 0] == 0:
                before_second = most
        if batch[0, 0]:
            met.wait(10)  # passes only where another one is at work
        with lock:
            at_work -= 1
        return batch

    assert len(list(run_ahead(run, batches_of(5)))) == 5
    assert (before_second, most) == (1, 2)


def test_error_of_a_batch_comes_where_it_stands_and_no_thread_is_left():
    def run(batch):
        if batch[0, 0] == 2:
            raise ValueError("third")
        return batch

    done = []
    with pytest.raises(ValueError, match="third"):
        done.extend(batch.first for batch, _ in run_ahead(run, batches_of(9)))
    assert not [each for each in threading.enumerate() if each.name.startswith("features")]


def test_no_thread_is_left_where_nobody_asks_on():
    running = run_ahead(lambda batch: batch, batches_of(9))
    next(running), next(running)
    running.close()
    assert not [each for each in threading.enumerate() if each.name.startswith("features")]
