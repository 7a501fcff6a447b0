"""What computes: all that may make the same network give other bits for the same picture."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import keras
import tensorflow as tf
from PIL import features as codecs

from transfer.specs import Json

_PACKAGES = ("h5transfer", "keras", "tensorflow", "numpy", "pillow")
_CODECS = ("jpg", "libjpeg_turbo", "libtiff", "webp")  # Pillow may be built against any version of these; PNG is exact
_SWITCHES = ("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "TF_XLA_FLAGS", "XLA_FLAGS")


def describe_arithmetic() -> Json:
    """As plain values: versions, decoders, processor and threads, accelerators, precision, switches.

    A processor of another kind adds in another order, and so does another number of threads.
    """
    return {
        "versions": {name: version(name) for name in _PACKAGES},
        "codecs": {name: codecs.version(name) for name in _CODECS},
        "machine": platform.machine(),
        "processor": _processor(),
        "threads": _threads(),
        "devices": [_device(each) for each in tf.config.get_visible_devices()],
        "precision": [
            keras.config.floatx(),
            keras.config.epsilon(),
            tf.config.experimental.tensor_float_32_execution_enabled(),
        ],
        "switches": {name: os.environ[name] for name in _SWITCHES if name in os.environ},
    }


def _processor() -> str:
    """Its name and abilities, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    told = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in reversed(lines))}
    names = ("model name", "flags", "CPU implementer", "CPU part", "Features")
    return "; ".join(told[name] for name in names if name in told) or platform.processor()


def _threads() -> list[int]:
    """How many were asked for, and of how many processors they are: of a number that was asked for it is the same."""
    asked = tf.config.threading.get_intra_op_parallelism_threads()
    return [asked, asked or _processors()]


def _processors() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _device(device: object) -> Json:
    details = tf.config.experimental.get_device_details(device)
    return [getattr(device, "device_type", ""), details.get("device_name"), details.get("compute_capability")]
