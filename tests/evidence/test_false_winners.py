"""How often a winner is named among candidates that do not differ, and among those that do, by simulation.

Each of 1,000 trials draws 100 examples of two classes as Gaussian features, other ones for each candidate, and
classifies by the nearest class mean over 5 folds, 5 times. Measured:

    candidates                                      a winner is named
    two alike, accuracy 0.765                       3.6 %  (by the usual t test: 43 %)
    two alike whose features have half in common    2.9 %
    two alike, accuracy 0.94                        3.2 %
    two alike, 40 examples                          2.7 %
    two alike, 5 folds once                         0.5 %
    two alike, 10 groups of 10, 5 folds twice       4.6 %  (counted by examples 8.2 %)
    five alike                                      0.0 %  (any two told apart: 1.8 %)
    accuracy 0.854 against 0.765                    28 %
    accuracy 0.915 against 0.765                    76 %

Of 1,000 trials with a rate of 5 %, 6.4 % are as many as chance allows.
"""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from transfer.evidence.repeated_folds import deal_repeatedly
from transfer.evidence.tiers import order_over_folds
from transfer.labellings import Labelling

pytestmark = pytest.mark.slow

TRIALS, MOST = 1000, 0.064
TWO = Labelling.of_classes(("no", "yes"))
DIMENSIONS = 10


def nearest_means(features, labels, folds):
    """(c, J), the share of right answers of each candidate, from features (c, n, d)."""
    scores = []
    for train, test in folds:
        low, high = (features[:, train[labels[train] == each]].mean(1) for each in (0, 1))
        middle = np.einsum("cd,cd->c", (low + high) / 2, high - low)
        answers = np.einsum("cnd,cd->cn", features[:, test], high - low) > middle[:, None]
        scores.append((answers == (labels[test] == 1)).mean(1))
    return np.transpose(scores)


def tried(seed, shifts, *, count=100, shared=0.0, repeats=5, alike=1):
    """Folds, and scores of one candidate for each shift of its class means; `alike` of a group are the same."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    noise = np.sqrt(1 - shared) * random.normal(size=(len(shifts), count, DIMENSIONS))
    noise += np.sqrt(shared) * random.normal(size=(count, DIMENSIONS))
    features = noise + (2 * labels - 1)[:, None] * np.array(shifts)[:, None, None]
    features, labels, groups = features.repeat(alike, axis=1), labels.repeat(alike), np.arange(count).repeat(alike)
    folds = deal_repeatedly(TWO, [labels], seed=seed, repeats=repeats, groups=groups if alike > 1 else None)
    return folds, dict(zip("abcde", nearest_means(features, labels, folds), strict=False))


def orderings(shifts, **options):
    for seed in range(TRIALS):
        folds, scores = tried(seed, shifts, **options)
        yield order_over_folds(scores, folds.train_sizes, folds.test_sizes)


@pytest.mark.parametrize(
    ("shifts", "options"),
    [
        ((0.25, 0.25), {}),
        ((0.25, 0.25), {"shared": 0.5}),
        ((0.5, 0.5), {}),
        ((0.25, 0.25), {"count": 40}),
        ((0.25, 0.25), {"repeats": 1}),
        ((0.25,) * 5, {}),
        ((0.25, 0.25), {"count": 10, "alike": 10, "repeats": 2}),
    ],
)
def test_among_candidates_that_do_not_differ_a_winner_is_seldom_named(shifts, options):
    found = list(orderings(shifts, **options))
    winners = np.mean([each.winner is not None for each in found])
    apart = np.mean([len(each.tiers) > 1 or bool(each.apart) for each in found])
    assert winners <= MOST
    assert apart <= MOST


def test_the_usual_t_test_would_name_one_in_almost_half_of_the_trials():
    found = [ttest_rel(*tried(seed, (0.25, 0.25))[1].values()).pvalue < 0.05 for seed in range(TRIALS)]
    assert np.mean(found) > 0.3


@pytest.mark.parametrize(("shifts", "power"), [((0.35, 0.25), 0.25), ((0.45, 0.25), 0.7)])
def test_a_real_winner_is_named_and_never_the_other(shifts, power):
    winners = [each.winner for each in orderings(shifts)]
    assert winners.count("a") >= power * TRIALS
    assert winners.count("b") == 0
