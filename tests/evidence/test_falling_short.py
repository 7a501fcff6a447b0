"""What was learnt and is worse than a baseline is said, and whether that is more than chance."""

import numpy as np

from transfer.evidence.falling_short import falling_short, outputs_falling_short
from transfer.output_scores import Measure, OutputScore, WayScores


def right(count, of=100):
    return np.arange(of) < count


def test_answers_that_no_baseline_passes_are_left_alone():
    assert not falling_short("tuned", right(90), {"majority class": right(30), "linear": right(90)})
    assert not falling_short("tuned", right(90), {})
    assert not falling_short("tuned", right(5, 10), {"of others": right(50)})


def test_the_best_baseline_that_is_better_is_named():
    (line,) = falling_short("tuned", right(50), {"majority class": right(55), "linear": right(70)})
    assert line == "'linear' is better than tuned on the test examples: 70 of 100 right against 50 (p 1.9e-06)"


def test_what_chance_explains_is_said_to_be_so():
    (line,) = falling_short("tuned", right(95), {"linear": right(96)})
    assert line.endswith("96 of 100 right against 95 (p 1); that may be chance, and does not tell the two apart")
    (line,) = falling_short("tuned", right(50), {"linear": right(70)}, np.arange(100) // 20)
    assert line.endswith("does not tell the two apart")  # all 20 are of two groups


def test_each_output_is_held_against_the_best_baseline_by_its_foremost_measure():
    learnt = way("tuned", tags=0.21, price=2.0, kind=0.6)
    lines = outputs_falling_short(
        learnt, [way("constant", tags=0.35, price=3.0, kind=0.1), way("linear", 0.3, 1.5, 0.5)]
    )
    assert lines == (
        "tags: 'constant' (macro F1 0.350 [0.300, 0.400]) is better than tuned (macro F1 0.210 [0.160, 0.260])",
        "price: 'linear' (mean absolute error 1.500 [1.450, 1.550]) is better than tuned "
        "(mean absolute error 2.000 [1.950, 2.050])",
    )


def test_an_output_that_could_not_be_measured_is_passed_over():
    empty = WayScores("tuned", (OutputScore("tags", "sigmoid", 0, ()),))
    assert not outputs_falling_short(empty, [WayScores("constant", (OutputScore("tags", "sigmoid", 0, ()),))])


def way(name, tags, price, kind):
    def one(called, sort, measure, value):
        return OutputScore(called, sort, 10, (Measure(measure, value, value - 0.05, value + 0.05, 10),))

    return WayScores(
        name,
        (
            one("tags", "sigmoid", "macro F1", tags),
            one("price", "regression", "mean absolute error", price),
            one("kind", "softmax", "accuracy", kind),
        ),
    )
