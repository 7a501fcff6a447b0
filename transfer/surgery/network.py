"""An architecture with its tensors beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import NDArray

from transfer.graphs.graph import Graph
from transfer.specs import TensorSpec
from transfer.weights.cards import Card
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


class Chosen(Mapping[str, NDArray[Any]]):
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

    def __contains__(self, name: object) -> bool:  # Mapping's own would read the tensor
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def place_of(self, name: str) -> tuple[Tensors, str]:
        """The mapping that a tensor is from, which has not chosen itself, and its name there."""
        return self._places[name]


def _place(tensors: Tensors, name: str) -> tuple[Tensors, str]:
    """Where a tensor is from: one step, however often something was chosen from what was chosen."""
    return tensors.place_of(name) if isinstance(tensors, Chosen) else (tensors, name)


class Selection(Chosen):
    """The tensors of some layers of another mapping, still read when asked for."""

    def __init__(self, tensors: Tensors, layers: frozenset[str]) -> None:
        super().__init__(tensors, {name: name for name in tensors if name.split("/", 1)[0] in layers})


class Typed(Mapping[str, TensorSpec]):
    """What the tensors of an architecture are, in the types that they have; each type is asked for with its tensor."""

    def __init__(self, described: Mapping[str, TensorSpec], dtype: Callable[[str], str]) -> None:
        """Take descriptions over.

        Args:
            described: of the architecture.
            dtype: of a tensor, by its name.
        """
        self._described, self._dtype = described, dtype

    def __getitem__(self, name: str) -> TensorSpec:
        return replace(self._described[name], dtype=self._dtype(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._described)

    def __len__(self) -> int:
        return len(self._described)


def pieces_of(tensors: Tensors, names: Iterable[str]) -> Pieces:
    """Tensors one by one, in an order of convenience: where they lie in a file, or as arrays."""
    if isinstance(tensors, Chosen):
        yield from _chosen_pieces(tensors, names)
    elif hasattr(tensors, "pieces"):
        yield from tensors.pieces(list(names))
    else:
        yield from ((name, tensors[name]) for name in names)


def _chosen_pieces(tensors: Chosen, names: Iterable[str]) -> Pieces:
    """Each source is asked once for all that is wanted of it."""
    sources: dict[int, Tensors] = {}
    wanted: dict[int, dict[str, list[str]]] = {}
    for name in names:
        source, old = tensors.place_of(name)
        sources[id(source)] = source
        wanted.setdefault(id(source), {}).setdefault(old, []).append(name)
    for key, here in wanted.items():
        yield from ((name, piece) for old, piece in pieces_of(sources[key], here) for name in here[old])


def dtype_of(tensors: Tensors, name: str) -> str:
    """Type of a tensor, numpy's name, without reading it where the source can tell."""
    if isinstance(tensors, Chosen):
        return dtype_of(*tensors.place_of(name))
    specs = getattr(tensors, "specs", None)
    return str(specs[name].dtype) if specs is not None else tensors[name].dtype.name
