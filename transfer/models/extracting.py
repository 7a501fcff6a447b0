"""Extraction from a live model: to a network, the surgery there, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import keras

from transfer.models.building import build_model, read_model
from transfer.models.restoring import Restored
from transfer.specs import Head
from transfer.surgery.extracting import extract_network


def extract(
    source: keras.Model | Restored,
    *,
    drop_last: int = 0,
    at: str | None = None,
    freeze: str | Iterable[str] = (),
    heads: Sequence[Head] = (),
    seed: int = 0,
) -> keras.Model:
    """A new model from the layers of another, with new heads; the source is not touched and shares no variable.

    Args:
        source: a functional or Sequential Keras model, or what `restore` gave. A card travels along.
        drop_last: number of last layers to drop; an activation goes with the layer it follows and is not counted.
        at: the last layer to keep instead; `"features"` for where a classifier's features end.
        freeze: `"backbone"` for everything kept, or names and patterns of layers.
        heads: dense layers to attach; they give logits. Features with positions are pooled.
        seed: of the heads' initial kernels.

    Raises:
        LayerError: if a layer does not exist, a name is taken, or the cut is not possible.
    """
    model = source.model if isinstance(source, Restored) else source
    network = extract_network(read_model(model), drop=drop_last, at=at, frozen=freeze, heads=heads, seed=seed)
    return build_model(network)
