"""Values that a trained network should not hold: no numbers, infinities, one value throughout, denormal ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from transfer.specs import TensorSpec
    from transfer.weights.checkpoint import Checkpoint

_BLOCK = 1 << 18  # elements looked at in one go
# What layers hold before any training, by role.
_INITIAL = {
    **dict.fromkeys(("bias", "beta", "moving_mean", "mean", "count"), 0.0),
    **dict.fromkeys(("gamma", "moving_variance", "variance", "scale"), 1.0),
}
_STATISTICS = ("moving_mean", "moving_variance")


@dataclass(frozen=True, slots=True)
class Health:
    """What stands out in a tensor.

    Attributes:
        name: of the tensor.
        nan: number of elements that are no numbers.
        infinite: number of infinite elements.
        denormal: number of elements that are not zero and below what the type holds at full precision.
        constant: the value of all elements where it is one and there are several; None otherwise.
        remark: why a constant tensor is nothing unusual; empty where it is.
    """

    name: str
    nan: int = 0
    infinite: int = 0
    denormal: int = 0
    constant: float | None = None
    remark: str = ""

    @property
    def is_broken(self) -> bool:
        """Whether it holds something that is no number."""
        return bool(self.nan or self.infinite)

    @property
    def is_odd(self) -> bool:
        """Whether anything stands out that nothing explains; denormal numbers alone do not."""
        return self.is_broken or (self.constant is not None and not self.remark)

    def __str__(self) -> str:
        found = [f"{count:,} {what}" for count, what in ((self.nan, "NaN"), (self.infinite, "infinite")) if count]
        if self.constant is not None:
            found.append(f"all {self.constant:g}" + (f" ({self.remark})" if self.remark else ""))
        found += [f"{self.denormal:,} denormal"] if self.denormal else []
        return ", ".join(found)


def examine(spec: TensorSpec, values: NDArray[Any]) -> Health:
    """Look at every element of a tensor, some at a time.

    Args:
        spec: its role tells what values it is made with.
        values: any shape; numbers of any type.
    """
    flat = values.reshape(-1)
    nan = infinite = denormal = 0
    if np.issubdtype(flat.dtype, np.floating) or "float" in flat.dtype.name:
        smallest = _smallest_normal(flat.dtype)
        for start in range(0, flat.size, _BLOCK):
            block = flat[start : start + _BLOCK]
            if not np.isfinite(block).all():
                nan += int(np.isnan(block).sum())
                infinite += int(np.isinf(block).sum())
            with np.errstate(invalid="ignore"):  # numpy warns of comparing what is no number, for types it lacks
                denormal += int(((np.abs(block) < smallest) & (block != 0)).sum())
    constant = float(flat[0]) if flat.size > 1 and not nan and _is_constant(flat) else None
    return Health(spec.name, nan, infinite, denormal, constant, _remark(spec, constant))


def examine_all(checkpoint: Checkpoint) -> Iterator[Health]:
    """Every tensor of a checkpoint, one in memory at a time, in an order of convenience."""
    for name, values in checkpoint.stream():
        yield examine(checkpoint.specs[name], values)


def _is_constant(flat: NDArray[Any]) -> bool:
    first = flat[0]
    return all(bool((flat[start : start + _BLOCK] == first).all()) for start in range(0, flat.size, _BLOCK))


def _remark(spec: TensorSpec, constant: float | None) -> str:
    if constant is None or _INITIAL.get(spec.role) != constant:
        return ""
    if spec.role in _STATISTICS:
        return "as it was made: the layer has seen no data"
    return "as it was made"


def _smallest_normal(dtype: np.dtype[Any]) -> Any:
    if np.issubdtype(dtype, np.floating):
        return np.finfo(dtype).smallest_normal
    import ml_dtypes

    return ml_dtypes.finfo(dtype).smallest_normal
