"""Fitting gives what the layer in front of a saved network gives on the raw pixels, rounded to bytes."""

import keras
import numpy as np
import pytest
from PIL import Image, ImageOps

from transfer.data.fitting import fit_image, margins

EXTENTS = [
    (1, 1), (1, 2), (2, 1), (3, 2), (5, 6), (69, 92), (92, 69), (33, 77), (160, 159), (7, 500), (500, 7), (301, 200),
    (427, 640), (1111, 333), (1, 900), (900, 1), (2, 5000),
]  # fmt: skip
SIZES = [(8, 8), (92, 92), (20, 33), (96, 64), (1, 5)]


def pictures(height, width, channels):
    """Noise, noise of black and white, and stripes: what rounds worst."""
    values = np.random.default_rng(height * width).integers(0, 256, (height, width, channels), np.uint8)
    return values, np.where(values > 127, 255, 0).astype(np.uint8), np.broadcast_to(values[:1], values.shape)


def by_the_layer(pixels, size, background):
    layer = keras.layers.Resizing(
        *size, antialias=True, pad_to_aspect_ratio=True, fill_value=float(background), data_format="channels_last"
    )
    return keras.ops.convert_to_numpy(layer(pixels[np.newaxis].astype("float32")))[0]


def fitted(pixels, size, background=255, **options):
    grey = pixels.shape[2] == 1
    image = Image.fromarray(pixels[:, :, 0] if grey else pixels)
    return fit_image(image, size, grey=grey, background=background, **options)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("extent", EXTENTS)
def test_every_size_becomes_what_the_layer_makes_of_it(extent, size):
    for pixels in pictures(*extent, 3):
        np.testing.assert_allclose(fitted(pixels, size), by_the_layer(pixels, size, 255), rtol=0, atol=0.51)


@pytest.mark.parametrize("extent", [(69, 92), (301, 200), (4, 3)])
def test_grey_on_another_background_does_so_too(extent):
    for pixels in pictures(*extent, 1):
        np.testing.assert_allclose(fitted(pixels, (30, 28), 7), by_the_layer(pixels, (30, 28), 7), rtol=0, atol=0.51)


def test_values_are_weighted_means_of_the_canvas():
    pixels = pictures(11, 30, 1)[0]
    canvas = np.full((29, 30), 50.0)  # 30 rows would make it square; 19 do not halve
    canvas[9:20] = pixels[:, :, 0]
    expected = np.zeros((6, 6))
    for row, column in np.ndindex(6, 6):
        weights = np.zeros(canvas.shape)
        for y, x in np.ndindex(canvas.shape):
            down, along = abs((y + 0.5) / (29 / 6) - (row + 0.5)), abs((x + 0.5) / (30 / 6) - (column + 0.5))
            weights[y, x] = max(0, 1 - down) * max(0, 1 - along)
        expected[row, column] = (weights * canvas).sum() / weights.sum()
    np.testing.assert_allclose(fitted(pixels, (6, 6), 50)[:, :, 0], expected, rtol=0, atol=0.501)


@pytest.mark.parametrize(
    ("extent", "size", "expected"),
    [
        ((20, 40), (160, 160), (10, 0)),
        ((40, 20), (160, 160), (0, 10)),
        ((69, 92), (92, 92), (11, 0)),
        ((2, 3), (8, 8), (0, 0)),
        ((30, 40), (60, 80), (0, 0)),
        ((30, 40), (80, 60), (11, 0)),
    ],
)
def test_margins_are_whole_and_alike_on_both_sides(extent, size, expected):
    assert margins(extent, size) == expected


def test_a_needle_thinner_than_any_trace_is_background():
    needle = np.zeros((1, 2**20, 1), np.uint8)
    assert (fitted(needle, (8, 8)) == 255).all()
    assert (fitted(needle.swapaxes(0, 1), (8, 8)) == 255).all()


@pytest.mark.parametrize("extent", [(33, 77), (77, 33), (500, 7), (40, 40)])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_fitted_as_it_is_seen(extent, orientation):
    image = Image.fromarray(pictures(*extent, 3)[0])
    image.getexif()[0x0112] = orientation
    seen = np.asarray(ImageOps.exif_transpose(image))
    found = fitted(np.asarray(image), (20, 33), orientation=orientation)
    np.testing.assert_allclose(found, by_the_layer(seen, (20, 33), 255), rtol=0, atol=0.51)


def test_transparent_pixels_are_laid_on_the_background_before_they_are_scaled():
    pixels = pictures(301, 200, 4)[0]
    flat = Image.alpha_composite(Image.new("RGBA", (200, 301), (9, 9, 9, 255)), Image.fromarray(pixels)).convert("RGB")
    found = fit_image(Image.fromarray(pixels), (40, 50), grey=False, background=9)
    np.testing.assert_allclose(found, by_the_layer(np.asarray(flat), (40, 50), 9), rtol=0, atol=1)
