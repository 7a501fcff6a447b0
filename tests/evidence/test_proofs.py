"""Verdicts on pretraining, by points made by hand."""

import json

import numpy as np
import pytest

import transfer
from transfer.evidence.corrected_comparison import compare_over_folds
from transfer.evidence.curve_points import CurvePoint

SCRATCH = (0.50, 0.52, 0.51, 0.49, 0.50)


def point(way, shots, accuracies):
    count = len(accuracies)
    return CurvePoint(way, shots, tuple(accuracies), (10 * shots,) * count, (7500,) * count, (2500,) * count)


def above(by):
    return tuple(each + by for each in SCRATCH)


def proof(*gains, way="masked probe", shots=(1, 5, 10)):
    points = [
        made
        for count, gain in zip(shots, gains, strict=True)
        for made in (point(way, count, above(gain)), point("scratch", count, SCRATCH))
    ]
    return transfer.Proof("shoes", tuple(points), ((way, "scratch"),), ((1, 500), (5, 1000)))


def test_where_it_lies_above_it_paid():
    (verdict,) = proof(0.2, 0.1, 0.0).verdicts
    assert verdict.startswith("masked probe: it paid at 1 and 5 labels a class (+0.200 [+")
    assert "], +0.100 [+" in verdict
    assert "; not told apart from scratch at 10 labels a class (+0.000 [-" in verdict
    assert "hurt" not in verdict


def test_where_it_lies_below_it_hurt():
    (verdict,) = proof(-0.2, 0.0, -0.3).verdicts
    assert "masked probe: it hurt at 1 and 10 labels a class (-0.200 [-" in verdict
    assert "paid" not in verdict


def test_where_nothing_is_told_it_says_so():
    (verdict,) = proof(0.001, 0.0, -0.001).verdicts
    assert verdict.startswith("masked probe: not told apart from scratch at 1, 5 and 10 labels a class (+0.001 [-")
    (one,) = proof(0.3, shots=(1,)).verdicts
    assert one.startswith("masked probe: it paid at 1 label a class (")


def test_differences_are_of_the_same_divisions_and_adjusted_for_all_of_them():
    found = proof(0.02, 0.01, 0.0)
    sizes = np.full(5, 7500), np.full(5, 2500)
    alone = [compare_over_folds(np.array(above(gain)), np.array(SCRATCH), *sizes) for gain in (0.02, 0.01, 0.0)]
    holm = [min(1.0, 3 * alone[0].p_value), max(3 * alone[0].p_value, 2 * alone[1].p_value), 1.0]
    assert [each.p_value for _, _, each in found.differences] == pytest.approx(holm)
    assert [(way, shots) for way, shots, _ in found.differences] == [("masked probe", k) for k in (1, 5, 10)]
    assert [each.low for _, _, each in found.differences] == [each.low for each in alone]


def test_what_paid_is_worth_so_many_labels_of_training_from_scratch():
    points = [
        point("masked probe", 1, above(0.2)),
        point("scratch", 1, SCRATCH),
        point("masked probe", 10, above(0.2)),
        point("scratch", 10, above(0.4)),
    ]
    found = transfer.Proof("shoes", tuple(points), (("masked probe", "scratch"),))
    (told,) = found.worth
    assert told == "masked probe of 1 shot (0.704) is reached by scratch with about 3"  # half way up, 10 ** 0.5
    assert "it hurt at 10 labels a class" in found.verdicts[0]


def test_each_way_is_held_against_its_own_reference():
    points = (point("a probe", 1, above(0.2)), point("scratch of a", 1, SCRATCH))
    points += (point("b probe", 1, above(0.2)), point("scratch of b", 1, above(0.4)))
    found = transfer.Proof("shoes", points, (("a probe", "scratch of a"), ("b probe", "scratch of b")))
    assert [round(each.mean, 9) for _, _, each in found.differences] == [0.2, -0.2]
    assert ["paid" in each for each in found.verdicts] == [True, False]


def test_it_is_a_table_and_plain_values():
    found = proof(0.2, 0.1, 0.0)
    lines = str(found).splitlines()
    assert lines[0].split()[:2] == ["shots", "way"]
    assert lines[0].split()[-7:] == ["less", "scratch", "its", "95", "%", "interval", "p"]
    assert lines[1].split()[:4] == ["1", "masked", "probe", "0.704"]
    assert "+0.200" in lines[1]
    assert "+" not in lines[2]
    values = json.loads(json.dumps(found.to_json()))
    assert values["steps"] == [{"shots": 1, "steps": 500}, {"shots": 5, "steps": 1000}]
    assert values["verdicts"] == list(found.verdicts)
    assert values["differences"][0]["told_apart"] is True
    assert [each["way"] for each in values["points"]] == ["masked probe", "scratch"] * 3
