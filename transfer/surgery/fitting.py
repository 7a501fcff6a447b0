"""Bringing a file's tensors and an architecture together without building it: each tensor in its place, or an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from transfer.errors import CheckpointError, LayerError, MatchError, Problem
from transfer.graphs.graph import Graph
from transfer.graphs.merging import without_lora
from transfer.graphs.parsing import parse_config
from transfer.graphs.variables import describe_graph
from transfer.results import Plan
from transfer.specs import Era, TensorSpec
from transfer.surgery.settling import settle_other, settle_own
from transfer.weights.formats import Tensors
from transfer.weights.judging import check_plan, unsettled
from transfer.weights.matching import match
from transfer.weights.safetensors import Safetensors


def settle_graph(
    opened: Tensors, into: Graph | None, era: Era, *, is_needed: bool
) -> tuple[Graph | None, tuple[str, ...]]:
    """The architecture that a file's tensors belong to, and what was settled about it.

    Args:
        opened: the file.
        into: an architecture to take in place of the file's own.
        era: what to do with doubts: `refuse`, `apply` the writer's defaults, or `ignore`.
        is_needed: whether a file's own architecture that is not understood is an error.

    Returns:
        The graph, None where the file holds none; and notes.

    Raises:
        MatchError: if the file leaves open what it computes, and `era` does not settle it.
        LayerError: if its own architecture is not understood and needed.
    """
    own, notes = _own_graph(opened, is_needed=is_needed and into is None)
    if into is not None:
        settled = settle_other(into, opened, era, own)
    elif own is not None:
        settled = settle_own(own, opened, era)
    else:
        settled = None
    doubts = settled.doubts if settled is not None else () if era == "ignore" else tuple(opened.doubts)
    if doubts:
        raise unsettled(opened.path, doubts, opened.writer, is_computed=False, is_settled=era == "apply")
    if settled is None:
        return None, notes
    return settled.graph, (*(() if into is not None else notes), *settled.notes)


def fit_tensors(opened: Tensors, graph: Graph | None) -> tuple[dict[str, str], dict[str, TensorSpec]]:
    """Give every tensor of a file its place in an architecture.

    Returns:
        The name in the architecture by the name in the file, and what each is, in the architecture's order and with
        the file's type. Without an architecture both names are the file's.

    Raises:
        MatchError: if a tensor has no place, or a place no tensor.
        LayerError: if the architecture's variables are not known without building it.
    """
    if graph is None:
        return {name: name for name in opened.specs}, dict(opened.specs)
    wanted = describe_graph(graph)
    if isinstance(opened, Safetensors) and not opened.is_ours:
        _refuse_foreign(opened, wanted)
    plan = match(opened.specs, wanted)
    check_plan(plan, opened.path, stored=len(opened.specs), is_own=True)
    _refuse_scaled(opened, plan)
    specs = {pair.wanted: replace(wanted[pair.wanted], dtype=opened.specs[pair.stored].dtype) for pair in plan.pairs}
    return {pair.stored: pair.wanted for pair in plan.pairs}, specs


def _own_graph(opened: Tensors, *, is_needed: bool) -> tuple[Graph | None, tuple[str, ...]]:
    try:
        card = opened.card
        if card is not None and card.architecture:
            graph = parse_config(card.architecture)
        elif opened.config is not None:
            graph = parse_config(opened.config, opened.writer)
        else:
            return None, ()
        graph = without_lora(graph)
        if not is_needed:
            describe_graph(graph)
        return graph, ()
    except LayerError as error:
        if is_needed:
            raise
        return None, (f"without its architecture: {error.summary}",)


def _refuse_foreign(opened: Safetensors, wanted: Mapping[str, TensorSpec]) -> None:
    """Somebody else's safetensors are taken by their names alone: PyTorch's kernels have Keras's shapes at times."""
    if set(opened.specs) == set(wanted):
        return
    other = next((name for name in opened.specs if name not in wanted), next(iter(wanted), ""))
    torch = any(spec.role in ("weight", "running_mean", "in_proj_weight") for spec in opened.specs.values())
    found = f"{other!r}, as PyTorch names it: its kernels lie the other way round" if torch else repr(other)
    raise CheckpointError(
        f"{opened.path} does not say what its tensors are to Keras's layers.",
        [Problem(str(opened.path), f"names such as {next(iter(wanted), '')!r}", found)],
        next_step="convert it to NAME.safetensors, or have its own library write Keras's names and order of axes",
    )


def _refuse_scaled(opened: Tensors, plan: Plan) -> None:
    """Whole numbers with a scale that stand for a kernel of floats would have to be computed anew."""
    scaled = [pair for pair in plan.pairs if pair.scale]
    if scaled:
        raise MatchError(
            f"{opened.path} holds quantized kernels, and the architecture wants those they stand for.",
            [Problem(pair.wanted, "floats", f"whole numbers with a scale, {pair.scale}") for pair in scaled],
            "restore it with transfer.restore(…), and save the model",
        )
