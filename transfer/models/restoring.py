"""Bringing stored weights into the original architecture: planned first, then all or nothing, then proved."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import keras

from transfer.errors import CheckpointError, LayerError, MatchError, Problem
from transfer.graphs.eras import apply_era, find_doubts
from transfer.graphs.graph import Graph, Layer
from transfer.graphs.merging import without_lora
from transfer.graphs.parsing import parse_config
from transfer.models.architectures import build_named
from transfer.models.building import attach_card, build_graph, read_model
from transfer.models.checking import Recorded, compare_outputs, read_recorded
from transfer.models.filling import fill
from transfer.models.fingerprints import compare_fingerprint
from transfer.models.variables import describe_variables
from transfer.results import Plan, Receipt
from transfer.specs import Era, Restoring, Writer
from transfer.weights.cards import Card
from transfer.weights.matching import match
from transfer.weights.opening import Checkpoint, open_checkpoint

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
    how = Restoring(tuple(rules), tuple(skip), era, backend, min_coverage, None if check is None else os.fspath(check))
    return restore_file(checkpoint, into, how, custom_objects)


def restore_file(
    checkpoint: Checkpoint | str | os.PathLike[str],
    into: Into,
    how: Restoring,
    custom_objects: Mapping[str, Any] | None = None,
) -> Restored:
    """As `restore`, with what is asked as one value."""
    opened = checkpoint if isinstance(checkpoint, Checkpoint) else open_checkpoint(checkpoint)
    if how.check is None:
        return _restore(opened, into, how, custom_objects, None)
    recorded = read_recorded(how.check)
    failures: list[MatchError] = []
    for reading in _readings(how):
        try:
            return _restore(opened, into, reading, custom_objects, recorded)
        except MatchError as error:
            failures.append(error)
    raise failures[0]


def _readings(how: Restoring) -> list[Restoring]:
    """Where outputs decide: as asked first, then each way to settle what a file may leave open."""
    eras: tuple[Era, ...] = ("apply", "ignore") if how.era == "refuse" else (how.era,)
    backends = (None, "tensorflow", "theano") if how.backend is None else (how.backend,)
    return list(dict.fromkeys([how, *(replace(how, era=era, backend=each) for each in backends for era in eras)]))


@dataclass(frozen=True, slots=True)
class Planned:
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


def plan_restore(
    checkpoint: Checkpoint, into: Into, how: Restoring, custom_objects: Mapping[str, Any] | None = None
) -> Planned:
    """Everything that `restore` does before it writes.

    Raises:
        MatchError, CheckpointError, LayerError: as `restore`, but for a plan that does not fit: see `check_plan`.
    """
    reading = checkpoint.written_on(how.backend) if how.backend else checkpoint
    model, is_fresh = _resolve(into, reading, how, custom_objects)
    notes = _writer_notes(reading.writer)
    doubts = () if how.era == "ignore" else tuple(reading.doubts)
    if into is not None and how.era != "ignore":
        ours, stored = _graph_of(model), _stored_graph(reading)
        shapes = {name: spec.shape for name, spec in reading.specs.items()}
        differing = find_doubts(ours, reading.writer, shapes, stored)
        if differing and how.era == "apply":
            model, is_fresh = build_graph(apply_era(ours, reading.writer, shapes, stored), custom_objects), True
            notes += tuple(f"{each.where}: {each.expected}, as when it was written" for each in differing)
        else:
            doubts += differing
    if doubts:
        raise MatchError(
            f"{checkpoint.path} leaves open what it computes ({len(doubts)} doubts).", doubts, _settling(reading)
        )
    plan = match(reading.specs, describe_variables(model), how.rules, how.skip)
    return Planned(reading, model, is_fresh, plan, notes)


def _restore(
    checkpoint: Checkpoint,
    into: Into,
    how: Restoring,
    custom_objects: Mapping[str, Any] | None,
    recorded: Recorded | None,
) -> Restored:
    planned = plan_restore(checkpoint, into, how, custom_objects)
    check_plan(planned.plan, checkpoint, min_coverage=how.min_coverage, is_own=into is None)
    reading, model, plan = planned.checkpoint, planned.model, planned.plan

    def prove() -> str:
        proof = _prove(model, reading, plan)
        return proof if recorded is None else compare_outputs(model, recorded, str(checkpoint.path))

    proof, strange = fill(model, reading, plan, prove, keep_old=not planned.is_fresh)
    attach_card(model, reading.card)
    receipt = Receipt(str(reading.path), reading.dialect, plan, proof, (*planned.notes, *strange))
    return Restored(model, receipt, reading.card)


def check_plan(plan: Plan, checkpoint: Checkpoint, *, min_coverage: float = 1.0, is_own: bool = False) -> None:
    """Refuse a plan that would restore something wrong, or too little.

    Args:
        plan: from `match`.
        checkpoint: what is restored.
        min_coverage: share of the parameters that must be filled.
        is_own: whether the architecture is the file's own, so that every tensor must have a place.

    Raises:
        MatchError: with all that is wrong.
    """
    problems = [*plan.misshapen, *plan.surplus, *plan.ambiguous]
    if plan.missing and plan.coverage < min_coverage:
        problems += [Problem(name, "a tensor for it", "none in the file") for name in plan.missing]
    if is_own and not plan.skipped:
        known = {each.where for each in plan.surplus}
        problems += [
            Problem(name, "a place in the file's own architecture", "none")
            for name in plan.unexpected
            if name not in known and not plan.ambiguous and not plan.misshapen
        ]
    total = len(plan.pairs) + len(plan.missing) + len(plan.misshapen) + len(plan.ambiguous)
    if not plan.pairs and (total or checkpoint.specs):
        spare = ", ".join(plan.unexpected[:3]) or "nothing"
        problems = problems or [Problem("model", "at least one tensor in common", f"the file holds {spare}")]
    if problems:
        raise MatchError(
            f"{checkpoint.path} does not fit this model ({len(problems)} of {total} tensors).",
            problems,
            next_step=_way_out(plan),
        )


def _way_out(plan: Plan) -> str:
    if plan.ambiguous:
        rule = f"NAME_IN_FILE={plan.ambiguous[0].where}"
        return f"say which is meant with a rule: --rule {rule} (rules=['{rule}'])"
    layer = (plan.misshapen[0].where if plan.misshapen else plan.missing[0] if plan.missing else "").rpartition("/")[0]
    if plan.misshapen:
        return f"cut the model below {layer!r}, or leave it out with --skip '{layer}/*' (skip=['{layer}/*'])"
    if plan.surplus:
        return "build the layer with the options it had when it was written (use_bias=True, say)"
    if plan.missing and plan.pairs:
        spare = ", ".join(plan.unexpected[:3])
        also = f"; the file also holds {spare}: name the pair with --rule old=new (rules=…)" if spare else ""
        return f"leave it at its initial value with --skip '{layer}/*' (skip=['{layer}/*']){also}"
    return "give the architecture that the weights were trained in"


def _settling(checkpoint: Checkpoint) -> str:
    """How a doubt may be settled."""
    backend = "" if checkpoint.writer.backend else " --backend theano or tensorflow (backend=…);"
    return (
        f"say it:{backend} --era apply takes the writer's defaults, --era ignore goes on (era=…); or let recorded "
        "outputs decide: --check outputs.npz (check=…)"
    )


def _writer_notes(writer: Writer) -> tuple[str, ...]:
    here = tuple(int(part) for part in keras.__version__.split(".")[:2])
    if writer.version[:2] > here:
        return (f"written by Keras {writer}, newer than the {keras.__version__} here",)
    return ()


def _resolve(
    into: Into, checkpoint: Checkpoint, how: Restoring, custom_objects: Mapping[str, Any] | None
) -> tuple[keras.Model, bool]:
    """The model, and whether it was built here."""
    if isinstance(into, str):
        return build_named(into), True
    if isinstance(into, Graph):
        return build_graph(into, custom_objects), True
    if into is None:
        architecture = checkpoint.architecture
        if architecture is None:
            raise CheckpointError(
                f"{checkpoint.path} holds weights alone, no architecture (no model_config).",
                next_step="name the builder with --into module:function (into=create_model)",
            )
        largest = None if how.skip else SPARE_BYTES + 8 * sum(each.parameters for each in checkpoint.specs.values())
        graph = _own_graph(checkpoint)
        return build_graph(graph, custom_objects, largest_bytes=largest), True
    model = into if isinstance(into, keras.Model) else into()
    if not isinstance(model, keras.Model):
        raise LayerError(f"The builder gave {type(model).__name__}; expected a Keras model.")
    if not model.built:
        raise LayerError(
            f"{model.name!r} has no variables yet: it was never built.",
            next_step="give it an Input, or call it once on data",
        )
    return model, model is not into


def _own_graph(checkpoint: Checkpoint) -> Graph:
    card = checkpoint.card
    if card is not None and card.architecture:
        return parse_config(card.architecture)
    return without_lora(parse_config(checkpoint.config, checkpoint.writer))


def _stored_graph(checkpoint: Checkpoint) -> Graph | None:
    """The file's own architecture, where it has one that can be read."""
    try:
        return None if checkpoint.architecture is None else _own_graph(checkpoint)
    except (LayerError, CheckpointError):
        return None


def _graph_of(model: keras.Model) -> Graph:
    """A model's layers with their options; without edges where its class has code of its own."""
    try:
        return read_model(model).graph
    except LayerError:
        layers = tuple(
            Layer(each.name, type(each).__name__, each.get_config())
            for each in model.layers
            if not isinstance(each, keras.Model)
        )
        return Graph(model.name, layers, (), ())


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
