"""How far Gaussians lie apart, against integrals; what a drift says of itself, by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

import transfer
from transfer.analysis.drift import FAR, MARKED, LayerDrift, divergence, layer_drift
from transfer.analysis.input_ranges import InputDrift, Slip

INPUTS = InputDrift(-2.1, 2.6, (0.0,), (1.0,))


def drift(*scores: float, positions: tuple[int, ...] = (), inputs: InputDrift = INPUTS) -> transfer.Drift:
    """A drift with these scores, its layers called a, b, c and so on."""
    sizes = positions or (1,) * len(scores)
    layers = [
        LayerDrift(name, 8, size, score, 0.1, 1.0, f"before_{name}" if name != "a" else "")
        for name, score, size in zip("abcdefgh", scores, sizes, strict=False)
    ]
    return transfer.Drift("net.h5", "photos", 40, tuple(layers), inputs)


@pytest.mark.parametrize(("mean", "std"), [(0, 1), (1, 1), (0, 2), (-1.5, 0.5), (3, 1.7)])
def test_the_divergence_is_the_mean_of_both_integrals(mean, std):
    ours, theirs = norm(0.3, 1.2), norm(mean, std)

    def apart(one, other):
        return quad(lambda x: one.pdf(x) * (one.logpdf(x) - other.logpdf(x)), -25, 25, limit=200)[0]

    expected = (apart(ours, theirs) + apart(theirs, ours)) / 2
    found = divergence(*(np.array([each]) for each in (0.3, 1.44, mean, std**2)))
    assert found == pytest.approx([expected], abs=1e-8)


def test_one_standard_deviation_costs_a_half_and_twice_the_variance_an_eighth():
    found = divergence(np.zeros(3), np.full(3, 4.0), np.array([2.0, 0.0, 0.0]), np.array([4.0, 8.0, 2.0]))
    assert found.tolist() == [FAR, 0.125, 0.125]


def test_a_channel_that_hardly_varies_is_judged_in_units_of_epsilon():
    still, seen = np.array([1e-12]), np.array([1e-9])
    assert divergence(np.zeros(1), still, np.zeros(1), seen)[0] > 100
    assert divergence(np.zeros(1), still, np.zeros(1), seen, epsilon=1e-3)[0] < 1e-6


def test_a_layer_is_described_by_means_over_its_channels():
    stored = (np.array([0.0, 1.0]), np.array([4.0, 1.0]))
    seen = (np.array([2.0, 1.0]), np.array([4.0, 16.0]))
    found = layer_drift("norm", stored, seen, epsilon=0.0, positions=9, cut="conv")
    assert (found.layer, found.channels, found.positions, found.cut) == ("norm", 2, 9, "conv")
    assert found.shift == pytest.approx((1 + 0) / 2)
    assert found.spread == pytest.approx(np.sqrt(1 * 4))
    assert found.score == pytest.approx((0.5 + (1 / 16 + 16 - 2) / 4) / 2)


def test_values_that_are_not_finite_are_infinitely_far_and_null_in_json():
    found = layer_drift("norm", (np.zeros(2), np.ones(2)), (np.array([0.0, np.nan]), np.ones(2)), epsilon=1e-3)
    assert found.score == np.inf
    values = replace(drift(0.1), layers=(found,)).to_json()
    assert values["layers"][0]["score"] is None
    json.dumps(values, allow_nan=False)


def test_the_score_counts_layers_by_the_positions_they_see():
    assert drift(0.1, 0.4, positions=(300, 100)).score == pytest.approx((0.1 * 300 + 0.4 * 100) / 400)
    assert drift().score is None


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ((0.1, 0.1, 0.1, 0.1), None),
        ((0.1, 0.1, 0.9, 0.8), "c"),
        ((0.9, 0.8, 0.7, 0.9), "a"),
        ((0.9, 0.1, 0.1, 0.1), None),
        ((0.1, 0.9, 0.1, 0.1, 0.1, 0.1), None),
        ((0.1, 0.9, 0.1, 0.9, 0.9), "b"),
        ((FAR, FAR), None),
    ],
)
def test_domains_part_where_a_layer_is_far_with_most_of_those_after_it(scores, expected):
    assert drift(*scores).parts_at == expected


def test_data_like_that_in_training_needs_nothing():
    found = drift(0.05, 0.1)
    assert found.advice == ()
    assert "data like that in training" in found.verdict


def test_wrong_inputs_come_before_all_other_advice():
    wrong = replace(INPUTS, slips=(Slip("inputs look like 0 to 255", "use --preprocessing torch"),))
    found = drift(9.0, 9.0, inputs=wrong)
    assert found.advice == ("use --preprocessing torch",)
    assert found.verdict == "check the preprocessing: inputs look like 0 to 255"


def test_colours_that_fit_better_in_the_other_order_are_a_note_and_nothing_is_where_both_fit_alike():
    found = replace(drift(0.1, 0.1), colours=(0.12, 0.1))
    assert found.is_swapped
    (note,) = found.remarks
    assert "red and blue in the other order fit 1.20 times better" in note
    assert "BGR" in note
    assert (found.verdict, found.advice) == (drift(0.1, 0.1).verdict, drift(0.1, 0.1).advice)
    assert f"note: {note}" in str(found)
    assert (found.to_json()["colours"], found.to_json()["notes"]) == ([0.12, 0.1], [note])
    assert not replace(found, colours=(0.1, 0.1)).is_swapped
    assert replace(found, colours=(0.1, 0.1)).remarks == ()
    assert not drift(0.1).is_swapped


def test_where_domains_part_a_cut_below_is_advised_and_without_one_batch_norm_that_learns():
    assert "--at before_c" in drift(0.01, 0.01, 2.0, 2.0).advice[0]
    for found in (drift(2.0, 2.0), drift(MARKED, MARKED)):
        assert len(found.advice) == 1
        assert "batch_norm='train'" in found.advice[0]


def test_it_prints_as_a_table_with_a_row_for_each_layer():
    lines = repr(drift(0.1, 0.9, 0.8)).splitlines()
    assert lines[0] == "net.h5, 40 examples of photos"
    assert [line.split() for line in lines[2:6]] == [
        ["batch", "norm", "channels", "positions", "score", "shift", "spread"],
        ["a", "8", "1", "0.100", "0.10", "1.00"],
        ["b", "8", "1", "0.900", "0.10", "1.00", "far"],
        ["c", "8", "1", "0.800", "0.10", "1.00", "far"],
    ]
    assert str(drift(0.1)) == repr(drift(0.1))


def test_a_network_without_batch_norm_is_judged_by_its_input_alone():
    assert drift().advice == ()
    assert "no batch norm" in drift().verdict
    assert drift().to_json()["score"] is None
