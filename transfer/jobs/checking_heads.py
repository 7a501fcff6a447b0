"""Whether a network ends in a head that can learn a labelled set, before any work is done."""

from __future__ import annotations

import keras

from transfer.data.joining import refuse_other_classes
from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, LayerError, Problem
from transfer.graphs.graph import Graph, Layer
from transfer.jobs.preparing import Student
from transfer.models.building import read_model
from transfer.models.restoring import Restored
from transfer.surgery.network import Network


def check_head(
    student: keras.Model | Student | Restored, data: LabelledSet, test: LabelledSet | None
) -> tuple[Network, Layer]:
    """A student as a network, and the `Dense` of logits that it ends in.

    Args:
        student: features of one axis go into its head.
        data: what it will learn.
        test: what it will be tested on; None where that comes from `data`.

    Raises:
        LayerError: if it does not end in such a layer.
        DataError: if a set has other classes.
    """
    if isinstance(student, Restored):
        raise LayerError(
            "A restored network has no head for these classes yet.",
            next_step="attach one: transfer.extract(restored, drop_last=1, freeze='backbone', "
            f"heads=[transfer.Head('label', classes={len(data.classes)})])",
        )
    network = student.network if isinstance(student, Student) else read_model(student)
    head = _head(network.graph)
    if not isinstance(student, Student):
        _check_features(student, head)
    _check_classes(head, data)
    if test is not None:
        refuse_other_classes(data, test)
    return network, head


def _head(graph: Graph) -> Layer:
    if len(graph.outputs) != 1:
        raise LayerError(
            f"{graph.name!r} has {len(graph.outputs)} outputs; expected one head.",
            next_step="attach one with transfer.extract(…, heads=[…])",
        )
    layer = graph.layer(graph.outputs[0].layer)
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
    return layer


def _check_features(student: keras.Model, head: Layer) -> None:
    shape = student.get_layer(head.name).input.shape
    if len(shape) != 2:
        raise LayerError(
            f"{head.name!r} gets features of shape {tuple(shape)}; expected (n, d).",
            next_step="attach it with transfer.extract(…, heads=[…])",
        )


def _check_classes(head: Layer, data: LabelledSet) -> None:
    units = head.config["units"]
    if units != len(data.classes):
        found = f"{len(data.classes)}: {', '.join(data.classes[:8])}"
        raise DataError(
            f"The labels of {data.source} do not match the head {head.name!r}.",
            [Problem("classes", str(units), found)],
            next_step=f"attach a head with classes={len(data.classes)}",
        )
