"""Networks in the formats of other runtimes, by Keras's own exporters, and what these runtimes answer."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from transfer.errors import LayerError, OutputError, Problem
from transfer.silencing import stderr_closed

Format = Literal["saved_model", "onnx", "litert"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: dict[str, Format] = {".onnx": "onnx", ".tflite": "litert"}
EXTRA = "pip install 'h5transfer[export]'"

Values: TypeAlias = NDArray[Any]

_KERAS_NAMES = {"saved_model": "tf_saved_model", "onnx": "onnx", "litert": "litert"}
_NAMING = re.compile(r"^Custom ops: |Unsupported ops|No Op registered")  # in what converters and runtimes say
_LEAST_OPSET = 18  # of ONNX: what onnxruntime has known since 2023


def write_exported(model: keras.Model, path: Path, written_as: Format) -> None:
    """Write a network for another runtime.

    Args:
        model: functional.
        path: a file; of `saved_model` a folder.
        written_as: the format.

    Raises:
        OutputError: if what the format needs is not installed.
        LayerError: if the exporter has no words for a layer.
    """
    _refuse_absent(written_as)
    more: dict[str, Any] = {"opset_version": _LEAST_OPSET} if written_as == "onnx" else {}
    try:
        with _quietly():
            model(model.input if len(model.inputs) > 1 else model.inputs[0])  # exporters refuse what was never called
            model.export(path, format=_KERAS_NAMES[written_as], verbose=False, **more)
    except Exception as error:  # each converter raises classes of its own
        raise _unfit(model, written_as, str(error)) from error


def answers_of(path: Path, written_as: Format, inputs: Mapping[str, Values]) -> dict[str, Values]:
    """What the runtime of a format answers from a written file.

    Args:
        path: as `write_exported` wrote it.
        written_as: its format.
        inputs: (b, …) by the names of the network's inputs.

    Returns:
        The outputs (b, …) by the names that they have in the file, sorted, each flattened to (b, k).

    Raises:
        LayerError: if the runtime cannot run the file.
    """
    run = {"saved_model": _run_saved_model, "onnx": _run_onnx, "litert": _run_litert}[written_as]
    try:
        with _quietly():
            found = run(path, inputs)
    except Exception as error:  # each runtime raises classes of its own
        raise _unfit(None, written_as, str(error)) from error
    return {name: np.asarray(found[name]).reshape(len(found[name]), -1) for name in sorted(found)}


def _run_saved_model(path: Path, inputs: Mapping[str, Values]) -> Mapping[str, Values]:
    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    tensors = {name: tf.constant(inputs[name]) for name in served.structured_input_signature[1]}
    return {name: each.numpy() for name, each in served(**tensors).items()}


def _run_onnx(path: Path, inputs: Mapping[str, Values]) -> Mapping[str, Values]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))


def _run_litert(path: Path, inputs: Mapping[str, Values]) -> Mapping[str, Values]:
    from ai_edge_litert.interpreter import Interpreter

    signature = Interpreter(str(path)).get_signature_runner("serving_default")
    return dict(signature(**inputs))


def _refuse_absent(written_as: Format) -> None:
    needed = {"saved_model": (), "onnx": ("tf2onnx", "onnxruntime"), "litert": ("ai_edge_litert",)}[written_as]
    for name in needed:
        try:
            with _quietly():
                __import__(name)
        except ImportError as error:
            raise OutputError(f"{name} cannot be imported: {error}.", next_step=EXTRA) from error


def _unfit(model: keras.Model | None, written_as: str, why: str) -> LayerError:
    name = model.name if model is not None else "what was written"
    lines = [line.strip() for line in why.splitlines() if line.strip()]
    told = next((line for line in lines if _NAMING.search(line)), lines[0] if lines else "")
    return LayerError(
        f"{name} cannot be used as {written_as}.",
        [Problem(written_as, "operations that it has", told[-240:])],
        next_step=f"try another format: {', '.join(each for each in FORMATS if each != written_as)}",
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep what converters say to people off stderr: their C++ side writes past Python."""
    kept_level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with stderr_closed(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(kept_level)
