"""What a tensor is, in one line of text: equal digests, equal bits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from transfer.specs import Json


def digest_tensor(values: NDArray[np.generic]) -> str:
    """Sha256 over type, shape and little-endian bytes in C order, as hexadecimal digits."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    digest = hashlib.sha256(f"{little.dtype.name}{values.shape}".encode())
    digest.update(little.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def digest_manifest(digests: Mapping[str, str]) -> str:
    """Sha256 over all names and digests, whatever their order."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def digest_json(values: Json) -> str:
    """Sha256 over plain values, whatever the order of keys and the way in which they are written down."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
