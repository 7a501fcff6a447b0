"""Images beside each other in one PNG, a row for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_GAP = 2  # pixels of white between two images
_LEAST = 48  # pixels of a side: smaller images are enlarged


def write_sheet(path: Path, rows: Mapping[str, NDArray[Any]], white: float) -> None:
    """Write images to a PNG: one row of the sheet for each kind, in order, named in its text.

    Args:
        path: of the PNG.
        rows: by what they are, (m, h, w, c) with one or three channels.
        white: the largest value.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    sheet = np.concatenate([_beside(each, white) for each in rows.values()])
    described = PngInfo()
    described.add_itxt("Description", f"rows from the top: {', '.join(rows)}")
    Image.fromarray(sheet[_GAP:, _GAP:]).save(path, pnginfo=described)


def _beside(images: NDArray[Any], white: float) -> NDArray[np.uint8]:
    """Images of one kind side by side, with a gap to the left of and above each: (h, m w, 3)."""
    grey = np.clip(np.rint(np.asarray(images, np.float64) * (255 / white)), 0, 255).astype(np.uint8)
    coloured = np.repeat(grey, 3, axis=3) if grey.shape[3] == 1 else grey
    times = max(1, -(-_LEAST // max(coloured.shape[1:3])))
    large = coloured.repeat(times, axis=1).repeat(times, axis=2)
    framed = np.pad(large, ((0, 0), (_GAP, 0), (_GAP, 0), (0, 0)), constant_values=255)
    return np.concatenate(list(framed), axis=1)
