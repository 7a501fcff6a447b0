"""What a run came to, in sentences that say no more than is known."""

import re

import numpy as np

from transfer.evidence.intervals import wilson
from transfer.evidence.known_runs import KeptAnswers
from transfer.jobs.pages.telling_verdicts import tell_verdict
from transfer.output_scores import Measure, OutputScore, WayScores
from transfer.results import Result
from transfer.scores import Score


def score(name: str, right: int, of: int = 100) -> Score:
    return Score(name, right, of, wilson(right, of))


def result(own: int, baselines: tuple[int, ...] = (20, 30), **more) -> Result:
    simple = tuple(score(name, right) for name, right in zip(("majority class", "neighbours"), baselines, strict=False))
    return Result(("a", "b"), 50, 100, score("tuned", own), simple, (score("tuned", own),), None, **more)


def answers(own: int, other: int, groups: tuple[str, ...] = ()) -> KeptAnswers:
    ways = {"tuned": np.arange(100) < own, "neighbours": np.arange(100) < other, "majority class": np.arange(100) < 20}
    return KeptAnswers(tuple(map(str, range(100))), ways, groups=groups)


def test_a_better_run_says_by_how_much_and_what_it_cost():
    found = tell_verdict(result(60), answers(60, 30), {"features": 1.25, "probe": 2.0})
    assert found.startswith(
        "60 of 100 test examples are answered rightly: accuracy 0.600, 95 % interval 0.502 to 0.691."
    )
    assert "The best baseline, neighbours, has 30 of 100 right: the model is better by 30.0 percentage points" in found
    assert (
        "Chance hardly explains that: were both equally good, a difference as large would come up in fewer than"
        in found
    )
    assert found.endswith("(p 1.9e-09). It learnt from 50 examples, in 3.2 s.") or found.endswith("in 3.3 s.")


def test_a_run_within_the_noise_is_not_called_better():
    found = tell_verdict(result(33), answers(33, 30))
    assert "has 30 of 100 right: the model differs by +3.0 percentage points (95 % interval -" in found
    assert "Chance may explain that, so these examples do not show which is better" in found
    assert "a difference as large would come up in about 25 of 100 tests (p 0.25)." in found
    assert "is better by" not in found


def test_as_many_right_answers_are_no_difference():
    found = tell_verdict(result(30), answers(30, 30))
    assert "neighbours, has 30 of 100 right too: these examples do not show which is better." in found


def test_what_chance_does_seldom_is_counted_of_a_thousand():
    found = tell_verdict(result(38), answers(38, 30))  # eight by the model alone: p is 2 / 2**8
    assert "in about 8 of 1,000 tests (p 0.0078)." in found


def test_one_more_right_answer_is_what_nearly_every_test_has():
    assert "a difference as large would come up in nearly every test (p 1)." in tell_verdict(
        result(31), answers(31, 30)
    )


def test_a_worse_run_is_called_worse():
    found = tell_verdict(result(30, (20, 60)), answers(30, 60))
    bounds = re.search(r"worse by 30\.0 percentage points \(95 % interval ([\d.]+) to ([\d.]+)\)", found)
    assert bounds is not None
    assert float(bounds[1]) < 30 < float(bounds[2])  # the signs of both bounds turn with that of the difference


def test_groups_count_as_one_each():
    alone, together = answers(60, 30), answers(60, 30, tuple(f"g{place // 30}" for place in range(100)))
    assert "the model is better by" in tell_verdict(result(60), alone)
    assert "Chance may explain that" in tell_verdict(result(60), together)


def test_without_answers_the_baseline_stands_beside_it_alone():
    found = tell_verdict(result(60))
    assert "The best baseline, neighbours, has 30 of 100 right." in found
    assert "better" not in found
    assert tell_verdict(result(60, ())).count("baseline") == 0


def test_of_numbers_alone_the_measures_are_told():
    def way(name: str, error: float) -> WayScores:
        return WayScores(
            name, (OutputScore("price", "regression", 9, (Measure("mean absolute error", error, 1.0, 3.0, 9),)),)
        )

    found = Result((), 50, 9, None, (), (), None, outputs=(way("probe", 2.0), way("mean", 5.0)))
    assert tell_verdict(found) == (
        "By output: price mean absolute error 2.000 [1.000, 3.000] (mean 5). It learnt from 50 examples."
    )
