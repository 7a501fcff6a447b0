"""What every dialect's reader yields."""

from __future__ import annotations

from dataclasses import dataclass, replace

from transfer.specs import TensorSpec


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor and where it lies.

    Attributes:
        spec: what it is.
        place: path of its data set in the HDF5 file.
    """

    spec: TensorSpec
    place: str


@dataclass(frozen=True, slots=True)
class Layout:
    """The content of a file, described without reading a tensor.

    Attributes:
        dialect: the layout's name, for people.
        tensors: in the writer's order.
        extras: places of arrays that are no weights: optimizer slots, states of random generators.
        config: the architecture as JSON text, where the file holds it.
        writer: the Keras version that the file names.
    """

    dialect: str
    tensors: tuple[Stored, ...]
    extras: tuple[str, ...] = ()
    config: str | None = None
    writer: str = ""


def tail_after(path: str, layer: str) -> str:
    """The part of a variable's path that follows its layer: `('model/conv1/kernel:0', 'conv1')` → `kernel`.

    Outer scopes differ between eras and between a nested and a flat model, what follows the layer does not. A path
    that does not mention the layer is kept whole: in a nested model's group it starts with the inner layer's name.
    """
    parts = path.split(":")[0].split("/")
    if layer in parts[:-1]:
        last = len(parts) - 1 - parts[-2::-1].index(layer)
        return "/".join(parts[last:])
    return "/".join(parts)


def distinct(tensors: list[Stored]) -> tuple[Stored, ...]:
    """Give tensors that would share a name a suffix `_1`, `_2`, … in their order."""
    seen: dict[str, int] = {}
    named = []
    for each in tensors:
        count = seen.get(each.spec.name, 0)
        seen[each.spec.name] = count + 1
        named.append(each if not count else replace(each, spec=replace(each.spec, name=f"{each.spec.name}_{count}")))
    return tuple(named)
