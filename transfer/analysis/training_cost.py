"""What training costs at a freeze boundary: forwards, backwards, and what keeping features saves.

For a layer `y = W x` that takes `m` multiply-adds forwards, the gradient of its kernel takes `m` more and the gradient
of its input `m` more again. The kernel's is needed where the layer is trained; the input's where something before the
layer is trained. Below a freeze boundary neither is. A product of two activations, such as attention's scores, has two
inputs and takes twice its multiply-adds backwards. Multiply-adds alone are counted, as in `flops`.

Source: Griewank & Walther (2008), section 3.4, for the cost of reverse mode, here without what is frozen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

from transfer.analysis.closed_shapes import Sizes, closed
from transfer.analysis.counting_flops import count_graph_flops
from transfer.analysis.layer_work import layer_work
from transfer.analysis.work import Work
from transfer.graphs.call_order import calls_in_order
from transfer.graphs.fixed_layers import TRAINED, why_not_fixed
from transfer.graphs.flattening import flatten
from transfer.graphs.freezing import freeze_all, unfreeze_all
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.input_shapes import with_input_shapes
from transfer.graphs.masks import masked_calls
from transfer.graphs.shapes import Shape, infer_shapes
from transfer.graphs.splitting import split
from transfer.graphs.summarizing import printable, summarize
from transfer.graphs.tensor_types import infer_types, size_of_type
from transfer.graphs.training_flags import set_trained
from transfer.specs import BatchNormPolicy, Json

Node = tuple[str, int]  # a layer and which of its calls


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

    @property
    def remark(self) -> str:
        """What the numbers lack, in a line; empty where they lack nothing."""
        return f"not counted: {', '.join(map(printable, self.uncounted))}" if self.uncounted else ""

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
    return OpenedCosts(graph, input_shape, shapes=shapes).as_flagged()


class OpenedCosts:
    """A graph with its nested models opened and the work of each call, to be asked for several boundaries."""

    def __init__(
        self,
        graph: Graph,
        input_shape: Sizes | Mapping[str, Sizes] | None = None,
        *,
        shapes: Mapping[Ref, Shape] | None = None,
    ) -> None:
        """Open the graph and work out its shapes; arguments and errors as for `count_training`."""
        opened = flatten(with_input_shapes(graph, input_shape))
        self.names = opened.names
        self._graph = opened.graph
        self._shapes = infer_shapes(self._graph, shapes)
        self._types = infer_types(self._graph, self._shapes)
        self._masked = masked_calls(self._graph)
        self._calls = calls_in_order(self._graph)
        outputs: dict[Node, list[Ref]] = {}
        for ref in sorted(self._shapes, key=lambda each: each.tensor):
            outputs.setdefault((ref.layer, ref.node), []).append(ref)
        self._work = {
            (layer.name, node): self._work_of(layer, call, outputs.get((layer.name, node), []))
            for layer, node, call in self._calls
        }

    def as_flagged(self) -> TrainingCost:
        """For the flags that the graph has."""
        trained = {layer.name for layer in self._graph if why_not_fixed(layer) == TRAINED}
        moving = {layer.name for layer in self._graph if why_not_fixed(layer, stilled=True)}
        trainable = sum(each.trainable or 0 for each in summarize(self._graph, shapes=self._shapes))
        return self._cost(trained, moving, trainable, lambda: self._graph)

    def when_trained(self, paths: Collection[str], *, batch_norm: BatchNormPolicy = "frozen") -> TrainingCost:
        """With some layers trained and all others frozen, whatever the flags are.

        Args:
            paths: of the layers, as they stood in the graph before it was opened: `backbone/conv1`.
            batch_norm: what becomes of batch normalization.
        """
        names = {self.names.get(path, path) for path in paths}
        if batch_norm == "frozen":
            names -= self._batch_norms
        trained = names & self._trainable.keys()
        trainable = sum(self._trainable[name] for name in trained)

        def flagged() -> Graph:
            return set_trained(self._graph, lambda part: part.path in trained, "adapt")

        return self._cost(trained, trained | self._always_moving, trainable, flagged)

    @cached_property
    def _batch_norms(self) -> frozenset[str]:
        return frozenset(layer.name for layer in self._graph if layer.class_name == "BatchNormalization")

    @cached_property
    def _trainable(self) -> dict[str, int]:
        """Parameters of each layer that training can change."""
        everything = unfreeze_all(self._graph, batch_norm="train")
        return {each.name: each.trainable for each in summarize(everything, shapes=self._shapes) if each.trainable}

    @cached_property
    def _always_moving(self) -> frozenset[str]:
        """Layers that give something else at each step though nothing is trained."""
        frozen = freeze_all(self._graph)
        return frozenset(layer.name for layer in frozen if why_not_fixed(layer, stilled=True))

    def _cost(
        self, trained: Collection[str], moving: Collection[str], trainable: int, flagged: Callable[[], Graph]
    ) -> TrainingCost:
        forward, inputs, weights = Work(), 0, 0
        reached: set[Node] = set()  # calls whose output depends on what is trained
        for layer, node, call in self._calls:
            work = self._work[layer.name, node]
            is_trained = layer.name in trained
            is_reached = any((ref.layer, ref.node) in reached for ref in call.sources)
            forward += work
            if is_trained:
                weights += work.kernel_macs + work.inner_macs
            if is_reached:
                inputs += work.kernel_macs
            if is_trained or is_reached:
                inputs += work.inner_macs + 2 * work.product_macs
                reached.add((layer.name, node))
        prefix, kept = self._prefix(moving, flagged)
        return TrainingCost(forward.macs, inputs, weights, prefix, kept, trainable, forward.uncounted)

    def _prefix(self, moving: Collection[str], flagged: Callable[[], Graph]) -> tuple[int, int]:
        """Multiply-adds of what can be computed once, and bytes of what is kept of it."""
        fixed: set[Node] = set()
        boundary: dict[Ref, None] = {}
        for layer, node, call in self._calls:
            if layer.name not in moving and all((ref.layer, ref.node) in fixed for ref in call.sources):
                fixed.add((layer.name, node))
            else:
                boundary |= dict.fromkeys(ref for ref in call.sources if (ref.layer, ref.node) in fixed)
        boundary |= dict.fromkeys(ref for ref in self._graph.outputs if (ref.layer, ref.node) in fixed)
        if any((ref.layer, ref.node) in self._masked or ref not in self._types for ref in boundary):
            return self._prefix_of_split(flagged())  # a mask does not survive being kept: an earlier boundary
        return sum(self._work[node].macs for node in fixed), self._bytes(boundary)

    def _prefix_of_split(self, graph: Graph) -> tuple[int, int]:
        parts = split(graph, latest=True, stilled=True, shapes=self._shapes)
        return count_graph_flops(parts.prefix, shapes=self._shapes).macs, self._bytes(parts.boundary)

    def _bytes(self, refs: Collection[Ref]) -> int:
        return sum(
            prod(size or 1 for size in self._shapes.get(ref, ())) * size_of_type(self._types.get(ref, "float32"))
            for ref in refs
        )

    def _work_of(self, layer: Layer, call: Call, given: list[Ref]) -> Work:
        inputs = closed(self._shapes[ref] for ref in call.sources if ref in self._shapes)
        outputs = closed(self._shapes[ref] for ref in given)
        if inputs is None or len(inputs) < len(call.sources) or not outputs:
            return Work(uncounted=(layer.name,))
        work = layer_work(layer, call, inputs, outputs)
        lacking = (layer.name,) if work.uncounted else ()
        return Work(work.kernel_macs, work.inner_macs, work.product_macs, uncounted=lacking)
