"""A network for other images than it was trained on: its first kernels changed with its graph, read when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.graphs.adapting_inputs import adapt_input as adapt_graph
from transfer.graphs.adapting_inputs import first_kernels, input_channels
from transfer.graphs.variables import describe_graph
from transfer.specs import Preprocessing, TensorSpec
from transfer.surgery.network import Network, Pieces, Tensors, dtype_of, pieces_of
from transfer.weights.cards import Card


def adapt_input(network: Network, *, channels: int | None = None, size: tuple[int, ...] | None = None) -> Network:
    """The network for images of other channels, or of another size; only the first kernels differ.

    For one channel a kernel is summed over its channels: a grey image then gives what it gave in all channels of the
    old input. For more, its channels come in turn, scaled so that their sum stays about the same (see `adapt_kernel`).

    Args:
        network: with one image input; left as it is.
        channels: how many; None to leave them.
        size: (h, w), or as many numbers as the input has axes beside its channels; None to leave it.

    Raises:
        LayerError: if the network does not take such images; each layer that does not is named.
    """
    graph = adapt_graph(network.graph, channels=channels, size=size)
    before = input_channels(network.graph)
    if graph == network.graph:
        return network
    tensors = network.tensors
    done = [] if size is None else [f"input adapted to {' x '.join(map(str, size))}"]
    if channels is not None and channels != before:
        specs = describe_graph(graph)
        tensors = Adapted(tensors, dict.fromkeys(first_kernels(graph), channels), specs)
        done.insert(0, f"input adapted from {before} to {channels} channels")
    return replace(
        network, graph=graph, tensors=tensors, card=_adapted_card(network.card, channels, before, size, done)
    )


def adapt_kernel(kernel: NDArray[Any], channels: int) -> NDArray[Any]:
    """A convolution's kernel for another number of channels.

    For one channel the sum over c; else channel j is the old channel j mod c, times c / channels, so that an image of
    equal channels excites as much as before, exactly where `channels` is a multiple of c.

    Args:
        kernel: (…, c, filters), of the old channels.
        channels: of the new.

    Returns:
        (…, channels, filters), in the same type.

    Source: the practice of timm for pretrained weights (`adapt_input_conv`).
    """
    old = kernel.shape[-2]
    if old == channels:
        return kernel
    wide = kernel.astype(np.promote_types(np.float32, kernel.dtype) if kernel.dtype.kind == "f" else np.float32)
    if channels == 1:
        changed: NDArray[Any] = wide.sum(-2, keepdims=True)
    else:
        changed = np.take(wide, np.arange(channels) % old, axis=-2) * wide.dtype.type(old / channels)
    return changed.astype(kernel.dtype)


class Adapted(Mapping[str, NDArray[Any]]):
    """Tensors of another mapping of which some kernels take other channels; read, and changed, when asked for.

    Attributes:
        specs: what they are.
    """

    def __init__(self, tensors: Tensors, kernels: Mapping[str, int], wanted: Mapping[str, TensorSpec]) -> None:
        """Take tensors over.

        Args:
            tensors: of the old network.
            kernels: name → channels, of those to change.
            wanted: shapes in the new network.
        """
        self._tensors = tensors
        self._names = frozenset(tensors)
        self._kernels = {name: channels for name, channels in kernels.items() if name in self._names}
        self.specs: Mapping[str, TensorSpec] = _Specs(tensors, wanted)

    def __getitem__(self, name: str) -> NDArray[Any]:
        values = self._tensors[name]
        return adapt_kernel(values, self._kernels[name]) if name in self._kernels else values

    def __contains__(self, name: object) -> bool:  # Mapping's own would read the tensor
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def pieces(self, names: Iterable[str]) -> Pieces:
        """Tensors one by one: those that are not changed as their source gives them."""
        wanted = list(names)
        yield from pieces_of(self._tensors, [name for name in wanted if name not in self._kernels])
        yield from ((name, self[name]) for name in wanted if name in self._kernels)


class _Specs(Mapping[str, TensorSpec]):
    """Shapes of a graph in the types of its tensors, which a source may have to read a tensor for."""

    def __init__(self, tensors: Tensors, wanted: Mapping[str, TensorSpec]) -> None:
        self._tensors = tensors
        names = frozenset(tensors)
        self._wanted = {name: spec for name, spec in wanted.items() if name in names}

    def __getitem__(self, name: str) -> TensorSpec:
        return replace(self._wanted[name], dtype=dtype_of(self._tensors, name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._wanted)

    def __len__(self) -> int:
        return len(self._wanted)


def _adapted_card(
    card: Card | None, channels: int | None, before: int | None, size: tuple[int, ...] | None, done: list[str]
) -> Card | None:
    """What was recorded of the old network no longer holds; preprocessing where its meaning is plain."""
    if card is None:
        return None
    look, lost = card.preprocessing, []
    if look is not None and channels is not None and channels != before:
        look = _recolored(look, channels)
        if look is None:
            lost = [f"preprocessing dropped: what it does to each of {before} channels means nothing for {channels}"]
    if look is not None and size is not None and len(size) == 2:
        look = replace(look, size=(size[0], size[1]))
    history = (*card.history, *done, *lost)
    return replace(card.without_proof(), architecture=None, preprocessing=look, history=history)


def _recolored(look: Preprocessing, channels: int) -> Preprocessing | None:
    """The same for another number of channels; None where it treats channels differently, or they are no colours."""
    if channels not in (1, 3) or len({*look.mean}) > 1 or len({*look.std}) > 1:
        return None
    return replace(look, color="grey" if channels == 1 else "rgb", mean=look.mean[:1], std=look.std[:1])
