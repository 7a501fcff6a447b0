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
        ids: of token ids how many there are, 0 the first; None for other values.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    ids: int | None = None

    def fault(self, rows: NDArray[Any]) -> tuple[str, str] | None:
        """What was expected and what stands in rows (n, …) that this input cannot take; None where it can.

        Examples are rows of float32: an input of whole numbers takes those that float32 holds.
        """
        if self.ids is not None:
            return fault_of_ids(rows, self.ids)
        if not self.dtype.startswith(("int", "uint")):
            return None
        return _fault(rows, 0 if self.dtype.startswith("u") else -EXACT, EXACT, "whole numbers")

    def to_json(self) -> Json:
        """As plain values."""
        return {"name": self.name, "shape": list(self.shape), "dtype": self.dtype, "ids": self.ids}

    @classmethod
    def from_json(cls, values: Json) -> NamedInput:
        """From what `to_json` gave."""
        return cls(values["name"], tuple(values["shape"]), values["dtype"], values.get("ids"))


def fault_of_ids(rows: NDArray[Any], count: int) -> tuple[str, str] | None:
    """What was expected and what stands in rows (n, …) that are no token ids from 0 to one below a count, or None."""
    return _fault(rows, 0, min(count - 1, EXACT), "token ids")


def _fault(rows: NDArray[Any], low: int, high: int, what: str) -> tuple[str, str] | None:
    if not rows.size:
        return None
    expected = f"{what} from {low:,} to {high:,}"
    if rows.dtype.kind == "f" and (broken := rows != np.rint(rows)).any():
        return expected, f"fractions, first in row {int(np.argmax(broken.reshape(len(rows), -1).any(axis=1)))}"
    least, most = rows.min(), rows.max()
    return (expected, f"from {int(least):,} to {int(most):,}") if least < low or most > high else None


def pack_rows(arrays: NamedArrays) -> NDArray[Any]:
    """(n, d) float32: all inputs of each example, flattened, one after the other."""
    return np.concatenate(
        [array.reshape(len(arrays), -1).astype(np.float32) for array in arrays.arrays.values()], axis=1
    )
