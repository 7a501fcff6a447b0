"""An architecture with its tensors beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from transfer.graphs.graph import Graph
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
    """Tensors of another mapping, under other names or the same, with arrays beside them; still read when asked for."""

    def __init__(self, tensors: Tensors, names: Mapping[str, str], added: Tensors | None = None) -> None:
        """Choose tensors.

        Args:
            tensors: to choose from.
            names: name here → name there.
            added: arrays that are not there.
        """
        more: Tensors = dict(added or {})
        # One step to the source, however often something was chosen from what was chosen.
        if isinstance(tensors, Chosen):
            chosen = tensors
            more = {**{new: chosen.added[old] for new, old in names.items() if old in chosen.added}, **more}
            names = {new: chosen.names[old] for new, old in names.items() if old in chosen.names}
            tensors = chosen.source
        self.source: Tensors = tensors
        self.added: Tensors = more
        self.names: Mapping[str, str] = {new: old for new, old in names.items() if new not in more}

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.added[name] if name in self.added else self.source[self.names[name]]

    def __contains__(self, name: object) -> bool:  # Mapping's own would read the tensor
        return name in self.names or name in self.added

    def __iter__(self) -> Iterator[str]:
        return iter({**self.names, **self.added})

    def __len__(self) -> int:
        return len(self.names) + len(self.added)


class Selection(Chosen):
    """The tensors of some layers of another mapping, still read when asked for."""

    def __init__(self, tensors: Tensors, layers: frozenset[str]) -> None:
        super().__init__(tensors, {name: name for name in tensors if name.split("/", 1)[0] in layers})


def pieces_of(tensors: Tensors, names: Iterable[str]) -> Pieces:
    """Tensors one by one, in an order of convenience: where they lie in a file, or as arrays."""
    wanted = list(names)
    if isinstance(tensors, Chosen):
        here: dict[str, list[str]] = {}
        for name in wanted:
            if name in tensors.names:
                here.setdefault(tensors.names[name], []).append(name)
        yield from ((name, piece) for old, piece in pieces_of(tensors.source, here) for name in here[old])
        yield from ((name, tensors.added[name]) for name in wanted if name in tensors.added)
    elif hasattr(tensors, "pieces"):
        yield from tensors.pieces(wanted)
    else:
        yield from ((name, tensors[name]) for name in wanted)


def dtype_of(tensors: Tensors, name: str) -> str:
    """Type of a tensor, numpy's name, without reading it where the source can tell."""
    if isinstance(tensors, Chosen):
        return (
            tensors.added[name].dtype.name if name in tensors.added else dtype_of(tensors.source, tensors.names[name])
        )
    specs = getattr(tensors, "specs", None)
    return str(specs[name].dtype) if specs is not None else tensors[name].dtype.name
