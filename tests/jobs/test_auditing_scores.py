"""Scores held against the probe, on cuts made by hand."""

import numpy as np
import pytest

from transfer.jobs.rankings.auditing_scores import audit_scores, tell_left_out
from transfer.rankings import Cost, CutScores, RankedCut
from transfer.scores import Interval


def cut(name, accuracy, score):
    share = Interval(accuracy, accuracy, accuracy)
    return RankedCut(name, "end", 3, share, (), CutScores(score, 0.0), Cost(1, 1, 4), False, False, "random" in name)


def test_random_weights_do_not_make_a_score_trusted_that_is_noise_among_the_trained():
    random = np.random.default_rng(0)
    trusted = []
    for _ in range(40):
        trained = [cut(f"{k}", 0.8 + 0.1 * random.random(), random.random()) for k in range(6)]
        controls = [cut(f"random:{k}", 0.2 + 0.1 * random.random(), random.random() - 5) for k in range(6)]
        found, alone = audit_scores([*trained, *controls]), audit_scores(trained)
        assert found == alone
        trusted.append(found[0].trusted)
    assert np.mean(trusted) <= 0.15  # 0.05 by chance; of 40, 6 are as many as that gives in 99 of 100 times


def test_scores_are_audited_on_the_cuts_that_are_trained_and_how_many_are_not_is_told():
    trained = [cut(name, value, value) for name, value in zip("abcdef", np.linspace(0.4, 0.9, 6), strict=True)]
    cuts = [*trained, cut("random:a", 0.95, -1.0), cut("random:b", 0.1, 3.0)]
    log_me = audit_scores(cuts)[0]
    assert (log_me.score, log_me.tau, log_me.cuts) == ("LogME", pytest.approx(1), 6)
    assert "over 6 cuts" in log_me.sentence
    assert tell_left_out(cuts) == ["scores are audited on trained cuts alone, without 2 that have random weights"]
    assert tell_left_out(trained) == []
    assert audit_scores(cuts[6:]) == ()
