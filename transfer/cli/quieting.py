"""TensorFlow's greetings, kept off stderr."""

from __future__ import annotations

import os
import sys


def import_tensorflow() -> None:
    """Import TensorFlow and Keras with the file behind stderr closed to them.

    TensorFlow's C++ side logs about drivers and processor features before a level can be set. An error in the import
    is raised as ever.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        import keras
        import tensorflow as tf

        # the first use of a device logs once more
        keras.ops.convert_to_numpy(tf.zeros(1))
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
