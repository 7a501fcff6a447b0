"""What a file of an old Keras leaves open, and what would settle it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transfer.errors import Problem
from transfer.weights.dialects.kernels import is_kernel
from transfer.weights.dialects.layout import Stored


def doubt_backend(tensors: Sequence[Stored], backend: str) -> Iterator[Problem]:
    """Theano stores convolutions flipped; a file that has some and names no backend may be either."""
    kernels = _kernels(tensors)
    if kernels and not backend:
        yield Problem(
            kernels[0],
            "the backend that computed it: Theano stores kernels of convolutions turned round",
            f"no backend named in the file ({len(kernels)} such kernels)",
        )


def doubt_axes(tensors: Sequence[Stored], *, is_open: bool) -> Iterator[Problem]:
    """Kernels whose shapes fit both orders of axes."""
    kernels = _kernels(tensors)
    if kernels and is_open:
        yield Problem(kernels[0], "(h, w, in, out) or (out, in, h, w)", "shapes that fit both")


def _kernels(tensors: Sequence[Stored]) -> list[str]:
    return [each.spec.name for each in tensors if is_kernel(each.spec.role, each.spec.shape, each.spec.layer_class)]
