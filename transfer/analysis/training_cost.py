"""What training costs at a freeze boundary: forwards, backwards, and what keeping features saves.

For a layer `y = W x` that takes `m` multiply-adds forwards, the gradient of its kernel takes `m` more and the gradient
of its input `m` more again. The kernel's is needed where the layer is trained; the input's where something before the
layer is trained. Below a freeze boundary neither is. A product of two activations, such as attention's scores, has two
inputs and takes twice its multiply-adds backwards. Multiply-adds alone are counted, as in `flops`.

Source: Griewank & Walther (2008), section 3.4, for the cost of reverse mode, here without what is frozen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from transfer.analysis.counting_flops import count_graph_flops
from transfer.analysis.layer_work import layer_work
from transfer.analysis.sizes import Sizes, closed
from transfer.analysis.work import Work
from transfer.graphs.call_order import calls_in_order
from transfer.graphs.fixed_layers import TRAINED, why_not_fixed
from transfer.graphs.flattening import flatten
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.input_shapes import with_input_shapes
from transfer.graphs.shapes import Shape, infer_shapes
from transfer.graphs.splitting import split
from transfer.graphs.summarizing import summarize
from transfer.graphs.tensor_types import infer_types, size_of_type
from transfer.specs import Json


@dataclass(frozen=True, slots=True)
class TrainingCost:
    """Multiply-adds of one step of training, per example.

    Attributes:
        forward: through the whole network.
        backward_inputs: for the gradients of activations, from the loss down to the first layer that is trained.
        backward_weights: for the gradients of what is trained.
        prefix: part of `forward` that gives the same at each step, so that its output can be kept.
        feature_bytes: what is kept of one example then.
        trainable: parameters that are trained.
        uncounted: layers that there is no rule for; the numbers lack them.
    """

    forward: int
    backward_inputs: int
    backward_weights: int
    prefix: int
    feature_bytes: int
    trainable: int
    uncounted: tuple[str, ...] = ()

    @property
    def backward(self) -> int:
        """For all gradients."""
        return self.backward_inputs + self.backward_weights

    @property
    def step(self) -> int:
        """One example forwards and backwards through the whole network."""
        return self.forward + self.backward

    @property
    def cached_step(self) -> int:
        """The same from kept features on."""
        return self.step - self.prefix

    def total(self, examples: int, epochs: int, *, cached: bool) -> int:
        """Multiply-adds of a whole training; with kept features the prefix runs once over the examples."""
        return examples * (self.prefix + epochs * self.cached_step if cached else epochs * self.step)

    def to_json(self) -> Json:
        """As plain values."""
        names = ("forward", "backward_inputs", "backward_weights", "prefix", "feature_bytes", "trainable")
        derived = ("step", "cached_step")
        return {**{name: getattr(self, name) for name in (*names, *derived)}, "uncounted": list(self.uncounted)}


def count_training(
    graph: Graph,
    input_shape: Sizes | Mapping[str, Sizes] | None = None,
    *,
    shapes: Mapping[Ref, Shape] | None = None,
) -> TrainingCost:
    """What one step costs, given the flags of a graph that say what is trained.

    Args:
        graph: nested models are opened. A wrapper of which a part is trained counts as trained.
        input_shape: of the input, or of each by its name, where the graph leaves a size open.
        shapes: of tensors, where there is no rule for them here.

    Raises:
        LayerError: if an input's size is open and none is given.
    """
    opened = flatten(with_input_shapes(graph, input_shape)).graph
    known = infer_shapes(opened, shapes)
    forward, inputs, weights = Work(), 0, 0
    moved: set[tuple[str, int]] = set()  # calls whose output depends on what is trained
    for layer, node, call in calls_in_order(opened):
        work = _work(layer, node, call, known)
        is_trained = why_not_fixed(layer) == TRAINED
        is_reached = any((ref.layer, ref.node) in moved for ref in call.sources)
        forward += work
        if is_trained:
            weights += work.kernel_macs + work.inner_macs
        if is_reached:
            inputs += work.kernel_macs
        if is_trained or is_reached:
            inputs += work.inner_macs + 2 * work.product_macs
            moved.add((layer.name, node))
    prefix, kept = _prefix(opened, known)
    trainable = sum(each.trainable or 0 for each in summarize(opened))
    return TrainingCost(forward.macs, inputs, weights, prefix, kept, trainable, forward.uncounted)


def _work(layer: Layer, node: int, call: Call, shapes: Mapping[Ref, Shape]) -> Work:
    inputs = closed(shapes[ref] for ref in call.sources if ref in shapes)
    given = sorted((ref for ref in shapes if (ref.layer, ref.node) == (layer.name, node)), key=lambda ref: ref.tensor)
    outputs = closed(shapes[ref] for ref in given)
    if inputs is None or len(inputs) < len(call.sources) or not outputs:
        return Work(uncounted=(layer.name,))
    work = layer_work(layer, call, inputs, outputs)
    return Work(work.kernel_macs, work.inner_macs, work.product_macs, uncounted=(layer.name,) if work.uncounted else ())


def _prefix(graph: Graph, shapes: Mapping[Ref, Shape]) -> tuple[int, int]:
    """Multiply-adds of what can be computed once, and bytes of what is kept of it."""
    parts = split(graph, latest=True, stilled=True, shapes=shapes)
    types = infer_types(graph, shapes)
    kept = sum(
        prod(size or 1 for size in shapes.get(ref, ())) * size_of_type(types.get(ref, "float32"))
        for ref in parts.boundary
    )
    return count_graph_flops(parts.prefix, shapes=shapes).macs, kept
