"""Extraction from a live model: to a network, the surgery there, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import keras

from transfer.errors import KerasNeededError
from transfer.models.building import build_model, classes_of, read_model
from transfer.models.restoring import Restored
from transfer.models.shaping import known_shapes
from transfer.specs import BatchNormPolicy, Extraction, Head
from transfer.surgery.extracting import ExtractedNetwork, extract_network
from transfer.surgery.network import Network


def extract(
    source: keras.Model | Restored,
    *,
    drop_last: int = 0,
    at: str | Sequence[str] | None = None,
    flatten: bool = False,
    freeze: str | Iterable[str] = (),
    freeze_up_to: str | None = None,
    unfreeze_last: int | None = None,
    batch_norm: BatchNormPolicy = "frozen",
    heads: Head | Sequence[Head] = (),
    channels: int | None = None,
    size: tuple[int, int] | None = None,
    seed: int = 0,
) -> keras.Model:
    """A new model from the layers of another, with new heads; the source is not touched and shares no variable.

    Args:
        source: a functional or Sequential Keras model, or what `restore` gave. A card travels along.
        drop_last: number of last layers to drop; an activation goes with the layer it follows and is not counted.
        at: the last layer to keep instead, or several for features of several scales; `"backbone/pool"` for one inside
            a nested model, which is opened then; `"features"` for where a classifier's features end.
        flatten: whether all nested models are opened.
        freeze: `"backbone"` for everything kept, or names and patterns of layers.
        freeze_up_to: a layer that is fixed with everything that it depends on.
        unfreeze_last: number of last blocks that are trained, all before them being fixed.
        batch_norm: where something is frozen or unfrozen, `"frozen"` fixes every batch normalization, `"adapt"` those
            in frozen parts, `"train"` none.
        heads: what to attach; they give logits. Features with positions are pooled.
        channels: of the input, where it shall have others: the first kernels are summed or repeated.
        size: (h, w) of the input, where it shall have another and the layers allow it.
        seed: of the heads' initial values.

    Raises:
        LayerError: if a layer does not exist, a name is taken, or the cut is not possible.
    """
    how = Extraction(
        channels=channels,
        size=size,
        drop_last=drop_last,
        at=at or (),  # type: ignore[arg-type]  # one name will do
        flatten=flatten,
        freeze=freeze,  # type: ignore[arg-type]  # likewise
        freeze_up_to=freeze_up_to,
        unfreeze_last=unfreeze_last,
        batch_norm=batch_norm,
        heads=heads,  # type: ignore[arg-type]  # likewise
        seed=seed,
    )
    network = extract_from_model(source, how).network
    return build_model(network, classes_of(source.model if isinstance(source, Restored) else source))


def extract_from_model(source: keras.Model | Restored, how: Extraction) -> ExtractedNetwork:
    """As `extract`, with what is asked as one value; gives the network, not yet built."""
    model = source.model if isinstance(source, Restored) else source
    return extract_from_network(read_model(model), model, how)


def extract_from_network(network: Network, model: keras.Model, how: Extraction) -> ExtractedNetwork:
    """As `extract_from_model`, of a model that has been read."""
    try:
        return extract_network(network, how)
    except KerasNeededError:  # a class without a rule: the live model knows what it gives
        return extract_network(network, how, known_shapes(model))
