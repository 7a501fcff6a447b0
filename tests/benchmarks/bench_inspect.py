"""`transfer inspect` as a whole process, beside the start of Python and the import of TensorFlow.

    python tests/benchmarks/bench_inspect.py

Prints the median of five for each shipped checkpoint, as seconds and as a share of importing TensorFlow.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from transfer.weights.shipped import shipped_checkpoints


def main() -> None:
    """Measure them in turns, so that a busy machine is unfair to none."""
    commands = {
        "python": [sys.executable, "-c", "pass"],
        "import tensorflow": [sys.executable, "-c", "import tensorflow"],
        **{f"inspect {name}": [sys.executable, "-m", "transfer", "inspect", name] for name in shipped_checkpoints()},
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(5):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - start)
    whole = statistics.median(seconds["import tensorflow"])
    for name, each in seconds.items():
        print(
            f"{name:32} {statistics.median(each):.2f} s, {statistics.median(each) / whole:.3f} of importing TensorFlow"
        )


if __name__ == "__main__":
    main()
