"""Cuts in order, with accuracies and costs made by hand."""

import keras
import numpy as np
import pytest

from transfer.errors import TrainingError
from transfer.evidence.repeated_folds import deal_repeatedly
from transfer.jobs.rankings.features_of_cuts import CutFeatures
from transfer.jobs.rankings.opening_candidates import Candidate, OpenedCandidate
from transfer.jobs.rankings.ordering_cuts import Placed, order_cuts
from transfer.jobs.rankings.scoring_cuts import ScoredCut
from transfer.labellings import Labelling
from transfer.models.building import read_model
from transfer.rankings import Cost, CutScores
from transfer.scores import Interval

FOLDS = deal_repeatedly(Labelling.of_classes(("a", "b")), [np.arange(200) % 2], seed=0, folds=5, repeats=2)
SPREAD = np.tile([-0.02, -0.01, 0.0, 0.01, 0.02], 2)


@pytest.fixture
def place():
    def placed(name, at, accuracy, flops, size, spread=SPREAD):
        is_random = name.startswith("random:")
        features = CutFeatures(at, np.zeros((200, 3), np.float32), Cost(flops, size // 4, size))
        accuracies = Interval(accuracy, accuracy, accuracy)
        return Placed(
            Candidate(name, "file.h5", None, is_random),
            ScoredCut(features, CutScores(0, 0), accuracies, accuracy + spread),
        )

    return placed


def test_the_front_has_what_nothing_equals_for_less(place):
    ordered = order_cuts(
        [
            place("a", "late", 0.9, 100, 40),
            place("a", "early", 0.8, 10, 4),
            place("b", "late", 0.85, 100, 40),  # worse than a's at the same cost
            place("b", "small", 0.7, 10, 3),
            place("c", "slow", 0.9, None, 40),  # as good, at an unknown cost
        ],
        FOLDS,
    )
    assert [(row.name, row.on_front) for row in ordered.rows] == [
        ("a at late", True),
        ("c at slow", False),
        ("b at late", False),
        ("a at early", True),
        ("b at small", True),
    ]


def test_what_is_far_below_the_first_is_told_apart_and_a_cheap_equal_is_named(place):
    cuts = [
        place("a", "late", 0.9, 100, 40),
        place("a", "early", 0.895, 25, 8, SPREAD[::-1]),
        place("random:a", "late", 0.5, 100, 40, SPREAD[::-1]),
    ]
    ordered = order_cuts(cuts, FOLDS)
    assert [row.ties_best for row in ordered.rows] == [True, True, False]
    assert ordered.line == "a > random:a"
    assert ordered.notes == (
        "a at early is not told apart from the best (0.895 beside 0.900) and takes 25 % of its FLOPs",
    )
    assert order_cuts(cuts[::-1], FOLDS) == ordered


def test_a_cheap_cut_far_below_is_no_advice_though_the_folds_do_not_tell_it_apart(place):
    wide = np.tile([-0.3, 0.3, -0.2, 0.2, 0.0], 2)
    ordered = order_cuts([place("a", "late", 0.6, 100, 40, wide), place("a", "early", 0.5, 25, 8, -wide)], FOLDS)
    assert [row.ties_best for row in ordered.rows] == [True, True]
    assert ordered.notes == ()


def test_a_candidate_that_is_told_to_be_worse_ties_at_none_of_its_cuts(place):
    others = [place("b", f"cut {step}", 0.83, 100, 40, 0.5 * np.roll(SPREAD, step)) for step in range(24)]
    ordered = order_cuts([place("a", "late", 0.9, 100, 40, 0 * SPREAD), *others], FOLDS)
    assert ordered.line == "a > b"  # of two; among 25 cuts it would be chance
    assert [row.name for row in ordered.rows if row.ties_best] == ["a at late"]


def test_a_candidate_that_may_be_as_good_as_the_first_ties_at_its_best_cut(place):
    worse = [place(name, "late", 0.81, 100, 40, 0.5 * SPREAD) for name in "bcde"]
    ordered = order_cuts([place("a", "late", 0.9, 100, 40, 0 * SPREAD), *worse], FOLDS)
    assert ordered.line == "a ≈ b ≈ c ≈ d ≈ e"
    assert all(row.ties_best for row in ordered.rows)


def test_random_weights_that_do_as_well_are_told(place):
    ordered = order_cuts([place("random:a", "late", 0.6, 9, 4), place("a", "late", 0.6, 9, 4)], FOLDS)
    assert [row.candidate for row in ordered.rows] == ["a", "random:a"]
    assert ordered.notes == ("random:a: not told apart from a, so nothing shows that pretraining helps here",)
    ordered = order_cuts([place("random:a", "late", 0.9, 9, 4), place("a", "late", 0.6, 9, 4)], FOLDS)
    assert ordered.notes == (
        "random:a at late has random weights and is better than all that were trained: look at what goes in",
    )


def test_a_cut_that_cannot_be_fine_tuned_is_told_and_the_ranking_stands(place, monkeypatch):
    from transfer.jobs.rankings import verifying_ranks
    from transfer.jobs.rankings.features_of_cuts import Fitting

    def fail(*_, **__):
        raise TrainingError("The loss is not finite.")

    monkeypatch.setattr(verifying_ranks, "finetune", fail)
    monkeypatch.setattr(verifying_ranks, "_student", lambda *_: None)
    inputs = keras.Input((2,))
    network = read_model(keras.Model(inputs, keras.layers.Dense(2)(inputs)))
    cuts = order_cuts([given := place("a", "late", 0.9, 100, 40)], FOLDS).rows
    origins = {"a at late": OpenedCandidate(given.candidate, network, {})}
    rows, notes = verifying_ranks.verify_cuts(cuts, origins, None, 3, fitting=Fitting())
    assert rows == cuts
    assert notes == ("a at late could not be fine-tuned: The loss is not finite.",)
