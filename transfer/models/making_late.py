"""Variables that are made late: how many bytes they will take is known before, and what they start with can be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import prod
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state
from numpy.typing import NDArray

from transfer.errors import LayerError, Problem
from transfer.specs import item_bytes

_WAITING = "uninitialized_variables"  # where Keras keeps variables that wait for their values
_SHOWN = 3


@contextmanager
def made_later(largest_bytes: int | None, name: str) -> Iterator[list[Any]]:
    """Let variables that are made inside have shapes alone; at the end all get their initial values, or none does.

    Gives a list, for variables that training may change once their layers are unfrozen: TensorFlow's tape watches only
    what was trainable when it was made, and Keras makes these before it freezes them.

    Args:
        largest_bytes: what they may take together; None for no limit.
        name: of the model, for the message.

    Raises:
        LayerError: if they would take more; the largest are named.
    """
    before = _waiting()
    _wait_for([])
    try:
        with keras.StatelessScope(initialize_variables=False):
            unfrozen: list[Any] = []
            yield unfrozen
        if largest_bytes is not None:
            _check_size(_waiting(), largest_bytes, name)
        with _made_trainable(unfrozen), keras.StatelessScope():  # at its end, Keras makes all that wait
            pass
    finally:
        _wait_for(before)


def start_with(variables: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> dict[int, str]:
    """Let variables that wait start with the tensors of their names: drawing values to replace them costs time.

    Args:
        variables: by name, made within `made_later`, which has not ended.
        tensors: by name. One of another shape is not taken.

    Returns:
        The name of each variable that has its tensor, by the variable's id.
    """
    waiting = {id(each) for each in _waiting()}
    started = {}
    for name, variable in variables.items():
        if id(variable) not in waiting or name not in tensors:
            continue
        values = tensors[name]
        if tuple(variable.shape) == np.shape(values):
            variable._initializer = partial(_given, values)
            started[id(variable)] = name
    return started


def start_at_zero(variables: Iterable[Any]) -> None:
    """Let variables that wait, made within `made_later`, start at 0."""
    for variable in variables:
        variable._initializer = keras.ops.zeros


def _given(values: NDArray[Any], shape: Sequence[int], dtype: str) -> Any:
    del shape
    return keras.ops.convert_to_tensor(values, dtype=dtype)


@contextmanager
def _made_trainable(variables: list[Any]) -> Iterator[None]:
    """Let variables of frozen layers be made as if they were not frozen."""
    frozen = [each for each in variables if not each.trainable]
    for each in frozen:
        each.trainable = True
    try:
        yield
    finally:
        for each in frozen:
            each.trainable = False


def _check_size(variables: list[Any], largest_bytes: int, name: str) -> None:
    sizes: Counter[str] = Counter()
    for variable in variables:
        size = prod(variable.shape) * item_bytes(keras.backend.standardize_dtype(variable.dtype))
        sizes[variable.path.rpartition("/")[0] or variable.path] += size
    if sizes.total() > largest_bytes:
        raise LayerError(
            f"{name!r} would take {sizes.total():,} bytes of memory for its variables; {largest_bytes:,} are allowed.",
            [Problem(layer, found=f"{size:,} bytes") for layer, size in sizes.most_common(_SHOWN)],
            next_step="restore a file whose architecture fits the weights that it holds",
        )


def _waiting() -> list[Any]:
    return list(global_state.get_global_attribute(_WAITING, []))


def _wait_for(variables: list[Any]) -> None:
    global_state.set_global_attribute(_WAITING, variables)
