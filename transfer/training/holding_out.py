"""Which examples a run does not learn from at first, to choose by them between the probe and what is tuned from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from transfer.data.splitting import split_stratified
from transfer.errors import DataError
from transfer.recipes import Recipe


def hold_out(labels: NDArray[np.int64], recipe: Recipe) -> NDArray[np.int64]:
    """Places of the examples that are held out, rising; none where there is nothing to choose, or a class of one.

    Args:
        labels: (n,) of the examples to learn from.
        recipe: says which share.
    """
    if len(recipe.stages) < 2 or not recipe.validation:
        return np.zeros(0, np.int64)
    try:
        return split_stratified(labels, seed=recipe.seed, test_share=recipe.validation)[1]
    except DataError:  # a class of one example
        return np.zeros(0, np.int64)
