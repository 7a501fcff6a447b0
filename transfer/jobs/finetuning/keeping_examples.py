"""What a run looks up of its examples while they and its network are at hand, for its report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import keras

from transfer.errors import TransferError
from transfer.jobs.audits.doubting_labels import doubt_labels
from transfer.jobs.examples.feeding import Feed
from transfer.jobs.finetuning.scoring_stages import Outcome
from transfer.jobs.pages.showing_examples import count_learnt, frame_of, show_examples
from transfer.jobs.runs.kept_examples import KeptExamples
from transfer.jobs.students.clock import TimeLimit
from transfer.reports.contents import Suspect
from transfer.training.learner import Learner

_SECONDS = 3.0  # that have to be left of a time limit
_NO_TIME = "The time limit left nothing for it."
T = TypeVar("T")


def keep_examples(
    model: keras.Model, feed: Feed, learner: Learner, outcome: Outcome, limit: TimeLimit | None = None
) -> KeptExamples:
    """Pictures of the surest wrong answers, labels that are likely wrong, and what was learnt from; it never fails.

    Args:
        model: of the run, raw input in and probabilities out.
        feed: how examples go into it.
        learner: that learnt it.
        outcome: of learning.
        limit: of the run's time; None for none.
    """
    learnt = count_learnt(outcome.examples.subset(outcome.train))
    if limit is not None and limit.left() < _SECONDS:
        return KeptExamples(learnt, absent=dict.fromkeys(("suspects",), _NO_TIME))
    absent: dict[str, str] = {}
    none: tuple[Suspect, ...] = ()
    suspects = _guarded(lambda: _suspects(learner, outcome, absent), none, "suspects", absent)
    frame = frame_of(
        feed.image.size if feed.image is not None else None,
        feed.preprocessing.size if feed.preprocessing is not None else None,
    )
    shown = _guarded(
        lambda: show_examples(
            model, feed, outcome.examples, outcome.predictions, outcome.result.decisions, suspects, frame=frame
        ),
        KeptExamples(suspects=suspects),
        "wrong",
        absent,
    )
    return replace(shown, learnt=learnt, absent=absent)


def _suspects(learner: Learner, outcome: Outcome, absent: dict[str, str]) -> tuple[Suspect, ...]:
    inputs = learner.head_inputs
    if inputs is None:
        absent["suspects"] = "The run solved no head on features that labels had no part in; 'transfer audit' does."
        return ()
    features = [inputs.values[head][outcome.places] for head in inputs.heads]
    found, why = doubt_labels(outcome.examples, features, seed=learner.recipe.seed)
    if why:
        absent["suspects"] = why
    return found


def _guarded(look: Callable[[], T], otherwise: T, section: str, absent: dict[str, str]) -> T:
    try:
        return look()
    except Exception as error:  # noqa: BLE001  # a run that took long is not lost to what its page shows
        told = error.summary if isinstance(error, TransferError) else f"{type(error).__name__}: {error}"
        absent[section] = f"{str(told)[:300].rstrip('.')}."
        return otherwise
