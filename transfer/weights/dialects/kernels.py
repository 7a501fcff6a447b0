"""Kernels of convolutions as other backends and orders of axes stored them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from numpy.typing import NDArray

Axes: TypeAlias = Literal["tf", "th"]  # (spatial …, in, out), or (out, in, spatial …)

KERNEL_ROLES = frozenset({"kernel", "depthwise_kernel"})
# Of Keras up to 2, which computed real convolutions on Theano. A class that is not known may be one of them.
UNFLIPPED = frozenset(
    {"dense", "embedding", "locally_connected1d", "locally_connected2d", "lstm", "gru", "simple_rnn", "einsum_dense"}
)


def is_kernel(role: str, shape: Sequence[int], layer_class: str) -> bool:
    """Whether a tensor is the kernel of a convolution, so that Theano would have stored it flipped."""
    if role == "recurrent_kernel":
        return len(shape) >= 4  # of a ConvLSTM
    return role in KERNEL_ROLES and 3 <= len(shape) <= 5 and layer_class not in UNFLIPPED


def flip(kernel: NDArray[Any]) -> NDArray[Any]:
    """Theano's convolution turns the kernel round, every other backend's does not: turn it back.

    Args:
        kernel: (spatial …, in, out).
    """
    turned = kernel[(slice(None, None, -1),) * (kernel.ndim - 2)]
    return turned.copy()


def with_channels_last(kernel: NDArray[Any]) -> NDArray[Any]:
    """(out, in, spatial …) → (spatial …, in, out)."""
    return kernel.transpose(*range(2, kernel.ndim), 1, 0).copy()


def moved_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape that `with_channels_last` gives."""
    return (*shape[2:], shape[1], shape[0])


def find_axes(kernels: Sequence[tuple[tuple[int, ...], int | None]]) -> Axes | None:
    """In which order of axes the kernels of one file stand; None where nothing tells.

    Args:
        kernels: shape and, where there is a bias, its length: that many outputs there are.
    """
    votes: dict[Axes, int] = {"tf": 0, "th": 0}
    for shape, outputs in kernels:
        fits_tf, fits_th = _could_be(shape[-1], shape[:-2], outputs), _could_be(shape[0], shape[2:], outputs)
        if fits_tf != fits_th:
            votes["tf" if fits_tf else "th"] += 1
    if votes["tf"] == votes["th"]:
        return None
    return "tf" if votes["tf"] > votes["th"] else "th"


def _could_be(last: int, spatial: Sequence[int], outputs: int | None) -> bool:
    if outputs is not None:
        return last == outputs
    return len(set(spatial)) == 1 and spatial[0] <= 11  # most kernels are square and small
