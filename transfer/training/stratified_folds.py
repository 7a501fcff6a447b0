"""Examples dealt into folds so that each has the same share of every class.

Importing scikit-learn's folds takes a quarter of a second, of a run of ten.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def stratified_folds(labels: NDArray[Any], count: int, seed: int) -> NDArray[np.int64]:
    """The fold of each example, (n,), from 0 to count - 1; the same that scikit-learn's `StratifiedKFold` gives.

    All examples in the order of their classes are dealt to the folds in turn, which settles how many of each class a
    fold gets; which of them they are is drawn.

    Args:
        labels: (n,), of any type. Classes count in the order in which they appear.
        count: of folds, at least 1.
        seed: of the choice.
    """
    _, first, found = np.unique(labels, return_index=True, return_inverse=True)
    classes = np.argsort(np.argsort(first))[found]
    in_order = np.sort(classes)
    shares = np.stack([np.bincount(in_order[fold::count], minlength=len(first)) for fold in range(count)])
    random = np.random.RandomState(seed)
    folds = np.empty(len(labels), np.int64)
    for place in range(len(first)):
        dealt = np.repeat(np.arange(count), shares[:, place])
        random.shuffle(dealt)
        folds[classes == place] = dealt
    return folds
