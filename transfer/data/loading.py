"""Turning examples into batches of images while something else computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from transfer.data.fitting import fit_image
from transfer.data.images import MAX_PIXELS, ImageError, read_image
from transfer.data.inputs import Examples, one_array
from transfer.errors import DataError, Problem
from transfer.specs import Progress, silent

_VALUES = "numbers from 0 to 255"
_AHEAD = 2  # batches that are decoded while one is used

_Decoded = tuple[NDArray[np.uint8], Problem | None]


@dataclass(frozen=True, slots=True, eq=False)
class ImageBatch:
    """Some examples in a row, decoded.

    Attributes:
        first: the first one's place in the set.
        images: (b, h, w, c), red first.
        failures: (place in the set, what is wrong) of examples that could not be decoded; plain background here.
    """

    first: int
    images: NDArray[np.uint8]
    failures: tuple[tuple[int, Problem], ...] = ()

    @property
    def readable(self) -> NDArray[Any]:
        """(b, …), the examples without those that could not be decoded."""
        return np.delete(self.images, [place - self.first for place, _ in self.failures], axis=0)


def load_images(
    examples: Examples,
    *,
    size: tuple[int, int],
    grey: bool = False,
    background: int = 255,
    batch_size: int = 32,
    threads: int = 2,
    max_pixels: int = MAX_PIXELS,
    progress: Progress = silent,
) -> Iterator[ImageBatch]:
    """All examples as images of one size, in order, decoded by threads a few batches ahead.

    Args:
        examples: pictures; or arrays of images with values from 0 to 255, (n, h, w), (n, h, w, 1), (n, h, w, 3) or
            (n, h, w, 4) with alpha; for grey ones also (n, h * w). Floats are rounded.
        size: (h, w) into which each is fitted.
        grey: whether one channel is wanted.
        background: 0 to 255, behind transparent pixels, in the margins and in place of what cannot be decoded.
        batch_size: of all batches but the last.
        threads: that decode.
        max_pixels: larger pictures are failures.
        progress: told how many examples are done.

    Raises:
        DataError: if an array does not hold such images. This call raises it, not the iteration.
        ValueError: if a number lies outside its range.
    """
    if batch_size < 1 or threads < 1 or min(size) < 1 or not 0 <= background <= 255:
        given = f"{batch_size=}, {threads=}, {size=}, {background=}"
        raise ValueError(f"batch_size, threads and size are above 0 and background is 0 to 255: {given}")
    read: Callable[[int], NDArray[np.uint8]]
    if isinstance(examples.inputs, tuple):
        read = partial(_read_file, examples.inputs, size, grey, background, max_pixels)
    else:
        rows = _as_images(one_array(examples), size, grey=grey, source=examples.source)
        read = partial(_read_row, rows, size, grey, background)
    blank = np.full((*size, 1 if grey else 3), background, np.uint8)
    decode = partial(_decode, read, examples.names, blank)
    return _batches(decode, len(examples), batch_size, threads, progress)


def _read_file(
    paths: tuple[Path, ...], size: tuple[int, int], grey: bool, background: int, max_pixels: int, index: int
) -> NDArray[np.uint8]:
    return read_image(paths[index], size=size, grey=grey, background=background, max_pixels=max_pixels)


def _read_row(rows: NDArray[Any], size: tuple[int, int], grey: bool, background: int, index: int) -> NDArray[np.uint8]:
    values = np.rint(rows[index]).astype(np.uint8)
    image = Image.fromarray(values[:, :, 0] if values.ndim == 3 and values.shape[2] == 1 else values)
    return fit_image(image, size, grey=grey, background=background)


def _decode(
    read: Callable[[int], NDArray[np.uint8]], names: tuple[str, ...], blank: NDArray[np.uint8], index: int
) -> _Decoded:
    try:
        return read(index), None
    except ImageError as error:
        return blank, Problem(names[index], found=error.problems[0].found)


def _batches(
    decode: Callable[[int], _Decoded], count: int, batch_size: int, threads: int, progress: Progress
) -> Iterator[ImageBatch]:
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    waiting: deque[tuple[int, list[Future[_Decoded]]]] = deque()
    try:
        starts = iter(range(0, count, batch_size))
        while True:
            while len(waiting) <= _AHEAD and (first := next(starts, None)) is not None:
                stop = min(first + batch_size, count)
                waiting.append((first, [pool.submit(decode, i) for i in range(first, stop)]))
            if not waiting:
                return
            first, futures = waiting.popleft()
            decoded = [future.result() for future in futures]
            failures = tuple((first + i, problem) for i, (_, problem) in enumerate(decoded) if problem)
            batch = ImageBatch(first, np.stack([image for image, _ in decoded]), failures)
            del futures, decoded
            progress("reading images", first + len(batch.images), count)
            yield batch
    finally:
        pool.shutdown(cancel_futures=True)


def _as_images(array: NDArray[Any], size: tuple[int, int], *, grey: bool, source: str) -> NDArray[Any]:
    """`array` as (n, h, w) or (n, h, w, c) with values from 0 to 255.

    Raises:
        DataError: if it holds something else.
    """
    if array.ndim == 2 and grey and array.shape[1] == size[0] * size[1]:
        array = array.reshape(-1, *size)
    if not (array.ndim == 3 or (array.ndim == 4 and array.shape[3] in (1, 3, 4))):
        expected = "(n, h, w) or (n, h, w, c) with 1, 3 or 4 channels last"
        if grey:
            expected += f", or (n, {size[0] * size[1]})"
        problem = Problem("x", expected, str(array.shape))
        raise DataError(
            f"{source} does not hold images.",
            [problem],
            "reshape x, or use it as it is with a network that takes such rows",
        )
    low, high = (array.min(), array.max()) if array.size else (0, 0)
    if array.dtype.kind not in "uif" or not (low >= 0 and high <= 255):
        problem = Problem("x", f"pictures, with {_VALUES}", f"{array.dtype} {array.shape} from {low:.4g} to {high:.4g}")
        raise DataError(
            f"{source} does not hold images.",
            [problem],
            "scale pictures to 0 to 255; for signals and other rows take a network whose input has their shape, "
            f"(n, {', '.join(map(str, array.shape[1:]))})",
        )
    if array.dtype.kind == "f" and array.size and high <= 1:
        problem = Problem("x", _VALUES, f"{array.dtype} from {low:g} to {high:g}, which would round to black")
        raise DataError(f"{source} does not hold images.", [problem], "multiply x by 255")
    return array
