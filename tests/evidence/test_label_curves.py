"""What a curve of accuracy against labels comes to."""

import numpy as np
import pytest

from transfer.evidence.corrected_comparison import compare_over_folds
from transfer.evidence.curve_points import CurvePoint
from transfer.evidence.label_curves import LabelCurve, best_of, worth


def point(way, shots, *accuracies):
    count = len(accuracies)
    return CurvePoint(way, shots, accuracies, (5 * shots,) * count, (225,) * count, (75,) * count)


def test_of_points_that_are_reached_with_no_shots_tried_the_first_stands_for_all():
    reference = [point("linear", shots, 0.3, 0.3) for shots in (1, 5, 20)]
    points = [point("probe", shots, height, height) for shots, height in ((1, 0.5), (5, 0.6), (20, 0.7))]
    (told,) = worth(points, reference)
    assert told.startswith("probe of 1 shot (0.500) is reached by linear with none")
    assert len(worth([*points, point("tuned", 5, 0.8, 0.8)], reference)) == 2


def test_the_worth_is_read_off_the_reference_straight_over_the_logarithm_of_shots():
    reference = [point("linear", 1, 0.2, 0.2), point("linear", 10, 0.4, 0.4), point("linear", 100, 0.6, 0.6)]
    points = [point("probe", 1, 0.1, 0.1), point("probe", 5, 0.5, 0.5), point("probe", 10, 0.7, 0.7)]
    low, middle, high = worth(points, reference)
    assert low.endswith("is reached by linear with 1 or fewer")
    assert middle == "probe of 5 shots (0.500) is reached by linear with about 32"  # 10 ^ 1.5
    assert high.endswith("with none of the numbers tried (at the most 100: 0.600)")


def test_a_reference_that_falls_with_more_shots_counts_with_its_best_so_far():
    reference = [point("linear", 1, 0.2, 0.2), point("linear", 10, 0.5, 0.5), point("linear", 100, 0.4, 0.4)]
    (told,) = worth([point("probe", 1, 0.35, 0.35)], reference)
    assert told.endswith("with about 3")  # 10 ^ 0.5


def test_bounds_are_those_of_divisions_of_the_whole_pool():
    found = point("probe", 1, 0.4, 0.5, 0.45)
    expected = compare_over_folds(np.array(found.accuracies), np.zeros(3), np.full(3, 225), np.full(3, 75))
    assert (found.less().low, found.less().high) == (expected.low, expected.high)
    assert found.cells == ("1", "probe", "0.450", f"{max(0, expected.low):.3f} to {expected.high:.3f}", "3")


def test_ways_that_know_something_are_held_against_the_best_that_do_not():
    points = (
        point("probe", 5, 0.7, 0.72, 0.74),
        point("linear", 5, 0.3, 0.32, 0.31),
        point("neighbours", 5, 0.2, 0.2, 0.2),
    )
    assert best_of(points, ["neighbours", "linear"]) == "linear"
    curve = LabelCurve("photos", points, ("linear", "neighbours"), "linear")
    assert curve.closing[0].startswith("paid      5 shots: probe - linear = +0.410 [")
    assert curve.closing[1].startswith("worth     probe of 5 shots (0.720) is reached by linear with none")
    assert len(curve.closing) == 2
    assert [each["mean"] for each in curve.to_json()["points"]] == pytest.approx([0.72, 0.31, 0.2])
    assert curve.to_json()["paid"][0]["p_value"] == curve.of("probe")[0].less(curve.of("linear")[0]).p_value


def test_p_values_of_several_points_are_adjusted_for_being_many():
    points = [point(way, k, *(base + 0.01 * k for base in bases)) for k in (5, 20) for way, bases in WAYS.items()]
    curve = LabelCurve("photos", tuple(points), ("linear",), "linear")
    plain = [each.less(curve.of("linear")[place]).p_value for place, each in enumerate(curve.of("probe"))]
    assert [found.p_value for _, _, found in curve.paid] == pytest.approx(
        [min(1, 2 * min(plain)), max(2 * min(plain), max(plain))]
    )


WAYS = {"probe": (0.5, 0.56, 0.51), "linear": (0.3, 0.31, 0.33)}


def test_nothing_is_adjusted_where_there_is_nothing_to_tell():
    curve = LabelCurve("photos", (point("linear", 5, 0.3, 0.3),), ("linear",), "linear")
    assert curve.closing == ()
