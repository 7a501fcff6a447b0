"""What training costs from each block of a network on, so that one can choose where to freeze."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from transfer.analysis.sizes import Sizes
from transfer.analysis.training_cost import TrainingCost, count_training
from transfer.graphs.blocks import blocks_of
from transfer.graphs.freezing import unfreeze_last
from transfer.graphs.graph import Graph, Ref
from transfer.graphs.input_shapes import with_input_shapes
from transfer.graphs.shapes import Shape
from transfer.graphs.summarizing import printable
from transfer.specs import Json
from transfer.tabulating import format_table

COLUMNS = ("trained from", "blocks", "parameters", "forward", "backward", "step", "step, features kept", "kept bytes")


@dataclass(frozen=True, slots=True)
class Boundary:
    """One place to freeze up to.

    Attributes:
        first: the first layer that is trained; `head` where only that is.
        blocks: number of last blocks that are trained, as `unfreeze_last` counts them.
        cost: of a step, per example.
    """

    first: str
    blocks: int
    cost: TrainingCost


@dataclass(frozen=True, slots=True)
class FreezeBoundaries:
    """What a step of training costs at each boundary, in multiply-adds per example; printed, it is a table.

    Attributes:
        boundaries: from training the head alone to training everything.
    """

    boundaries: tuple[Boundary, ...]

    def __str__(self) -> str:
        rows = [
            (
                printable(each.first),
                str(each.blocks),
                *(f"{count:,}" for count in (each.cost.trainable, each.cost.forward, each.cost.backward)),
                *(f"{count:,}" for count in (each.cost.step, each.cost.cached_step, each.cost.feature_bytes)),
            )
            for each in self.boundaries
        ]
        return format_table(COLUMNS, rows, numbers=COLUMNS[1:])

    __repr__ = __str__

    def to_json(self) -> Json:
        """As plain values."""
        return [{"first": each.first, "blocks": each.blocks, **each.cost.to_json()} for each in self.boundaries]


def cost_boundaries(
    graph: Graph,
    input_shape: Sizes | Mapping[str, Sizes] | None = None,
    *,
    shapes: Mapping[Ref, Shape] | None = None,
) -> FreezeBoundaries:
    """Work out what training the last 0, 1, 2, … blocks costs; boundaries with nothing to train are left out.

    Args:
        graph: its own flags do not matter.
        input_shape: of the input, or of each by its name, where the graph leaves a size open.
        shapes: of tensors, where there is no rule for them.

    Raises:
        LayerError: if an input's size is open and none is given.
    """
    sized = with_input_shapes(graph, input_shape)
    blocks = blocks_of(sized)
    firsts = ["head", *(block[0] for block in reversed(blocks))]
    costs = [count_training(unfreeze_last(sized, count), shapes=shapes) for count in range(len(firsts))]
    return FreezeBoundaries(
        tuple(
            Boundary(first, count, cost)
            for count, (first, cost) in enumerate(zip(firsts, costs, strict=True))
            if cost.trainable
        )
    )
