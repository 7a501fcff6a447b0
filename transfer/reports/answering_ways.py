"""Which of the ways of answering in a result is the model that was kept, and which are its baselines."""

from __future__ import annotations

from transfer.output_scores import WayScores
from transfer.results import Result

_STAGES = {"probe", "tuned"}  # what stages are called, where only numbers are and no score names them


def baselines_of(result: Result) -> frozenset[str]:
    """Names of the simple ways."""
    named = {each.name for each in result.baselines}
    stages = {each.name for each in result.stages} or _STAGES
    return frozenset(named or {each.name for each in result.outputs} - stages)


def kept_of(result: Result) -> WayScores | None:
    """The measures of the model that was kept; None where a result has one output of classes."""
    last = result.score.name if result.score else None
    return next((each for each in result.outputs if last in (None, each.name)), None)


def is_error(kind: str) -> bool:
    """Whether less is better in what stands for an output of that kind."""
    return kind == "regression"
