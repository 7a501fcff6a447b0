"""What an HDF5 file shall hold, as plain values: groups with their attributes, and a place for each tensor.

Two layouts of Keras: the legacy one, which every Keras reads, and the one of Keras 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from transfer.errors import LayerError, OutputError, Problem

Attribute: TypeAlias = str | bytes | tuple[bytes, ...]  # a text of any length, a short one, a list of names

HEADER_LIMIT = 64512  # bytes that HDF5 keeps in an object's header, Keras's own figure
TOP_LEVEL = "top_level_model_weights"  # since TensorFlow 2.6: variables that belong to the model itself


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a tensor goes.

    Attributes:
        name: of the tensor, as the caller calls it.
        path: of the data set.
        shape: of both.
        dtype: of both, numpy's name.
    """

    name: str
    path: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Blueprint:
    """An HDF5 file without its values.

    Attributes:
        groups: attributes of each group by its path; the root's is empty.
        slots: in the order in which their values lie in the file.
    """

    groups: Mapping[str, Mapping[str, Attribute]]
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Keras3Group:
    """A layer, or something inside one, that Keras 3 gives a group.

    Attributes:
        path: `layers/dense_1`; empty for the model itself.
        name: of the layer in its model.
        tensors: its own, in their order: name, shape, dtype.
    """

    path: str
    name: str
    tensors: tuple[tuple[str, tuple[int, ...], str], ...] = ()


def legacy_blueprint(
    layers: Mapping[str, Sequence[tuple[str, tuple[int, ...], str]]], *, writer: str, config: str | None = None
) -> Blueprint:
    """The legacy `.h5` layout: layers by name, each with a list of its tensors.

    Args:
        layers: every layer in the model's order, each with its tensors: name, shape, dtype. Keras reads them by place.
        writer: the Keras version to name.
        config: the architecture as JSON; with it the file is a whole model.

    Raises:
        LayerError: if a name cannot be that of a group.
        OutputError: if one is too long to be listed.
    """
    check_names(layers, are_paths=True)
    check_names((name for tensors in layers.values() for name, _, _ in tensors), are_paths=True)
    below = "" if config is None else "model_weights"
    facts: dict[str, Attribute] = {"backend": b"tensorflow", "keras_version": writer.encode()}
    groups: dict[str, dict[str, Attribute]] = {"": dict(facts)}
    if config is not None:
        groups[""]["model_config"] = config
        groups[below] = dict(facts)
    groups[below] |= _names("layer_names", layers)
    slots: list[Slot] = []
    for layer, tensors in layers.items():
        group = f"{below}/{layer}".lstrip("/")
        groups[group] = _names("weight_names", [name for name, _, _ in tensors])
        slots += [Slot(name, f"{group}/{name}", shape, dtype) for name, shape, dtype in tensors]
    return Blueprint(groups, tuple(slots))


def keras3_blueprint(groups: Iterable[Keras3Group]) -> Blueprint:
    """The `.weights.h5` layout of Keras 3: a group `vars` for each layer, its tensors numbered.

    Raises:
        LayerError: if HDF5 cannot hold a name.
    """
    attributes: dict[str, dict[str, Attribute]] = {"": {}}
    slots: list[Slot] = []
    listed = list(groups)
    check_names((group.name for group in listed), are_paths=False)
    for group in listed:
        path = f"{group.path}/vars".lstrip("/")
        attributes[path] = {"name": group.name}
        slots += [Slot(name, f"{path}/{k}", shape, dtype) for k, (name, shape, dtype) in enumerate(group.tensors)]
    return Blueprint(attributes, tuple(slots))


def check_names(names: Iterable[str], *, are_paths: bool) -> None:
    """Refuse names that are not kept as they are.

    Args:
        names: of layers and tensors.
        are_paths: whether groups are called so, one in the other where '/' stands between.

    Raises:
        LayerError: with each name that a file cannot hold.
    """
    found = {name: _fault(name, are_paths=are_paths) for name in names}
    problems = [Problem(ascii(name), "a name that a file can hold", fault) for name, fault in found.items() if fault]
    if problems:
        raise LayerError("Layers have names that cannot be written.", problems, "give these layers other names")


def _fault(name: str, *, are_paths: bool) -> str:
    """What stands against a name; empty where nothing does."""
    if "\0" in name:
        return "a NUL, which ends it"
    if any("\ud800" <= each <= "\udfff" for each in name):
        return "half of a character, which has no UTF-8"
    parts = {"", ".", ".."} & set(name.split("/")) if are_paths else ()
    return f"{sorted(parts)[0]!r} where a group's name would stand" if parts else ""


def _names(attribute: str, names: Iterable[str]) -> dict[str, Attribute]:
    """A list of names, in parts where HDF5 would not take it whole."""
    encoded = [name.encode() for name in names]
    width = max(map(len, encoded), default=1)  # as numpy stores them: all as wide as the widest
    if width > HEADER_LIMIT:
        longest = max(encoded, key=len).decode()
        raise OutputError(
            f"{attribute} cannot be written: HDF5 lists no names of that length.",
            [Problem(longest, f"a name of at most {HEADER_LIMIT:,} bytes", f"{width:,} bytes")],
            next_step="write NAME.weights.h5, NAME.keras or NAME.safetensors, which keep names elsewhere",
        )
    if width * len(encoded) <= HEADER_LIMIT:
        return {attribute: tuple(encoded)}
    count = 2
    while -(-len(encoded) // count) * width > HEADER_LIMIT:
        count += 1
    size, more = divmod(len(encoded), count)  # the first ones take one more, as numpy splits
    starts = [place * size + min(place, more) for place in range(count + 1)]
    return {f"{attribute}{place}": tuple(encoded[starts[place] : starts[place + 1]]) for place in range(count)}
