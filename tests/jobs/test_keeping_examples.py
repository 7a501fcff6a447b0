"""What a run looks up of its examples for its page: quickly, or not at all with the reason."""

from types import SimpleNamespace

import numpy as np

import transfer
from transfer.data.labelled import LabelledSet
from transfer.jobs.audits import doubting_labels
from transfer.jobs.audits.doubting_labels import doubt_labels
from transfer.jobs.finetuning.keeping_examples import keep_examples
from transfer.jobs.pages.showing_examples import count_learnt, frame_of
from transfer.jobs.students.clock import TimeLimit
from transfer.labellings import Labelling, Output


def clusters(spread: float, wrong: tuple[int, ...] = ()) -> tuple[LabelledSet, np.ndarray]:
    """Sixty points around three centres, and their labels, of which some are wrong."""
    random = np.random.default_rng(0)
    kinds = np.arange(60) % 3
    features = (6 * np.eye(3, 8)[kinds] + spread * random.normal(size=(60, 8))).astype(np.float32)
    labels = kinds.copy()
    labels[list(wrong)] = (labels[list(wrong)] + 1) % 3
    return transfer.from_arrays(features, labels), features


def test_labels_that_were_exchanged_are_found():
    data, features = clusters(0.5, (4, 17, 33))
    found, why = doubt_labels(data, [features], seed=0)
    assert why == ""
    assert {each.example for each in found} == {"x[4]", "x[17]", "x[33]"}
    by_name = {each.example: each for each in found}
    assert (by_name["x[4]"].given, by_name["x[4]"].likely) == (data.classes[2], data.classes[1])
    assert all(0 <= each.probability < 0.5 and each.output == "" for each in found)


def test_a_probe_that_knows_little_accuses_nobody():
    data, features = clusters(12.0)
    found, why = doubt_labels(data, [features], seed=0)
    assert found == ()
    assert "knows too little" in why or "No label" in why


def test_right_labels_are_said_to_be_so():
    assert doubt_labels(*(lambda data, features: (data, [features]))(*clusters(0.5)), seed=0) == (
        (),
        "No label is likely wrong by a probe that has not learnt from it.",
    )


def test_what_would_take_long_is_left_to_another_command(monkeypatch):
    data, features = clusters(0.5)
    monkeypatch.setattr(doubting_labels, "_EXAMPLES", 59)
    found, why = doubt_labels(data, [features], seed=0)
    assert (found, "transfer audit" in why) == ((), True)


def test_what_was_learnt_from_is_counted_by_output():
    labelling = Labelling(
        (
            Output("food", classes=("fruit", "cake")),
            Output("tags", "sigmoid", ("red", "old")),
            Output("price", "regression"),
        )
    )
    targets = (np.array([1, 1, -1]), np.array([[1, -1], [1, 0], [0, 1]]), np.zeros((3, 1)))
    data = LabelledSet("set", ("a", "b", "c"), labelling, targets, np.zeros((3, 2)))
    assert count_learnt(data) == ((0, 2), (2, 1), ())


def test_a_frame_is_a_share_of_the_whole():
    assert frame_of((152, 200), (160, 200)) == (0.025, 0.0)
    assert frame_of(None, (160, 160)) == frame_of((8, 8), None) == (0.0, 0.0)


def test_where_no_time_is_left_nothing_is_looked_up():
    data, _ = clusters(0.5)
    outcome = SimpleNamespace(examples=data, train=np.arange(6))
    found = keep_examples(None, None, None, outcome, TimeLimit(1.0))
    assert found.learnt == ((2, 2, 2),)
    assert (found.pictures, found.suspects) == ({}, ())
    assert "time limit" in found.absent["suspects"]
