"""An architecture with its tensors beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from transfer.graphs.graph import Graph
from transfer.weights.cards import Card

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Network:
    """A graph and the arrays of its layers, read when asked for.

    Attributes:
        graph: the architecture.
        tensors: by `layer/role`. Layers that hold variables and have no entry here are new.
        card: what is known of the weights beyond them.
        new: names of the layers whose variables start from their initial values.
    """

    graph: Graph
    tensors: Tensors
    card: Card | None = None
    new: frozenset[str] = field(default_factory=frozenset)


class Selection(Mapping[str, NDArray[Any]]):
    """The tensors of some layers of another mapping, still read when asked for."""

    def __init__(self, tensors: Tensors, layers: frozenset[str]) -> None:
        self._tensors = tensors
        self._names = tuple(name for name in tensors if name.split("/", 1)[0] in layers)

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._names:
            raise KeyError(name)
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
