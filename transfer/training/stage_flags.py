"""Which layers a stage trains, as flags of a graph."""

from __future__ import annotations

from transfer.graphs.blocks import blocks_of
from transfer.graphs.freezing import freeze_all, unfreeze, unfreeze_from, unfreeze_last
from transfer.graphs.graph import Graph
from transfer.recipes import Stage


def flag_stage(graph: Graph, stage: Stage, head: str) -> Graph:
    """The graph with the flags of a stage; the head is trained in every one.

    Args:
        graph: its own flags do not matter.
        stage: what is trained.
        head: name of the layer that gives the logits.

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
    return unfreeze(flagged, [head], batch_norm=policy)
