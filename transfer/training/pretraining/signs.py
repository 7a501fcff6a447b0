"""Signs that pretraining teaches nothing, by what its measures and the encoder's features have come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.analysis.effective_rank import Scatter
from transfer.training.batching import Readable, read_rows
from transfer.training.history import Epoch
from transfer.training.pretraining import gan, variational
from transfer.training.pretraining.objectives import Objective
from transfer.training.pretraining.reconstruction import ERROR

LOOKED_AT = 1000  # rows, for the features
_NEAR = 0.95  # of the loss of who ignores what he is given
_FEW, _LESS = 3.0, 0.1  # directions; and share of those before
_KEPT = 0.9  # of the directions before: what has no fewer has not collapsed
_ALWAYS = 0.99  # of a discriminator's answers
_SILENT = 1.0  # nats of a code, of an example


def features_of(objective: Objective, rows: Readable, size: int = 128) -> NDArray[np.float32]:
    """(m, d) what the encoder gives for some of the rows, positions averaged, as when it is used.

    Args:
        objective: with the encoder.
        rows: raw; those looked at lie evenly among all.
        size: of them in memory at a time.
    """
    places = evenly(LOOKED_AT, len(rows))
    several = [
        objective.encoder.pooled(read_rows(rows, places[start : start + size]), training=False)
        for start in range(0, len(places), size)
    ]
    return np.concatenate([np.asarray(each, np.float32) for each in several])


def evenly(count: int, size: int) -> NDArray[np.intp]:
    """So many of a number of places, or all, as far from each other as can be."""
    return np.unique(np.linspace(0, size - 1, min(count, size)).round().astype(np.intp))


def find_signs(
    objective: Objective,
    epoch: Epoch,
    before: NDArray[np.floating[Any]],
    after: NDArray[np.floating[Any]],
    *,
    batch_size: int,
) -> tuple[str, ...]:
    """What looks wrong, in a sentence each.

    Args:
        objective: that was followed.
        epoch: the last one.
        before: (m, d), features of some rows before anything was learnt.
        after: of the same rows now.
        batch_size: examples of a step.
    """
    means = {name: each["value"] for name, each in epoch.outputs.items()}
    if not objective.encoder.scale.worst:
        return ("all examples that were looked at are the same: there is nothing to learn from them",)
    worst = {**objective.worst, **objective.worst_of_batch(batch_size)}
    return (*_ignored(worst, means), *_collapsed(before, after), *_silent(means), *_won(means))


def _ignored(worst: Mapping[str, float], means: Mapping[str, float]) -> Iterator[str]:
    for name, most in worst.items():
        if means.get(name, 0.0) >= _NEAR * most:
            yield (
                f"{name} {means[name]:.3g} is {'no' if means[name] >= most else 'hardly'} better than that of answers "
                f"that ignore the input ({most:.3g}): so far "
                f"{'nothing but the mean' if name == ERROR else 'nothing'} is learnt; give more epochs or another rate"
            )


def _collapsed(before: NDArray[np.floating[Any]], after: NDArray[np.floating[Any]]) -> Iterator[str]:
    first, last = (Scatter.empty(each.shape[1]).update(each).effective_rank for each in (before, after))
    most = min(after.shape[1], len(after) - 1)  # directions that so many examples can vary in
    if not last:
        yield "features are the same for all examples: no unit of the encoder's end answers to what it is given"
    elif last < min(_FEW, most / 2) or last < _LESS * first:
        told = "the representation has collapsed" if last < _KEPT * first else "they are as poor as they were"
        yield f"features vary in {last:.1f} directions of {after.shape[1]} (effective rank; {first:.1f} before): {told}"


def _silent(means: Mapping[str, float]) -> Iterator[str]:
    nats = means.get(variational.DIVERGENCE)
    if nats is not None and nats < _SILENT:
        yield f"the code says {nats:.2g} nats of an example: the posterior has collapsed; give a smaller beta"


def _won(means: Mapping[str, float]) -> Iterator[str]:
    right = means.get(f"{gan.DISCRIMINATOR}/{gan.ACCURACY}")
    if right is not None and right >= _ALWAYS:
        yield (
            f"the discriminator is right {100 * right:.1f} % of the time: the generator teaches it nothing any more; "
            "give the discriminator a smaller rate"
        )
