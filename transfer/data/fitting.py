"""Bringing a decoded picture to a size and to plain channels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

_REDUCING_GAP = 3  # whole-number reduction stops at this many times the target; the filter does the rest
_BAND_PIXELS = 2**22  # how much of a picture is converted at a time
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
    image: Image.Image,
    size: tuple[int, int] | None,
    *,
    grey: bool,
    background: int,
    extent: tuple[float, float] | None = None,
    orientation: int = 1,
) -> NDArray[np.uint8]:
    """A decoded picture as bytes: scaled by one factor to fit, centred, flattened.

    Colours are weighed with their alpha while they are averaged, so that what is transparent leaves no trace.

    Args:
        image: of any mode that `read_image` takes.
        size: (h, w) to fill; None for the picture's own size.
        grey: whether one channel is wanted.
        background: behind transparent pixels and in the margins.
        extent: (w, h) that the picture really covers, where its last row and column cover less than a pixel.
        orientation: EXIF orientation, 1 to 8.

    Returns:
        (h, w, 3) or (h, w, 1).
    """
    width, height = extent or image.size
    turned = orientation >= 5
    if size is None:
        target = canvas_size = image.size
    else:
        target = fitted_size((height, width) if turned else (width, height), size)
        canvas_size = (size[1], size[0])
        if turned:
            target = target[::-1]
    factor = max(1, int(min(width / target[0], height / target[1]) / _REDUCING_GAP))
    plain = _reduced(image, factor)
    if plain.size != target:
        # Bilinear has no negative lobes: a flat area stays flat and a colour never exceeds its alpha.
        plain = plain.resize(target, Image.Resampling.BILINEAR, box=(0, 0, width / factor, height / factor))
    flat = _flattened(plain, background).convert("L" if grey else "RGB")
    if orientation in _TURNS:
        flat = flat.transpose(_TURNS[orientation])
    if size is not None and flat.size != canvas_size:
        canvas = Image.new(flat.mode, canvas_size, background if grey else (background,) * 3)
        canvas.paste(flat, ((canvas.width - flat.width) // 2, (canvas.height - flat.height) // 2))
        flat = canvas
    array: NDArray[np.uint8] = np.array(flat)
    return array[:, :, np.newaxis] if grey else array


def fitted_size(extent: tuple[float, float], size: tuple[int, int]) -> tuple[int, int]:
    """(w, h) of a picture of (w, h) scaled to fit into (h, w)."""
    scale = min(size[1] / extent[0], size[0] / extent[1])
    return max(1, round(extent[0] * scale)), max(1, round(extent[1] * scale))


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    """As `L`, `RGB` or `RGBa`, each side divided by `factor`; in bands of rows, so that no second whole copy exists."""
    width, height = image.size
    rows = factor * max(1, _BAND_PIXELS // (width * factor))
    if rows >= height:
        return _plain(image) if factor == 1 else _plain(image).reduce(factor)
    whole = Image.new(_plain(image.crop((0, 0, 1, 1))).mode, (-(-width // factor), -(-height // factor)))
    for top in range(0, height, rows):
        band = _plain(image.crop((0, top, width, min(top + rows, height))))
        whole.paste(band.reduce(factor), (0, top // factor))
    return whole


def _plain(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _eight_bits(image)
    if image.has_transparency_data:
        return (image if image.mode == "RGBA" else image.convert("RGBA")).convert("RGBa")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Sixteen-bit grey, scaled; with alpha where one of its values stands for transparent."""
    values = np.asarray(image).astype(np.uint32)
    grey = Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return grey
    alpha = Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))
    return Image.merge("LA", (grey, alpha)).convert("RGBA").convert("RGBa")


def _flattened(image: Image.Image, background: int) -> Image.Image:
    """`c + (1 - a) * background` for colours c that have been multiplied by their alpha a."""
    if image.mode != "RGBa":
        return image
    *colors, alpha = image.split()
    behind = alpha.point([round((255 - value) * background / 255) for value in range(256)])
    return Image.merge("RGB", [ImageChops.add(color, behind) for color in colors])
