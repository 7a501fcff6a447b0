"""Legacy `.h5`: root attribute `layer_names`, each layer a group with `weight_names`. Keras 2 and 3 wrote it.

In a full file the same stands under `model_weights`, with `model_config` at the root.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, takewhile

import h5py
import numpy as np

from transfer.errors import Problem
from transfer.specs import TensorSpec
from transfer.weights.dialects.layout import Layout, Stored, distinct, tail_after
from transfer.weights.guarding import DamagedError, child, children, dataset, subgroup

TOP_LEVEL = "top_level_model_weights"  # since TensorFlow 2.6: variables that belong to the model itself


def recognises(root: h5py.Group) -> bool:
    """Whether the file is of this dialect."""
    return _weights_group(root) is not None


def read(root: h5py.Group) -> Layout:
    """List the tensors.

    Raises:
        CheckpointError: if the file names a layer or tensor that it does not hold.
    """
    group = _weights_group(root)
    if group is None:
        raise ValueError("not a legacy file: no 'layer_names'")
    layers = _names(group, "layer_names")
    if TOP_LEVEL in group and TOP_LEVEL not in layers:
        layers.append(TOP_LEVEL)
    tensors = [each for position, layer in enumerate(layers) for each in _layer_tensors(group, layer, position)]
    if _text(group.attrs.get("backend", "")) == "theano" and any(len(each.spec.shape) >= 3 for each in tensors):
        raise DamagedError(
            "written by Keras on Theano, which is not read yet",
            [Problem("backend", "tensorflow", "theano, which stores the kernels of convolutions flipped")],
        )
    optimizer = root.get("optimizer_weights", getlink=True)
    extras = tuple(_places(child(root, "optimizer_weights"))) if optimizer is not None else ()
    config = root.attrs.get("model_config")
    return Layout(
        dialect="full legacy .h5" if group is not root else "legacy .h5 weights",
        tensors=distinct(tensors),
        extras=extras,
        config=_text(config) if config is not None else None,
        writer=_text(group.attrs.get("keras_version", "")),
    )


def _weights_group(root: h5py.Group) -> h5py.Group | None:
    for group in (root, child(root, "model_weights") if "model_weights" in root else None):
        if isinstance(group, h5py.Group) and ("layer_names" in group.attrs or "layer_names0" in group.attrs):
            return group
    return None


def _layer_tensors(group: h5py.Group, layer: str, position: int) -> Iterator[Stored]:
    layer_group = subgroup(group, layer)
    scopes = [tail_after(name, layer).rsplit("/", 1) for name in _names(layer_group, "weight_names")]
    nested = len({scope[0] for scope in scopes if len(scope) == 2}) > 1
    for name, scope in zip(_names(layer_group, "weight_names"), scopes, strict=True):
        stored = dataset(layer_group, name)
        inner = scope[0] if len(scope) == 2 else ""
        yield Stored(
            TensorSpec(
                name="/".join([layer, *scope]),
                shape=stored.shape,
                dtype=stored.dtype.name,
                layer=f"{layer}/{inner}" if inner else layer,
                role=scope[-1],
                # A nested model's tensors stand in the order trainable first, which says nothing of its layers.
                position=None if nested else position,
            ),
            place=stored.name,
        )


def _names(group: h5py.Group, attribute: str) -> list[str]:
    """An attribute that lists names; past 64 KB Keras splits it into `layer_names0` and so on."""
    if attribute in group.attrs:
        return [_text(each) for each in np.atleast_1d(group.attrs[attribute])]
    chunks = takewhile(lambda name: name in group.attrs, (f"{attribute}{k}" for k in count()))
    return [_text(each) for chunk in chunks for each in np.atleast_1d(group.attrs[chunk])]


def _places(group: h5py.Group | h5py.Dataset) -> Iterator[str]:
    if isinstance(group, h5py.Dataset):
        yield group.name
        return
    for _, each in children(group):
        yield from _places(each)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
