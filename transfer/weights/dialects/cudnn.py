"""Recurrent layers that Keras 2 computed by cuDNN: matrices in cuDNN's order, two biases.

`CuDNNLSTM` and `CuDNNGRU` handed their matrices to cuDNN as flat memory, which took each gate's (d, u) as (u, d). Their
bias holds one half for the input and one for the state; an LSTM adds the two, a GRU that resets after keeps them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.weights.dialects.layout import Conversion, Stored

CONVERTED = "taken out of cuDNN's order"


def read_cudnn(tensors: Sequence[Stored]) -> list[Stored]:
    """Give such layers the tensors of an `LSTM`, or of a `GRU` that resets after; others stay as they are.

    They are told by shapes: a bias twice as long as the gates are wide.

    Source: Keras 2.2, `keras/layers/cudnn_recurrent.py`, `_canonical_to_params`.
    """
    layers: dict[str, dict[str, Stored]] = {}
    for each in tensors:
        layers.setdefault(each.spec.layer, {})[each.spec.role] = each
    converted = {
        each.spec.name: new
        for members in layers.values()
        if (gates := _gates(members))
        for each, new in zip(members.values(), _converted(members, gates), strict=True)
    }
    return [converted.get(each.spec.name, each) for each in tensors]


def _gates(members: dict[str, Stored]) -> int:
    """4 for an LSTM of cuDNN, 3 for a GRU, 0 for any other layer."""
    if set(members) != {"kernel", "recurrent_kernel", "bias"}:
        return 0
    kernel, recurrent, bias = (members[role].spec.shape for role in ("kernel", "recurrent_kernel", "bias"))
    if len(kernel) != 2 or len(recurrent) != 2 or kernel[1:] != recurrent[1:] or bias != (2 * kernel[1],):
        return 0
    gates, rest = divmod(recurrent[1], recurrent[0]) if recurrent[0] else (0, 0)
    return gates if gates in (3, 4) and not rest else 0


def _converted(members: dict[str, Stored], gates: int) -> list[Stored]:
    return [_bias(each, gates) if role == "bias" else _matrix(each, gates) for role, each in members.items()]


def _matrix(stored: Stored, gates: int) -> Stored:
    return replace(stored, spec=replace(stored.spec, converted=CONVERTED), convert=_reordering(gates))


def _bias(stored: Stored, gates: int) -> Stored:
    width = stored.spec.shape[0] // 2
    shape = (width,) if gates == 4 else (2, width)
    return replace(
        stored, spec=replace(stored.spec, shape=shape, converted=CONVERTED), convert=_add if gates == 4 else _stack
    )


def _reordering(gates: int) -> Conversion:
    def convert(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
        (matrix,) = parts
        return np.concatenate([reorder(each) for each in np.split(matrix, gates, axis=1)], axis=1)

    return convert


def reorder(matrix: NDArray[Any]) -> NDArray[Any]:
    """One gate's (d, u) as cuDNN reads it: its memory as (u, d), turned."""
    rows, columns = matrix.shape
    turned: NDArray[Any] = np.ascontiguousarray(matrix).reshape(columns, rows).T
    return turned


def _add(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    for_input, for_state = np.split(parts[0], 2)
    added: NDArray[Any] = for_input + for_state
    return added


def _stack(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return parts[0].reshape(2, -1)
