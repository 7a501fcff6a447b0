"""Running a function over batches in threads, with the results in the order of the batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from numpy.typing import NDArray

from transfer.data.loading import ImageBatch

_AT_ONCE = 2  # fills the processors where one call leaves them idle: between its operations, and at its ends

_Values = NDArray[Any]


def run_ahead(run: Callable[[_Values], _Values], batches: Iterator[ImageBatch]) -> Iterator[tuple[ImageBatch, _Values]]:
    """Each batch with what `run` gives for it, in order; two are at work and one waits.

    In a process that was given one thread, one is at work while the next is read.

    The first runs alone, so that what is built or traced then is built once. Batches are taken in the thread that asks.

    Args:
        run: may be called by two threads at once after its first call.
        batches: to run.
    """
    import tensorflow as tf  # here: the options of a cache are read before anything computes

    first = next(batches, None)
    if first is None:
        return
    yield first, run(first.images)
    waiting: deque[tuple[ImageBatch, Future[_Values]]] = deque()
    at_once = 1 if tf.config.threading.get_intra_op_parallelism_threads() == 1 else _AT_ONCE
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="features")
    try:
        for batch in batches:
            waiting.append((batch, pool.submit(run, batch.images)))
            if len(waiting) > at_once:
                done, values = waiting.popleft()
                yield done, values.result()
        while waiting:
            done, values = waiting.popleft()
            yield done, values.result()
    finally:
        pool.shutdown(cancel_futures=True)
