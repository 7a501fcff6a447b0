"""Keras 3 `.weights.h5`: `layers/<class>_k/vars/N`, numbered by class in the model's order.

TensorFlow 2.12 to 2.14 called the first group `_layer_checkpoint_dependencies`, and 2.12 and 2.13 counted every layer
twice there (`conv2d, conv2d_2, conv2d_4`): only the order of the numbers counts. From Keras 3.6 on each `vars` group
carries the layer's own name; before, the group's name has to do. Sub-layers stand below their layer under the name of
the attribute that holds them: `layers/multi_head_attention/query_dense/vars/0`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from transfer.specs import TensorSpec, Writer
from transfer.weights.dialects.layout import Layout, Stored, distinct
from transfer.weights.guarding import as_dataset, as_group, children
from transfer.weights.outline import Dataset, Group
from transfer.weights.roles import INNER_NAMES, role_names

DEPENDENCIES = "_layer_checkpoint_dependencies"
CONTAINERS = ("layers", DEPENDENCIES, "container")  # groups that list layers and are none
NO_WEIGHTS = ("optimizer", "seed_generator", "metrics", "compile_metrics", "loss_tracker", "_random_generator")


def recognises(root: Group) -> bool:
    """Whether the file is of this dialect."""
    return any(isinstance(root.members.get(name), Group) for name in (*CONTAINERS, "vars"))


def read(root: Group, declared: Writer) -> Layout:
    """List the tensors.

    Raises:
        DamagedError: if something in the file is no tensor.
    """
    found = list(_walk(root, _Place()))
    weights = distinct([stored for stored, is_weight in found if is_weight])
    extras = tuple(stored.places[0].path for stored, is_weight in found if not is_weight)
    writer = Writer(declared.keras or _least_version(root), "tensorflow")
    family = "TensorFlow 2.12" if DEPENDENCIES in root.members else "Keras 3"
    return Layout(f"{family} .weights.h5", weights, extras, writer=writer)


def _least_version(root: Group) -> str:
    """The first version that wrote such a file; later ones may have."""
    groups = [each for each in root.walk() if isinstance(each, Group)]
    if DEPENDENCIES in root.members:
        return "2.12+"
    if any(each.path.endswith("container") for each in groups):
        return "3.15+"
    return "3.6+" if any("name" in each.attrs for each in groups if each.path.endswith("vars")) else "2.12+"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the walk stands.

    Attributes:
        path: names of the layers on the way down.
        owners: how many of them lead to the layer that the model lists.
        layer_class: of that layer, in snake case.
        inner_class: of the layer here, where a name tells it.
        position: the owner's place among those of its class; None where groups are named after attributes and their
            order says nothing.
        is_weight: false below optimizers and random generators.
        nesting: class and place of each model around the owner.
    """

    path: tuple[str, ...] = ()
    owners: int = 0
    layer_class: str = ""
    inner_class: str = ""
    position: int | None = None
    is_weight: bool = True
    nesting: tuple[tuple[str, int | None], ...] = ()


def _walk(group: Group, place: _Place) -> Iterator[tuple[Stored, bool]]:
    """Each tensor below `group`, with whether it is a weight."""
    members = dict(children(group))
    variables = members.pop("vars", None)
    if variables is not None:
        place = _named(place, as_group(variables))
        yield from ((stored, place.is_weight) for stored in _variables(as_group(variables), place))
    for name, each in _in_order(members):
        is_weight = place.is_weight and name not in NO_WEIGHTS
        if name in CONTAINERS or (place.path and not _holds(each)):
            yield from _walk_list(each, replace(place, is_weight=is_weight))
        elif not place.path:  # an attribute of a subclassed model: a layer, or a list of them
            below = _Place((name,), 1, "", "", None, is_weight)
            yield from _walk(each, below) if _holds(each) else _walk_list(each, below)
        else:
            inner = INNER_NAMES.get(name, name)
            yield from _walk(
                each, replace(place, path=(*place.path, inner), inner_class=_numbered(inner)[0], is_weight=is_weight)
            )


def _walk_list(group: Group, place: _Place) -> Iterator[tuple[Stored, bool]]:
    """The layers that a group lists, each named after its class and numbered in its class."""
    places: dict[str, int] = {}
    for member, layer in _in_order(dict(children(group))):
        if member in CONTAINERS:  # a list within a list
            yield from _walk_list(layer, replace(place, path=(*place.path, member)))
            continue
        layer_class = _numbered(member)[0]
        position = places.setdefault(layer_class, 0)
        places[layer_class] += 1
        path = (*place.path, member)
        around = (*place.nesting, (place.layer_class, place.position)) if place.path else ()
        around = around[: len(place.path)]  # a list of layers is no model, but stands in the path all the same
        around = (*around, *[("", None)] * (len(place.path) - len(around)))
        yield from _walk(layer, _Place(path, len(path), layer_class, layer_class, position, place.is_weight, around))


def _holds(group: Group) -> bool:
    """Whether a group is a layer, not a list of layers."""
    return "vars" in group.members or not any(isinstance(each, Group) for each in group.members.values())


def _in_order(members: dict[str, Group | Dataset]) -> list[tuple[str, Group]]:
    """The groups among them, by class and number: HDF5 puts `dense_10` before `dense_2`."""
    groups = [(name, each) for name, each in members.items() if isinstance(each, Group)]
    return sorted(groups, key=lambda member: _numbered(member[0]))


def _variables(variables: Group, place: _Place) -> Iterator[Stored]:
    found = sorted(children(variables), key=lambda member: (not member[0].isdigit(), member[0].zfill(9)))
    layer, owner = "/".join(place.path), "/".join(place.path[: place.owners])
    stored = [(key, as_dataset(each)) for key, each in found]
    roles = role_names(place.inner_class, [each.dtype for _, each in stored])
    for (key, each), named in zip(stored, roles, strict=True):
        role = named if key.isdigit() else key  # a layer that saves its own variables names them itself
        spec = TensorSpec(
            f"{layer}/{role}".lstrip("/"),
            each.shape,
            each.dtype,
            layer,
            role,
            place.layer_class,
            place.position,
            owner,
            nesting=place.nesting,
        )
        yield Stored(spec, (each,))


def _named(place: _Place, variables: Group) -> _Place:
    """The place with the name that the layer had in its model, where the writer kept it; the model itself has none."""
    name = variables.attrs.get("name")
    if not isinstance(name, str) or not place.path:
        return place
    return replace(place, path=(*place.path[:-1], name.replace("/", "_")))


def _numbered(member: str) -> tuple[str, int]:
    """`conv2d_10` → `('conv2d', 10)`; `conv2d` → `('conv2d', 0)`."""
    found = re.fullmatch(r"(.+?)_(\d+)", member)
    return (found.group(1), int(found.group(2))) if found else (member, 0)
