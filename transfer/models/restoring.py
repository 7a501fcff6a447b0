"""Bringing stored weights into the original architecture: planned first, then all or nothing, then proved."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import keras
import numpy as np

from transfer.errors import LayerError, MatchError, Problem
from transfer.graphs.graph import Graph, Layer
from transfer.models.architectures import build_named
from transfer.models.building import attach_card, build_graph, read_model
from transfer.models.checking import Recorded, compare_outputs, read_recorded
from transfer.models.filling import fill
from transfer.models.fingerprints import compare_fingerprint, record_fingerprint
from transfer.models.variables import describe_variables
from transfer.results import Plan, Receipt
from transfer.specs import Era, Restoring, Writer
from transfer.surgery.planning import settle
from transfer.weights.cards import Card, Fingerprint
from transfer.weights.checkpoint import Checkpoint
from transfer.weights.judging import check_plan, note_numbered, unsettled
from transfer.weights.matching import match
from transfer.weights.opening import begin_opening, open_checkpoint

Into: TypeAlias = Callable[[], Any] | Any | Graph | str | None  # a builder, a Keras model, a graph, a name
SPARE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Restored:
    """A model with the weights of a file.

    Attributes:
        model: the Keras model.
        receipt: which tensor went where.
        card: the file's card; None where it has none.
    """

    model: keras.Model
    receipt: Receipt
    card: Card | None


def restore(
    checkpoint: Checkpoint | str | os.PathLike[str],
    into: Into = None,
    *,
    rules: Sequence[str] = (),
    skip: Iterable[str] = (),
    era: Era = "refuse",
    backend: str | None = None,
    min_coverage: float = 1.0,
    check: str | os.PathLike[str] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Restored:
    """Restore the weights of a file into the architecture that they were trained in.

    Everything is planned before anything is written: if one tensor does not fit, the model keeps all its bits. Where
    the file's card holds recorded outputs, the restored model must reproduce them.

    Args:
        checkpoint: an opened checkpoint, or its path or name.
        into: a builder (called without arguments), a live model (restored in place), a graph, or the name of an
            architecture; None where the file or its card holds it.
        rules: `old=new` regular expressions for names (see `match`).
        skip: names and patterns of the model to leave at their initial values.
        era: what to do where the writer's defaults would change results without changing shapes (a recurrent layer
            built today for a file of the `hard_sigmoid` era): `refuse` names the doubts and stops, `apply` rebuilds
            the architecture with that writer's defaults (a new model, also for a live one), `ignore` goes on.
        backend: that the file was written on, `theano` or `tensorflow`, where the file does not say it.
        min_coverage: share of the model's parameters that must be filled, in [0, 1].
        check: an `.npz` with inputs `x0`, `x1`, … and the outputs `y0`, … that the original gave. The restored model
            must reproduce them; of several readings that the file leaves open, the one that does is taken.
        custom_objects: classes that a stored architecture may ask for, by name.

    Raises:
        MatchError: if the file does not fit, leaves open what changes its results, or the outputs are not the recorded
            ones. Nothing has been written then.
        CheckpointError: if the file is damaged, or holds no architecture and none is given.
        LayerError: if the architecture cannot be built.
        DataError: if the recorded outputs cannot be read.
    """
    named, left = (tuple([each] if isinstance(each, str) else each) for each in (rules, skip))
    how = Restoring(named, left, era, backend, min_coverage, None if check is None else os.fspath(check))
    return restore_file(checkpoint, into, how, custom_objects)


def restore_file(
    checkpoint: Checkpoint | str | os.PathLike[str],
    into: Into,
    how: Restoring,
    custom_objects: Mapping[str, Any] | None = None,
) -> Restored:
    """As `restore`, with what is asked as one value."""
    if how.check is not None:
        opened = checkpoint if isinstance(checkpoint, Checkpoint) else open_checkpoint(checkpoint)
        return _restore_checked(opened, into, how, custom_objects, read_recorded(how.check))
    if isinstance(checkpoint, Checkpoint):
        return _restore(checkpoint, _aim(into, custom_objects), how, custom_objects, None)
    with begin_opening(checkpoint) as opening:  # another process reads the structure while the model is looked at
        target = _aim(into, custom_objects)
        return _restore(opening.checkpoint(), target, how, custom_objects, None)


def _restore_checked(
    checkpoint: Checkpoint, into: Into, how: Restoring, custom_objects: Mapping[str, Any] | None, recorded: Recorded
) -> Restored:
    """Take the reading whose outputs are the recorded ones; several that differ are refused."""
    live = into if isinstance(into, keras.Model) else None
    before = None if live is None else live.get_weights()
    passed: list[tuple[Restoring, Fingerprint | None]] = []
    failures: list[MatchError | LayerError] = []
    for reading in _readings(how):
        try:
            model = _restore(checkpoint, _aim(into, custom_objects), reading, custom_objects, recorded).model
        except (MatchError, LayerError) as error:
            failures.append(error)
            continue
        passed.append((reading, record_fingerprint(model) if model.inputs else None))
        if reading == how:  # nothing was open
            break
    if live is not None:
        live.set_weights(before)
    if not passed:
        # Of several readings one whose outputs were compared says more than one that was left open.
        compared = [each for each in failures if recorded.path.name in each.summary]
        raise _with_readings_left(compared[0], how) if compared else failures[0]
    first = passed[0][1]
    differing = [reading for reading, outputs in passed if not _same_outputs(first, outputs)]
    if differing:
        names = [f"era {e.era}, backend {e.backend or 'as the file says'}" for e in (passed[0][0], *differing)]
        raise MatchError(
            f"{recorded.path} does not tell how {checkpoint.path} is meant: readings that differ give its outputs.",
            [Problem(str(recorded.path), "outputs that one reading gives", "; ".join(names))],
            next_step="record outputs for varied inputs, or say it with --era and --backend (era=…, backend=…)",
        )
    return _restore(checkpoint, _aim(into, custom_objects), passed[0][0], custom_objects, recorded)


def _with_readings_left(error: MatchError | LayerError, how: Restoring) -> MatchError | LayerError:
    """Recorded outputs that do not fit may speak against what the caller declared, before the architecture."""
    declared = [f"--backend {how.backend}"] if how.backend is not None else []
    declared += ["--era ignore"] if how.era == "ignore" else []
    if not declared:
        return error
    first = f"leave out {' and '.join(declared)}, so that the recorded outputs decide (backend=, era=)"
    return type(error)(error.summary, error.problems, f"{first}; if they fit then neither, {error.next_step}")


def _same_outputs(one: Fingerprint | None, other: Fingerprint | None) -> bool:
    """Whether two readings compute the same on inputs that nobody chose; a model without inputs cannot be asked."""
    if one is None or other is None:
        return True
    pairs = zip(one.outputs, other.outputs, strict=True)
    return all(np.allclose(ours, theirs, rtol=1e-3, atol=1e-6) for ours, theirs in pairs)


def _readings(how: Restoring) -> list[Restoring]:
    """Where outputs decide: as asked first, then each way to settle what a file may leave open."""
    eras: tuple[Era, ...] = ("apply", "ignore") if how.era == "refuse" else (how.era,)
    backends = (None, "tensorflow", "theano") if how.backend is None else (how.backend,)
    return list(dict.fromkeys([how, *(replace(how, era=era, backend=each) for each in backends for era in eras)]))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A restore that is settled and not yet carried out.

    Attributes:
        checkpoint: as it will be read.
        model: into which.
        is_fresh: whether the model was built for this.
        plan: which tensor goes where.
        notes: what was settled on the way.
    """

    checkpoint: Checkpoint
    model: keras.Model
    is_fresh: bool
    plan: Plan
    notes: tuple[str, ...]


def prepare_restore(
    checkpoint: Checkpoint, into: Into, how: Restoring, custom_objects: Mapping[str, Any] | None = None
) -> Prepared:
    """Everything that `restore` does before it writes, but for judging the plan.

    Raises:
        MatchError, CheckpointError, LayerError: as `restore`, but for a plan that does not fit (`weights.judging`).
    """
    return _prepare(checkpoint, _aim(into, custom_objects), how, custom_objects)


@dataclass(frozen=True, slots=True)
class _Target:
    """Into what is restored.

    Attributes:
        model: None for the file's own architecture.
        graph: the model's; None likewise.
        inside: layers inside classes of the caller's own, which no config shows.
        is_fresh: whether the model was built for this.
    """

    model: keras.Model | None = None
    graph: Graph | None = None
    inside: tuple[Layer, ...] = ()
    is_fresh: bool = True


def _aim(into: Into, custom_objects: Mapping[str, Any] | None) -> _Target:
    if into is None:
        return _Target()
    model = _resolve(into, custom_objects)
    return _Target(model, *_graph_of(model), model is not into)


def _prepare(
    checkpoint: Checkpoint, target: _Target, how: Restoring, custom_objects: Mapping[str, Any] | None
) -> Prepared:
    model, is_fresh = target.model, target.is_fresh
    settled = settle(checkpoint, target.graph, how, target.inside)
    if settled.is_changed and not settled.graph.inputs:
        raise LayerError(
            "A class with code of its own cannot be rebuilt with the writer's defaults.",
            [Problem(note.partition(":")[0], found=note.partition(": ")[2]) for note in settled.notes],
            next_step="set these options in the class, and restore with --era ignore (era='ignore')",
        )
    if model is None or settled.is_changed:
        largest = _largest_bytes(settled.checkpoint) if model is None and not how.skip else None
        is_whole = not how.skip and how.min_coverage >= 1
        model = build_graph(settled.graph, custom_objects, largest_bytes=largest, filled_later=is_whole)
        is_fresh = True
    if settled.doubts:
        writer, is_settled = settled.checkpoint.writer, how.era == "apply"
        raise unsettled(checkpoint.path, settled.doubts, writer, is_settled=is_settled)
    plan = match(settled.checkpoint.specs, describe_variables(model), how.rules, how.skip)
    notes = (*_writer_notes(settled.checkpoint.writer), *settled.notes, *note_numbered(plan))
    return Prepared(settled.checkpoint, model, is_fresh, plan, notes)


def _restore(
    checkpoint: Checkpoint,
    target: _Target,
    how: Restoring,
    custom_objects: Mapping[str, Any] | None,
    recorded: Recorded | None,
) -> Restored:
    prepared = _prepare(checkpoint, target, how, custom_objects)
    reading, model, plan = prepared.checkpoint, prepared.model, prepared.plan
    check_plan(plan, reading.path, stored=len(reading), min_coverage=how.min_coverage, is_own=target.model is None)

    def prove() -> str:
        proof = _prove(model, reading, plan)
        return proof if recorded is None else compare_outputs(model, recorded, str(reading.path))

    proof, strange = fill(model, reading, plan, prove, keep_old=not prepared.is_fresh)
    attach_card(model, reading.card)
    receipt = Receipt(str(reading.path), reading.dialect, plan, proof, (*prepared.notes, *strange))
    return Restored(model, receipt, reading.card)


def _writer_notes(writer: Writer) -> tuple[str, ...]:
    here = tuple(int(part) for part in keras.__version__.split(".")[:2])
    if writer.version[:2] > here:
        return (f"written by Keras {writer}, newer than the {keras.__version__} here",)
    return ()


def _largest_bytes(checkpoint: Checkpoint) -> int:
    """What the file's own architecture may take: every variable is filled from the file, half precision doubled."""
    return SPARE_BYTES + 8 * sum(each.parameters for each in checkpoint.specs.values())


def _resolve(into: Any, custom_objects: Mapping[str, Any] | None) -> keras.Model:
    if isinstance(into, str):
        return build_named(into)
    if isinstance(into, Graph):
        return build_graph(into, custom_objects)
    if not isinstance(into, keras.Model) and not callable(into):
        raise LayerError(
            f"{type(into).__name__} is no architecture.", next_step="give a builder, a Keras model, or a name"
        )
    model = into if isinstance(into, keras.Model) else into()
    if not isinstance(model, keras.Model):
        raise LayerError(f"The builder gave {type(model).__name__}; expected a Keras model.")
    if not model.built:
        raise LayerError(
            f"{model.name!r} has no variables yet: it was never built.",
            next_step="give it an Input, or call it once on data",
        )
    return model


def _graph_of(model: keras.Model) -> tuple[Graph, tuple[Layer, ...]]:
    """A model's layers with their options, and those inside classes of the caller's own, which no config shows."""
    try:
        graph = read_model(model).graph
        hidden = [each for each in model._flatten_layers(include_self=False) if not _is_of_keras(each)]
    except LayerError:
        graph, hidden = Graph(model.name, (), (), ()), [model]
    inner = {id(each): each for outer in hidden for each in outer._flatten_layers(include_self=False)}
    return graph, tuple(
        Layer(each.name, type(each).__name__, each.get_config())
        for each in inner.values()
        if _is_of_keras(each) and not isinstance(each, keras.Model)
    )


def _is_of_keras(layer: Any) -> bool:
    return type(layer).__module__.split(".")[0] == "keras"


def _prove(model: keras.Model, checkpoint: Checkpoint, plan: Plan) -> str:
    recorded = checkpoint.card.fingerprint if checkpoint.card is not None else None
    if recorded is None:
        return "not checked: none recorded"
    if plan.skipped or plan.missing:
        return "not checked: the model is not restored as a whole"
    proof = compare_fingerprint(model, recorded)
    if proof.startswith("differ"):
        raise MatchError(
            f"{checkpoint.path} does not compute here what it computed when it was written.",
            [Problem("outputs", "those recorded in its card", proof)],
            next_step="build the architecture that the weights were trained in; its options differ, not its shapes",
        )
    return proof
