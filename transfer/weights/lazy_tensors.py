"""Tensors by name of which none is read before it is asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from transfer.weights.spans import Span


class LazyTensors(Mapping[str, "NDArray[Any]"]):
    """A mapping of names to arrays that tells its names, and types where it can, without reading a tensor."""

    @abstractmethod
    def _listed(self) -> Collection[str]:
        """All names, in order."""

    def __contains__(self, name: object) -> bool:  # Mapping's own would read the tensor
        return name in self._listed()

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed())

    def __len__(self) -> int:
        return len(self._listed())

    def dtype_of(self, name: str) -> str:
        """Type of a tensor, numpy's name; it is read where nothing else tells."""
        return self[name].dtype.name

    def pieces(self, names: Iterable[str]) -> Iterator[tuple[str, Span | NDArray[Any]]]:
        """Tensors one by one, in an order of convenience: where they lie in a file, or as arrays."""
        return ((name, self[name]) for name in names)
