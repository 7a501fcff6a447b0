"""Where a classifier's logits are, and what it makes of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from transfer.graphs.activation_sites import Site
from transfer.graphs.graph import Graph, Ref
from transfer.graphs.shapes import Shape, infer_shapes

_LOSSES: dict[str, Literal["softmax", "sigmoid"]] = {
    "softmax": "softmax",
    "log_softmax": "softmax",
    "sigmoid": "sigmoid",
    "hard_sigmoid": "sigmoid",
}


@dataclass(frozen=True, slots=True)
class Logits:
    """What the probabilities of a classifier are made from.

    Attributes:
        ref: the tensor.
        units: k, or 1 for the second of two classes.
        loss: cross-entropy of a softmax over them, or of a sigmoid on each. A single one is always of a sigmoid.
    """

    ref: Ref
    units: int
    loss: Literal["softmax", "sigmoid"]

    @property
    def classes(self) -> int:
        """How many classes they tell apart."""
        return max(2, self.units)

    @property
    def chance(self) -> float:
        """The loss of an answer that prefers nothing: ln k of a softmax, k ln 2 of sigmoids."""
        return math.log(self.units) if self.loss == "softmax" else self.units * math.log(2)


def find_logits(graph: Graph, sites: tuple[Site, ...], shapes: Mapping[Ref, Shape] | None = None) -> Logits | None:
    """The logits of a graph with one output (n, k); None for another one.

    Outputs without an activation are taken for logits, as heads give them.

    Args:
        graph: its activations are layers.
        sites: of these.
        shapes: of tensors for which there is no rule, where the caller knows them.
    """
    if len(graph.outputs) != 1:
        return None
    (ref,) = graph.outputs
    last = next((each for each in sites if each.after == ref), None)
    if last is not None and last.activation not in _LOSSES:
        return None
    loss = "softmax" if last is None else _LOSSES[last.activation]
    ref = ref if last is None else last.before
    shape = infer_shapes(graph, shapes).get(ref)
    if shape is None or len(shape) != 1 or shape[0] is None:
        return None
    return Logits(ref, shape[0], "sigmoid" if shape[0] == 1 else loss)
