"""Memory of the whole of `transfer finetune mobilenet_v2_imagenet` on many pictures, with features on the disk.

    python tests/benchmarks/bench_memory.py [PICTURES] [OPTIONS…]       # --recipe lp-ft --memory 256

Writes small JPEG files of five classes into a folder that goes away, and runs the command as a process of its own.
Prints its peak of resident memory, seconds, pictures a second, and the size of the cache of features.

On two cores of a busy machine: 5,000 pictures 1,015 MB and 133 s, 50,000 pictures 1,474 MB and 876 s (both the probe
alone, features past 128 MB on the disk); 5,000 pictures with --recipe lp-ft --memory 256 1,040 MB and 544 s.

Beside other work, tuned, with all but 64 MB of what goes into the trained blocks on the disk:

    python tests/benchmarks/bench_memory.py 20000 --recipe lp-ft --epochs 2 --memory 64
        the last two blocks on 115 MB of features: 1,119 MB, 242 s
    python tests/benchmarks/bench_memory.py 10000 --recipe lp-ft --epochs 1 --memory 64 --set stages.1.unfreeze_last=15
        all but the first blocks on 530 MB of features: 1,154 MB, 254 s
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES, SIZE, CELLS = 5, 96, 12
NETWORK = "mobilenet_v2_imagenet"
DEFAULTS = {"--recipe": "probe", "--memory": "128"}


def main() -> None:
    """Write pictures and fine-tune on them."""
    count, options = int((sys.argv[1:] or ["5000"])[0]), sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        begin = time.perf_counter()
        write_pictures(place / "pictures", count)
        written = time.perf_counter() - begin
        given = ["--cache", str(place / "cache"), "--size", str(SIZE), "-o", str(place / "run")]
        for name, value in DEFAULTS.items():
            given += [] if name in options else [name, value]
        command = [sys.executable, "-m", "transfer", "finetune", NETWORK, str(place / "pictures"), *given, *options]
        seconds, peak = run(command)
        cache = sum(path.stat().st_size for path in (place / "cache").rglob("*.h5"))
        print((place / "run" / "timing.json").read_text().strip())
        print(
            f"{count} pictures (written in {written:.0f} s): peak {peak / 2**20:.0f} MB, {seconds:.0f} s, "
            f"{count / seconds:.0f} pictures/s, cache {cache / 2**20:.0f} MB"
        )


def write_pictures(folder: Path, count: int) -> None:
    """Smooth random pictures; each class has a colour of its own, in which it differs less than pictures do."""
    random = np.random.default_rng(0)
    colours = random.integers(96, 160, (CLASSES, 3))
    for label in range(CLASSES):
        (folder / f"class_{label}").mkdir(parents=True)
    for k in range(count):
        values = random.normal(colours[k % CLASSES], 60, (CELLS, CELLS, 3)) + random.normal(0, 20, 3)
        small = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
        path = folder / f"class_{k % CLASSES}" / f"{k:06}.jpg"
        small.resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(path, quality=90)


def run(command: list[str]) -> tuple[float, int]:
    """Seconds and the peak of resident memory in bytes of a process, or of the largest that it waited for."""
    begin = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"the command ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - begin, usage.ru_maxrss * 1024


if __name__ == "__main__":
    main()
