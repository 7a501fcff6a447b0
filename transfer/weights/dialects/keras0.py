"""Keras 0.x: root attribute `nb_layers`, each layer a group `layer_K` with `param_J`. Nothing has a name.

Roles are told by the number and shapes of a layer's arrays, in the order in which Keras 0.3 listed them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.errors import Problem
from transfer.specs import TensorSpec, Writer
from transfer.weights.dialects.doubting import doubt_axes, doubt_backend
from transfer.weights.dialects.keras1 import read_tensors
from transfer.weights.dialects.layout import Layout, Stored
from transfer.weights.guarding import DamagedError, dataset, subgroup
from transfer.weights.outline import Dataset, Group

EPSILON = 1e-6  # of Keras 0.3's batch normalization
_LSTM = tuple(f"{part}_{gate}" for gate in "icfo" for part in "WUb")
_GRU = tuple(f"{part}_{gate}" for gate in "zrh" for part in "WUb")


def recognises(root: Group) -> bool:
    """Whether the file is of this dialect."""
    return "nb_layers" in root.attrs


def read(root: Group, declared: Writer) -> Layout:
    """List the tensors.

    Raises:
        DamagedError: if a layer or parameter is not there.
    """
    tensors = [each for number in range(_count(root, "nb_layers")) for each in _layer(root, number)]
    read, open_axes = read_tensors(tensors, theano=declared.backend == "theano")
    doubts = [*doubt_backend(read, declared.backend), *doubt_axes(read, is_open=open_axes)]
    return Layout("Keras 0 weights", read, writer=Writer("0", declared.backend), doubts=tuple(doubts))


def _layer(root: Group, number: int) -> list[Stored]:
    name = f"layer_{number}"
    group = subgroup(root, name)
    places = [dataset(group, f"param_{k}") for k in range(_count(group, "nb_params"))]
    kind, roles = _roles([place.shape for place in places])
    return [_stored(name, kind, role, place, number) for role, place in zip(roles, places, strict=True)]


def _stored(name: str, kind: str, role: str, place: Dataset, number: int) -> Stored:
    spec = TensorSpec(f"{name}/{role}", place.shape, place.dtype, name, role, kind, number)
    if role != "running_std":
        return Stored(spec, (place,))
    spec = TensorSpec(spec.name, spec.shape, spec.dtype, name, role, kind, number, converted="deviation to variance")
    return Stored(spec, (place,), _variance)


def _variance(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Keras 0.3 divided by `std + epsilon`, Keras divides by `sqrt(variance + epsilon)`: right with epsilon 0."""
    deviation = parts[0].astype(np.float64)
    return ((deviation + EPSILON) ** 2).astype(parts[0].dtype)


def _roles(shapes: Sequence[tuple[int, ...]]) -> tuple[str, Sequence[str]]:
    """The class, where it is certain, and what each array is."""
    ranks = [len(shape) for shape in shapes]
    if ranks == [2, 2, 1] * 4:
        return "lstm", _LSTM
    if ranks == [2, 2, 1] * 3:
        return "gru", _GRU
    if ranks == [2, 2, 1]:
        return "simple_rnn", ("W", "U", "b")
    if ranks == [1, 1, 1, 1] and len(set(shapes)) == 1:
        return "batch_normalization", ("gamma", "beta", "running_mean", "running_std")
    if ranks == [2, 1]:
        return "dense", ("W", "b")
    if ranks in ([3, 1], [4, 1], [5, 1]):
        return "", ("W", "b")
    if ranks == [2]:
        return "embedding", ("W",)
    return "", tuple(map(str, range(len(shapes))))


def _count(group: Group, attribute: str) -> int:
    value = group.attrs.get(attribute)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 100_000:
        raise DamagedError(
            "damaged, or made to harm", [Problem(group.path or attribute, f"a number of {attribute}", repr(value))]
        )
    return value
