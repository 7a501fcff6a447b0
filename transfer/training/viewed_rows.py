"""Several changed copies of each example, its views, as one set that is trained on.

Of n examples, place `view * n + place` of the whole is one view of the example at `place`; what is known of an example,
its label above all, is that of `whole % n`:

    whole = join_views(rows)                                    # `Rows` of each view, in order
    places = places_of_views(train, len(whole) // views, views)
    fit(model, whole.subset(places), labels[places % len(labels)], spread_over_views(stage, views), …)

An epoch of the whole passes `views` times over the examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from transfer.recipes import Stage
from transfer.training.feature_rows import Rows


def join_views(views: Sequence[Rows]) -> Rows:
    """The features of all views of n examples as those of `len(views) * n` examples; nothing is read or copied.

    Args:
        views: features of the same examples, in the same order, in each.

    Raises:
        ValueError: if they are none, or not of the same shape.
    """
    shapes = {each.shape for each in views if len(each.held)} or {each.shape for each in views}
    if len({len(each) for each in views}) != 1 or len(shapes) != 1:
        raise ValueError(f"views are features of the same examples, at least one: {[each.shape for each in views]}")
    examples = len(views[0])
    starts = np.cumsum([0, *(len(each.held) for each in views)])
    parts = [np.where(each.part < 0, -1, each.part + start) for each, start in zip(views, starts, strict=False)]
    return Rows(
        tuple(held for each in views for held in each.held),
        np.concatenate(parts).astype(np.int32),
        np.concatenate([each.place for each in views]),
        shapes.pop()[1:],
        tuple((view * examples + place, bad) for view, each in enumerate(views) for place, bad in each.failures),
        tuple(each.store for each in views),
    )


def places_of_views(places: NDArray[np.integer], examples: int, views: int) -> NDArray[np.int64]:
    """(views * m,) places in the whole of all views of m examples, view by view.

    Args:
        places: (m,) of the examples.
        examples: n, of one view.
        views: how many there are.
    """
    starts = examples * np.arange(views)[:, None]
    return np.asarray(starts + np.asarray(places, np.int64), np.int64).reshape(-1)


def spread_over_views(stage: Stage, views: int) -> Stage:
    """The stage with as many passes over the examples as it asks for: epochs and patience divided, rounded up."""
    return replace(stage, epochs=ceil(stage.epochs / views), patience=ceil(stage.patience / views))
