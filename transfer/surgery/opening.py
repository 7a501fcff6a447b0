"""A file as a network: its architecture, and its tensors in their places there, read when asked for. No Keras."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from transfer.errors import KerasNeededError
from transfer.graphs.graph import Graph
from transfer.graphs.variables import describe_graph
from transfer.results import Pair, Plan, Receipt
from transfer.specs import Restoring
from transfer.surgery.initializing import draw_lazily
from transfer.surgery.network import Chosen, Network, Pieces
from transfer.surgery.planning import plan_into_graph
from transfer.weights.checkpoint import Checkpoint
from transfer.weights.judging import check_plan, unsettled
from transfer.weights.lazy_tensors import LazyTensors
from transfer.weights.scaling import dequantize

UNPROVEN = "not checked: no network was built"


@dataclass(frozen=True, slots=True)
class OpenedNetwork:
    """What a file holds, brought into its architecture.

    Attributes:
        network: graph, tensors, card.
        receipt: which tensor goes where.
    """

    network: Network
    receipt: Receipt


def open_network(checkpoint: Checkpoint, graph: Graph | None, how: Restoring, *, seed: int = 0) -> OpenedNetwork:
    """Bring the tensors of a file into an architecture, without reading one.

    Args:
        checkpoint: the file.
        graph: into which; None for the file's own.
        how: rules, names to skip, and how to settle what the file leaves open.
        seed: of the initial values of what is skipped or missing.

    Raises:
        MatchError: if the file does not fit, or leaves open what it computes.
        CheckpointError: if no graph is given and the file holds none.
        KerasNeededError: if recorded outputs are to be checked, or only Keras can tell what a layer holds.
    """
    if how.check is not None:
        raise KerasNeededError("Recorded outputs can be checked on a Keras model alone.")
    planned = plan_into_graph(checkpoint, graph, how)
    reading, plan = planned.checkpoint, planned.plan
    if planned.graph is None:
        raise ValueError("a plan into a graph names it")
    if planned.doubts:
        raise unsettled(checkpoint.path, planned.doubts, reading.writer, is_settled=how.era == "apply")
    check_plan(plan, checkpoint.path, stored=len(reading), min_coverage=how.min_coverage, is_own=graph is None)
    stored = Stored(reading, plan)
    network = Network(planned.graph, _completed(planned.graph, stored, plan, seed), reading.card)
    return OpenedNetwork(network, Receipt(str(checkpoint.path), reading.dialect, plan, UNPROVEN, planned.notes))


def _completed(graph: Graph, stored: Stored, plan: Plan, seed: int) -> Mapping[str, NDArray[Any]]:
    """The file's tensors, and initial values where it has none or they are not wanted."""
    lacking = (*plan.skipped, *plan.missing)
    if not lacking:
        return stored
    described = describe_graph(graph)
    drawn = draw_lazily(graph, (described[name].owner for name in lacking), seed)
    return Chosen(stored, {name: name for name in stored}, Chosen(drawn, {name: name for name in lacking}))


class Stored(LazyTensors):
    """The tensors of a checkpoint under the names that an architecture has for them."""

    def __init__(self, checkpoint: Checkpoint, plan: Plan) -> None:
        self._checkpoint = checkpoint
        self._pairs: dict[str, Pair] = {pair.wanted: pair for pair in plan.pairs}

    def __getitem__(self, name: str) -> NDArray[Any]:
        return dict(self._read([self._pairs[name]]))[name]

    def _listed(self) -> Collection[str]:
        return self._pairs

    def dtype_of(self, name: str) -> str:
        """The type that the file has; a quantized tensor that is wanted in floats is float32."""
        pair = self._pairs[name]
        return "float32" if pair.scale else self._checkpoint.dtype_of(pair.stored)

    def pieces(self, names: Iterable[str]) -> Pieces:
        """Tensors one by one: where they lie in the file just as they are, else as arrays."""
        wanted = [self._pairs[name] for name in names]
        plain = {pair.stored: pair.wanted for pair in wanted if not pair.scale}
        yield from ((plain[stored], piece) for stored, piece in self._checkpoint.pieces(plain))
        yield from self._read([pair for pair in wanted if pair.scale])

    def _read(self, pairs: list[Pair]) -> Iterator[tuple[str, NDArray[Any]]]:
        for pair in pairs:
            found = self._checkpoint.read([pair.stored, *([pair.scale] if pair.scale else [])])
            values = found[pair.stored]
            yield pair.wanted, dequantize(values, found[pair.scale]) if pair.scale else values
