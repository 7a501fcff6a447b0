"""Writing a checkpoint anew in another layout, tensor by tensor and bit by bit. No Keras."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from transfer.graphs.graph import Graph
from transfer.graphs.unparsing import unparse_graph
from transfer.placing import placed_file
from transfer.specs import Era, Json, Restoring
from transfer.surgery.fitting import fit_tensors, settle_graph
from transfer.surgery.targets import FORMS, Weights, form_of, write_form
from transfer.weights.cards import Card
from transfer.weights.checkpoint import Checkpoint
from transfer.weights.finiteness import refuse_nonfinite
from transfer.weights.formats import Tensors, open_tensors

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written.

    Attributes:
        source: the file that was read.
        target: the file that was written.
        was: the layout that was read.
        layout: the one that was written.
        tensors: how many.
        size_bytes: of their values.
        nonfinite: names of tensors that hold NaN or infinities, as they did.
        notes: what else there is to know: values that were turned into Keras 3's form, arrays left out.
    """

    source: str
    target: str
    was: str
    layout: str
    tensors: int
    size_bytes: int
    nonfinite: tuple[str, ...]
    notes: tuple[str, ...]

    def to_json(self) -> Json:
        """As plain values."""
        return {"schema": SCHEMA, **asdict(self)}

    def __str__(self) -> str:
        read = f"{self.tensors} tensors, {self.size_bytes:,} bytes, read back bit by bit"
        lines = [f"{self.target}: {self.layout} ({read})", *(f"  {note}" for note in self.notes)]
        if self.nonfinite:
            lines.append(f"  not finite, as in the source: {', '.join(self.nonfinite)}")
        return "\n".join(lines)


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    into: Graph | None = None,
    era: Era = "refuse",
    backend: str | None = None,
    weights_only: bool = False,
    force: bool = False,
    allow_nonfinite: bool = False,
) -> Converted:
    """Write a checkpoint in the layout that the target's name asks for, and hold what is read back against the source.

    `NAME.weights.h5` is Keras 3's weights, `NAME.keras` its archive, `NAME.h5` and `NAME.hdf5` a whole model in the
    legacy layout, or its weights where the architecture is not known, and `NAME.safetensors`. The card travels along.

    Args:
        source: whatever `open_checkpoint` opens, or a safetensors file.
        target: where to.
        into: the architecture, where the file holds none or another one is meant.
        era: what to do where the writer's defaults would change results without changing shapes (see `restore`).
        backend: that the file was written on, `theano` or `tensorflow`, where the file does not say it.
        weights_only: leave the architecture out of a legacy file; the card keeps it.
        force: whether an existing file may be replaced.
        allow_nonfinite: whether a finite one may be replaced by one with NaN or infinities in it.

    Raises:
        CheckpointError: if the source is damaged, or holds too little for the target.
        MatchError: if its tensors do not fit the architecture, or it leaves open what they are.
        LayerError: if its architecture is not known in Keras 3, or not where its tensors go.
        OutputError: if the target exists, cannot be written, or would replace a finite file by one that is not.
    """
    Restoring(era=era, backend=backend)  # a slip of the caller's shows before anything is read
    path = Path(target)
    form = form_of(path)
    with placed_file(path, force=force) as temporary:
        opened = open_tensors(source)
        if backend and isinstance(opened, Checkpoint):
            opened = opened.written_on(backend)
        graph, notes = settle_graph(opened, into, era, is_needed=form != "safetensors")
        if form == "whole" and (weights_only or graph is None):
            form = "legacy"
        names, specs = fit_tensors(opened, graph)
        weights = Weights(graph, specs, _card(opened, graph, is_own=into is None), opened.writer, opened.path)
        pieces = ((names[name], each) for name, each in opened.pieces(names))
        seen = write_form(temporary, form, weights, pieces)
        nonfinite = tuple(each.name for each in seen if not each.is_finite)
        refuse_nonfinite(path, nonfinite, allow=allow_nonfinite)
    size = sum(spec.size_bytes for spec in specs.values())
    notes += _notes(opened)
    return Converted(str(opened.path), str(path), opened.dialect, FORMS[form], len(specs), size, nonfinite, notes)


def _card(opened: Tensors, graph: Graph | None, *, is_own: bool) -> Card:
    """The source's card, with what still holds of it."""
    card = opened.card or Card(name=graph.name if graph is not None else "")
    if graph is not None:
        card = replace(card, architecture=unparse_graph(graph))
    if not is_own:
        card = replace(card, fingerprint=None)
    return replace(card, history=(*card.history, f"converted from {_origin(opened)}"))


def _origin(opened: Tensors) -> str:
    return f"{opened.dialect} of Keras {opened.writer}" if opened.writer.keras else opened.dialect


def _notes(opened: Tensors) -> tuple[str, ...]:
    changes: dict[str, int] = {}
    for spec in opened.specs.values():
        if spec.converted:
            changes[spec.converted] = changes.get(spec.converted, 0) + 1
    notes = [f"{count} tensors {change}" for change, count in changes.items()]
    extras = opened.extras if isinstance(opened, Checkpoint) else ()
    if extras:
        notes.append(f"left out {len(extras)} arrays that are no weights: {', '.join(extras[:3])}")
    return tuple(notes)
