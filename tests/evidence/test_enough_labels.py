"""How many labels are enough, against a test of its own for each pair."""

import numpy as np
import pytest
from scipy import stats

from transfer.evidence.curve_points import CurvePoint
from transfer.evidence.enough_labels import enough_labels
from transfer.evidence.label_curves import LabelCurve

SPREAD = np.array([-0.02, -0.01, 0.0, 0.01, 0.02])


def points(way, heights, spreads=None, shots=(5, 10, 20, 50)):
    spreads = spreads or [np.roll(SPREAD, place) for place in range(len(heights))]
    return [
        CurvePoint(way, count, tuple(height + spread), *((each,) * len(spread) for each in (5 * count, 2250, 750)))
        for count, height, spread in zip(shots, heights, spreads, strict=False)
    ]


def p_value(point, most):
    """Student's t of the differences, with the variance that Nadeau and Bengio correct, and no less than of coins."""
    differences = np.array(most.accuracies) - np.array(point.accuracies)
    mean, count = differences.mean(), len(differences)
    variance = max(differences.var(ddof=1), abs(mean) * (1 - abs(mean)) / 750)
    t = abs(mean) / np.sqrt((1 / count + 750 / 2250) * variance)
    return 2 * stats.t.sf(t, count - 1)


def test_enough_is_the_least_number_from_which_on_none_is_told_to_lie_below_the_most():
    way = points("tuned", [0.5, 0.79, 0.8, 0.81], [np.roll(SPREAD, place) / 2 for place in range(4)])
    raw = [p_value(each, way[-1]) for each in way[:-1]]
    assert [each * 3 < 0.05 for each in raw] == [True, False, False]
    (found,) = enough_labels([way])
    assert (found.way, found.shots, found.before, found.most) == ("tuned", 10, 10, 50)
    assert found.gain.mean == pytest.approx(0.02)
    assert found.gain.p_value == pytest.approx(min(1, 2 * min(raw[1:])), rel=1e-6)  # the second and third of three
    assert (found.too_few, found.is_sure) == (5, True)
    half = stats.t.ppf(0.975, 4) * abs(found.gain.mean) / stats.t.isf(raw[1] / 2, 4)
    assert found.gain.high == pytest.approx(0.02 + half)
    assert found.gain.high < 0.05
    assert str(found).startswith("10 shots for tuned: +0.020 [-0.0")
    assert str(found).endswith("] from 10 to 50 shots")


def test_numbers_that_may_lie_far_below_the_most_are_not_called_enough():
    wide = [4 * SPREAD[::-1], 4 * np.roll(SPREAD, 2), 4 * SPREAD]
    (found,) = enough_labels([points("tuned", [0.3, 0.75, 0.8], wide)])
    assert (found.too_few, found.shots, found.is_sure) == (5, 10, False)
    assert found.gain.high > 0.05
    assert str(found).startswith("more than 5 shots for tuned: +0.050 [-0.")
    p = f"{found.gain.p_value:.2g}"
    doubt = f"which chance may explain (p {p}, adjusted for the number of comparisons); more divisions tell more"
    assert str(found).endswith(f"] from 10 to 20 shots, {doubt}")
    (found,) = enough_labels([points("tuned", [0.7, 0.75, 0.8], wide)])
    assert (found.too_few, found.shots) == (None, 5)
    assert str(found).startswith("cannot be told for tuned: +0.100 [")


def test_where_the_last_step_is_told_more_labels_still_pay():
    (found,) = enough_labels([points("tuned", [0.3, 0.4, 0.5, 0.7])])
    assert (found.shots, found.before, found.most) == (None, 20, 50)
    assert str(found).startswith("more labels still pay for tuned: +0.200 [+0.1")
    assert str(found).endswith("] from 20 to 50 shots")


def test_a_number_that_ties_before_one_that_is_told_to_be_worse_is_not_enough():
    wide = [10 * SPREAD, SPREAD, SPREAD[::-1], SPREAD]
    (found,) = enough_labels([points("tuned", [0.6, 0.5, 0.69, 0.7], wide)])
    assert found.shots == 20


def test_what_is_worse_with_the_most_labels_has_enough_with_the_fewest():
    (found,) = enough_labels([points("tuned", [0.9, 0.89, 0.9, 0.5])])
    assert found.shots == 5
    assert found.gain.mean < 0


def test_p_values_are_adjusted_over_all_ways():
    way = points("tuned", [0.7, 0.77], [SPREAD, SPREAD[::-1]], shots=(10, 20))
    raw = p_value(way[0], way[1])
    assert 0.05 / 6 < raw < 0.05
    (alone,) = enough_labels([way])
    assert (alone.shots, alone.gain.p_value) == (None, pytest.approx(raw))
    flat = [points(f"flat {place}", [0.5, 0.5], [SPREAD, SPREAD], shots=(10, 20)) for place in range(5)]
    among, *_ = enough_labels([way, *flat])
    assert (among.shots, among.gain.p_value) == (10, pytest.approx(6 * raw))


@pytest.mark.parametrize(("pool", "tested", "is_sure"), [(9, 3, False), (36, 12, False), (120, 40, True)])
def test_where_nothing_differs_few_examples_are_not_enough_to_be_sure(pool, tested, is_sure):
    (found,) = enough_labels(
        [[CurvePoint("probe", shots, (0.9,) * 3, (shots,) * 3, (pool,) * 3, (tested,) * 3) for shots in (1, 3)]]
    )
    assert (found.shots, found.gain.mean, found.is_sure) == (1, 0.0, is_sure)
    # Three divisions test 1 - (3/4)^3 of all in the mean; none of n examples differs: (1 - q)^n = 0.05.
    count = (pool + tested) * (1 - 0.75**3)
    assert (1 - found.gain.high) ** count == pytest.approx(0.05)
    assert str(found).startswith("1 shot for probe: +0.000 [-" if is_sure else "cannot be told for probe: +0.000 [-")


def curve(*ways):
    return LabelCurve("photos", tuple(each for way in ways for each in way), ("linear",), "linear")


def test_a_curve_says_it_of_ways_that_know_something_alone():
    found = curve(points("tuned", [0.5, 0.79, 0.8, 0.81]), points("linear", [0.2, 0.3, 0.4, 0.5]))
    assert [line for line in found.closing if line.startswith("enough")] == [f"enough    {found.enough[0]}"]
    (told,) = found.to_json()["enough"]
    assert (told["way"], told["shots"], told["before"], told["most"]) == ("tuned", 10, 10, 50)
    assert told["gain"]["mean"] == pytest.approx(0.02)


def test_two_divisions_and_one_number_of_shots_cannot_tell():
    two = [SPREAD[:2]] * 4
    found = curve(points("tuned", [0.1, 0.2, 0.3, 0.9], two), points("linear", [0.1, 0.1, 0.1, 0.1], two))
    told = [line for line in found.closing if line.startswith("enough")]
    assert told == [
        "enough    two divisions cannot tell how many labels are enough: ask for at least 3 (--divisions 5)"
    ]
    assert [each.shots for each in found.enough] == [None]
    one = curve(points("tuned", [0.5]), points("linear", [0.2]))
    assert (one.enough, [line for line in one.closing if line.startswith("enough")]) == ((), [])
