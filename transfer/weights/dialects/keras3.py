"""Keras 3 `.weights.h5`: `layers/<class>_k/vars/N`, numbered by class in the model's order.

From Keras 3.6 on each `vars` group carries the layer's own name; before, the group's name has to do. Sub-layers stand
below their layer under the name of the attribute that holds them: `layers/multi_head_attention/query_dense/vars/0`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import h5py

from transfer.specs import TensorSpec
from transfer.weights.dialects.layout import Layout, Stored, distinct
from transfer.weights.guarding import as_dataset, as_group, children
from transfer.weights.roles import role_names

CONTAINERS = ("layers", "_layer_checkpoint_dependencies")  # groups that list layers and are none themselves
NO_WEIGHTS = ("optimizer", "seed_generator", "metrics", "compile_metrics", "loss_tracker")


def recognises(root: h5py.Group) -> bool:
    """Whether the file is of this dialect."""
    return any(isinstance(root.get(name, getlink=True), h5py.HardLink) for name in ("layers", "vars"))


def read(root: h5py.Group) -> Layout:
    """List the tensors.

    Raises:
        CheckpointError: if something in the file is a link or no tensor.
    """
    found = list(_walk(root, _Place()))
    weights = distinct([stored for stored, is_weight in found if is_weight])
    return Layout("Keras 3 .weights.h5", weights, tuple(stored.place for stored, is_weight in found if not is_weight))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the walk stands.

    Attributes:
        path: names of the layers on the way down.
        layer_class: of the layer here, in snake case.
        position: the layer's number among those of its class; None below it, where groups are named after attributes
            and their order says nothing.
        is_weight: false below optimizers and random generators.
    """

    path: tuple[str, ...] = ()
    layer_class: str = ""
    position: int | None = None
    is_weight: bool = True


def _walk(group: h5py.Group, place: _Place) -> Iterator[tuple[Stored, bool]]:
    """Each tensor below `group`, with whether it is a weight."""
    members = dict(children(group))
    variables = members.pop("vars", None)
    if variables is not None:
        place = _named(place, as_group(variables))
        yield from ((stored, place.is_weight) for stored in _variables(as_group(variables), place))
    for name, each in _in_order(members):
        if name in CONTAINERS:
            for member, layer in _in_order(dict(children(each))):
                layer_class, number = _numbered(member)
                yield from _walk(layer, _Place((*place.path, member), layer_class, number, place.is_weight))
        else:
            is_weight = place.is_weight and name not in NO_WEIGHTS
            yield from _walk(each, _Place((*place.path, name), _numbered(name)[0], None, is_weight))


def _in_order(members: dict[str, h5py.Group | h5py.Dataset]) -> list[tuple[str, h5py.Group]]:
    """The groups among them, by class and number: HDF5 puts `dense_10` before `dense_2`."""
    groups = [(name, each) for name, each in members.items() if isinstance(each, h5py.Group)]
    return sorted(groups, key=lambda member: _numbered(member[0]))


def _variables(variables: h5py.Group, place: _Place) -> Iterator[Stored]:
    found = sorted(children(variables), key=lambda member: (not member[0].isdigit(), member[0].zfill(9)))
    layer = "/".join(place.path)
    for (key, each), named in zip(found, role_names(place.layer_class, len(found)), strict=True):
        stored = as_dataset(each)
        role = named if key.isdigit() else key  # a layer that saves its own variables names them itself
        name = f"{layer}/{role}".lstrip("/")
        spec = TensorSpec(name, stored.shape, stored.dtype.name, layer, role, place.layer_class, place.position)
        yield Stored(spec, stored.name)


def _named(place: _Place, variables: h5py.Group) -> _Place:
    """The place with the name that the layer had in its model, where the writer kept it; the model itself has none."""
    name = variables.attrs.get("name")
    return replace(place, path=(*place.path[:-1], str(name))) if name is not None and place.path else place


def _numbered(member: str) -> tuple[str, int]:
    """`conv2d_10` → `('conv2d', 10)`; `conv2d` → `('conv2d', 0)`."""
    found = re.fullmatch(r"(.+?)_(\d+)", member)
    return (found.group(1), int(found.group(2))) if found else (member, 0)
