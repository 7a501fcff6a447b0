"""Which examples a run does not learn from at first, to choose by them between the probe and what is tuned from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from transfer.data.labelled_splits import split_labelled
from transfer.errors import DataError
from transfer.recipes import Recipe
from transfer.training.labels import Labels


def hold_out(labels: Labels, recipe: Recipe, groups: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Places of the examples that are held out, rising; none where there is nothing to choose, or a class of one.

    Args:
        labels: of the examples to learn from.
        recipe: says which share.
        groups: (n,) of these; examples of one stay together.
    """
    if len(recipe.stages) < 2 or not recipe.validation:
        return np.zeros(0, np.int64)
    share, seed = recipe.validation, recipe.seed
    try:
        return split_labelled(labels.labelling, labels.targets, seed=seed, groups=groups, test_share=share)[1]
    except DataError:  # a class of one example
        return np.zeros(0, np.int64)
