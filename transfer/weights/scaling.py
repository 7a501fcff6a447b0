"""Kernels in whole numbers with a scale, as the floats that they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def dequantize(values: NDArray[Any], scale: NDArray[Any]) -> NDArray[np.float32]:
    """The floats that whole numbers stand for.

    Keras quantizes a kernel as `round(kernel * scale)`, with one scale an output; an embedding with one a row.

    Args:
        values: (…, outputs), or (rows, …) of an embedding.
        scale: (outputs,), or (rows,).
    """
    by_row = scale.shape != values.shape[-1:]
    factors = scale.reshape(-1, *[1] * (values.ndim - 1)) if by_row else scale
    result: NDArray[np.float32] = (values.astype(np.float32) / factors).astype(np.float32)
    return result
