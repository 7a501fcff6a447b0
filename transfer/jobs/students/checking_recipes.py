"""Whether the stages of a recipe can do what they say, before any work is done."""

from __future__ import annotations

from collections.abc import Sequence

from transfer.errors import LayerError, Problem
from transfer.graphs.freezing import unfreeze_all
from transfer.graphs.graph import Graph
from transfer.graphs.splitting import split
from transfer.graphs.summarizing import summarize
from transfer.graphs.token_ids import count_tokens
from transfer.recipes import Recipe
from transfer.training.stage_flags import flag_stage


def check_recipe(graph: Graph, heads: Sequence[str], recipe: Recipe) -> None:
    """Refuse a stage that begins at a layer that is not there, or names layers of which none can be trained.

    So is one that would mix token ids: what lies between two ids is another token.

    Args:
        graph: of the student.
        heads: names of the layers that give its logits.
        recipe: what is to be done.

    Raises:
        LayerError: for the first such stage.
    """
    for place, stage in enumerate(recipe.stages):
        flagged = flag_stage(graph, stage, heads)
        if stage.mixup:
            _refuse_mixed_ids(flagged, place)
        if stage.kind != "tune" or stage.unfreeze_last is not None or _trained(flagged, heads):
            continue
        able = _trained(unfreeze_all(graph), heads)
        first = stage.unfreeze_from or f"stage {place}"
        raise LayerError(
            f"From {stage.unfreeze_from!r} on {graph.name!r} has nothing to train but its head."
            if stage.unfreeze_from
            else f"Stage {place} has nothing of {graph.name!r} to train but its head.",
            [Problem(first, "a layer that can be trained, or one before such a layer", "neither")],
            next_step=f"begin at {able[-1]!r} or before: --unfreeze-from {able[-1]} (unfreeze_from={able[-1]!r})"
            if able
            else "leave it out: no layer of this network can be trained but the head",
        )


def _refuse_mixed_ids(flagged: Graph, place: int) -> None:
    """Refuse to mix examples in a stage that looks token ids up at each step; what is looked up once can be mixed."""
    looked_up = count_tokens(split(flagged, latest=True, stilled=True).suffix)
    if looked_up:
        raise LayerError(
            f"Stage {place} mixes examples before their token ids are looked up, and ids cannot be mixed.",
            [Problem(name, "numbers", "token ids") for name in looked_up],
            next_step="leave mixup out (mixup=0), or train what follows the frozen embedding alone",
        )


def _trained(graph: Graph, heads: Sequence[str]) -> list[str]:
    """Layers beside the heads that hold something that training changes, or may."""
    return [each.name for each in summarize(graph) if each.name not in heads and each.trainable != 0]
