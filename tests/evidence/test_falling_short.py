"""What was learnt and is worse than a baseline is said."""

from transfer.evidence.falling_short import falling_short, outputs_falling_short
from transfer.evidence.intervals import wilson
from transfer.output_scores import Measure, OutputScore, WayScores
from transfer.scores import Score


def test_a_score_that_no_baseline_passes_is_left_alone():
    assert not falling_short(score("tuned", 9), [score("majority class", 3), score("linear", 9)])
    assert not falling_short(score("tuned", 9), [])


def test_the_best_baseline_that_is_better_is_named():
    (line,) = falling_short(score("tuned", 5), [score("majority class", 5), score("linear", 7)])
    assert line == "accuracy of tuned (0.5) is worse than that of 'linear' (0.7)"


def test_each_output_is_held_against_the_best_baseline_by_its_foremost_measure():
    learnt = way("tuned", tags=0.21, price=2.0, kind=0.6)
    lines = outputs_falling_short(
        learnt, [way("constant", tags=0.35, price=3.0, kind=0.1), way("linear", 0.3, 1.5, 0.5)]
    )
    assert lines == (
        "tags: macro F1 of tuned (0.21) is worse than that of 'constant' (0.35)",
        "price: mean absolute error of tuned (2) is worse than that of 'linear' (1.5)",
    )


def test_an_output_that_could_not_be_measured_is_passed_over():
    empty = WayScores("tuned", (OutputScore("tags", "sigmoid", 0, ()),))
    assert not outputs_falling_short(empty, [WayScores("constant", (OutputScore("tags", "sigmoid", 0, ()),))])


def score(name, correct):
    return Score(name, correct, 10, wilson(correct, 10))


def way(name, tags, price, kind):
    def one(called, sort, measure, value):
        return OutputScore(called, sort, 10, (Measure(measure, value, None, None, 10),))

    return WayScores(
        name,
        (
            one("tags", "sigmoid", "macro F1", tags),
            one("price", "regression", "mean absolute error", price),
            one("kind", "softmax", "accuracy", kind),
        ),
    )
