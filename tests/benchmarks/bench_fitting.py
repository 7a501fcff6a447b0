"""Reading a JPEG and fitting it to 160 x 160, against decoding it alone: processor time of one thread.

    python tests/benchmarks/bench_fitting.py

Prints milliseconds a picture for several sizes, and the whole as a multiple of decoding.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from transfer.data.images import read_image

SIZES = ((160, 120), (640, 427), (1280, 854), (4000, 3000))
TARGET = (160, 160)


def main() -> None:
    """Draw smooth pictures with some noise, write them, read them."""
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for width, height in SIZES:
            coarse = Image.fromarray(random.integers(0, 256, (height // 40 + 2, width // 40 + 2, 3), np.uint8))
            pixels = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
            path = Path(folder) / f"{width}.jpg"
            noisy = pixels + random.integers(-12, 13, pixels.shape)
            Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path, quality=90)
            decoding = seconds(lambda path=path: Image.open(path).load())
            whole = seconds(lambda path=path: read_image(path, size=TARGET))
            print(f"{width} x {height}: {1e3 * whole:.1f} ms, of which decoding {1e3 * decoding:.1f} ms", end="")
            print(f"; {whole / decoding:.1f} x decoding")


def seconds(work: Callable[[], object], times: int = 7) -> float:
    """Of processor time, the least of several."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


if __name__ == "__main__":
    main()
