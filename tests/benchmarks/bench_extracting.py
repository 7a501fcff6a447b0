"""`transfer extract --drop-last --head x:5` on VGG16, beside load, slice and save in Keras, and beside a synced copy.

python tests/benchmarks/bench_extracting.py [notop|top]

`notop` has 59 MB, `top` 553 MB. Each way runs as a process of its own, several times in turn, and the best of each
counts: these machines are noisy. Seconds are of the whole process, start included; peaks are of its resident set.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROUNDS = 3
START = "import transfer.cli.group, transfer.jobs.extraction.extracting, transfer.weights.opening"
WRITE = """
import sys, keras
keras.utils.set_random_seed(0)
top = sys.argv[2] == "top"
keras.applications.VGG16(weights=None, include_top=top, input_shape=(224, 224, 3)).save(sys.argv[1])
"""
KERAS = """
import sys, keras
model = keras.models.load_model(sys.argv[1], compile=False)
x = model.layers[-2].output
x = keras.layers.GlobalAveragePooling2D()(x) if len(x.shape) > 2 else x
keras.Model(model.inputs, keras.layers.Dense(5, name="x")(x)).save(sys.argv[2])
"""
COPY = """
import os, shutil, sys
shutil.copyfile(sys.argv[1], sys.argv[2])
handle = os.open(sys.argv[2], os.O_RDWR)
os.fsync(handle)
"""


def run(command: list[str]) -> tuple[float, float]:
    """Seconds, and MB of the resident set at its highest."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return seconds, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def main(size: str) -> None:
    if not hasattr(resource, "getrusage"):
        raise SystemExit("peaks are told by Unix alone")
    with tempfile.TemporaryDirectory() as place:
        source, out = Path(place) / "vgg16.h5", Path(place) / "out.h5"
        run([sys.executable, "-c", WRITE, str(source), size])
        ours = [str(Path(sys.executable).with_name("transfer")), "extract", str(source), "--drop-last", "--head", "x:5"]
        ways = {
            "start alone: the imports": [sys.executable, "-c", START],
            "a copy, synced": [sys.executable, "-S", "-c", COPY, str(source), str(out)],
            "transfer extract": [*ours, "-o", str(out)],
            "keras: load, slice, save": [sys.executable, "-c", KERAS, str(source), str(out)],
        }
        best = dict.fromkeys(ways, (float("inf"), float("inf")))
        for _ in range(ROUNDS):
            for way, command in ways.items():
                out.unlink(missing_ok=True)
                os.sync()
                found = run(command)
                best[way] = min(best[way][0], found[0]), min(best[way][1], found[1])
    print(f"VGG16 {size}, best of {ROUNDS}")
    for way, (seconds, peak) in best.items():
        print(f"  {way:28}{seconds:7.2f} s{peak:8.0f} MB")
    (start, _), (copy, _), (extract, peak), (keras, most) = best.values()
    print(f"  keras / transfer: {keras / extract:.1f} x the time, {most / peak:.1f} x the memory")
    print(f"  transfer after its start / a synced copy: {(extract - start) / copy:.1f} x")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "notop")
