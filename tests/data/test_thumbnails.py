"""Small copies of images, and what is laid over them."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from transfer.data.thumbnails import encode_attention, encode_thumbnail


def opened(encoded: bytes) -> Image.Image:
    return Image.open(BytesIO(encoded))


def opacity(encoded: bytes) -> np.ndarray:
    return np.asarray(opened(encoded).convert("RGBA"))[..., 3]


def test_a_large_image_becomes_small_and_keeps_its_aspect():
    image = np.zeros((400, 200, 3), np.uint8)
    image[:, 100:] = (0, 0, 255)
    found = opened(encode_thumbnail(image))
    assert (found.format, found.mode, found.size) == ("JPEG", "RGB", (80, 160))
    pixels = np.asarray(found).astype(int)
    np.testing.assert_allclose(pixels[80, 20], (0, 0, 0), atol=12)
    np.testing.assert_allclose(pixels[80, 60], (0, 0, 255), atol=12)


def test_a_small_grey_image_stays_as_it_is():
    image = np.repeat(np.arange(0, 240, 10, dtype=np.uint8)[:, None, None], 24, axis=1)
    found = opened(encode_thumbnail(image))
    assert (found.mode, found.size) == ("L", (24, 24))
    np.testing.assert_allclose(np.asarray(found).astype(int), image[..., 0], atol=8)


def test_attention_is_opaque_where_it_is_high_and_transparent_where_there_is_none():
    attention = np.zeros((4, 4), np.float32)
    attention[0, 3] = 1e-6  # of any scale
    found = encode_attention(attention, (80, 40))
    assert opened(found).size == (40, 80)
    shown = opacity(found)
    assert shown[:10, 35:].min() > 150
    assert shown[60:].max() == shown[:, :15].max() == 0
    assert len(found) < 1500


def test_a_frame_around_the_image_is_cut_away():
    attention = np.zeros((10, 10), np.float32)
    attention[:, :2] = attention[:, 8:] = 1.0
    assert opacity(encode_attention(attention, (30, 30), (0.0, 0.2)))[:, 3:27].max() == 0
    assert opacity(encode_attention(attention, (30, 30)))[:, :3].min() > 150


@pytest.mark.parametrize("size", [(1, 1), (160, 3)])
def test_attention_nowhere_shows_nothing(size):
    assert opacity(encode_attention(np.zeros((5, 5), np.float32), size)).max() == 0


def test_the_same_map_gives_the_same_bytes():
    attention = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    assert encode_attention(attention, (90, 126)) == encode_attention(attention.copy(), (90, 126))
