"""Decoding: every kind of pixel gives the value that a viewer shows, and nothing is decoded on the word of a header."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from transfer.data import fitting
from transfer.data.images import MAX_PIXELS, OversizedImageError, UnreadableImageError, check_image, read_image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def saved(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path


def quarters(height: int = 16, width: int = 24) -> Image.Image:
    """Red, green / blue, black."""
    array = np.zeros((height, width, 3), np.uint8)
    array[: height // 2, : width // 2] = RED
    array[: height // 2, width // 2 :] = GREEN
    array[height // 2 :, : width // 2] = BLUE
    return Image.fromarray(array)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def png_that_claims(path: Path, width: int, height: int, *, depth: int = 8, rows: bytes = b"\0" * 100) -> Path:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp"])
def test_lossless_rgb_comes_back_as_it_was(tmp_path, suffix):
    array = noise(7, 11, 3)
    options = {"lossless": True} if suffix == "webp" else {}
    path = saved(Image.fromarray(array), tmp_path / f"a.{suffix}", **options)
    np.testing.assert_array_equal(read_image(path, size=None), array)


def test_grey_comes_back_as_it_was_in_one_channel_and_in_three(tmp_path):
    array = noise(5, 9)
    path = saved(Image.fromarray(array), tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(path, size=None, grey=True), array[:, :, np.newaxis])
    np.testing.assert_array_equal(read_image(path, size=None), np.repeat(array[:, :, np.newaxis], 3, axis=2))


@pytest.mark.parametrize(("color", "luma"), [(RED, 76), (GREEN, 150), (BLUE, 29), (WHITE, 255)])
def test_colours_turn_grey_by_rec_601(tmp_path, color, luma):
    path = saved(Image.new("RGB", (3, 3), color), tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(path, size=None, grey=True), np.full((3, 3, 1), luma))


def test_one_bit_is_black_and_white(tmp_path):
    path = saved(Image.fromarray(np.array([[True, False], [False, True]])), tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(path, size=None, grey=True)[:, :, 0], [[255, 0], [0, 255]])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path, suffix):
    values = np.array([[0, 256, 32768, 65535]], np.uint16)
    path = saved(Image.fromarray(values), tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_image(path, size=None, grey=True)[0, :, 0], [0, 1, 128, 255])


def test_big_endian_sixteen_bit_tiff_gives_the_same(tmp_path):
    image = Image.frombytes("I;16B", (3, 1), struct.pack(">3H", 0, 32768, 65535))
    path = saved(image, tmp_path / "a.tif")
    assert path.read_bytes()[:2] == b"MM"
    np.testing.assert_array_equal(read_image(path, size=None, grey=True)[0, :, 0], [0, 128, 255])


def test_transparent_value_of_sixteen_bit_grey_becomes_background(tmp_path):
    path = saved(Image.fromarray(np.array([[1000, 32768]], np.uint16)), tmp_path / "a.png", transparency=1000)
    np.testing.assert_array_equal(read_image(path, size=None, background=200)[0, :, 0], [200, 128])


def test_cmyk_jpeg_has_the_colours_that_a_viewer_shows(tmp_path):
    path = saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), tmp_path / "a.jpg", quality=95)
    np.testing.assert_allclose(read_image(path, size=None), np.broadcast_to(RED, (16, 16, 3)), atol=3)


def test_palette_gives_its_colours(tmp_path):
    image = quarters().quantize(4)
    assert image.mode == "P"
    path = saved(image, tmp_path / "a.gif")
    np.testing.assert_array_equal(read_image(path, size=None), np.asarray(quarters()))


@pytest.mark.parametrize("transparency", [0, b"\x00\xff"], ids=["one index", "alpha for each index"])
def test_transparent_palette_entry_becomes_background(tmp_path, transparency):
    image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    image.putpalette([*RED, *GREEN])
    path = saved(image, tmp_path / "a.png", transparency=transparency)
    np.testing.assert_array_equal(read_image(path, size=None), [[WHITE, GREEN]])


def test_half_transparent_palette_entry_is_mixed(tmp_path):
    image = Image.new("P", (1, 1))
    image.putpalette([*RED])
    path = saved(image, tmp_path / "a.png", transparency=b"\x80")
    np.testing.assert_allclose(read_image(path, size=None, background=0), [[(128, 0, 0)]], atol=1)


def test_transparent_colour_of_rgb_becomes_background(tmp_path):
    image = Image.fromarray(np.array([[RED, GREEN]], np.uint8))
    path = saved(image, tmp_path / "a.png", transparency=RED)
    np.testing.assert_array_equal(read_image(path, size=None, background=7), [[(7, 7, 7), GREEN]])


def test_grey_with_alpha_is_mixed_with_the_background(tmp_path):
    image = Image.fromarray(np.array([[[0, 0], [0, 255], [0, 128], [100, 255]]], np.uint8), "LA")
    path = saved(image, tmp_path / "a.png")
    np.testing.assert_allclose(read_image(path, size=None, grey=True)[0, :, 0], [255, 0, 127, 100], atol=1)


@pytest.mark.parametrize("background", [255, 0, 128])
def test_transparent_red_leaves_no_red(tmp_path, background):
    path = saved(Image.new("RGBA", (1, 1), (*RED, 0)), tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(path, size=(1, 1), background=background), [[[background] * 3]])


def test_transparent_colour_does_not_bleed_over_an_edge_that_is_scaled(tmp_path):
    array = np.zeros((90, 90, 4), np.uint8)
    array[:, :41] = (*RED, 255)
    array[:, 41:] = (*GREEN, 0)
    path = saved(Image.fromarray(array), tmp_path / "a.png")
    for size in ((9, 9), (40, 40), (200, 200)):
        red, green, blue = np.moveaxis(read_image(path, size=size).astype(int), 2, 0)
        assert red.min() >= 254  # between red and white red never fades; bleeding green would take it away
        np.testing.assert_array_equal(green, blue)
        assert green.min() == 0
        assert green.max() == 255


def test_one_alpha_throughout_mixes_evenly_at_every_scale(tmp_path):
    path = saved(Image.new("RGBA", (300, 300), (200, 100, 0, 51)), tmp_path / "a.png")
    for size in ((10, 10), (299, 299), (400, 400)):
        expected = np.array([200, 100, 0]) * 0.2 + 255 * 0.8
        np.testing.assert_allclose(read_image(path, size=size), np.broadcast_to(expected, (*size, 3)), atol=1.01)


def test_wide_picture_is_centred_between_margins(tmp_path):
    path = saved(Image.new("RGB", (40, 20), BLUE), tmp_path / "a.png")
    array = read_image(path, size=(20, 20), background=9).astype(int)
    assert (array[:4] == 9).all()
    assert (array[6:14] == BLUE).all()
    assert (array[16:] == 9).all()
    # Twice the size, so that every value is the mean of four rows with weights 1, 3, 3, 1: an edge takes two rows.
    outer, inner = (7 * np.array([9, 9, 9]) + BLUE) / 8, (9 * np.ones(3) + 7 * np.array(BLUE)) / 8
    for row, expected in ((4, outer), (5, inner), (14, inner), (15, outer)):
        np.testing.assert_allclose(array[row], np.broadcast_to(expected, (20, 3)), atol=0.5)


def test_tall_picture_is_centred_between_margins(tmp_path):
    path = saved(Image.new("L", (20, 60), 3), tmp_path / "a.png")
    array = read_image(path, size=(30, 33), grey=True)
    assert array.shape == (30, 33, 1)
    assert (array[:, 12:21] == 3).all()
    assert (array[:, :10] == 255).all()
    assert (array[:, 23:] == 255).all()
    assert (array[:, ::-1] == array).all()


def test_small_picture_is_enlarged(tmp_path):
    path = saved(Image.new("RGB", (4, 2), GREEN), tmp_path / "a.png")
    array = read_image(path, size=(16, 16)).astype(int)
    assert (array[6:10] == GREEN).all()
    assert (array[:2] == 255).all()
    assert (np.diff(array[:8, 0, 0]) <= 0).all()  # from white to green by way of what lies between


def test_picture_of_the_right_size_is_not_touched(tmp_path):
    array = noise(12, 12, 3)
    path = saved(Image.fromarray(array), tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(path, size=(12, 12)), array)


def test_fine_pattern_averages_out(tmp_path):
    board = (np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)
    path = saved(Image.fromarray(board), tmp_path / "a.png")
    np.testing.assert_allclose(read_image(path, size=(32, 32), grey=True), 127.5, atol=1)


def test_scaling_down_keeps_the_mean_of_every_region(tmp_path):
    ramp = np.broadcast_to(np.linspace(0, 255, 640)[np.newaxis], (640, 640)).round().astype(np.uint8)
    path = saved(Image.fromarray(ramp), tmp_path / "a.png")
    array = read_image(path, size=(20, 20), grey=True)[:, 1:-1, 0]
    expected = ramp.reshape(20, 32, 20, 32).mean(axis=(1, 3))[:, 1:-1]
    np.testing.assert_allclose(array, expected, atol=1)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
@pytest.mark.parametrize("size", [(9, 7), None])
def test_bands_of_rows_give_what_the_whole_gives(tmp_path, monkeypatch, mode, size):
    if mode == "I;16":
        image = Image.fromarray(noise(101, 67).astype(np.uint16) * 257)
    else:
        image = Image.fromarray(noise(101, 67, 4)).convert("RGB" if mode == "P" else "RGBA").convert(mode)
    options = {"transparency": 3} if mode == "P" else {}
    path = saved(image, tmp_path / "a.png", **options)
    whole = read_image(path, size=size)
    monkeypatch.setattr(fitting, "_BAND_PIXELS", 500)
    np.testing.assert_array_equal(read_image(path, size=size), whole)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
def test_exif_orientation_is_applied_once(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(quarters(), tmp_path / f"a.{suffix}", exif=exif, quality=95)
    plain = saved(quarters(), tmp_path / "plain.png", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(plain)).convert("RGB")).astype(int)
    corners = np.ix_([0, -1], [0, -1])
    array = read_image(path, size=None)
    assert array.shape == expected.shape
    np.testing.assert_allclose(array[corners], expected[corners], atol=12)
    assert read_image(path, size=(24, 16)).shape == (24, 16, 3)


def test_turned_jpeg_moves_the_red_corner(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    path = saved(quarters(64, 96), tmp_path / "a.jpg", exif=exif, quality=95)
    array = read_image(path, size=(48, 48))
    assert (array[:, :7] == 255).all()  # 96 high and 64 wide after turning: margins left and right
    assert (array[:, 41:] == 255).all()
    np.testing.assert_allclose(array[2, 37], RED, atol=8)
    np.testing.assert_allclose(array[2, 10], BLUE, atol=8)
    np.testing.assert_allclose(array[45, 37], GREEN, atol=8)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_first_frame_counts(tmp_path, suffix):
    frames = [Image.new("RGB", (4, 4), color) for color in (RED, GREEN, BLUE)]
    options = {"lossless": True} if suffix == "webp" else {}
    path = saved(frames[0], tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], **options)
    np.testing.assert_array_equal(read_image(path, size=None), np.broadcast_to(RED, (4, 4, 3)))


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.zeros((2, 2), np.float32), "range the file does not state"),
        (np.full((2, 2), 70000, np.int32), "32-bit signed grey"),
    ],
)
def test_brightness_without_a_stated_white_is_refused(tmp_path, array, found):
    path = saved(Image.fromarray(array), tmp_path / "a.tif")
    for read in (lambda: read_image(path, size=None), lambda: check_image(path)):
        with pytest.raises(UnreadableImageError) as caught:
            read()
        assert found in caught.value.problems[0].found


def test_lab_is_refused(tmp_path):
    path = saved(Image.new("LAB", (2, 2)), tmp_path / "a.tif")
    with pytest.raises(UnreadableImageError) as caught:
        read_image(path, size=None)
    assert "mode LAB" in caught.value.problems[0].found


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "webp", "tif"])
def test_cut_file_is_refused_in_decoding(tmp_path, suffix):
    path = saved(Image.fromarray(noise(40, 40, 3)), tmp_path / f"a.{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableImageError) as caught:
        read_image(path, size=(8, 8))
    assert caught.value.problems[0].where == str(path)
    assert caught.value.exit_code == 6


def test_cut_png_and_a_flipped_bit_in_it_are_found_without_decoding(tmp_path):
    whole = saved(Image.fromarray(noise(40, 40, 3)), tmp_path / "a.png").read_bytes()
    check_image(tmp_path / "a.png")
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for damaged in (whole[: len(whole) // 2], bytes(flipped)):
        (tmp_path / "a.png").write_bytes(damaged)
        with pytest.raises(UnreadableImageError) as caught:
            check_image(tmp_path / "a.png")
        assert caught.value.problems[0].found.startswith("damaged: ")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "the file is empty (0 bytes)"),
        (b"<svg></svg>", "it starts with b'<svg></s'"),
        (b"%!PS-Adobe", "it starts with b'%!PS-Ado'"),
    ],
)
def test_other_content_is_refused_whatever_its_name(tmp_path, content, found):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UnreadableImageError) as caught:
        check_image(tmp_path / "a.png")
    assert found in caught.value.problems[0].found


def test_content_decides_not_the_suffix(tmp_path):
    saved(Image.new("RGB", (2, 2), RED), tmp_path / "a.bmp").rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg", size=None), np.broadcast_to(RED, (2, 2, 3)))


def test_missing_file_says_so(tmp_path):
    with pytest.raises(UnreadableImageError) as caught:
        read_image(tmp_path / "a.png", size=None)
    assert caught.value.problems[0].found == "No such file or directory"


@pytest.mark.parametrize(
    ("width", "height", "megapixels"),
    [(8193, 8192, "67.1"), (10000, 10000, "100.0"), (30000, 20000, "600.0"), (2**31 - 1, 2**31 - 1, "4611686014132.4")],
)
def test_header_that_claims_too_much_is_refused_before_decoding(tmp_path, width, height, megapixels):
    path = png_that_claims(tmp_path / "bomb.png", width, height)
    for read in (lambda: read_image(path, size=(8, 8)), lambda: check_image(path)):
        with pytest.raises(OversizedImageError) as caught:
            read()
        assert caught.value.problems[0].found == f"{megapixels} megapixels; the limit is 67.1"
        assert caught.value.problems[0].where == str(path)


def test_limit_itself_is_allowed(tmp_path):
    check_image(png_that_claims(tmp_path / "a.png", 8192, 8192))
    assert MAX_PIXELS == 8192 * 8192
    path = saved(Image.new("L", (10, 10)), tmp_path / "b.png")
    assert read_image(path, size=None, max_pixels=100).shape == (10, 10, 3)
    with pytest.raises(OversizedImageError):
        read_image(path, size=None, max_pixels=99)


def test_raised_limit_reads_what_pillow_would_warn_about(tmp_path):
    assert Image.MAX_IMAGE_PIXELS is not None
    side = 9600
    assert side * side > Image.MAX_IMAGE_PIXELS
    path = png_that_claims(tmp_path / "a.png", side, side, depth=1, rows=(b"\0" + b"\xaa" * (side // 8)) * side)
    array = read_image(path, size=(16, 16), grey=True, max_pixels=side * side)
    np.testing.assert_allclose(array, 127.5, atol=1)


@pytest.mark.parametrize("suffix", ["gif", "bmp", "tif", "webp"])
def test_limit_holds_for_every_format(tmp_path, suffix):
    path = saved(Image.new("L", (50, 40)), tmp_path / f"a.{suffix}")
    for read in (lambda: read_image(path, size=(4, 4), max_pixels=1999), lambda: check_image(path, max_pixels=1999)):
        with pytest.raises(OversizedImageError):
            read()
    assert read_image(path, size=(4, 4), max_pixels=2000).shape == (4, 4, 3)


def test_tiff_with_a_huge_tile_is_refused(tmp_path):
    tags = {256: 32, 257: 32, 258: 8, 259: 8, 262: 1, 277: 1, 322: 16384, 323: 16384, 324: 8, 325: 0}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4))
    with pytest.raises(OversizedImageError) as caught:
        check_image(path)
    assert caught.value.problems[0].found.startswith("268.4 megapixels")


def test_baseline_jpeg_counts_at_the_scale_at_which_it_is_decoded(tmp_path):
    path = saved(quarters(800, 1200), tmp_path / "a.jpg", quality=95)
    array = read_image(path, size=(50, 75), max_pixels=100_000)  # 960 000 whole, 60 000 at a quarter
    np.testing.assert_allclose(array[[2, 2, -3, -3], [2, -3, 2, -3]], [RED, GREEN, BLUE, (0, 0, 0)], atol=8)
    check_image(path, max_pixels=15_000)
    for size in (None, (800, 1200)):
        with pytest.raises(OversizedImageError):
            read_image(path, size=size, max_pixels=100_000)


def test_progressive_jpeg_counts_whole(tmp_path):
    path = saved(quarters(800, 1200), tmp_path / "a.jpg", quality=95, progressive=True)
    for read in (
        lambda: read_image(path, size=(50, 75), max_pixels=959_999),
        lambda: check_image(path, max_pixels=959_999),
    ):
        with pytest.raises(OversizedImageError) as caught:
            read()
        assert caught.value.problems[0].found == "1.0 megapixels; the limit is 1.0"
    assert read_image(path, size=(50, 75), max_pixels=960_000).shape == (50, 75, 3)


def test_jpeg_whose_components_come_one_after_another_counts_whole(tmp_path):
    path = saved(quarters(80, 80), tmp_path / "a.jpg")
    content = path.read_bytes()
    place = content.index(b"\xff\xda")
    assert content[place + 2 : place + 5] == b"\x00\x0c\x03"
    path.write_bytes(content[:place] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + content[place + 14 :])
    check_image(path, max_pixels=6400)
    with pytest.raises(OversizedImageError):
        check_image(path, max_pixels=6399)


def test_reduced_jpeg_looks_like_the_whole_one(tmp_path):
    rng = np.random.default_rng(3)
    smooth = Image.fromarray(rng.integers(0, 256, (12, 9, 3), np.uint8)).resize((907, 1213), Image.Resampling.BICUBIC)
    jpeg = saved(smooth, tmp_path / "a.jpg", quality=97, subsampling=0)
    png = saved(smooth, tmp_path / "a.png")
    close = read_image(jpeg, size=(64, 64), max_pixels=907 * 1213 - 1).astype(int) - read_image(png, size=(64, 64))
    assert np.abs(close).max() <= 8  # its last row and column cover less than a pixel


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_within_the_limit_is_scaled_from_all_its_pixels(tmp_path, progressive):
    path = saved(Image.fromarray(noise(901, 1203, 3)), tmp_path / "a.jpg", quality=95, progressive=progressive)
    saved(Image.open(path), tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(path, size=(40, 50)), read_image(tmp_path / "a.png", size=(40, 50)))
