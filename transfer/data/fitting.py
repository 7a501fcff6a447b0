"""Bringing a decoded picture to a size and to plain channels, as a saved network does with raw pixels.

The network begins with Keras's `Resizing(pad_to_aspect_ratio=True, antialias=True)`, bilinear: the picture is laid in
the middle of a canvas of the wanted aspect ratio, and the canvas is scaled. Here the same values are found, rounded to
bytes, without the canvas, which would be large.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_BAND_PIXELS = 2**17  # how much of a picture is turned into numbers at a time
_TRACE = 512  # what covers less of a pixel than one in so many changes its value by less than a half
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF orientation; from 5 on width and height change places


def fit_image(
    image: Image.Image, size: tuple[int, int] | None, *, grey: bool, background: int, orientation: int = 1
) -> NDArray[np.uint8]:
    """A decoded picture as bytes: flattened, laid in the middle of a canvas of the wanted aspect ratio, scaled.

    Args:
        image: of any mode that `read_image` takes.
        size: (h, w) to fill; None for the picture's own size.
        grey: whether one channel is wanted.
        background: behind transparent pixels and in the margins.
        orientation: EXIF orientation, 1 to 8.

    Returns:
        (h, w, 3) or (h, w, 1).
    """
    target = size[::-1] if size is not None and orientation >= 5 else size
    if target is None or target == (image.height, image.width):
        channels = _plain(image, grey=grey, background=background).split()
    else:
        channels = _fitted(image, target, grey=grey, background=background)
    if orientation in _TURNS:
        channels = tuple(channel.transpose(_TURNS[orientation]) for channel in channels)
    return np.stack([np.rint(np.asarray(channel)).astype(np.uint8) for channel in channels], axis=2)


def margins(extent: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """Rows above and columns left of a picture of (h, w) on its canvas, and as many below and to the right.

    In whole pixels, rounded down in 32-bit floats as Keras does it; at least one of the two is 0.
    """
    (height, width), (rows, columns) = extent, size
    canvas_height = int(np.float32(width * rows) / np.float32(columns))
    canvas_width = int(np.float32(height * columns) / np.float32(rows))
    return max(0, canvas_height - height) // 2, max(0, canvas_width - width) // 2


def _fitted(image: Image.Image, size: tuple[int, int], *, grey: bool, background: int) -> tuple[Image.Image, ...]:
    """Each channel, of mode `F`, not yet rounded."""
    above, left = margins((image.height, image.width), size)
    if left:
        narrow = _narrowed(image, (image.width, size[0]), grey=grey, background=background)
        turned = [channel.transpose(Image.Transpose.TRANSPOSE) for channel in narrow]
        filled = [_fill_rows(channel, size[1], left, background) for channel in turned]
        return tuple(channel.transpose(Image.Transpose.TRANSPOSE) for channel in filled)
    narrow = _narrowed(image, (size[1], image.height), grey=grey, background=background)
    return tuple(_fill_rows(channel, size[0], above, background) for channel in narrow)


def _narrowed(image: Image.Image, target: tuple[int, int], *, grey: bool, background: int) -> list[Image.Image]:
    """Each channel, scaled to (w, h) along one axis, where it has no margin; in bands that lie along that axis."""
    channels = [Image.new("F", target) for _ in range(1 if grey else 3)]
    upright = target[0] == image.width
    lines = max(1, _BAND_PIXELS // (image.height if upright else image.width))
    for start in range(0, image.width if upright else image.height, lines):
        stop = min(start + lines, image.width if upright else image.height)
        box = (start, 0, stop, image.height) if upright else (0, start, image.width, stop)
        part = (stop - start, target[1]) if upright else (target[0], stop - start)
        band = _plain(image.crop(box), grey=grey, background=background)
        for channel, values in zip(channels, band.split(), strict=True):
            channel.paste(values.convert("F").resize(part, Image.Resampling.BILINEAR), box[:2])
    return channels


def _fill_rows(channel: Image.Image, rows: int, margin: int, background: int) -> Image.Image:
    """A channel scaled to a number of rows after `margin` rows of background were put above it and below it.

    Rows of the result that background alone reaches are not computed, and their part of the margins is not laid out.
    """
    whole = Image.new("F", (channel.width, rows), background)
    scale = (channel.height + 2 * margin) / rows
    if channel.height * _TRACE < scale:
        return whole
    reach = max(scale, 1)  # of a row of the result, up and down from its middle
    apart = max(0, int((margin - reach) / scale))
    start = max(0, int(apart * scale - reach))
    canvas = Image.new("F", (channel.width, channel.height + 2 * (margin - start)), background)
    canvas.paste(channel, (0, margin - start))
    box = (0, apart * scale - start, canvas.width, canvas.height - apart * scale + start)
    whole.paste(canvas.resize((channel.width, rows - 2 * apart), Image.Resampling.BILINEAR, box), (0, apart))
    return whole


def _plain(image: Image.Image, *, grey: bool, background: int) -> Image.Image:
    """As `L` or `RGB`, what is transparent laid on the background."""
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    if image.has_transparency_data:
        colors = image if image.mode == "RGBA" else image.convert("RGBA")
        image = Image.new("RGB", image.size, (background,) * 3)
        image.paste(colors, mask=colors)
    mode = "L" if grey else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Sixteen-bit grey, scaled; with alpha where one of its values stands for transparent."""
    values = np.asarray(image).astype(np.uint32)
    grey = Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return grey
    alpha = Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))
    return Image.merge("LA", (grey, alpha))
