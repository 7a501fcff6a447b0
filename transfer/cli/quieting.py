"""Greetings of TensorFlow and Ray, kept off stderr, and its objects, kept from being looked through for rubbish."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

from transfer.cli.volume import spending
from transfer.silencing import stderr_closed

_Value = TypeVar("_Value")


def import_tensorflow(threads: int | None = None) -> None:
    """Import TensorFlow and Keras with the file behind stderr closed to them.

    TensorFlow's C++ side logs about drivers and processor features before a level can be set. An error in the import
    is raised as ever. The objects that an import makes live as long as the process: Python is told so, which would
    look through all of them now and then, and for a second at the end.

    Args:
        threads: that it computes with, settled before the first of them; by default all processors.
    """
    if "keras" in sys.modules:
        return
    with spending("importing TensorFlow"):
        _import_quietly(threads)
    gc.freeze()
    atexit.register(gc.freeze)


@contextmanager
def entered_quietly(context: AbstractContextManager[_Value]) -> Iterator[_Value]:
    """A block of which only the beginning is kept off stderr: off the net, Ray logs that it is on each connection."""
    with ExitStack() as stack:
        with stderr_closed():
            value = stack.enter_context(context)
        yield value


def _import_quietly(threads: int | None) -> None:
    with stderr_closed():
        import keras
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # networks are built anew for each run: that it traces again says nothing
        if threads is not None:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        # the first use of a device logs once more
        keras.ops.convert_to_numpy(tf.zeros(1))
