"""Signs that pretraining teaches nothing, by what its measures and the encoder's features have come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.analysis.effective_rank import Scatter
from transfer.training.history import Epoch
from transfer.training.pretraining import gan, variational
from transfer.training.pretraining.objectives import Objective

LOOKED_AT = 1000  # rows, for the features
_NEAR = 0.95  # of the loss of who ignores what he is given
_FEW, _LESS = 3.0, 0.1  # directions; and share of those before
_ALWAYS = 0.99  # of a discriminator's answers
_SILENT = 1.0  # nats of a code, of an example


def features_of(objective: Objective, rows: NDArray[Any], size: int = 128) -> NDArray[np.float32]:
    """(m, d) what the encoder gives for some raw rows, positions averaged, as when it is used."""
    starts = range(0, len(rows), size)
    several = [objective.encoder.pooled(np.asarray(rows[s : s + size], np.float32), training=False) for s in starts]
    return np.concatenate([np.asarray(each, np.float32) for each in several])


def find_signs(
    objective: Objective, epoch: Epoch, before: NDArray[np.floating[Any]], after: NDArray[np.floating[Any]]
) -> tuple[str, ...]:
    """What looks wrong, in a sentence each.

    Args:
        objective: that was followed.
        epoch: the last one.
        before: (m, d), features of some rows before anything was learnt.
        after: of the same rows now.
    """
    means = {name: each["value"] for name, each in epoch.outputs.items()}
    return (*_ignored(objective, means), *_collapsed(before, after), *_silent(means), *_won(means))


def _ignored(objective: Objective, means: Mapping[str, float]) -> Iterator[str]:
    for name, worst in objective.worst.items():
        if means.get(name, 0.0) >= _NEAR * worst:
            yield (
                f"{name} {means[name]:.3g} is about that of answers that ignore the input ({worst:.3g}): so far "
                "nothing but the mean is learnt; give more epochs or another rate"
            )


def _collapsed(before: NDArray[np.floating[Any]], after: NDArray[np.floating[Any]]) -> Iterator[str]:
    first, last = (Scatter.empty(each.shape[1]).update(each).effective_rank for each in (before, after))
    if last < _FEW or last < _LESS * first:
        yield (
            f"features vary in {last:.1f} directions of {after.shape[1]} (effective rank; {first:.1f} before): the "
            "representation has collapsed"
        )


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
