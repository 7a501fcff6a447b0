"""A network that computes the same with fewer layers: batch norms folded into what stands before them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.errors import Problem
from transfer.graphs.folding import Fold, FoldedGraph
from transfer.graphs.folding import fold as fold_graph
from transfer.graphs.walking import walk
from transfer.surgery.network import Network, Pieces, Tensors, dtype_of, pieces_of
from transfer.weights.lazy_tensors import LazyTensors
from transfer.weights.reading import numpy_dtype

_BIAS = "bias"


@dataclass(frozen=True, slots=True)
class Folded:
    """What folding gave.

    Attributes:
        network: without the batch norms that were folded; its kernels and biases are computed when asked for.
        folded: paths of the batch norms that are gone.
        left: those that remain: the path, what would have allowed to fold it, what is there.
    """

    network: Network
    folded: tuple[str, ...]
    left: tuple[Problem, ...]


def fold(network: Network, *, force: bool = False) -> Folded:
    """Fold batch norms into the convolution or Dense layer before them, where that changes nothing that is trained.

    The result is for running, not for training. It computes what the network does up to rounding. See
    `graphs.folding.fold` for what can be folded; layers that are new or have no tensors are left.

    Args:
        network: left as it is.
        force: fold what is not frozen too.
    """
    held = {name.rpartition("/")[0] for name in network.tensors}
    empty = {place.name for place in walk(network.graph) if place.name not in held} | network.new
    found = fold_graph(network.graph, force=force, without=empty)
    if not found.folds:
        return Folded(network, (), found.left)
    card = network.card
    if card is not None:
        done = f"folded {len(found.folds)} batch norms"
        card = replace(card.without_proof(), architecture=None, history=(*card.history, done))
    smaller = replace(network, graph=found.graph, tensors=_Folding(network.tensors, found), card=card)
    return Folded(smaller, tuple(each.norm for each in found.folds), found.left)


class _Folding(LazyTensors):
    """Tensors of which some take in those of batch norms, computed when asked for.

    With s = gamma / sqrt(variance + epsilon), of shape (channels,), a norm takes y = k * x + b to
    s * k * x + s * (b - mean) + beta: the kernel is scaled along its axis of output channels, the bias is moved.
    """

    def __init__(self, tensors: Tensors, folded: FoldedGraph) -> None:
        self._tensors = tensors
        self._norms: dict[str, list[Fold]] = {}
        for each in folded.folds:
            self._norms.setdefault(each.layer, []).append(each)
        self._names = dict.fromkeys(self._remaining({each.norm for each in folded.folds}))

    def pieces(self, names: Iterable[str]) -> Pieces:
        """Tensors one by one: those that are not changed as their source gives them."""
        wanted = list(names)
        yield from pieces_of(self._tensors, [name for name in wanted if not self._changes(name)])
        yield from ((name, self[name]) for name in wanted if self._changes(name))

    def _remaining(self, gone: set[str]) -> Iterator[str]:
        for name in self._tensors:
            owner, _, role = name.rpartition("/")
            if owner in gone:
                continue
            yield name
            first = self._norms.get(owner, [None])[0]
            if first is not None and first.adds_bias and role == first.role:
                yield f"{owner}/{_BIAS}"

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._names:
            raise KeyError(name)
        if not self._changes(name):
            return self._tensors[name]
        owner, _, role = name.rpartition("/")
        norms = self._norms[owner]
        if role == _BIAS:
            return self._moved(name, norms)
        stored = self._tensors[name]
        scale = np.prod([self._scale(each) for each in norms], axis=0)
        return (np.asarray(stored, np.float64) * _shaped(scale, norms[0].kind, stored)).astype(stored.dtype)

    def _listed(self) -> Collection[str]:
        return self._names

    def _changes(self, name: str) -> bool:
        owner, _, role = name.rpartition("/")
        return owner in self._norms and role in (_BIAS, self._norms[owner][0].role)

    def dtype_of(self, name: str) -> str:
        """A new bias has the type of the kernel beside it."""
        owner, _, role = name.rpartition("/")
        norms = self._norms.get(owner)
        if norms and norms[0].adds_bias and role == _BIAS:
            name = f"{owner}/{norms[0].role}"
        return dtype_of(self._tensors, name)

    def _moved(self, name: str, norms: Sequence[Fold]) -> NDArray[Any]:
        bias = np.float64(0) if norms[0].adds_bias else np.asarray(self._tensors[name], np.float64)
        for each in norms:
            bias = self._scale(each) * (bias - self._read(each, "moving_mean", 0)) + self._read(each, "beta", 0)
        return bias.astype(numpy_dtype(self.dtype_of(name)))

    def _scale(self, norm: Fold) -> NDArray[np.float64]:
        variance = self._read(norm, "moving_variance", 1)
        return self._read(norm, "gamma", 1) / np.sqrt(variance + norm.epsilon)

    def _read(self, norm: Fold, role: str, otherwise: float) -> NDArray[np.float64]:
        """One of the batch norm's tensors, (channels,); scale and centre may be off."""
        return np.asarray(self._tensors.get(f"{norm.norm}/{role}", otherwise), np.float64)


def _shaped(scale: NDArray[np.float64], kind: str, kernel: NDArray[Any]) -> NDArray[np.float64]:
    """A number for each output channel, so that it meets the kernel's axis of output channels."""
    if kind.startswith("DepthwiseConv"):  # (…, channels, multiplier): channel c * multiplier + m
        return scale.reshape(kernel.shape[-2:])
    if kind.endswith("Transpose"):  # (…, filters, channels)
        return scale[:, np.newaxis]
    return scale
