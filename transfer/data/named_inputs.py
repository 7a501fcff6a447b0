"""Inputs of a network that has several, and examples for it as one row of numbers each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.named_arrays import NamedArrays
from transfer.specs import Json

EXACT = 2**24  # up to which float32 holds every whole number


@dataclass(frozen=True, slots=True)
class NamedInput:
    """One of several inputs of a network.

    Attributes:
        name: of the input.
        shape: of one example; None for an open size.
        dtype: of its values, numpy's name.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str

    def fault(self, rows: NDArray[Any]) -> tuple[str, str] | None:
        """What was expected and what stands in rows (n, …) that this input cannot take; None where it can.

        Examples are rows of float32: an input of whole numbers, token ids say, takes those that float32 holds.
        """
        if not self.dtype.startswith(("int", "uint")) or not rows.size:
            return None
        low, high = rows.min(), rows.max()
        if rows.dtype.kind == "f" and (rows != np.rint(rows)).any():
            place = int(np.argmax((rows != np.rint(rows)).reshape(len(rows), -1).any(axis=1)))
            return "whole numbers", f"fractions, first in row {place}"
        least = 0 if self.dtype.startswith("u") else -EXACT
        if low < least or high > EXACT:
            return f"whole numbers from {least:,} to {EXACT:,}", f"from {int(low):,} to {int(high):,}"
        return None

    def to_json(self) -> Json:
        """As plain values."""
        return {"name": self.name, "shape": list(self.shape), "dtype": self.dtype}

    @classmethod
    def from_json(cls, values: Json) -> NamedInput:
        """From what `to_json` gave."""
        return cls(values["name"], tuple(values["shape"]), values["dtype"])


def pack_rows(arrays: NamedArrays) -> NDArray[Any]:
    """(n, d) float32: all inputs of each example, flattened, one after the other."""
    return np.concatenate(
        [array.reshape(len(arrays), -1).astype(np.float32) for array in arrays.arrays.values()], axis=1
    )
