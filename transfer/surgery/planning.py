"""The plan of a restore into a stored architecture, worked out from files alone: no model is built."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from transfer.errors import CheckpointError, LayerError, Problem, nearest
from transfer.graphs.graph import Graph, Layer
from transfer.graphs.merging import without_lora
from transfer.graphs.parsing import parse_config
from transfer.graphs.variables import describe_graph
from transfer.results import Plan
from transfer.specs import Restoring
from transfer.surgery.settling import settle_other, settle_own
from transfer.weights.checkpoint import Checkpoint
from transfer.weights.judging import note_numbered
from transfer.weights.matching import match
from transfer.weights.opening import open_checkpoint
from transfer.weights.shipped import shipped_checkpoints

LARGEST_CONFIG = 64 << 20  # bytes of a JSON file


@dataclass(frozen=True, slots=True)
class Planned:
    """A restore as it would be.

    Attributes:
        checkpoint: as it is read: on the backend that was declared.
        plan: which tensor goes where.
        doubts: what the file leaves open, where that is to be refused.
        notes: what was settled on the way.
        graph: into which; None where a model stands for it.
    """

    checkpoint: Checkpoint
    plan: Plan
    doubts: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    graph: Graph | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """What a file leaves open about an architecture, as far as the caller settled it.

    Attributes:
        checkpoint: as it is read: on the backend that was declared.
        graph: with the writer's defaults, where these were asked for.
        is_changed: whether it differs from the one that was given.
        doubts: what remains open and is to be refused.
        notes: what was settled.
    """

    checkpoint: Checkpoint
    graph: Graph
    is_changed: bool = False
    doubts: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def settle(checkpoint: Checkpoint, graph: Graph | None, how: Restoring, inside: tuple[Layer, ...] = ()) -> Settled:
    """Hold an architecture against the era of a file's writer.

    Args:
        checkpoint: what is restored.
        graph: into which; None for the file's own.
        how: names the backend, and what to do about doubts.
        inside: layers that stand inside a class of its author's, where no config reaches them.

    Raises:
        CheckpointError: if no graph is given and the file holds none.
        LayerError: if the file's own architecture has no graph.
    """
    reading = checkpoint.written_on(how.backend) if how.backend else checkpoint
    if graph is None:
        settled = settle_own(own_graph(reading), reading, how.era)
    else:
        settled = settle_other(graph, reading, how.era, _stored_graph(reading), inside)
    notes = (*_contradicted(checkpoint.writer.backend, how.backend or "", reading.writer.backend), *settled.notes)
    return Settled(reading, settled.graph, settled.is_changed, settled.doubts, notes)


def _contradicted(named: str, declared: str, taken: str) -> tuple[str, ...]:
    """A note where the caller declares another backend than the file names, and one of them turns kernels round."""
    if not named or not declared or (named == "theano") == (declared == "theano"):
        return ()
    return (f"the file names the backend {named}, {declared} was declared: read as {taken} wrote it",)


def plan_into_graph(checkpoint: Checkpoint, graph: Graph | None, how: Restoring) -> Planned:
    """What `restore` would do with a graph.

    Args:
        checkpoint: what is restored.
        graph: into which; None for the file's own.
        how: rules, names to skip, and how to settle what the file leaves open.

    Raises:
        CheckpointError: if no graph is given and the file holds none.
        LayerError: if the variables of the graph are not known without building it.
        MatchError: if a rule or a name to skip fits nothing.
    """
    settled = settle(checkpoint, graph, how)
    plan = match(settled.checkpoint.specs, describe_graph(settled.graph), how.rules, how.skip)
    notes = (*settled.notes, *note_numbered(plan))
    return Planned(settled.checkpoint, plan, settled.doubts, notes, settled.graph)


def read_architecture(name: str) -> Graph | None:
    """The graph that a file or a shipped checkpoint holds; None where `name` is neither.

    Args:
        name: a JSON file with a config, a checkpoint with an architecture, or a name that `transfer checkpoints`
            lists.

    Raises:
        CheckpointError: if the file is damaged, or holds no architecture.
        LayerError: if the architecture has no graph.
    """
    path = Path(name)
    if not path.exists() and name not in shipped_checkpoints():
        if ":" not in name and (path.suffix or "/" in name):
            near = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
            raise LayerError(f"There is no file {name}.", next_step=f"nearest there: {nearest(path.name, near)}")
        return None
    if path.suffix == ".py":
        raise LayerError(
            f"{name} is code: which function in it builds the architecture?", next_step=f"write {name}:function"
        )
    config = _read_config(path) if path.is_file() else None
    return parse_config(config) if config is not None else own_graph(open_checkpoint(name))


def own_graph(checkpoint: Checkpoint) -> Graph:
    """The architecture that a file or its card holds.

    Raises:
        CheckpointError: if there is none.
        LayerError: if it has no graph.
    """
    card = checkpoint.card
    if card is not None and card.architecture:
        return parse_config(card.architecture)
    config = checkpoint.config
    if config is None:
        raise CheckpointError(
            f"{checkpoint.path} holds weights alone, no architecture.",
            next_step="name it with --into: module:function, app:VGG16, another file that holds it (into=create_model)",
        )
    return without_lora(parse_config(config, checkpoint.writer))


def _stored_graph(checkpoint: Checkpoint) -> Graph | None:
    try:
        return None if checkpoint.architecture is None else own_graph(checkpoint)
    except (LayerError, CheckpointError):
        return None


def _read_config(path: Path) -> dict[str, object] | None:
    """The config in a JSON file; None for a file that is something else."""
    with path.open("rb") as file:
        if not file.read(64).lstrip().startswith(b"{"):
            return None
        if path.stat().st_size > LARGEST_CONFIG:
            raise CheckpointError(
                f"{path} is too large to be a model's config.",
                [Problem(str(path), f"at most {LARGEST_CONFIG:,} bytes", f"{path.stat().st_size:,} bytes")],
            )
        file.seek(0)
        try:
            found = json.loads(file.read())
        except (ValueError, RecursionError) as error:
            raise CheckpointError(
                f"{path} is damaged.", [Problem(str(path), "JSON of a model", str(error)[:200])]
            ) from error
    return found if isinstance(found, dict) and "class_name" in found else None
