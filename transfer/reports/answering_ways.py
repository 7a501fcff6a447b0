"""Which of the ways of answering in a result is the model that was kept, and which are its baselines."""

from __future__ import annotations

from transfer.output_scores import WayScores
from transfer.results import Result

_MEANT = {
    "tuned": "the probe, with some layers of the network trained further",
    "probe": "a new head on the pretrained network as it is",
    "majority class": "always the most frequent class",
    "stratified guess": "classes drawn as often as they occur",
    "nearest neighbours on raw input": "the classes of the examples most alike, without any network",
    "logistic regression on raw input": "a linear classifier, without any network",
    "constant answer": "the same for every example",
    "linear on raw input": "a linear model, without any network",
    "probe on random weights": "a new head on the same network that has learnt nothing",
    "trained from scratch": "the same network, trained on these examples alone",
}
_STAGES = {"probe", "tuned"}  # what stages are called, where only numbers are and no score names them


def baselines_of(result: Result) -> frozenset[str]:
    """Names of the simple ways."""
    named = {each.name for each in result.baselines}
    stages = {each.name for each in result.stages} or _STAGES
    return frozenset(named or {each.name for each in result.outputs} - stages)


def explain_ways(result: Result) -> str:
    """What the names of those that everybody's runs have mean, in one sentence; empty where there are none."""
    scores = (each.name for each in (*result.stages, *result.baselines))
    names = dict.fromkeys((*scores, *(each.name for each in result.outputs)))
    known = [f"{name}: {_MEANT[name]}" for name in names if name in _MEANT]
    return f"{'; '.join(known)}." if known else ""


def kept_of(result: Result) -> WayScores | None:
    """The measures of the model that was kept; None where a result has one output of classes."""
    last = result.score.name if result.score else None
    return next((each for each in result.outputs if last in (None, each.name)), None)


def is_error(kind: str) -> bool:
    """Whether less is better in what stands for an output of that kind."""
    return kind == "regression"
