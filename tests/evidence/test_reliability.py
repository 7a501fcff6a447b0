"""How often answers are right beside how sure they were."""

import numpy as np
import pytest

from transfer.evidence.calibration_error import calibration_error, expected_calibration_error
from transfer.evidence.reliability import reliability, sure_answers
from transfer.labellings import Labelling, Output
from transfer.training.decoding import find_probabilities, parent_places

FOOD = Output("food", classes=("fruit", "dessert", "drink"))
KIND = Output("kind", classes=("apple", "pear", "cake"), parent="food", under=("fruit", "fruit", "dessert"))
RIPE = Output("ripe", "sigmoid", ("ripe", "red"), parent="food", under=("fruit", "fruit"))
TREE = Labelling((FOOD, KIND, RIPE))


def test_parts_hold_what_lies_in_them():
    confidences = np.array([0.05, 0.1, 0.11, 0.95, 1.0, 0.0])
    right = np.array([False, True, True, True, False, False])
    found = reliability(confidences, right, bins=10)
    assert [each[2] for each in found] == [3, 1, 2]  # 0.1 is in the first part
    np.testing.assert_allclose([each[:2] for each in found], [(0.05, 1 / 3), (0.11, 1.0), (0.975, 0.5)])


def test_the_parts_add_up_to_the_expected_calibration_error():
    random = np.random.default_rng(0)
    confidences, right = random.random(500), random.random(500) < 0.7
    found = reliability(confidences, right)
    error = sum(count / 500 * abs(share - sure) for sure, share, count in found)
    assert error == pytest.approx(expected_calibration_error(confidences, right), abs=1e-12)
    assert sum(count for _, _, count in found) == 500


@pytest.mark.parametrize("output", TREE.outputs, ids=lambda each: each.name)
def test_probabilities_tell_what_logits_tell(output):
    random = np.random.default_rng(1)
    logits = random.normal(0, 2, (200, 8))
    shares = dict(zip(TREE.names, find_probabilities(TREE, logits), strict=True))
    columns = {"food": slice(0, 3), "kind": slice(3, 6), "ripe": slice(6, 8)}[output.name]
    wanted = random.integers(-1, len(output.classes), 200)
    if output.kind == "sigmoid":
        wanted = random.integers(-1, 2, (200, 2))
    above = shares["food"][:, parent_places(TREE, output)] if output.parent else None
    confidences, right = sure_answers(output, wanted, shares[output.name], above)
    told = calibration_error(output, wanted, logits[:, columns])
    assert len(confidences) == told.examples
    assert expected_calibration_error(confidences, right) == pytest.approx(told.value, abs=1e-9)


def test_where_the_parent_has_no_share_nothing_is_said_of_its_classes():
    shares = np.array([[0.0, 0.0, 1.0], [0.6, 0.3, 0.1]])
    confidences, right = sure_answers(KIND, np.array([0, 1]), shares, None)
    np.testing.assert_allclose(confidences, [2 / 3])
    assert right.tolist() == [False]
    unsure, said = sure_answers(RIPE, np.array([[1, 0]]), np.zeros((1, 2)), np.zeros((1, 2)))
    assert (unsure.tolist(), said.tolist()) == ([0, 0], [True, False])


def test_nothing_known_is_no_part():
    confidences, right = sure_answers(FOOD, np.array([-1, -1]), np.full((2, 3), 1 / 3))
    assert reliability(confidences, right) == ()
