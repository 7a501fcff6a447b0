"""What a tensor is, in one line of text: equal digests, equal bits."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


class TensorDigest:
    """Sha256 over type, shape and little-endian bytes in C order, taken up block by block."""

    def __init__(self, dtype: str, shape: tuple[int, ...]) -> None:
        self._digest = hashlib.sha256(f"{dtype}{shape}".encode())

    def update(self, block: Any) -> None:
        """Take up the next bytes."""
        self._digest.update(block)

    def hexdigest(self) -> str:
        """As hexadecimal digits."""
        return self._digest.hexdigest()


def digest_tensor(values: NDArray[np.generic]) -> str:
    """The digest of an array: see `TensorDigest`."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    digest = TensorDigest(little.dtype.name, values.shape)
    digest.update(little.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
