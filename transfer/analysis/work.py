"""What one call of a layer does to one example, in operations."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """Operations of one call on one example.

    A multiply-add is one multiplication and the addition of its result to a sum, as in a matrix product. What stands
    beside matrix products is elementwise: each addition, multiplication, division, comparison and elementary function
    (exponential, hyperbolic tangent, error function, root) counts as one operation.

    Attributes:
        kernel_macs: multiply-adds of the layer's kernels with what goes in.
        inner_macs: multiply-adds of its kernels with what it has made itself: a state, a projection.
        product_macs: multiply-adds of what goes in, or was made of it, with each other: attention's scores.
        elementwise: everything else.
        uncounted: what of the layer there is no rule for; empty where all is counted.
    """

    kernel_macs: int = 0
    inner_macs: int = 0
    product_macs: int = 0
    elementwise: int = 0
    uncounted: tuple[str, ...] = ()

    @property
    def macs(self) -> int:
        """All multiply-adds."""
        return self.kernel_macs + self.inner_macs + self.product_macs

    def __add__(self, other: Work) -> Work:
        return Work(
            self.kernel_macs + other.kernel_macs,
            self.inner_macs + other.inner_macs,
            self.product_macs + other.product_macs,
            self.elementwise + other.elementwise,
            self.uncounted + tuple(each for each in other.uncounted if each not in self.uncounted),
        )

    def times(self, count: int) -> Work:
        """The same done `count` times."""
        return Work(
            count * self.kernel_macs,
            count * self.inner_macs,
            count * self.product_macs,
            count * self.elementwise,
            self.uncounted,
        )
