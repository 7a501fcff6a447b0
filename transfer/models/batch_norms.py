"""The batch norms of a model: what they have kept of the data they were trained on, and where their data comes in."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.analysis.drift import LayerDrift, layer_drift
from transfer.analysis.pooled_moments import PooledMoments


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """One call of a batch norm.

    Attributes:
        name: of the layer; with the number of the call behind it where there are several.
        tensor: what it normalizes.
        mean: (channels,), as kept.
        variance: likewise.
        epsilon: added to a variance.
        axis: of the channels, the examples' axis counted.
        cut: the layer whose output goes into the layer before it: where a backbone would end that leaves both out;
            empty where there is no such place.
    """

    name: str
    tensor: Any = field(repr=False)
    mean: NDArray[np.float64] = field(repr=False)
    variance: NDArray[np.float64] = field(repr=False)
    epsilon: float
    axis: int
    cut: str

    @property
    def others(self) -> tuple[int, ...]:
        """The axes of positions."""
        return tuple(each for each in range(1, len(self.tensor.shape)) if each != self.axis)

    @property
    def positions(self) -> int | None:
        """Of each example; None where the size of its images is open."""
        sizes = [self.tensor.shape[each] for each in self.others]
        return None if None in sizes else prod(sizes)

    @property
    def is_untrained(self) -> bool:
        """Whether mean and variance are those that Keras starts with."""
        return not self.mean.any() and bool((self.variance == 1).all())

    def statistics(self) -> tuple[Any, Any]:
        """Keras tensors (n, channels): each example's mean and variance over its positions."""
        values = keras.ops.cast(self.tensor, "float32")
        if not self.others:
            return values, keras.ops.zeros_like(values)
        return keras.ops.mean(values, self.others), keras.ops.var(values, self.others)

    def drift(self, seen: PooledMoments, *, positions: int = 1) -> LayerDrift:
        """How far what was seen lies from what the layer keeps."""
        kept, now = (self.mean, self.variance), (seen.mean, seen.variance)
        return layer_drift(self.name, kept, now, epsilon=self.epsilon, positions=positions, cut=self.cut)


def batch_norms(model: keras.Model) -> tuple[BatchNorm, ...]:
    """Those among the model's own layers, in their order; nested models are to be opened before."""
    found = []
    for layer in model.layers:
        if not isinstance(layer, keras.layers.BatchNormalization):
            continue
        nodes = layer._inbound_nodes  # a layer that is called twice has no single input
        for number, node in enumerate(nodes):
            name = layer.name if len(nodes) == 1 else f"{layer.name} (call {number + 1})"
            found.append(_batch_norm(layer, name, node.input_tensors[0]))
    return tuple(found)


def _batch_norm(layer: Any, name: str, tensor: Any) -> BatchNorm:
    mean, variance = (
        np.array(keras.ops.convert_to_numpy(each), np.float64) for each in (layer.moving_mean, layer.moving_variance)
    )
    axis = layer.axis[0] if isinstance(layer.axis, list | tuple) else layer.axis
    return BatchNorm(name, tensor, mean, variance, float(layer.epsilon), axis % len(tensor.shape), _cut(tensor))


def _cut(tensor: Any) -> str:
    """The layer two steps before; empty where that is an input, or called several times: nothing is cut there."""
    history = tensor._keras_history
    sources = history.operation._inbound_nodes[history.node_index].input_tensors
    source = sources[0]._keras_history.operation if sources else None
    if source is None or isinstance(source, keras.layers.InputLayer) or len(source._inbound_nodes) > 1:
        return ""
    return str(source.name)
