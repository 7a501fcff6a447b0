"""A network for other images than it was trained on: its first kernels changed with its graph, read when asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.graphs.adapting_inputs import adapt_input as adapt_graph
from transfer.graphs.adapting_inputs import first_kernels, input_channels
from transfer.specs import Preprocessing
from transfer.surgery.network import Network, Pieces, Tensors, dtype_of, pieces_of
from transfer.weights.cards import Card
from transfer.weights.lazy_tensors import LazyTensors


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
        tensors = Adapted(tensors, dict.fromkeys(first_kernels(graph), channels))
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


class Adapted(LazyTensors):
    """Tensors of another mapping of which some kernels take other channels; read, and changed, when asked for."""

    def __init__(self, tensors: Tensors, kernels: Mapping[str, int]) -> None:
        """Take tensors over.

        Args:
            tensors: of the old network.
            kernels: name → channels, of those to change.
        """
        self._tensors = tensors
        self._names = dict.fromkeys(tensors)
        self._kernels = {name: channels for name, channels in kernels.items() if name in self._names}

    def __getitem__(self, name: str) -> NDArray[Any]:
        values = self._tensors[name]
        return adapt_kernel(values, self._kernels[name]) if name in self._kernels else values

    def _listed(self) -> Collection[str]:
        return self._names

    def dtype_of(self, name: str) -> str:
        """As the source tells it: a kernel keeps its type."""
        return dtype_of(self._tensors, name)

    def pieces(self, names: Iterable[str]) -> Pieces:
        """Tensors one by one: those that are not changed as their source gives them."""
        wanted = list(names)
        yield from pieces_of(self._tensors, [name for name in wanted if name not in self._kernels])
        yield from ((name, self[name]) for name in wanted if name in self._kernels)


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
