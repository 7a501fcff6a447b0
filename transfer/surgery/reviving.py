"""Dead units started anew, so that the network computes on its data what it did before and can learn with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.errors import LayerError, Problem
from transfer.graphs.activation_sites import Site
from transfer.graphs.cutting import sources_of
from transfer.graphs.graph import Graph, Layer, Ref
from transfer.graphs.layer_kinds import DROPOUTS
from transfer.graphs.shapes import infer_shapes
from transfer.surgery.initializers import draw_initial
from transfer.surgery.network import Chosen, Network

_PLAIN = frozenset({"Dense", "Conv1D", "Conv2D", "Conv3D"})
_CUT_OFF_AT_ZERO = ("relu", "relu6")  # what a dead unit gives is exactly 0


def revive(network: Network, site: Site, units: Sequence[int], *, silently: bool = True, seed: int = 0) -> Network:
    """Draw the weights into dead units from `he_normal`, set their biases to 0, and the weights out of them to 0.

    A dead unit gives 0 on the data, and what follows takes nothing from it before and after. The weights out of it get
    a gradient at once, and then those into it.

    Args:
        network: left as it is; its activations are layers of their own.
        site: the activation whose units are dead.
        units: which.
        silently: whether the weights out of them become 0; else they stay, and outputs change.
        seed: of what is drawn.

    Raises:
        LayerError: if it cannot be told that the network would compute the same.

    Source: of the zeros, Evci et al. (2020), "Rigging the lottery", section 3: what is grown starts at 0.
    """
    weighted = _before(network.graph, site)
    name = f"{weighted.name}/kernel"
    kernel = np.array(network.tensors[name])
    generator = np.random.default_rng(seed)
    drawn = draw_initial("he_normal", kernel.shape, generator, where=name).astype(kernel.dtype)
    kernel[..., list(units)] = drawn[..., list(units)]
    changed: dict[str, NDArray[Any]] = {name: kernel}
    if f"{weighted.name}/bias" in network.tensors:
        bias = np.array(network.tensors[f"{weighted.name}/bias"])
        bias[list(units)] = 0
        changed[f"{weighted.name}/bias"] = bias
    takers = list(_takers(network.graph, site.after, units))
    for taker, channels in takers if silently else ():
        out = np.array(changed.get(f"{taker.name}/kernel", network.tensors[f"{taker.name}/kernel"]))
        out[..., channels, :] = 0
        changed[f"{taker.name}/kernel"] = out
    return _with(network, changed)


def silenced_units(
    network: Network, site: Site, low: NDArray[np.floating], high: NDArray[np.floating]
) -> tuple[int, ...]:
    """Units that stay dead whatever comes in a range: their bias outweighs the most that their weights can gather.

    Args:
        network: its activations are layers of their own.
        site: an activation.
        low: (channels,), the smallest values that go into the layer right before it.
        high: (channels,), the largest.

    Raises:
        LayerError: if that layer is of another kind than `revive` starts anew.
    """
    layer = _before(network.graph, site)
    if f"{layer.name}/bias" not in network.tensors:
        return ()
    kernel = np.asarray(network.tensors[f"{layer.name}/kernel"], np.float64)
    low, high = np.minimum(low, 0), np.maximum(high, 0)  # padding brings zeros in
    most = np.maximum(kernel * low[:, None], kernel * high[:, None]).sum(axis=tuple(range(kernel.ndim - 1)))
    return tuple(map(int, np.flatnonzero(network.tensors[f"{layer.name}/bias"] < -most)))


def turn_round(network: Network, site: Site, units: Sequence[int]) -> Network:
    """Give the weights into some units the other sign: what was never above 0 with a bias of 0 is never below it."""
    name = f"{_before(network.graph, site).name}/kernel"
    kernel = np.array(network.tensors[name])
    kernel[..., list(units)] *= -1
    return _with(network, {name: kernel})


def _with(network: Network, changed: dict[str, NDArray[Any]]) -> Network:
    kept = {name: name for name in network.tensors if name not in changed}
    return replace(network, tensors=Chosen(network.tensors, kept, changed))


def _before(graph: Graph, site: Site) -> Layer:
    """The layer right before an activation, which feeds nothing else."""
    layer = graph.layer(site.before.layer)
    takers = [each.name for each in graph for call in each.calls if site.before in call.sources]
    if site.activation not in _CUT_OFF_AT_ZERO or site.options.get("negative_slope") or site.options.get("threshold"):
        raise _refusal(site, "an activation that gives 0 where it is flat", site.activation)
    if layer.class_name not in _PLAIN or layer.config.get("groups", 1) != 1:
        raise _refusal(site, "a Dense or convolution right before it", f"{layer.class_name} {layer.name!r}")
    if len(layer.calls) != 1 or len(takers) != 1 or site.before in graph.outputs or layer.config.get("lora_rank"):
        raise _refusal(site, f"nothing else that takes {layer.name!r}", ", ".join(takers))
    return layer


def _takers(graph: Graph, ref: Ref, units: Sequence[int]) -> Iterator[tuple[Layer, list[int]]]:
    """Each layer with weights that takes these units, and as which channels it takes them."""
    if ref in graph.outputs:
        raise _refusal(ref, "weights after it", "the network's output")
    shapes = infer_shapes(graph)
    for layer in graph:
        for node, call in enumerate(layer.calls):
            if ref not in call.sources:
                continue
            after = Ref(layer.name, node)
            if sources_of(graph, after) != (ref,) or len(layer.calls) != 1:
                raise _refusal(ref, "layers of one input, called once, after it", f"{layer.class_name} {layer.name!r}")
            kind = layer.class_name
            if kind in _PLAIN and layer.config.get("groups", 1) == 1 and not layer.config.get("lora_rank"):
                yield layer, list(units)
            elif kind == "Flatten" and None not in (shape := shapes.get(ref, (None,))):
                size = int(np.prod([each or 1 for each in shape]))
                places = np.arange(size).reshape([each or 1 for each in shape])[..., list(units)]
                yield from _takers(graph, after, [int(each) for each in places.ravel()])
            elif kind in DROPOUTS - {"AlphaDropout"} or "Pooling" in kind:
                yield from _takers(graph, after, units)
            else:
                raise _refusal(
                    ref, "pooling, dropout, Flatten, Dense or a convolution after it", f"{kind} {layer.name!r}"
                )


def _refusal(where: Site | Ref, expected: str, found: str) -> LayerError:
    return LayerError(
        f"Units of {where.layer!r} cannot be started anew without changing what the network computes.",
        [Problem(where.layer, expected, found)],
        next_step="leave them as they are, or train with a smaller rate or an activation that leaks",
    )
