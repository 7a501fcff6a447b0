"""Whether a network ends in heads that can learn a labelled set, before any work is done."""

from __future__ import annotations

import keras

from transfer.data.joining import refuse_other_classes
from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, LayerError, Problem
from transfer.graphs.graph import Graph, Layer
from transfer.jobs.students.preparing import Student
from transfer.labellings import Labelling, Output
from transfer.models.building import read_model
from transfer.models.restoring import Restored
from transfer.surgery.network import Network


def check_heads(
    student: keras.Model | Student | Restored, data: LabelledSet, test: LabelledSet | None
) -> tuple[Network, tuple[str, ...]]:
    """A student as a network, and the names of the `Dense` of logits that it ends in, in the order of the outputs.

    Args:
        student: features of one axis go into its heads. A single one may have any name, several have those of the
            outputs.
        data: what it will learn.
        test: what it will be tested on; None where that comes from `data`.

    Raises:
        LayerError: if it does not end in such layers.
        DataError: if a set has other classes.
    """
    labelling = data.labelling
    if isinstance(student, Restored):
        raise LayerError(
            "A restored network has no head for these classes yet.",
            next_step="attach one: transfer.extract(restored, drop_last=1, freeze='backbone', "
            f"heads=[{_shown(labelling)}])",
        )
    network = student.network if isinstance(student, Student) else read_model(student)
    layers = _layers(network.graph, labelling, student.heads if isinstance(student, Student) else labelling.names)
    for layer, output in zip(layers, labelling, strict=True):
        _check_head(network.graph, layer)
        if not isinstance(student, Student):
            _check_features(student, layer)
        _check_classes(layer, output, data.source)
    if test is not None:
        refuse_other_classes(data, test)
    return network, tuple(layer.name for layer in layers)


def _layers(graph: Graph, labelling: Labelling, names: tuple[str, ...]) -> list[Layer]:
    """The layers that give the outputs, in the order of the labelling.

    Raises:
        LayerError: if there are more or fewer, or several of other names.
    """
    found = [ref.layer for ref in graph.outputs]
    if len(labelling) == len(found) == 1:
        return [graph.layer(found[0])]
    if sorted(found) != sorted(names):
        count = "1 output" if len(found) == 1 else f"{len(found)} outputs"
        wanted = "one head" if len(names) == 1 else f"a head for each of {', '.join(names)}"
        raise LayerError(
            f"{graph.name!r} has {count}; expected {wanted}.",
            [] if len(names) == 1 else [Problem("outputs", ", ".join(sorted(names)), ", ".join(sorted(found)))],
            next_step=f"attach {'one' if len(names) == 1 else 'them'} with transfer.extract(…, "
            f"heads=[{'…' if len(names) == 1 else _shown(labelling)}])",
        )
    return [graph.layer(name) for name in names]


def _shown(labelling: Labelling) -> str:
    """The heads of a labelling, as one types them."""
    kinds = [f", kind={each.kind!r}" if each.kind != "softmax" else "" for each in labelling]
    return ", ".join(
        f"transfer.Head({each.name!r}, classes={len(each.classes)}{kind})"
        for each, kind in zip(labelling, kinds, strict=True)
    )


def _check_head(graph: Graph, layer: Layer) -> None:
    activation = layer.config.get("activation", "linear")
    if layer.class_name != "Dense" or activation != "linear":
        found = f"{layer.class_name} {layer.name!r}" + (
            f" with activation {activation!r}" if layer.class_name == "Dense" else ""
        )
        raise LayerError(
            f"{graph.name!r} does not end in a head.",
            [Problem("last layer", "a Dense that gives logits", found)],
            next_step="attach one with transfer.extract(model, drop_last=1, heads=[transfer.Head('label', classes=…)])",
        )
    if not layer.config.get("use_bias", True):
        raise LayerError(f"The head {layer.name!r} has no bias; expected one.", next_step="make it with use_bias=True")


def _check_features(student: keras.Model, head: Layer) -> None:
    shape = student.get_layer(head.name).input.shape
    if len(shape) != 2:
        raise LayerError(
            f"{head.name!r} gets features of shape {tuple(shape)}; expected (n, d).",
            next_step="attach it with transfer.extract(…, heads=[…])",
        )


def _check_classes(head: Layer, output: Output, source: str) -> None:
    units = head.config["units"]
    if units != len(output.classes):
        found = f"{len(output.classes)}: {', '.join(output.classes[:8])}"
        raise DataError(
            f"The labels of {source} do not match the head {head.name!r}.",
            [Problem("classes", str(units), found)],
            next_step=f"attach a head with classes={len(output.classes)}",
        )
