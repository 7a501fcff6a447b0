"""`transfer flops` on a VGG16 of 553 MB as a whole process, beside the start of Python and the import of Keras.

    python tests/benchmarks/bench_flops.py

Prints the median of five of each, and how the count compares with the 15.470 G multiply-adds that VGG16 is known for.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROUNDS = 5
WRITE = "import sys, keras; keras.applications.VGG16(weights=None).save(sys.argv[1])"


def main() -> None:
    """Measure them in turns, so that a busy machine is unfair to none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vgg16.h5"
        subprocess.run([sys.executable, "-c", WRITE, path], check=True, capture_output=True)
        counting = [sys.executable, "-m", "transfer", "flops", str(path), "--json"]
        commands = {
            "python": [sys.executable, "-c", "pass"],
            "import keras": [sys.executable, "-c", "import keras"],
            "transfer flops": counting,
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                start = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                seconds[name].append(time.perf_counter() - start)
        counted = json.loads(subprocess.run(counting, check=True, capture_output=True).stdout)
    whole = statistics.median(seconds["import keras"])
    for name, each in seconds.items():
        print(f"{name:16} {statistics.median(each):.2f} s, {statistics.median(each) / whole:.3f} of importing Keras")
    print(f"{counted['macs'] / 1e9:.4f} GMAC, {counted['macs'] / 15.470e9:.5f} of 15.470")


if __name__ == "__main__":
    main()
