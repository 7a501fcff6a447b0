"""Writing a network into a file: its architecture, its tensors, its card. No Keras."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from transfer.errors import LayerError, Problem
from transfer.graphs.unparsing import unparse_graph
from transfer.graphs.variables import describe_graph
from transfer.placing import placed_file
from transfer.specs import Writer
from transfer.surgery.network import Network, dtype_of, pieces_of
from transfer.surgery.targets import Weights, form_of, keras_version, write_form
from transfer.weights.cards import Card
from transfer.weights.finiteness import refuse_nonfinite
from transfer.weights.writing import Seen


def write_network(
    network: Network, path: Path, *, force: bool = False, allow_nonfinite: bool = False
) -> tuple[Seen, ...]:
    """Write a network in the layout that the name asks for, and hold what is read back against what was written.

    Tensors that lie in a file just as they are needed are copied from there, and never in memory as a whole.

    Args:
        network: every variable of its graph has a tensor.
        path: `NAME.keras`, `NAME.h5` (a whole model in the legacy layout), `NAME.weights.h5` or `NAME.safetensors`.
        force: whether an existing file may be replaced.
        allow_nonfinite: whether a finite one may be replaced by one with NaN or infinities in it.

    Returns:
        What was seen of each tensor.

    Raises:
        LayerError: if a tensor is missing, does not fit its place, or has a name that a file cannot hold.
        KerasNeededError: if only Keras can tell what a layer holds.
        OutputError: if the file exists, cannot be written, or is not what was written when it is read back.
    """
    form = form_of(path)
    wanted = describe_graph(network.graph)
    lost = [name for name in wanted if name not in network.tensors]
    if lost:
        raise LayerError(
            f"{network.graph.name!r} has variables without values.",
            [Problem(name, "a tensor", "none") for name in lost],
        )
    specs = {name: replace(spec, dtype=dtype_of(network.tensors, name)) for name, spec in wanted.items()}
    card = network.card or Card(name=network.graph.name)
    card = replace(card, architecture=unparse_graph(network.graph))
    weights = Weights(network.graph, specs, card, Writer(keras_version(), "tensorflow"), path)
    with placed_file(path, force=force) as temporary:
        seen = write_form(temporary, form, weights, pieces_of(network.tensors, specs))
        refuse_nonfinite(path, [each.name for each in seen if not each.is_finite], allow=allow_nonfinite)
    return seen
