"""Which layers a stage trains, as flags of a graph."""

from __future__ import annotations

from collections.abc import Sequence

from transfer.graphs.blocks import blocks_of
from transfer.graphs.freezing import freeze_all, unfreeze, unfreeze_from, unfreeze_last
from transfer.graphs.graph import Graph
from transfer.recipes import Stage


def flag_stage(graph: Graph, stage: Stage, heads: Sequence[str]) -> Graph:
    """The graph with the flags of a stage; the heads are trained in every one.

    Args:
        graph: its own flags do not matter.
        stage: what is trained.
        heads: names of the layers that give the logits.

    Raises:
        LayerError: if a layer that is named does not exist.
    """
    policy = stage.batch_norm
    if stage.kind == "probe":
        flagged = freeze_all(graph)
    elif stage.unfreeze_from:
        flagged = unfreeze_from(graph, stage.unfreeze_from, batch_norm=policy)
    elif stage.unfreeze_last is not None:
        count = min(stage.unfreeze_last, len(blocks_of(graph)))
        flagged = unfreeze_last(graph, count, batch_norm=policy)
    else:
        flagged = unfreeze(freeze_all(graph), stage.unfreeze, batch_norm=policy)
    return unfreeze(flagged, heads, batch_norm=policy)
