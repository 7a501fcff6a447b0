"""Bringing stored weights into the original architecture: planned first, then all or nothing, then proved."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras
import numpy as np

from transfer.errors import CheckpointError, LayerError, MatchError, Problem
from transfer.graphs.graph import Graph
from transfer.graphs.parsing import parse_config
from transfer.models.architectures import build_named
from transfer.models.building import attach_card, build_graph
from transfer.models.fingerprints import compare_fingerprint
from transfer.models.variables import assign_variables, describe_variables, name_variables
from transfer.results import Plan, Receipt
from transfer.weights.cards import Card
from transfer.weights.matching import match
from transfer.weights.opening import Checkpoint, open_checkpoint

Into: TypeAlias = Callable[[], Any] | Any | Graph | str | None  # a builder, a Keras model, a graph, a name


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
    min_coverage: float = 1.0,
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
        min_coverage: share of the model's parameters that must be filled, in [0, 1].
        custom_objects: classes that a stored architecture may ask for, by name.

    Raises:
        MatchError: if the file does not fit, or the outputs are not the recorded ones. Nothing has been written then.
        CheckpointError: if the file is damaged, or holds no architecture and none is given.
        LayerError: if the architecture cannot be built.
    """
    if not 0 <= min_coverage <= 1:
        raise ValueError(f"min_coverage is a share in [0, 1], not {min_coverage}")
    opened = checkpoint if isinstance(checkpoint, Checkpoint) else open_checkpoint(checkpoint)
    model = _resolve(into, opened, custom_objects)
    plan = match(opened.specs, describe_variables(model), rules, skip)
    check_plan(plan, opened, min_coverage=min_coverage)
    proof = _fill(model, opened, plan)
    attach_card(model, opened.card)
    return Restored(model, Receipt(str(opened.path), opened.dialect, plan, proof), opened.card)


def check_plan(plan: Plan, checkpoint: Checkpoint, *, min_coverage: float = 1.0) -> None:
    """Refuse a plan that would restore something wrong, or too little.

    Raises:
        MatchError: with all that is wrong.
    """
    problems = [*plan.misshapen, *plan.surplus, *plan.ambiguous]
    if plan.missing and plan.coverage < min_coverage:
        problems += [Problem(name, "a tensor for it", "none in the file") for name in plan.missing]
    total = len(plan.pairs) + len(plan.missing) + len(plan.misshapen) + len(plan.ambiguous)
    if not plan.pairs and total:
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
    if plan.pairs:
        spare = ", ".join(plan.unexpected[:3])
        also = f"; the file also holds {spare}: name the pair with --rule old=new (rules=…)" if spare else ""
        return f"leave it at its initial value with --skip '{layer}/*' (skip=['{layer}/*']){also}"
    return "give the architecture that the weights were trained in"


def _resolve(into: Into, checkpoint: Checkpoint, custom_objects: Mapping[str, Any] | None) -> keras.Model:
    if isinstance(into, str):
        return build_named(into)
    if isinstance(into, Graph):
        return build_graph(into, custom_objects)
    if into is None:
        architecture = checkpoint.architecture
        if architecture is None:
            raise CheckpointError(
                f"{checkpoint.path} holds weights alone, no architecture.",
                next_step="name the builder with --into module:function (into=create_model)",
            )
        return build_graph(parse_config(architecture), custom_objects)
    model = into if isinstance(into, keras.Model) else into()
    if not isinstance(model, keras.Model):
        raise LayerError(f"The builder gave {type(model).__name__}; expected a Keras model.")
    if not model.built:
        raise LayerError(
            f"{model.name!r} has no variables yet: it was never built.",
            next_step="give it an Input, or call it once on data",
        )
    return model


def _fill(model: keras.Model, checkpoint: Checkpoint, plan: Plan) -> str:
    """Read everything, then assign everything; a proof that fails brings the old values back."""
    variables = name_variables(model)
    arrays = checkpoint.read(pair.stored for pair in plan.pairs)
    before = {pair.wanted: np.array(keras.ops.convert_to_numpy(variables[pair.wanted])) for pair in plan.pairs}
    try:
        assign_variables(model, {pair.wanted: arrays[pair.stored] for pair in plan.pairs})
        proof = _prove(model, checkpoint, plan)
    except BaseException:
        assign_variables(model, before)
        raise
    return proof


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
