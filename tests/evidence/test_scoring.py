"""Right answers are counted."""

import numpy as np
import pytest

from transfer.evidence.intervals import wilson
from transfer.evidence.scoring import score_answers


def test_a_score_counts_right_answers_and_carries_the_interval():
    score = score_answers("probe", np.array([0, 1, 2, 2, 1]), np.array([0, 1, 1, 2, 0]))
    assert (score.name, score.correct, score.examples) == ("probe", 3, 5)
    assert score.accuracy == wilson(3, 5)
    assert str(score.accuracy) == "0.600 [0.231, 0.882]"


@pytest.mark.parametrize(("answers", "labels"), [([], []), ([1, 2], [1]), ([], [1])])
def test_nothing_to_count_and_lengths_that_differ_are_refused(answers, labels):
    with pytest.raises(ValueError, match=f"{len(answers)} answers for {len(labels)} labels"):
        score_answers("probe", np.array(answers, np.int64), np.array(labels, np.int64))
