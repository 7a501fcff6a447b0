"""From a restored network and a set's classes to a student: the old classifier off, a new head on."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from transfer.graphs.attaching import free_name
from transfer.graphs.cutting import drop_last as drop_layers
from transfer.graphs.feature_layers import feature_layer
from transfer.models.building import read_model
from transfer.models.extracting import extract
from transfer.models.restoring import Restored
from transfer.specs import Head
from transfer.surgery.extracting import FEATURES

HEAD = "label"


@dataclass(frozen=True, slots=True)
class Student:
    """A network ready to learn.

    Attributes:
        model: frozen backbone and one new head that gives logits.
        cut: the layer at which the backbone ends.
        dropped: names of the layers left out.
    """

    model: keras.Model
    cut: str
    dropped: tuple[str, ...]

    @property
    def note(self) -> str:
        """What was done, in a sentence."""
        dropped = f"dropped {', '.join(self.dropped)}; " if self.dropped else "nothing dropped; "
        return f"{dropped}backbone ends at {self.cut!r} and is frozen"


def prepare_student(
    restored: Restored, classes: int, *, at: str | None = None, drop_last: int = 0, seed: int = 0
) -> Student:
    """Take the backbone of a restored model and give it a head for `classes` classes.

    Args:
        restored: left as it is.
        classes: of the new task.
        at: the last layer to keep.
        drop_last: number of last layers to drop instead. With neither, the old classifier goes: everything after the
            last global pooling or `Flatten`, or the last `Dense`.
        seed: of the head's initial kernel.

    Raises:
        LayerError: if a layer does not exist or the cut is not possible.
    """
    graph = read_model(restored.model).graph
    shorter = drop_layers(graph, drop_last)[0] if drop_last else None
    cut = shorter.outputs[0].layer if shorter is not None else feature_layer(graph) if at in (None, FEATURES) else at
    head = Head(free_name(graph, HEAD), classes)
    model = extract(
        restored, drop_last=drop_last, at=None if drop_last else cut, freeze="backbone", heads=[head], seed=seed
    )
    kept = {layer.name for layer in model.layers}
    return Student(model, cut, tuple(name for name in graph.names if name not in kept))
