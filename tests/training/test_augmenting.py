"""Changed pictures against Keras's own layers and loops, and the same bits wherever an example stands."""

import random
from math import cos, pi, sin

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from transfer.data.loading import ImageBatch
from transfer.errors import DataError, Problem
from transfer.recipe_rules import AUGMENTATIONS
from transfer.training import augmenting
from transfer.training.augmenting import STRENGTHS, Augmentation, augmented_batches

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 13, 10, 3), np.uint8)
DIGESTS = [f"digest {place}" for place in range(6)]
KERAS = {
    "flip": keras.layers.RandomFlip("horizontal", seed=3),
    "shift": keras.layers.RandomTranslation(0.1, 0.1, fill_mode="constant", fill_value=200.0, seed=3),
    "zoom": keras.layers.RandomZoom(0.1, fill_mode="constant", fill_value=200.0, seed=3),
    "rotate": keras.layers.RandomRotation(15 / 360, fill_mode="constant", fill_value=200.0, seed=3),
    "brightness": keras.layers.RandomBrightness(0.1, seed=3),
    "contrast": keras.layers.RandomContrast(0.2, seed=3),
}


def drawn_by_keras(way, given):
    """The seven numbers from -1 to 1 that give what a layer of Keras drew; those of other ways are 0."""
    numbers = np.zeros(7, np.float32)
    values = {name: np.asarray(value) for name, value in given.items()}
    if way == "flip":
        numbers[0] = -0.5 if values["flips"].item() else 0.5
    elif way == "shift":
        numbers[2], numbers[1] = values["translations"][0] / (0.1 * np.array([10, 13]))
    elif way == "zoom":
        numbers[3] = (values["height_zoom"].item() - 1) / 0.1
    elif way == "rotate":
        numbers[4] = values["angle"].item() / 15
    elif way == "brightness":
        numbers[5] = values["rgb_delta"].item() / 25.5
    else:
        numbers[6] = (values["contrast_factor"].item() - 1) / 0.2
    return numbers


@pytest.mark.parametrize("way", AUGMENTATIONS)
def test_each_way_is_what_its_layer_of_keras_does(way, monkeypatch):
    layer, image = KERAS[way], IMAGES[:1].astype(np.float32)
    seen = []
    for _ in range(8):
        transformation = layer.get_random_transformation(image, training=True)
        wanted = np.asarray(layer.transform_images(keras.ops.convert_to_tensor(image), transformation, training=True))
        numbers = drawn_by_keras(way, transformation)
        assert np.abs(numbers).max() <= 1 + 1e-6
        seen.append(numbers.tobytes())
        monkeypatch.setattr(Augmentation, "_draw", lambda *_, numbers=numbers: numbers)
        found = Augmentation((way,), seed=0, background=200).apply(image, DIGESTS[:1], 0)
        assert_allclose(found, wanted, atol=0.02)
    assert len(set(seen)) > 1


def test_a_picture_is_turned_about_its_middle_and_filled_with_background(monkeypatch):
    image = np.random.default_rng(2).uniform(0, 255, (1, 9, 7, 1)).astype(np.float32)
    monkeypatch.setattr(Augmentation, "_draw", lambda *_: np.array([0, 0, 0, 0, 0.8, 0, 0], np.float32))
    found = Augmentation(("rotate",), seed=0, background=90).apply(image, ["a"], 0)
    angle = 0.8 * 15 * pi / 180

    def at(y, x):
        return image[0, y, x, 0] if 0 <= y < 9 and 0 <= x < 7 else 90.0

    for y in range(9):
        for x in range(7):
            from_x = cos(angle) * (x - 3) - sin(angle) * (y - 4) + 3
            from_y = sin(angle) * (x - 3) + cos(angle) * (y - 4) + 4
            left, top = int(np.floor(from_x)), int(np.floor(from_y))
            right, down = from_x - left, from_y - top
            upper = (1 - right) * at(top, left) + right * at(top, left + 1)
            lower = (1 - right) * at(top + 1, left) + right * at(top + 1, left + 1)
            assert found[0, y, x, 0] == pytest.approx((1 - down) * upper + down * lower, abs=0.01)


def test_an_example_has_the_same_bits_whatever_stands_beside_it_and_ran_before():
    together = Augmentation(AUGMENTATIONS, seed=5).apply(IMAGES, DIGESTS, 1)
    other = Augmentation(AUGMENTATIONS, seed=5)
    other.apply(IMAGES[:3, :8], DIGESTS[:3], 7)
    for place in reversed(range(6)):
        alone = other.apply(IMAGES[place : place + 1], DIGESTS[place : place + 1], 1)
        assert alone.tobytes() == together[place : place + 1].tobytes()
    turned = other.apply(IMAGES[::-1], DIGESTS[::-1], 1)
    assert turned[::-1].tobytes() == together.tobytes()


def test_views_seeds_and_examples_differ():
    same = np.repeat(IMAGES[:1], 6, axis=0)
    augmentation = Augmentation(AUGMENTATIONS, seed=5)
    found = [augmentation.apply(same, DIGESTS, view) for view in (0, 1)]
    found.append(Augmentation(AUGMENTATIONS, seed=6).apply(same, DIGESTS, 0))
    assert len({image.tobytes() for images in found for image in images}) == 18


def test_what_one_way_does_hangs_on_no_other():
    digests = [str(place) for place in range(40)]
    images = np.tile(np.arange(10, dtype=np.uint8) * 25, (40, 4, 1))[..., None]
    alone = Augmentation(("flip",), seed=0).apply(images, digests, 0)
    beside = Augmentation(("flip", "brightness"), seed=0).apply(images, digests, 0)
    rises = [each[0, -1, 0] > each[0, 0, 0] for each in beside.astype(int)]
    assert [each[0, -1, 0] > each[0, 0, 0] for each in alone] == rises
    assert 10 < sum(rises) < 30


def test_draws_are_even_from_end_to_end():
    augmentation = Augmentation(("flip",), seed=0)
    draws = np.array([augmentation._draw(str(place), 0) for place in range(4000)])
    assert draws.shape == (4000, 7)
    assert_allclose(np.quantile(draws, [0, 0.25, 0.5, 0.75, 1], axis=0).T, [[-1, -0.5, 0, 0.5, 1]] * 7, atol=0.06)
    assert np.abs(np.corrcoef(draws.T) - np.eye(7)).max() < 0.06


def test_the_order_in_which_ways_are_named_does_not_matter():
    one, other = (Augmentation(ways, seed=1) for ways in (("contrast", "shift"), ("shift", "contrast")))
    assert one == other
    assert one.to_json() == other.to_json()
    assert one.apply(IMAGES, DIGESTS, 0).tobytes() == other.apply(IMAGES, DIGESTS, 0).tobytes()


def test_integers_are_rounded_to_the_nearest_and_floats_are_left_as_computed():
    augmentation = Augmentation(AUGMENTATIONS, seed=2, background=0)
    exact = augmentation.apply(IMAGES.astype(np.float32), DIGESTS, 0)
    rounded = augmentation.apply(IMAGES, DIGESTS, 0)
    assert exact.dtype == np.float32
    assert rounded.dtype == np.uint8
    assert_array_equal(rounded, np.rint(exact))
    assert exact.min() >= 0
    assert exact.max() <= 255
    assert (exact % 1 != 0).any()


def test_white_and_black_stay_within_the_range():
    images = np.stack([np.full((5, 5, 3), value, np.uint8) for value in (0, 255) for _ in range(20)])
    found = Augmentation(("brightness",), seed=0).apply(images, [str(k) for k in range(40)], 0).astype(int)
    assert {0, 255} <= set(found.flat)
    assert max(found[:20].max(), (255 - found[20:]).max()) in range(15, 27)


def test_no_global_generator_is_touched():
    keras.utils.set_random_seed(4)
    before = random.getstate(), np.random.get_state()[1].tolist()
    Augmentation(AUGMENTATIONS, seed=2).apply(IMAGES, DIGESTS, 0)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


def test_precision_is_full_whatever_layers_have_by_default():
    wanted = Augmentation(AUGMENTATIONS, seed=2).apply(IMAGES.astype(np.float32), DIGESTS, 0)
    kept = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        found = Augmentation(AUGMENTATIONS, seed=2).apply(IMAGES.astype(np.float32), DIGESTS, 0)
    finally:
        keras.config.set_dtype_policy(kept)
    assert found.tobytes() == wanted.tobytes()


def test_a_key_says_all_that_decides_what_becomes_of_a_picture(monkeypatch):
    found = Augmentation(("shift", "flip"), seed=3, background=9).to_json()
    assert found == {"scheme": 1, "strengths": {"flip": 0.5, "shift": 0.1}, "seed": 3, "background": 9}
    monkeypatch.setitem(augmenting.STRENGTHS, "shift", 0.2)
    assert Augmentation(("shift", "flip"), seed=3, background=9).to_json() != found
    assert set(STRENGTHS) == set(AUGMENTATIONS)


def test_batches_are_changed_by_the_digest_of_each_example():
    bad = Problem("picture 4", "a picture", "none")

    def batches(places):
        for start in range(0, len(places), 2):
            chosen = places[start : start + 2]
            yield ImageBatch(start, IMAGES[chosen], ((start, bad),) if 4 in chosen else ())

    augmentation = Augmentation(AUGMENTATIONS, seed=8)
    places = np.array([5, 2, 4, 0, 1])
    found = list(augmented_batches(batches, augmentation, DIGESTS, 3)(places))
    assert [each.first for each in found] == [0, 2, 4]
    assert [each.failures for each in found] == [(), ((2, bad),), ()]
    wanted = augmentation.apply(IMAGES, DIGESTS, 3)[places]
    assert np.concatenate([each.images for each in found]).tobytes() == wanted.tobytes()


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (np.zeros((6, 13), np.float32), "float32 of shape (6, 13)"),
        (np.zeros((6, 4, 4, 3), bool), "bool of shape (6, 4, 4, 3)"),
        (np.full((6, 4, 4, 3), -1.0), "values from -1 to -1"),
        (np.full((6, 4, 4, 3), 300), "values from 300 to 300"),
        (np.full((6, 4, 4, 3), np.nan), "values from nan to nan"),
        (np.linspace(0, 1, 288).reshape(6, 4, 4, 3), "values from 0 to 1"),
    ],
)
def test_what_is_no_picture_is_refused(images, told):
    with pytest.raises(DataError) as caught:
        Augmentation(("flip",), seed=0).apply(images, DIGESTS, 0)
    assert caught.value.problems[0].found == told
    assert "leave augment out" in caught.value.next_step


def test_black_pictures_of_floats_are_pictures():
    images = np.zeros((6, 4, 4, 3), np.float32)
    assert not Augmentation(("flip",), seed=0).apply(images, DIGESTS, 0).any()


@pytest.mark.parametrize("given", [{"ways": ()}, {"ways": ("turn",)}, {"background": 256}, {"seed": -1}])
def test_a_slip_of_the_caller_is_refused(given):
    with pytest.raises(ValueError, match="ways are of"):
        Augmentation(**{"ways": ("flip",), "seed": 0, **given})
