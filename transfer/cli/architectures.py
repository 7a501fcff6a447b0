"""Architectures as the command line names them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

    from transfer.graphs.graph import Graph


def read_graph(name: str) -> Graph:
    """The architecture that is meant: from a file alone, or from the model that a builder makes."""
    found = read_source(name)
    from transfer.graphs.graph import Graph

    if isinstance(found, Graph):
        return found
    from transfer.models.building import read_model

    return read_model(found).graph


def read_source(name: str) -> Graph | keras.Model:
    """The same, with a builder's model as it is: it knows what its own classes give."""
    from transfer.surgery.planning import read_architecture
    from transfer.weights.opening import open_checkpoint
    from transfer.weights.shipped import shipped_checkpoints

    if ":" not in name and not Path(name).exists() and name not in shipped_checkpoints():
        open_checkpoint(name)  # it says what is wrong with the name
    graph = read_architecture(name)
    if graph is not None:
        return graph
    from transfer.cli.quieting import import_tensorflow

    import_tensorflow()
    from transfer.models.architectures import build_named

    return build_named(name)


def read_classes(builder: str | None) -> dict[str, Any]:
    """The classes of the user's own in the model that a builder makes, by name; none without a builder."""
    if builder is None:
        return {}
    from transfer.models.architectures import build_named
    from transfer.models.building import classes_of

    return dict(classes_of(build_named(builder)))
