"""The steps of a decoder: each makes one shape of another, and says what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

Sizes = tuple[int, ...]

_KERNEL = 3
_MOST_PADDED = 3  # positions on a side; past that a map is enlarged further and cropped
_LARGEST_RANK = 3  # of positions that convolutions have


@dataclass(frozen=True, slots=True)
class Step:
    """One step from a code to what an encoder takes.

    Attributes:
        kind: `dense`, also to and from maps; `conv`, from map to map; `reshape`, the same values in another shape.
        shape: what it gives, without the batch axis.
        linear: whether nothing follows the kernel; else normalization and an activation do.
        parameters: that it holds, running statistics among them.
        factors: by which a convolution enlarges each axis of positions first.
        margins: what is added to each axis then, (before, after); below 0 what is cropped.
        kernel: of the convolution, for each axis.
    """

    kind: str
    shape: Sizes
    linear: bool
    parameters: int
    factors: Sizes = ()
    margins: tuple[tuple[int, int], ...] = ()
    kernel: Sizes = ()


def step_between(before: Sizes, after: Sizes, *, linear: bool, reshaped: bool) -> Step:
    """The step from one shape to another.

    Maps of the same rank are enlarged and convolved; anything else is a Dense, and so is what grows from a map of one
    position, which knows nothing of places.

    Args:
        before: without the batch axis.
        after: likewise.
        linear: whether it is the last that holds a kernel.
        reshaped: whether both are arrangements of the same values.
    """
    if reshaped:
        return Step("reshape", after, linear, 0)
    ranks = {len(before), len(after)}
    if len(ranks) > 1 or ranks & {1} or max(ranks) > _LARGEST_RANK + 1 or prod(before[:-1]) == 1:
        own = prod(after) if linear else 4 * after[-1]  # a bias, or a normalization's four rows
        return Step("dense", after, linear, prod(before) * prod(after) + own)
    axes = [_axis(size, wanted) for size, wanted in zip(before[:-1], after[:-1], strict=True)]
    kernel = tuple(each[2] for each in axes)
    held = prod(kernel) * before[-1] * after[-1] + after[-1] * (1 if linear else 4)
    return Step("conv", after, linear, held, tuple(each[0] for each in axes), tuple(each[1] for each in axes), kernel)


def factor_between(size: int, wanted: int) -> int:
    """By which whole number an axis is enlarged on the way to a size: the nearest ratio, the smaller of two.

    What is missing then is padded, as a convolution without padding leaves it out; where much is, the next factor is
    taken and the rest cropped.
    """
    factor = max(1, (2 * wanted + size - 1) // (2 * size))
    return factor + (wanted - factor * size > 2 * _MOST_PADDED)


def _axis(size: int, wanted: int) -> tuple[int, tuple[int, int], int]:
    """Factor, margins and kernel along one axis.

    The kernel reaches over 2f - 1 positions, so that each of the f copies of a position can become another value, and
    from the outermost padded position to what is known.
    """
    factor = factor_between(size, wanted)
    missing = wanted - factor * size
    front = missing // 2 if missing > 0 else -(-missing // 2)
    margins = front, missing - front
    kernel = max(_KERNEL, 2 * factor - 1, 2 * max(margins) + 1)
    return factor, margins, min(kernel, 2 * wanted - 1)
