"""What every dialect's reader yields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from numpy.typing import NDArray

from transfer.errors import Problem
from transfer.specs import TensorSpec, Writer, distinct_names
from transfer.weights.outline import Dataset

Conversion: TypeAlias = Callable[[Sequence[NDArray[Any]]], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor and where it lies.

    Attributes:
        spec: what it is, after conversion.
        places: the data sets that it is made from; one, unless the writer kept it in parts.
        convert: from their arrays to the tensor as Keras 3 has it; None where they are one and the same.
    """

    spec: TensorSpec
    places: tuple[Dataset, ...]
    convert: Conversion | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """The content of a file, described without reading a tensor.

    Attributes:
        dialect: the layout's name, for people.
        tensors: in the writer's order.
        extras: places of arrays that are no weights: optimizer slots, states of random generators.
        config: the architecture as JSON text, where the file holds it.
        writer: who wrote it, as far as the file says.
        doubts: what would change the values and the file does not say; settled by the caller.
    """

    dialect: str
    tensors: tuple[Stored, ...]
    extras: tuple[str, ...] = ()
    config: str | None = None
    writer: Writer = field(default_factory=Writer)
    doubts: tuple[Problem, ...] = ()


def distinct(tensors: Sequence[Stored]) -> tuple[Stored, ...]:
    """Give tensors that would share a name a suffix `_1`, `_2`, … in their order."""
    names = distinct_names([each.spec.name for each in tensors])
    return tuple(
        each if each.spec.name == name else replace(each, spec=replace(each.spec, name=name))
        for each, name in zip(tensors, names, strict=True)
    )


def plain_name(name: str) -> str:
    """A layer's name as Keras 3 allows it: older ones also took `/`."""
    return name.replace("/", "_")
