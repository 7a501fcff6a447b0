"""Tensors put together into layers, and layers into the models that hold them: what `matching` pairs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from transfer.specs import TensorSpec

# Bases of automatic names that are not the class in snake case.
_OTHER_NAMES = {
    "convolution1d": "conv1d",
    "convolution2d": "conv2d",
    "convolution3d": "conv3d",
    "deconvolution2d": "conv2d_transpose",
    "separableconvolution2d": "separable_conv2d",
    "batchnormalization": "batch_normalization",
    "batch_normalization_v1": "batch_normalization",
    "batch_normalization_v2": "batch_normalization",
    "layernormalization": "layer_normalization",
    "simplernn": "simple_rnn",
    "timedistributed": "time_distributed",
    "layer": "",  # Keras 0 named nothing
}


@dataclass(frozen=True, slots=True)
class Unit:
    """A layer of a model with its tensors, or a nested model with its layers.

    Attributes:
        path: names of the models around it, and its own.
        tensors: its own and those of layers that it made itself; none for a nested model.
        children: layers of a nested model; none for a layer.
    """

    path: tuple[str, ...]
    tensors: tuple[TensorSpec, ...] = ()
    children: tuple[Unit, ...] = ()

    @property
    def _listed(self) -> tuple[str, int | None]:
        """Class and number: of a nested model as its layers tell them."""
        if self.tensors:
            return self.tensors[0].layer_class, self.tensors[0].position
        nesting = next(self.walk()).tensors[0].nesting
        depth = len(self.path) - 1
        return nesting[depth] if depth < len(nesting) else ("", None)

    @property
    def name(self) -> str:
        """Its own."""
        return self.path[-1] if self.path else ""

    @property
    def full_name(self) -> str:
        """With the models around it."""
        return "/".join(self.path)

    @property
    def layer_class(self) -> str:
        """In snake case; empty where unknown."""
        return self._listed[0]

    @property
    def position(self) -> int | None:
        """In the writer's order, among layers of its class and model."""
        return self._listed[1]

    @property
    def signature(self) -> tuple[object, ...]:
        """What two layers, or two models, must share to stand for each other: the shapes of all tensors."""
        if self.children:
            return tuple(each.signature for each in sorted(self.children, key=lambda each: str(each.signature)))
        return tuple(sorted(each.shape for each in self.tensors))

    def walk(self) -> Iterator[Unit]:
        """Its layers, however deep."""
        if self.tensors:
            yield self
        for each in self.children:
            yield from each.walk()

    def is_automatic(self, layer_class: str = "") -> bool:
        """Whether Keras made up the name: `dense_5` for a `Dense`."""
        base = re.sub(r"_\d+$", "", self.name)
        if self.children:
            return base in ("functional", "model", "sequential")
        kind = self.layer_class or layer_class
        return _OTHER_NAMES.get(base, base) in ({kind, ""} if base in _OTHER_NAMES else {kind})

    @property
    def number(self) -> int:
        """The one that an automatic name ends in; 0 without."""
        found = re.search(r"_(\d+)$", self.name)
        return int(found.group(1)) if found else 0


@dataclass(slots=True)
class _Node:
    path: tuple[str, ...]
    tensors: list[TensorSpec] = field(default_factory=list)
    below: dict[str, _Node] = field(default_factory=dict)


def build_units(specs: Iterable[TensorSpec]) -> tuple[Unit, ...]:
    """The layers and nested models of a file or a model, in its order."""
    root = _Node(())
    for spec in specs:
        here = root
        for part in spec.owner.split("/") if spec.owner else ():
            here = here.below.setdefault(part, _Node((*here.path, part)))
        here.tensors.append(spec)
    loose = (Unit((), tuple(root.tensors)),) if root.tensors else ()
    return (*(_unit(each) for each in root.below.values()), *loose)


def _unit(node: _Node) -> Unit:
    if not node.tensors:
        return Unit(node.path, children=tuple(_unit(each) for each in node.below.values()))
    inner = [spec for each in node.below.values() for unit in _unit(each).walk() for spec in unit.tensors]
    return Unit(node.path, (*node.tensors, *inner))


def regroup(unit: Unit) -> Unit:
    """A layer whose tensors stand below names of their own, as the nested model that it may be."""
    groups: dict[str, list[TensorSpec]] = {}
    for spec in unit.tensors:
        inside = spec.name.removeprefix(f"{unit.full_name}/").split("/")
        groups.setdefault(inside[0] if len(inside) > 1 else "", []).append(spec)
    if "" in groups:
        return unit
    return Unit(unit.path, children=tuple(Unit((*unit.path, name), tuple(each)) for name, each in groups.items()))


def flatten(unit: Unit) -> Unit:
    """A nested model as the one layer that it may be."""
    return Unit(unit.path, tuple(spec for each in unit.walk() for spec in each.tensors))
