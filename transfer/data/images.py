"""Decoding one picture: whatever its file holds becomes (h, w, c) bytes, in memory that its header bounds."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from transfer.data.fitting import fit_image
from transfer.errors import DataError, Problem

MAX_PIXELS = 2**26  # 67 megapixels; four bytes each while one is decoded
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff"})

# Image.open warns, process-wide, about pictures above a limit of its own. A reader called by its own name does not,
# so that the limit is ours alone and no global state is touched from a thread. (The content decides, not the suffix.)
_READERS: dict[bytes, type[ImageFile]] = {
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"\xff\xd8\xff": JpegImageFile,
    b"GIF87a": GifImageFile,
    b"GIF89a": GifImageFile,
    b"BM": BmpImageFile,
    b"RIFF": WebPImageFile,
    b"II*\0": TiffImageFile,
    b"MM\0*": TiffImageFile,
    b"II+\0": TiffImageFile,
    b"MM\0+": TiffImageFile,
}
# What Pillow raises on damaged files. A MemoryError is not among them: it may be about this machine.
_DAMAGE = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError,
    EOFError, RuntimeError, UserWarning, struct.error, zlib.error,
)  # fmt: skip
_MODES = ("1", "L", "P", "RGB", "RGBA", "RGBa", "RGBX", "LA", "La", "PA", "CMYK", "YCbCr", "I", "I;16", "I;16B")


class ImageError(DataError):
    """One picture cannot be used; `problems` holds one entry."""


class UnreadableImageError(ImageError):
    """A file is damaged, or is not a picture of a known format."""


class OversizedImageError(ImageError):
    """A picture has more pixels than the limit allows. Nothing of it was decoded."""


def read_image(
    source: Path,
    *,
    size: tuple[int, int] | None,
    grey: bool = False,
    background: int = 255,
    max_pixels: int = MAX_PIXELS,
) -> NDArray[np.uint8]:
    """A picture file as bytes, the first frame where there are several, turned as its EXIF orientation says.

    The limit is held against the header before anything is decoded. A baseline JPEG above it is decoded at a reduced
    scale and counts at that scale; its values then differ a little from what the whole picture gives. libjpeg holds a
    progressive one whole, so that it counts whole.

    Args:
        source: a PNG, JPEG, BMP, GIF, WebP or TIFF file.
        size: (h, w) into which the whole picture is fitted as in `fit_image`; None for its own size.
        grey: whether one channel is wanted, Rec. 601 luma; else three, red first.
        background: 0 to 255, behind transparent pixels and in the margins.
        max_pixels: the largest picture that is decoded.

    Returns:
        (h, w, 3) or (h, w, 1).

    Raises:
        UnreadableImageError: if the file is damaged or not a picture.
        OversizedImageError: if it has more than `max_pixels` pixels.
    """
    with _reported(source), source.open("rb") as stream:
        image = _opened(source, stream)
        _refuse_oversized(source, image, stream, size, max_pixels)
        image.load()
        orientation = _orientation(image)  # a TIFF, which Pillow has turned already, no longer has one
    return fit_image(image, size, grey=grey, background=background, orientation=orientation)


def check_image(source: Path, *, max_pixels: int = MAX_PIXELS) -> None:
    """Look at a picture's header, and at a PNG's checksums, without decoding anything.

    A JPEG that is cut off in the middle passes: only decoding finds that.

    Raises:
        UnreadableImageError: if the file is damaged or not a picture.
        OversizedImageError: if it has more than `max_pixels` pixels, at whatever scale it can be decoded.
    """
    with _reported(source), source.open("rb") as stream:
        image = _opened(source, stream)
        _refuse_oversized(source, image, stream, (1, 1), max_pixels)
        if isinstance(image, PngImageFile):
            image.verify()


@contextmanager
def _reported(source: Path) -> Iterator[None]:
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # From within Pillow's GIF and WebP readers, which allocate while they read the header.
        raise _oversized(source, "more pixels than Pillow opens") from error
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.strerror:
            raise _unreadable(source, error.strerror) from error
        raise _unreadable(source, f"damaged: {str(error)[:200] or type(error).__name__}") from error


def _unreadable(source: Path, found: str) -> UnreadableImageError:
    return UnreadableImageError(f"{source} cannot be read as a picture.", [Problem(str(source), found=found)])


def _oversized(source: Path, found: str) -> OversizedImageError:
    return OversizedImageError(
        f"{source} is too large to decode.",
        [Problem(str(source), found=found)],
        "scale it down, or raise the limit with max_pixels",
    )


def _opened(source: Path, stream: BinaryIO) -> ImageFile:
    start = stream.read(16)
    if not start:
        raise _unreadable(source, "the file is empty (0 bytes)")
    reader = next((reader for magic, reader in _READERS.items() if start.startswith(magic)), None)
    if reader is None:
        raise _unreadable(source, f"not a PNG, JPEG, BMP, GIF, WebP or TIFF file: it starts with {start[:8]!r}")
    stream.seek(0)
    image = reader(stream)
    _refuse_unknown_range(source, image)
    return image


def _refuse_oversized(
    source: Path, image: ImageFile, stream: BinaryIO, size: tuple[int, int] | None, max_pixels: int
) -> None:
    """Refuse what is too large to decode, where a JPEG cannot be decoded at a reduced scale.

    Raises:
        OversizedImageError: if decoding would hold more than `max_pixels` pixels.
    """
    if size is not None and image.width * image.height > max_pixels and isinstance(image, JpegImageFile):
        _reduce(image, stream, size, max_pixels)
    pixels = image.width * image.height
    if isinstance(image, TiffImageFile):
        tags: Any = image.tag_v2
        pixels = max(pixels, tags.get(322, 0) * tags.get(323, 0))  # a tile is decoded whole, however small the picture
    if pixels > max_pixels:
        raise _oversized(source, f"{pixels / 1e6:.1f} megapixels; the limit is {max_pixels / 1e6:.1f}")


def _reduce(image: JpegImageFile, stream: BinaryIO, size: tuple[int, int], max_pixels: int) -> None:
    """Have libjpeg scale as little as the limit asks for, and to no less than twice what fits into (h, w)."""
    if image.info.get("progressive") or not _in_one_scan(image, stream):
        return
    rows, columns = size[::-1] if _orientation(image) >= 5 else size
    most = max(image.width / columns, image.height / rows) / 2
    for factor in (2, 4, 8):
        if factor <= most and -(-image.width // factor) * -(-image.height // factor) <= max_pixels:
            image.draft(None, (image.width // factor, image.height // factor))
            return


def _in_one_scan(image: JpegImageFile, stream: BinaryIO) -> bool:
    """Whether all components of a JPEG come together. Where they come one after another libjpeg holds all of them."""
    end = stream.tell()  # Pillow has just read past the first scan's header: marker, length, number of components, …
    stream.seek(max(0, end - 8 - 2 * image.layers))
    return stream.read(5) == bytes([0xFF, 0xDA, 0, 6 + 2 * image.layers, image.layers])


def _orientation(image: ImageFile) -> int:
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _refuse_unknown_range(source: Path, image: ImageFile) -> None:
    """Refuse what does not say which value is white: any guess would be right for some files and black for others."""
    if image.mode not in _MODES:
        kinds = {"F": "floating-point brightness, whose range the file does not state"}
        raise _unreadable(source, kinds.get(image.mode, f"pixels of mode {image.mode}, which are not supported"))
    if isinstance(image, TiffImageFile) and image.mode.startswith("I"):
        tags: Any = image.tag_v2
        bits, kind, photometric = tags.get(258, (16,))[0], tags.get(339, (1,))[0], tags.get(262, 1)
        if (bits, kind, photometric) != (16, 1, 1):
            found = (
                f"{bits}-bit {'signed ' if kind == 2 else ''}grey, photometric {photometric}, whose range is unclear"
            )
            raise _unreadable(source, f"{found}; 8 or 16 bits with 0 for black are read")
