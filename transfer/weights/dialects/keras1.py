"""Keras 1: tensors named `LAYER_ROLE`, gates of recurrent layers kept apart, kernels in either order of axes.

It stands below `legacy`, whose groups and attributes it shares; a file of Keras 1 names neither a version nor a
backend.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from transfer.specs import TensorSpec
from transfer.weights.dialects.kernels import Axes, find_axes, flip, is_kernel, moved_shape, with_channels_last
from transfer.weights.dialects.layout import Conversion, Stored

Named: TypeAlias = tuple[str, str]  # layer and role

# What Keras 1 called a layer's variables, and what Keras calls them today.
ROLES = {
    "W": "kernel",
    "b": "bias",
    "U": "recurrent_kernel",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",  # the variance, in spite of its name (Keras 1.0 on)
    "alphas": "alpha",
    "gamma": "gamma",
    "beta": "beta",
    "depthwise_kernel": "depthwise_kernel",
    "pointwise_kernel": "pointwise_kernel",
}
GATES = {"ifco": ("i", "f", "c", "o"), "zrh": ("z", "r", "h")}  # Keras 2's order of the packed gates
_PART = {"W": "kernel", "U": "recurrent_kernel", "b": "bias"}
_OTHER = "W_carry|b_carry|betas|t_left|a_left|t_right|a_right|W_shape|b_shape"
_NAME = re.compile(rf"(.+)_({'|'.join(ROLES)}|[WUb]_[ifcozrh]|{_OTHER})(_\d+)?")


def split_name(name: str) -> Named | None:
    """`bb_conv1_W_4:0` → `('bb_conv1', 'W')`; None where a name is not of Keras 1's form."""
    found = _NAME.fullmatch(name.split(":")[0])
    return (found.group(1), found.group(2)) if found and "/" not in name else None


def read_tensors(
    tensors: Sequence[Stored], *, theano: bool, axes: Axes | None = None
) -> tuple[tuple[Stored, ...], bool]:
    """Give tensors the names and values that Keras has today.

    Args:
        tensors: as the file has them, roles in Keras 1's words, in its order.
        theano: whether convolutions were computed on Theano.
        axes: of the kernels; None where only they themselves can tell.

    Returns:
        The tensors, and whether the order of the kernels' axes remains open.
    """
    packed = _pack_gates([_renamed(each) for each in tensors])
    kernels = [each for each in packed if is_kernel(each.spec.role, each.spec.shape, each.spec.layer_class)]
    sizes = {each.spec.layer: each.spec.shape[0] for each in packed if each.spec.role == "bias" and each.spec.shape}
    found = axes or find_axes([(each.spec.shape, sizes.get(each.spec.layer)) for each in kernels])
    turned = {each.spec.name: _turned(each, found or "tf", theano=theano) for each in kernels}
    return tuple(turned.get(each.spec.name, each) for each in packed), found is None and bool(kernels)


def _renamed(stored: Stored) -> Stored:
    spec = stored.spec
    role = ROLES.get(spec.role, spec.role)
    if role == "kernel" and spec.layer_class == "embedding":
        role = "embeddings"
    return replace(stored, spec=replace(spec, name=f"{spec.layer}/{role}", role=role))


def _pack_gates(tensors: Sequence[Stored]) -> list[Stored]:
    """Twelve arrays of an LSTM, nine of a GRU, as the three that they are today."""
    layers: dict[str, list[Stored]] = {}
    for each in tensors:
        layers.setdefault(each.spec.layer, []).append(each)
    return [packed for members in layers.values() for packed in (_packed(members) or members)]


def _packed(members: Sequence[Stored]) -> list[Stored] | None:
    by_role = {each.spec.role: each for each in members}
    for gates in GATES.values():
        parts = {new: [by_role.get(f"{old}_{gate}") for gate in gates] for old, new in _PART.items()}
        if all(each is not None for group in parts.values() for each in group):
            return [_joined([each for each in group if each is not None], role) for role, group in parts.items()]
    return None


def _joined(parts: Sequence[Stored], role: str) -> Stored:
    first = parts[0].spec
    shape = (*first.shape[:-1], sum(each.spec.shape[-1] for each in parts))
    spec = replace(first, name=f"{first.layer}/{role}", role=role, shape=shape, converted=f"{len(parts)} gates joined")
    return Stored(spec, tuple(place for each in parts for place in each.places), _concatenate)


def _concatenate(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts, axis=-1)


def _turned(stored: Stored, axes: Axes, *, theano: bool) -> Stored:
    """A kernel with its channels last and turned the way that every backend but Theano has it."""
    spec = stored.spec
    shape, done = spec.shape, []
    if axes == "th":
        shape = moved_shape(shape)
        done.append("channels moved last")
    narrow = len(shape) == 4 and shape[1] == 1 and _is_one_dimensional(spec)
    if theano:
        done.append("turned round as Theano has it")
    if narrow:
        shape = (shape[0], *shape[2:])
        done.append("its second axis dropped")
    if not done:
        return stored
    return replace(
        stored,
        spec=replace(spec, shape=shape, converted=", ".join(done)),
        convert=_turning(stored.convert, axes, theano=theano, narrow=narrow),
    )


def _is_one_dimensional(spec: TensorSpec) -> bool:
    """Keras 1 kept the kernel of a 1-D convolution with a second axis of length 1."""
    return spec.layer_class in ("conv1d", "convolution1d") or spec.owner.rpartition("/")[2].startswith("convolution1d")


def _turning(before: Conversion | None, axes: Axes, *, theano: bool, narrow: bool) -> Conversion:
    def convert(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
        kernel = parts[0] if before is None else before(parts)
        if axes == "th":
            kernel = with_channels_last(kernel)
        if theano:
            kernel = flip(kernel)
        return kernel[:, 0] if narrow else kernel

    return convert


def guessed_class(layer: str) -> str:
    """The class that an automatic name of Keras 1 tells, as Keras 3 writes it: `convolution2d_3` → `conv2d`."""
    own = re.sub(r"_\d+$", "", layer.rpartition("/")[2])
    return _CLASSES.get(own, own if own in _SAME else "")


_CLASSES = {
    "convolution1d": "conv1d",
    "convolution2d": "conv2d",
    "convolution3d": "conv3d",
    "atrousconvolution2d": "conv2d",
    "deconvolution2d": "conv2d_transpose",
    "separableconvolution2d": "separable_conv2d",
    "batchnormalization": "batch_normalization",
    "simplernn": "simple_rnn",
    "prelu": "p_re_lu",
    "timedistributed": "time_distributed",
    "timedistributeddense": "dense",
}
_SAME = frozenset({"dense", "embedding", "lstm", "gru", "bidirectional"})
