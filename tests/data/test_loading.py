"""Batches come in order, from a bounded look-ahead, and one bad picture does not end them."""

import threading
import time

import numpy as np
import pytest
from PIL import Image

from transfer.data import loading
from transfer.data.arrays import from_arrays
from transfer.data.folders import read_folder
from transfer.data.images import read_image
from transfer.data.loading import ImageBatch, load_images
from transfer.errors import DataError, Problem


@pytest.fixture
def pictures(tmp_path):
    for i in range(11):
        path = tmp_path / ("cat" if i % 2 else "dog") / f"{i:02}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (5 + i, 9, 3), np.uint8)).save(path)
    return read_folder(tmp_path)


def of_arrays(x):
    return from_arrays(x, np.arange(len(x)) % 2)


def joined(examples, **options) -> np.ndarray:
    return np.concatenate([batch.images for batch in load_images(examples, **options)])


@pytest.mark.parametrize(("batch_size", "threads"), [(1, 1), (4, 2), (4, 5), (11, 2), (50, 2)])
def test_batches_hold_every_picture_in_order(pictures, batch_size, threads):
    batches = list(load_images(pictures, size=(8, 6), batch_size=batch_size, threads=threads))
    assert [batch.first for batch in batches] == list(range(0, 11, batch_size))
    assert all(len(batch.images) == batch_size for batch in batches[:-1])
    expected = np.stack([read_image(path, size=(8, 6)) for path in pictures.inputs])
    np.testing.assert_array_equal(np.concatenate([batch.images for batch in batches]), expected)
    assert all(batch.failures == () for batch in batches)


def test_grey_and_background_reach_the_decoder(pictures):
    images = joined(pictures, size=(30, 10), grey=True, background=3)
    assert images.shape == (11, 30, 10, 1)
    assert (images[:, 0] == 3).all()


def test_failures_are_background_and_named(pictures):
    whole = pictures.inputs[4].read_bytes()
    pictures.inputs[4].write_bytes(whole[: len(whole) // 2])
    pictures.inputs[9].unlink()
    batches = list(load_images(pictures, size=(8, 6), batch_size=3, background=77))
    assert [[index for index, _ in batch.failures] for batch in batches] == [[], [4], [], [9]]
    problem = batches[1].failures[0][1]
    assert problem.where == pictures.names[4]
    assert problem.found.startswith("damaged: ")
    assert batches[3].failures[0][1].found == "No such file or directory"
    assert (batches[1].images[1] == 77).all()
    assert not (batches[1].images[0] == 77).all()


def test_oversized_picture_is_a_failure(pictures):
    batches = list(load_images(pictures, size=(8, 6), batch_size=20, max_pixels=9 * 14))
    assert [pictures.names[index] for index, _ in batches[0].failures] == ["dog/10.png"]


def test_progress_is_told(pictures):
    told = []
    list(load_images(pictures, size=(4, 4), batch_size=4, progress=lambda *now: told.append(now)))
    assert told == [("reading images", 4, 11), ("reading images", 8, 11), ("reading images", 11, 11)]


def test_look_ahead_is_bounded_and_decoding_goes_on_while_a_batch_is_used(pictures, monkeypatch):
    started = []

    def counted(path, **options):
        started.append(path)
        return read_image(path, **options)

    monkeypatch.setattr(loading, "read_image", counted)
    batches = load_images(pictures, size=(4, 4), batch_size=2)
    assert started == []
    next(batches)
    for _ in range(200):
        if len(started) == 6:
            break
        time.sleep(0.01)
    time.sleep(0.05)
    assert len(started) == 6  # the batch that was used and two ahead
    next(batches)
    batches.close()
    assert len(started) <= 8
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_error_of_ours_is_not_taken_for_a_bad_picture(pictures, monkeypatch):
    monkeypatch.setattr(loading, "read_image", lambda path, **_: 1 // len(path.name[:0]))
    with pytest.raises(ZeroDivisionError):
        next(load_images(pictures, size=(4, 4)))


def test_empty_set_gives_no_batch(pictures):
    assert list(load_images(pictures.subset([]), size=(4, 4))) == []


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_arrays_of_the_right_size_come_back_as_they_were(dtype, channels):
    x = np.random.default_rng(0).integers(0, 256, (5, 6, 7, *channels)).astype(dtype)
    images = joined(of_arrays(x), size=(6, 7), batch_size=2)
    assert images.dtype == np.uint8
    expected = x if channels else x[..., np.newaxis]
    np.testing.assert_array_equal(images, np.broadcast_to(expected, (5, 6, 7, 3)))


def test_alpha_of_arrays_is_flattened():
    x = np.zeros((2, 3, 3, 4), np.uint8)
    x[..., 0] = 255
    assert (joined(of_arrays(x), size=(3, 3), background=9) == 9).all()


def test_arrays_are_fitted_as_pictures_are(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (2, 20, 31, 3), np.uint8)
    Image.fromarray(x[1]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(joined(of_arrays(x), size=(8, 8))[1], read_image(tmp_path / "a.png", size=(8, 8)))


def test_floats_are_rounded():
    x = np.array([[[0.4, 0.6]], [[254.6, 17.2]]])
    np.testing.assert_array_equal(joined(of_arrays(x), size=(1, 2), grey=True)[..., 0], [[[0, 1]], [[255, 17]]])


def test_rows_of_grey_pixels_are_images_when_their_number_fits():
    x = np.arange(24, dtype=np.uint8).reshape(2, 12)
    images = joined(of_arrays(x), size=(3, 4), grey=True)
    np.testing.assert_array_equal(images, x.reshape(2, 3, 4, 1))


@pytest.mark.parametrize(
    ("x", "grey", "found"),
    [
        (np.zeros((4, 12)), False, "(4, 12)"),
        (np.zeros((4, 13)), True, "(4, 13)"),
        (np.zeros((4, 3, 8, 8)), False, "(4, 3, 8, 8)"),
        (np.zeros((4, 3, 4, 2)), False, "(4, 3, 4, 2)"),
        (np.full((4, 3, 4), 256), False, "int64 (4, 3, 4) from 256 to 256"),
        (np.full((4, 3, 4), -0.5), False, "float64 (4, 3, 4) from -0.5 to -0.5"),
        (np.full((4, 3, 4), 0.5, np.float32), False, "float32 from 0.5 to 0.5, which would round to black"),
        (np.zeros((4, 3, 4), bool), False, "bool (4, 3, 4) from 0 to 0"),
    ],
)
def test_arrays_that_are_no_images_are_refused_at_once(x, grey, found):
    with pytest.raises(DataError) as caught:
        load_images(of_arrays(x), size=(3, 4), grey=grey)
    assert caught.value.problems[0].found == found


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"threads": 0}, {"size": (0, 4)}, {"background": 256}])
def test_numbers_outside_their_range_are_a_slip(pictures, options):
    with pytest.raises(ValueError, match="above 0"):
        load_images(pictures, **({"size": (4, 4)} | options))


def test_a_batch_gives_its_examples_without_those_that_cannot_be_decoded():
    images = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1)
    batch = ImageBatch(8, images, ((8, Problem("a")), (10, Problem("b"))))
    assert batch.readable.ravel().tolist() == [1, 3]
    assert ImageBatch(8, images).readable.ravel().tolist() == [0, 1, 2, 3]
