"""Small copies of images for a page, and layers of colour to lay over them."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 160  # pixels at most
_QUALITY = 80
_LEVELS = 32  # of opacity: a step is not seen, and the file is small
_OPAQUE = 192  # where there is most, of 255: what lies below shows through
_COLOUR = (213, 94, 0)  # vermilion of Okabe and Ito, which the colour-blind tell from others


def thumbnail_size(height: int, width: int, side: int = SIDE) -> tuple[int, int]:
    """(h, w) to which an image of some size is shrunk, its aspect kept; a smaller one stays as it is."""
    share = min(1.0, side / max(height, width))
    return max(1, round(height * share)), max(1, round(width * share))


def encode_thumbnail(image: NDArray[np.uint8], side: int = SIDE) -> bytes:
    """A JPEG.

    Args:
        image: (h, w, c) with one or three channels.
        side: the longest it may have, in pixels; smaller images stay as they are.
    """
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    height, width = thumbnail_size(image.shape[0], image.shape[1], side)
    picture = picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    stream = BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY, optimize=True)
    return stream.getvalue()


def encode_attention(
    attention: NDArray[np.floating[Any]], size: tuple[int, int], frame: tuple[float, float] = (0.0, 0.0)
) -> bytes:
    """A PNG of one colour, the less transparent the more there is; nothing shows where the map is 0 throughout.

    Args:
        attention: (h, w), not below 0, of any scale.
        size: (h, w) of the PNG, in pixels.
        frame: share of the map's height at its upper and its lower edge, and of its width left and right, that lies
            outside the image.
    """
    height, width = attention.shape
    above, left = frame[0] * height, frame[1] * width
    inside = (left, above, width - left, height - above)
    most = float(attention.max())
    shares = np.asarray(attention / most if most > 0 else attention, np.float32)
    large = Image.fromarray(shares).resize(size[::-1], Image.Resampling.BICUBIC, box=inside)
    levels = np.clip(np.rint(np.asarray(large) * (_LEVELS - 1)), 0, _LEVELS - 1).astype(np.uint8)
    picture = Image.fromarray(levels, "P")
    picture.putpalette(_COLOUR * _LEVELS)
    opacities = bytes(round(_OPAQUE * level / (_LEVELS - 1)) for level in range(_LEVELS))
    stream = BytesIO()
    picture.save(stream, "PNG", transparency=opacities, optimize=True)
    return stream.getvalue()
