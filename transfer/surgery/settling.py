"""What a file leaves open about an architecture: held against its writer's era, and settled as the caller asks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from transfer.errors import Problem
from transfer.graphs.eras import apply_era, find_doubts
from transfer.graphs.graph import Graph, Layer
from transfer.graphs.padding import find_backend_doubts
from transfer.specs import Era, Writer
from transfer.weights.dialects.cudnn import CONVERTED
from transfer.weights.formats import Tensors


@dataclass(frozen=True, slots=True)
class SettledEra:
    """An architecture as it is to be taken.

    Attributes:
        graph: with the writer's defaults, where these were asked for.
        is_changed: whether it differs from the one that was given.
        doubts: what remains open and is to be refused.
        notes: what was settled.
    """

    graph: Graph
    is_changed: bool = False
    doubts: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def settle_own(graph: Graph, opened: Tensors, era: Era) -> SettledEra:
    """The file's own architecture: its config says everything but what the backend computed otherwise."""
    doubts = (*opened.doubts, *find_backend_doubts(graph, opened.writer))
    return SettledEra(graph, notes=_ignored(doubts)) if era == "ignore" else SettledEra(graph, doubts=doubts)


def settle_other(
    graph: Graph, opened: Tensors, era: Era, stored: Graph | None, inside: tuple[Layer, ...] = ()
) -> SettledEra:
    """An architecture of today for the tensors of a file.

    Args:
        graph: into which they go.
        opened: the file, read on the backend that was declared.
        era: what to do about doubts.
        stored: the file's own architecture, where it has one that can be read: then it decides.
        inside: layers that stand inside a class of its author's, where no config reaches them.
    """
    writer = _recurrent_writer(opened)
    shapes = {name: spec.shape for name, spec in opened.specs.items()}
    differing = find_doubts(replace(graph, layers=(*graph.layers, *inside)), writer, shapes, stored)
    if era == "ignore":
        return SettledEra(graph, notes=_ignored((*opened.doubts, *differing)))
    if not differing or era == "refuse":
        return SettledEra(graph, doubts=(*opened.doubts, *differing))
    changed = apply_era(graph, writer, shapes, stored)
    # What no rebuild settles, and what no config reaches.
    remaining = {
        *(find_backend_doubts(changed, writer) if stored is None else find_doubts(changed, writer, shapes, stored)),
        *find_doubts(replace(graph, layers=inside), writer, shapes),
    }
    notes = tuple(f"{e.where}: {e.expected}, as when it was written" for e in differing if e not in remaining)
    left = tuple(each for each in differing if each in remaining)
    return SettledEra(changed, bool(notes), (*opened.doubts, *left), notes)


def _ignored(doubts: tuple[Problem, ...]) -> tuple[str, ...]:
    return tuple(f"{each.where}: left open, as asked: expected {each.expected}; found {each.found}" for each in doubts)


def _recurrent_writer(opened: Tensors) -> Writer:
    """Who wrote it, as far as recurrent layers go: those of cuDNN always computed what they compute today."""
    recurrent = [spec for spec in opened.specs.values() if spec.role == "recurrent_kernel"]
    if recurrent and all(spec.converted == CONVERTED for spec in recurrent):
        return Writer("2.4.0", opened.writer.backend)
    return opened.writer
