"""What files of tensors have in common: each is read when it is asked for, and held against its digest."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transfer.errors import CheckpointError, Problem, nearest
from transfer.specs import Json, TensorSpec
from transfer.weights.cards import Card
from transfer.weights.containers import AGAIN
from transfer.weights.lazy_tensors import LazyTensors

if TYPE_CHECKING:
    from numpy.typing import NDArray


class StoredTensors(LazyTensors):
    """The tensors of a file.

    Attributes:
        path: the file.
        specs: name to `TensorSpec`, without reading a tensor.
        card: the file's card; None where there is none.
        config: the architecture as the file holds it; None where it holds none.
    """

    path: Path
    specs: Mapping[str, TensorSpec]
    card: Card | None
    config: Json

    @property
    def architecture(self) -> Json:
        """The config to rebuild the model from: the card's, else the file's; None where there is neither."""
        return self.card.architecture if self.card is not None and self.card.architecture else self.config

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.read([name])[name]

    def dtype_of(self, name: str) -> str:
        """As the file tells it."""
        return self.specs[name].dtype

    def read(self, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Read several tensors in one go, each held against the card's digest where there is one.

        Raises:
            KeyError: if a name is not in the file.
            CheckpointError: if the file has changed since it was opened, or a tensor is damaged.
        """
        wanted = list(names)
        found = dict(self.stream(wanted))
        return {name: found[name] for name in wanted}

    @abstractmethod
    def stream(self, names: Iterable[str] | None = None) -> Iterator[tuple[str, NDArray[Any]]]:
        """Read tensors one after the other, in an order of convenience, so that they need not all be in memory.

        Args:
            names: which; None for all.

        Raises:
            KeyError: if a name is not in the file.
            CheckpointError: if the file has changed since it was opened, or a tensor is damaged.
        """

    def _listed(self) -> Collection[str]:
        return self.specs

    def _wanted(self, names: Iterable[str] | None) -> list[str]:
        """Names to read, which are all in the file."""
        wanted = list(self.specs if names is None else names)
        for name in wanted:
            if name not in self.specs:
                raise KeyError(f"{name!r} is not in {self.path}; nearest: {nearest(name, self)}")
        return wanted

    @property
    def _digests(self) -> Mapping[str, str]:
        """What the card vouches for."""
        return self.card.digests if self.card is not None else {}

    def _verify(self, name: str, values: NDArray[Any], digest: str = "") -> None:
        """Hold a tensor against what the card recorded.

        Args:
            name: of the tensor.
            values: of the tensor.
            digest: of the values, where it was taken already.
        """
        recorded = self._digests.get(name)
        if recorded is None:
            return
        from transfer.weights.tensor_digests import digest_tensor

        if recorded != (digest or digest_tensor(values)):
            what = Problem(name, f"sha256 {recorded[:12]}… as its card says", "other bits")
            raise CheckpointError(f"{self.path} is damaged.", [what], AGAIN)
