"""Which preprocessing made some inputs, and which they should have had."""

from dataclasses import replace

import numpy as np
import pytest
from keras.applications.imagenet_utils import preprocess_input

from transfer.analysis.input_ranges import (
    AS_GIVEN,
    CARD,
    bounds,
    candidates,
    guess_preprocessing,
    judge_inputs,
    prepare,
    reread,
    same_arithmetic,
)
from transfer.analysis.moments import moments_of
from transfer.specs import PREPROCESSINGS, Preprocessing

TORCH, TF, UNIT, RAW, CAFFE = (PREPROCESSINGS[name] for name in ("torch", "tf", "unit", "raw", "caffe"))


@pytest.fixture
def images() -> np.ndarray:
    found = np.random.default_rng(0).integers(0, 256, (5, 4, 3, 3), np.uint8)
    found[0, 0, 0], found[0, 0, 1] = 0, 255
    return found


@pytest.mark.parametrize("mode", ["torch", "tf", "caffe"])
def test_images_are_prepared_as_keras_applications_prepare_them(images, mode):
    expected = preprocess_input(images.astype(np.float32), data_format="channels_last", mode=mode)
    np.testing.assert_allclose(prepare(images, PREPROCESSINGS[mode]), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("given", [TORCH, TF, UNIT, CAFFE, Preprocessing(scale=257.0)], ids=str)
@pytest.mark.parametrize("wanted", [TORCH, RAW, CAFFE], ids=str)
def test_inputs_made_one_way_are_read_as_made_another_way(images, given, wanted):
    found = reread(prepare(images, given), given, wanted)
    np.testing.assert_allclose(found, prepare(images, wanted), rtol=1e-3, atol=1e-3)


def test_bounds_are_what_black_and_white_become():
    assert bounds(TORCH) == pytest.approx((-0.485 / 0.229, (1 - 0.406) / 0.225))
    assert bounds(TF) == pytest.approx((-1, 1))
    assert bounds(CAFFE) == pytest.approx((-123.68, 255 - 103.939))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 255, RAW),
        (0, 1, UNIT),
        (-1, 1, TF),
        (0, 65535, Preprocessing(scale=257.0)),
        (-2.1, 2.6, None),
        (0, 4.4, None),
    ],
)
def test_a_common_range_tells_how_images_were_made(low, high, expected):
    assert guess_preprocessing(low, high) == expected


def test_ways_that_give_the_same_values_are_told_from_others():
    assert same_arithmetic(TF, Preprocessing(scale=1 / 255, mean=(0.5,), std=(0.5,), background=0, frame=0.1))
    assert same_arithmetic(TORCH, replace(TORCH, mean=(0.485, 0.456, 0.407)))
    assert same_arithmetic(UNIT, replace(UNIT, color="grey"))
    assert not same_arithmetic(UNIT, replace(UNIT, color="bgr"))
    assert not same_arithmetic(TORCH, TF)
    assert not same_arithmetic(TORCH, replace(TORCH, mean=(0.0,)))


def test_what_is_tried_fits_the_channels_and_names_the_card_once():
    assert set(candidates(3, RAW, TORCH)) == {AS_GIVEN, CARD, "raw", "unit", "tf", "caffe"}
    assert set(candidates(1, RAW, None)) == {AS_GIVEN, "raw", "unit", "tf"}


def test_inputs_as_the_card_says_are_right(images):
    found = judge_inputs(moments_of(prepare(images, TORCH)), given=TORCH, card=TORCH, readings={})
    assert found.slips == ()
    assert found.by == "card"
    assert (found.low, found.high) == pytest.approx(found.expected, abs=1e-5)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (RAW, "look like 0 to 255, this file expects about -2.12 to 2.64"),
        (UNIT, "look like 0 to 1, "),
        (TF, "look like -1 to 1, "),
        (replace(TORCH, mean=(0.0,)), "no mean is subtracted"),
        (replace(TORCH, color="bgr"), "red and blue have changed places"),
        (replace(RAW, scale=257.0), "look like 0 to 65535, "),
    ],
    ids=["0-255", "0-1", "-1..1", "no mean", "bgr", "16 bits"],
)
def test_what_is_prepared_otherwise_than_the_card_says_is_named(images, given, said):
    (slip,) = judge_inputs(moments_of(prepare(images, given)), given=given, card=TORCH, readings={}).slips
    assert said in slip.what
    assert "--preprocessing" in slip.next_step


def test_the_first_batch_norm_outvotes_a_card_that_fits_much_worse(images):
    seen = moments_of(prepare(images, TF))
    readings = {AS_GIVEN: 0.1, CARD: 0.9, "tf": 0.1}
    assert judge_inputs(seen, given=TF, card=TORCH, readings=readings).slips == ()
    readings[CARD] = 0.15
    assert len(judge_inputs(seen, given=TF, card=TORCH, readings=readings).slips) == 1


def test_a_way_that_fits_much_better_is_named_and_one_that_fits_a_little_better_is_not(images):
    seen = moments_of(prepare(images, RAW))
    (slip,) = judge_inputs(seen, given=RAW, card=None, readings={AS_GIVEN: 900.0, "tf": 0.5, "torch": 0.1}).slips
    assert "look like 0 to 255, this file expects about -2.12 to 2.64" in slip.what
    assert "--preprocessing torch" in slip.next_step
    found = judge_inputs(seen, given=RAW, card=None, readings={AS_GIVEN: 0.19, "torch": 0.1})
    assert found.slips == ()
    assert found.by == "first batch norm"


def test_inputs_prepared_as_the_card_says_are_doubted_only_where_another_way_fits_ten_times_better(images):
    seen = moments_of(prepare(images, UNIT))
    for times, expected in ((9.0, 0), (11.0, 1)):
        readings = {AS_GIVEN: 0.1 * times, CARD: 0.1 * times, "raw": 0.1}
        found = judge_inputs(seen, given=UNIT, card=UNIT, readings=readings)
        assert len(found.slips) == expected
    assert found.expected == (0, 255)


def test_pictures_that_use_a_sliver_of_the_range_and_values_that_are_not_finite_are_named(images):
    (slip,) = judge_inputs(moments_of(prepare(images // 200, UNIT)), given=UNIT, card=UNIT, readings={}).slips
    assert "0.4% of the range" in slip.what
    rows = np.array([[0.0, np.nan], [1.0, 3.0]])
    (slip,) = judge_inputs(moments_of(rows), given=None, card=None, readings={}).slips
    assert slip.what == "values that are NaN or infinite: 1"


def test_it_prints_what_goes_in_beside_what_is_expected(images):
    readings = {AS_GIVEN: 12.0, CARD: 0.25, "unit": np.inf}
    found = judge_inputs(moments_of(prepare(images, RAW)), given=RAW, card=TORCH, readings=readings)
    lines = repr(found).splitlines()
    assert lines[0].startswith("inputs 0 to 255, mean ")
    assert lines[0].endswith("; card expects about -2.12 to 2.64")
    assert lines[1].endswith("card 0.25, as given 12, unit inf")
    assert lines[2].startswith("wrong: inputs look like 0 to 255")
    assert found.to_json()["readings"] == {CARD: 0.25, AS_GIVEN: 12.0, "unit": None}
