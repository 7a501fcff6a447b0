"""The same network without what it knows, learnt on the same examples: whether pretraining paid."""

from __future__ import annotations

from collections.abc import Sequence

from transfer.recipes import Recipe, Stage
from transfer.training.fresh import start_anew
from transfer.training.learner import Learner
from transfer.training.named_recipes import named_recipe

UNTRAINED, SCRATCH = "probe on random weights", "trained from scratch"


def make_rivals(learner: Learner, examples: int, wanted: Sequence[str] = (UNTRAINED, SCRATCH)) -> dict[str, Learner]:
    """Learners of the same network with random weights, by what they are called.

    Args:
        learner: whose network, heads and store they share; it has not begun.
        examples: about so many to learn from, for the steps from scratch.
        wanted: names of those that are made.
    """
    seed, own = learner.recipe.seed, learner.custom_objects

    def rival(recipe: Recipe) -> Learner:
        network = start_anew(learner.network, seed, own)
        return Learner(
            network,
            recipe,
            learner.heads,
            own,
            store=learner.store,
            progress=learner.progress,
            devices=learner.devices,
            fitter=learner.fitter,
        )

    recipes = {
        UNTRAINED: Recipe((Stage("probe"),), seed=seed),
        SCRATCH: named_recipe("scratch", examples=examples, seed=seed),
    }
    return {name: rival(recipes[name]) for name in wanted}
