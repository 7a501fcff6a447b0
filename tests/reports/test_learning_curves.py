"""Curves from the lines of a history."""

import pytest

from transfer.reports.learning_curves import draw_learning


def epochs(stage, losses, **more):
    return [{"stage": stage, "number": k, "loss": loss, **more} for k, loss in enumerate(losses, 1)]


def test_a_stage_that_begins_anew_is_a_curve_of_its_own():
    found = draw_learning(epochs("tune", [3.0, 2.0]) + epochs("tune", [1.5, 1.25, 1.0]))
    assert [curve.ended for curve in found.curves] == [
        "2 epochs; loss 3.000 in the first, 2.000 in the last",
        "3 epochs; loss 1.500 in the first, 1.000 in the last",
    ]


def test_what_is_no_epoch_is_told_in_a_line():
    found = draw_learning(
        [{"stage": "probe", "penalty": 0.01, "cross_validated_accuracy": 0.5}, {"stage": "<b>", "x": 1}]
    )
    assert found.curves == ()
    assert found.remarks == ("probe: penalty 0.010, cross validated accuracy 0.500", "<b>: x 1")


def test_epochs_are_numbers_in_a_table_too():
    (curve,) = draw_learning(epochs("tune", [3.0, 2.0], validation_loss=None, rate=1e-4)).curves
    assert curve.table.columns == ("epoch", "loss", "learning rate")
    assert [cell.text for cell in curve.table.rows[1]] == ["2", "2.000", "0.0001"]
    assert curve.accuracies == ""


def test_losses_that_are_no_numbers_are_left_out_of_the_picture():
    (curve,) = draw_learning(epochs("tune", [3.0, float("nan"), float("inf"), 1.0])).curves
    assert curve.losses.count("<circle") == 2
    assert curve.table.rows[1][1].text == "nan"


@pytest.mark.parametrize("line", [{"stage": "tune", "number": "1", "loss": 1.0}, {"number": None, "loss": 1}, {}])
def test_a_line_of_another_kind_does_no_harm(line):
    found = draw_learning([*epochs("tune", [3.0, 2.0]), line])
    assert len(found.curves) == 1


def test_no_history_is_no_curve():
    assert draw_learning(()) is None


def test_numbers_that_no_scale_holds_are_left_out():
    losses = [1.0, 1e200, -(10**400), 0.5]
    told = draw_learning([{"stage": "tune", "number": place, "loss": each} for place, each in enumerate(losses, 1)])
    (curve,) = told.curves
    assert "epoch 4: " in curve.losses
    assert "epoch 2: " not in curve.losses
    assert draw_learning([{"stage": "tune", "number": 10**400, "loss": 1.0}]).curves == ()
