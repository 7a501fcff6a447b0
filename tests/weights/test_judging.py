"""A plan that may not be carried out, and what is said of it."""

from pathlib import Path

import pytest

from transfer.errors import MatchError, Problem
from transfer.results import Pair, Plan
from transfer.weights.judging import check_plan, is_foreign


def plan(*, pairs=0, missing=0, misshapen=0, ambiguous=0):
    return Plan(
        tuple(Pair(f"in/{k}", f"in/{k}", "name", 1) for k in range(pairs)),
        missing=tuple(f"layer_{k}/kernel" for k in range(missing)),
        misshapen=tuple(Problem(f"wide_{k}/kernel", "(3,)", "(4,)") for k in range(misshapen)),
        ambiguous=tuple(Problem(f"twin_{k}", "one", "two") for k in range(ambiguous)),
        wanted_parameters=pairs + missing + misshapen,
    )


@pytest.mark.parametrize(
    ("found", "foreign"),
    [
        (plan(missing=6), True),
        (plan(pairs=2, missing=2, misshapen=2), True),
        (plan(pairs=3, missing=3), False),
        (plan(missing=5), False),
        (plan(missing=6, ambiguous=1), False),
    ],
)
def test_less_than_half_of_several_tensors_speak_of_another_architecture(found, foreign):
    assert is_foreign(found) is foreign
    with pytest.raises(MatchError) as caught:
        check_plan(found, Path("a.h5"), stored=9)
    assert ("Is it the right one?" in caught.value.summary) is foreign
    assert caught.value.next_step.startswith("give the architecture") is (
        foreign or not (found.pairs or found.ambiguous)
    )
