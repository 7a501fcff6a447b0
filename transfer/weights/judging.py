"""Whether a plan may be carried out: what is wrong with it, and what to do about it."""

from __future__ import annotations

from pathlib import Path

from transfer.errors import MatchError, Problem
from transfer.results import Plan
from transfer.specs import Writer

_SEVERAL = 6  # tensors of a model, from which on their number says something


def check_plan(plan: Plan, path: Path, *, stored: int, min_coverage: float = 1.0, is_own: bool = False) -> None:
    """Refuse a plan that would restore something wrong, or too little.

    Args:
        plan: from `match`.
        path: the file that is restored.
        stored: number of tensors in it.
        min_coverage: share of the parameters that must be filled.
        is_own: whether the architecture is the file's own, so that every tensor must have a place.

    Raises:
        MatchError: with all that is wrong.
    """
    problems = [*plan.misshapen, *plan.surplus, *plan.ambiguous]
    if plan.missing and plan.coverage < min_coverage:
        problems += [Problem(name, "a tensor for it", "none in the file") for name in plan.missing]
    if is_own and not plan.skipped:
        problems += _homeless(plan)
    total = len(plan.pairs) + len(plan.missing) + len(plan.misshapen) + len(plan.ambiguous)
    if not plan.pairs and (total or stored):
        spare = ", ".join(plan.unexpected[:3]) or "nothing"
        problems = problems or [Problem("model", "at least one tensor in common", f"the file holds {spare}")]
    if problems:
        summary = f"{path} does not fit this model ({len(problems)} of {total} tensors)."
        if is_foreign(plan):
            summary += f" Is it the right one? {len(plan.pairs)} of the model's tensors are in the file."
        raise MatchError(summary, problems, next_step=way_out(plan))


def _homeless(plan: Plan) -> list[Problem]:
    known = {each.where for each in plan.surplus}
    return [
        Problem(name, "a place in the file's own architecture", "none")
        for name in plan.unexpected
        if name not in known and not plan.ambiguous and not plan.misshapen
    ]


def note_numbered(plan: Plan) -> tuple[str, ...]:
    """What was taken on the word of the architecture, because Keras 3 numbers a layer's tensors and names none."""
    vectors = [
        pair
        for pair in plan.pairs
        if pair.stored.rpartition("/")[2].isdigit() and pair.wanted.rpartition("/")[2] in ("gamma", "beta")
    ]
    if not vectors:
        return ()
    taken = vectors[0].wanted
    return (
        f"{len(vectors)} normalisations hold either gamma or beta, and the file does not say which: taken for "
        f"{taken.rpartition('/')[2]} ({taken}), as the architecture has it",
    )


def is_foreign(plan: Plan) -> bool:
    """Whether a file fits a model so little that another one was meant: less than half of several tensors."""
    total = len(plan.pairs) + len(plan.missing) + len(plan.misshapen)
    return not plan.ambiguous and total >= _SEVERAL and 2 * len(plan.pairs) < total


def way_out(plan: Plan) -> str:
    """What to do about a plan that does not fit."""
    if is_foreign(plan):
        return "give the architecture that the weights were trained in: --into module:function (into=create_model)"
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


def unsettled(
    path: Path,
    doubts: tuple[Problem, ...],
    writer: Writer,
    *,
    is_computed: bool = True,
    is_settled: bool = False,
) -> MatchError:
    """The error about what a file leaves open, with the ways to settle it.

    Args:
        path: the file.
        doubts: what it leaves open.
        writer: who wrote it.
        is_computed: whether the model will be run here, so that recorded outputs can decide.
        is_settled: whether the writer's defaults were applied already, and these are left.
    """
    backends = [each for each in doubts if not writer.backend and "backend" in each.expected]
    ways = ["--backend theano or tensorflow (backend=…)"] if backends else []
    if backends and len(backends) == len(doubts):
        ways.append("--era ignore takes kernels as they lie, as TensorFlow has them (era='ignore')")
    elif is_settled:
        ways.append("--era ignore takes it as it is, which computes something else (era='ignore')")
    else:
        ways.append("--era apply takes the writer's defaults, --era ignore goes on (era=…)")
    if is_computed:
        ways.append("or let recorded outputs decide: --check outputs.npz (check=…)")
    count = f"{len(doubts)} doubt{'s' * (len(doubts) > 1)}"
    return MatchError(f"{path} leaves open what it computes ({count}).", doubts, f"say it: {'; '.join(ways)}")
