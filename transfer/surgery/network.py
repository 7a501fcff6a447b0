"""An architecture with its tensors beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from transfer.graphs.graph import Graph
from transfer.weights.cards import Card
from transfer.weights.lazy_tensors import LazyTensors
from transfer.weights.spans import Span

Tensors = Mapping[str, NDArray[Any]]
Pieces = Iterator[tuple[str, Span | NDArray[Any]]]


@dataclass(frozen=True, slots=True)
class Network:
    """A graph and the arrays of its layers, read when asked for.

    Attributes:
        graph: the architecture.
        tensors: by `layer/role`. Layers that hold variables and have no entry here are new.
        card: what is known of the weights beyond them.
        new: names of the layers that were not in the network it is made from.
    """

    graph: Graph
    tensors: Tensors
    card: Card | None = None
    new: frozenset[str] = field(default_factory=frozenset)


class Chosen(LazyTensors):
    """Tensors of another mapping, under other names or the same, and others beside them; still read when asked for."""

    def __init__(self, tensors: Tensors, names: Mapping[str, str], added: Tensors | None = None) -> None:
        """Choose tensors.

        Args:
            tensors: to choose from.
            names: name here → name there.
            added: tensors that are not there; they go before those of the same name.
        """
        beside: Tensors = {} if added is None else added
        self._places = {new: _place(tensors, old) for new, old in names.items()}
        self._places |= {name: _place(beside, name) for name in beside}

    def __getitem__(self, name: str) -> NDArray[Any]:
        tensors, old = self._places[name]
        return tensors[old]

    def _listed(self) -> Collection[str]:
        return self._places

    def place_of(self, name: str) -> tuple[Tensors, str]:
        """The mapping that a tensor is from, which has not chosen itself, and its name there."""
        return self._places[name]

    def dtype_of(self, name: str) -> str:
        """As its source tells it."""
        return dtype_of(*self._places[name])

    def pieces(self, names: Iterable[str]) -> Pieces:
        """As their sources give them, each of which is asked once for all that is wanted of it."""
        sources: dict[int, Tensors] = {}
        wanted: dict[int, dict[str, list[str]]] = {}
        for name in names:
            source, old = self._places[name]
            sources[id(source)] = source
            wanted.setdefault(id(source), {}).setdefault(old, []).append(name)
        for key, here in wanted.items():
            yield from ((name, piece) for old, piece in pieces_of(sources[key], here) for name in here[old])


def _place(tensors: Tensors, name: str) -> tuple[Tensors, str]:
    """Where a tensor is from: one step, however often something was chosen from what was chosen."""
    return tensors.place_of(name) if isinstance(tensors, Chosen) else (tensors, name)


class Selection(Chosen):
    """The tensors of some layers of another mapping, still read when asked for."""

    def __init__(self, tensors: Tensors, layers: frozenset[str]) -> None:
        super().__init__(tensors, {name: name for name in tensors if name.split("/", 1)[0] in layers})


def pieces_of(tensors: Tensors, names: Iterable[str]) -> Pieces:
    """Tensors one by one, in an order of convenience: where they lie in a file, or as arrays."""
    return tensors.pieces(names) if isinstance(tensors, LazyTensors) else ((name, tensors[name]) for name in names)


def dtype_of(tensors: Tensors, name: str) -> str:
    """Type of a tensor, numpy's name, without reading it where the source can tell."""
    return tensors.dtype_of(name) if isinstance(tensors, LazyTensors) else tensors[name].dtype.name
