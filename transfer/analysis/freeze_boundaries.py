"""What training costs from each block of a network on, so that one can choose where to freeze."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from transfer.analysis.closed_shapes import Sizes
from transfer.analysis.training_cost import OpenedCosts, TrainingCost
from transfer.graphs.blocks import blocks_of, head_of
from transfer.graphs.graph import Graph, Ref
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
        remarks = dict.fromkeys(each.cost.remark for each in self.boundaries if each.cost.remark)
        return "\n".join([format_table(COLUMNS, rows, numbers=COLUMNS[1:]), *remarks])

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
    costs = OpenedCosts(graph, input_shape, shapes=shapes)
    blocks = blocks_of(graph)
    trained = set(head_of(graph))
    boundaries = [Boundary("head", 0, costs.when_trained(trained))]
    for count, block in enumerate(reversed(blocks), 1):
        trained |= set(block)
        boundaries.append(Boundary(block[0], count, costs.when_trained(trained)))
    return FreezeBoundaries(tuple(each for each in boundaries if each.cost.trainable or each.cost.uncounted))
