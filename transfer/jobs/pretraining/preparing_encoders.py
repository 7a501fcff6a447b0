"""The network that is to be pretrained: whatever it comes from, up to where its features end."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import keras

from transfer.errors import DataError, LayerError, Problem
from transfer.graphs.cutting import cut
from transfer.graphs.feature_layers import encoder_layer
from transfer.models.architectures import build_named
from transfer.models.building import classes_of, read_model
from transfer.models.naming import names_from_the_start
from transfer.models.restoring import Into, Restored, restore_file
from transfer.specs import Restoring
from transfer.surgery.network import Network, Selection
from transfer.training.fresh import start_anew
from transfer.weights.checkpoint import Checkpoint
from transfer.weights.opening import open_checkpoint

RANDOM = "random:"

Architecture: TypeAlias = "keras.Model | Restored | Checkpoint | Callable[[], keras.Model] | str | os.PathLike[str]"


@dataclass(frozen=True, slots=True)
class PreparedEncoder:
    """An encoder before it is trained.

    Attributes:
        network: from its input to its features.
        custom_objects: classes of the caller's that it holds, by name.
        dropped: names of the layers behind its features.
        note: what it starts from, in a sentence.
    """

    network: Network
    custom_objects: dict[str, type]
    dropped: tuple[str, ...]
    note: str


def prepare_encoder(
    architecture: Architecture,
    *,
    into: Into = None,
    restoring: Restoring | None = None,
    at: str | None = None,
    size: tuple[int, int] | None = None,
    seed: int = 0,
) -> PreparedEncoder:
    """Take an architecture up to where its features end.

    Args:
        architecture: a builder, `module:function` or `app:NAME` start from random weights; a file, the name of a
            shipped one, what `restore` gave and a model start from the weights they have, a text `random:FILE` from
            random ones.
        into: the architecture of a file that holds none.
        restoring: how the file is brought into it.
        at: the last layer to keep; by default all but a classifier.
        size: (h, w) of images, at which `app:NAME` is built.
        seed: of random weights.

    Raises:
        TransferError: of the kind that fits: the file, the architecture, the layer.
    """
    model, name, is_fresh = _opened(architecture, into, restoring or Restoring(), size)
    own: dict[str, Any] = classes_of(model)
    whole = read_model(model)
    if len(whole.graph.inputs) != 1:
        raise LayerError(
            f"{whole.graph.name!r} has {len(whole.graph.inputs)} inputs; pretraining takes networks of one.",
            [Problem(ref.layer, found="an input") for ref in whole.graph.inputs],
        )
    end = at or encoder_layer(whole.graph)
    graph = cut(whole.graph, end)
    kept = frozenset(graph.names)
    dropped = tuple(each for each in whole.graph.names if each not in kept)
    network = replace(whole, graph=graph, tensors=Selection(whole.tensors, kept))
    if is_fresh:
        network = start_anew(network, seed, own)
    begins = "random weights" if is_fresh else "the weights it has"
    gone = f", {', '.join(dropped)} dropped" if dropped else ""
    return PreparedEncoder(network, own, dropped, f"{name} starts from {begins} and ends at {end!r}{gone}")


def _opened(
    architecture: Architecture, into: Into, how: Restoring, size: tuple[int, int] | None
) -> tuple[keras.Model, str, bool]:
    """A model, what it is called, and whether its weights mean nothing."""
    if isinstance(architecture, keras.Model):
        return architecture, architecture.name, False
    if isinstance(architecture, Restored):
        return architecture.model, architecture.model.name, False
    if isinstance(architecture, Checkpoint):
        return restore_file(architecture, into, how).model, str(architecture.path), False
    if isinstance(architecture, str | os.PathLike):
        return _named(os.fspath(architecture), into, how, size)
    with names_from_the_start():
        model = architecture() if callable(architecture) else architecture
    if not isinstance(model, keras.Model):
        raise DataError(
            "There is no architecture to pretrain.",
            [Problem("architecture", "a builder, a Keras model, a file or a name", type(model).__name__)],
        )
    return model, getattr(architecture, "__name__", model.name), True


def _named(text: str, into: Into, how: Restoring, size: tuple[int, int] | None) -> tuple[keras.Model, str, bool]:
    name = text.removeprefix(RANDOM)
    is_builder = ":" in name and not Path(name).exists()
    if is_builder:
        with names_from_the_start():
            return build_named(name, size), name, True
    return restore_file(open_checkpoint(name), into, how).model, name, name != text
