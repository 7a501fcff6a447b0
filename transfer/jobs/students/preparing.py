"""From a restored network and a set's labelling to a student: the old classifier off, new heads on."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from transfer.errors import LayerError, Problem
from transfer.graphs.attaching import free_name
from transfer.graphs.cutting import drop_last as drop_layers
from transfer.graphs.cutting import keep_needed
from transfer.graphs.feature_layers import feature_layer
from transfer.graphs.graph import Graph
from transfer.labellings import Labelling
from transfer.models.building import build_model, classes_of, read_model
from transfer.models.extracting import extract_from_network
from transfer.models.restoring import Restored
from transfer.recipes import Recipe, Stage
from transfer.specs import Extraction, Head
from transfer.surgery.extracting import FEATURES
from transfer.surgery.network import Network


@dataclass(frozen=True, slots=True)
class Student:
    """A network ready to learn.

    Attributes:
        network: frozen backbone and a new head for each output, that gives logits.
        custom_objects: classes of the caller's that it holds, by name.
        cut: the layer at which the backbone ends.
        dropped: names of the layers left out.
        heads: names of the heads, in the order of the outputs.
        source: path of the file that its weights come from; empty where that is not known.
    """

    network: Network
    custom_objects: dict[str, type]
    cut: str
    dropped: tuple[str, ...]
    heads: tuple[str, ...]
    source: str = ""

    @property
    def model(self) -> keras.Model:
        """A fresh Keras model of it."""
        return build_model(self.network, self.custom_objects)

    def describe(self, recipe: Recipe) -> str:
        """What was done to get it, and what a recipe trains of it, in a sentence."""
        dropped = f"dropped {', '.join(self.dropped)}; " if self.dropped else "nothing dropped; "
        froms = [_trained(stage) for stage in recipe.stages if stage.kind == "tune"]
        fate = f"is trained {', then '.join(froms)}" if froms else "is frozen"
        return f"{dropped}backbone ends at {self.cut!r} and {fate}"


def _trained(stage: Stage) -> str:
    """Which part of a backbone a stage trains."""
    if stage.unfreeze_from:
        return f"from {stage.unfreeze_from!r} on, frozen before that"
    if stage.unfreeze_last is not None:
        count = stage.unfreeze_last
        return (
            "not at all" if not count else f"in its last {f'{count} blocks' if count > 1 else 'block'}, frozen before"
        )
    if stage.fresh:
        return "as a whole, from random weights"
    return "as a whole" if "*" in stage.unfreeze else f"in {', '.join(stage.unfreeze)}, frozen elsewhere"


def prepare_student(
    restored: Restored, labelling: Labelling, *, at: str | None = None, drop_last: int = 0, seed: int = 0
) -> Student:
    """Take the backbone of a restored model and give it a head for each output of a labelling.

    Args:
        restored: left as it is.
        labelling: of the new task. The heads are called as its outputs, with a number behind where that is taken.
        at: the last layer to keep.
        drop_last: number of last layers to drop instead. With neither, the old classifier goes: everything after the
            last global pooling or `Flatten`, or the last `Dense`.
        seed: of the heads' initial kernels.

    Raises:
        LayerError: if a layer does not exist or the cut is not possible; of several outputs it names where they part.
    """
    source = restored.receipt.source
    return student_of_model(restored.model, labelling, at=at, drop_last=drop_last, seed=seed, source=source)


def student_of_model(
    model: keras.Model,
    labelling: Labelling,
    *,
    at: str | None = None,
    drop_last: int = 0,
    seed: int = 0,
    source: str = "",
) -> Student:
    """The same of a Keras model, which is left as it is, with the card that is attached to it and the path it is of."""
    network = read_model(model)
    graph = network.graph
    said = network.card.features if network.card is not None else ""
    cut = _cut(graph, at or (said if said in graph.names and not drop_last else None), drop_last)
    heads = tuple(Head(free_name(graph, each.name), len(each.classes), each.kind) for each in labelling)
    how = Extraction(drop_last=drop_last, at=() if drop_last else (cut,), freeze=("backbone",), heads=heads, seed=seed)
    found = extract_from_network(network, model, how)
    own, names = classes_of(model), tuple(head.name for head in heads)
    return Student(found.network, own, cut, found.dropped, names, source)


def _cut(graph: Graph, at: str | None, drop_last: int) -> str:
    """Name of the layer at which the backbone ends."""
    if at is not None and (at != FEATURES or FEATURES in graph.names):
        return at
    if len(graph.outputs) != 1:
        common = _last_common(graph)
        raise LayerError(
            f"{graph.name!r} has {len(graph.outputs)} outputs; a new head goes where they have not parted yet.",
            [Problem(ref.layer, found="an output") for ref in graph.outputs],
            next_step=f"cut there with --at {common} (at={common!r})" if common else "cut at a layer with --at (at=…)",
        )
    return drop_layers(graph, drop_last)[0].outputs[0].layer if drop_last else feature_layer(graph)


def _last_common(graph: Graph) -> str:
    """The last layer that all outputs need; empty where they share nothing but inputs."""
    needed = [set(keep_needed(graph, [ref], {}).names) for ref in graph.outputs]
    common = [layer.name for layer in graph if layer.calls and all(layer.name in names for names in needed)]
    return common[-1] if common else ""
