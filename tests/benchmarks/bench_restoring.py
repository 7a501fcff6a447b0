"""Restoring 553 MB into a built VGG16, beside Keras's own `load_weights` and the bare bytes through h5py.

python tests/benchmarks/bench_restoring.py [legacy|keras3]

Each way runs in a process of its own, several times in turn, and the best of each counts: these machines are noisy.
Peaks are of the resident set beyond the built model, as Linux tells it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROUNDS = 4
WAYS = ("bytes through h5py", "keras load_weights", "transfer restore", "transfer restore, every digest verified")


def build():
    import keras

    return keras.applications.VGG16(weights=None)


def write(path: Path, layout: str) -> None:
    """The same weights with a card, and without one as Keras writes them."""
    import keras

    from transfer.models.saving import save_weights

    model = build()
    save_weights(model, path)
    plain = path.with_name(f"plain_{path.name}")
    if layout == "keras3":
        model.save_weights(plain)
    else:
        import h5py

        with h5py.File(plain, "w") as file:
            keras.src.legacy.saving.legacy_h5_format.save_weights_to_hdf5_group(file, model)


def resident(key: str) -> int:
    """Bytes of the resident set: `VmRSS` now, `VmHWM` at its highest since `forget_peak`."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def measure(way: str, path: Path) -> dict[str, float]:
    """One run in this process."""
    plain = path.with_name(f"plain_{path.name}")
    if way == "bytes through h5py":
        import h5py

        start = time.perf_counter()
        with h5py.File(plain) as file:
            found: list[h5py.Dataset] = []
            file.visititems(lambda _, each: found.append(each) if isinstance(each, h5py.Dataset) else None)
            for each in found:
                each[()]
        return {"seconds": time.perf_counter() - start, "peak": 0}
    model = build()
    from transfer.models.restoring import restore

    forget_peak()
    before = resident("VmRSS")
    start = time.perf_counter()
    if way == "keras load_weights":
        model.load_weights(plain)
    else:
        restore(path if "digest" in way else plain, model)
    return {"seconds": time.perf_counter() - start, "peak": resident("VmHWM") - before}


def listing(path: Path) -> tuple[float, float]:
    """Seconds to open and list the file in a fresh process, and to import Keras in another."""
    codes = (
        f"from transfer.weights.opening import open_checkpoint; list(open_checkpoint({str(path)!r}).specs)",
        "import keras",
    )
    best = []
    for code in codes:
        seconds = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - start)
        best.append(min(seconds))
    return best[0], best[1]


def main() -> None:
    layout = sys.argv[1] if len(sys.argv) > 1 else "legacy"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("vgg16.weights.h5" if layout == "keras3" else "vgg16.h5")
        write(path, layout)
        size = path.with_name(f"plain_{path.name}").stat().st_size
        runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(ROUNDS):
            for way in WAYS:
                command = [sys.executable, __file__, "--measure", way, str(path)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                runs[way].append(json.loads(done.stdout.splitlines()[-1]))
        seconds = {way: min(each["seconds"] for each in found) for way, found in runs.items()}
        peaks = {way: min(each["peak"] for each in found) for way, found in runs.items()}
        theirs = seconds["keras load_weights"]
        print(f"{size / 1e6:.0f} MB, {layout} layout, best of {ROUNDS}")
        for way in WAYS:
            ratio, peak = theirs / seconds[way], peaks[way] / size
            print(f"{way:42} {seconds[way]:6.2f} s  {ratio:5.1f} x keras  peak {peak:4.2f} x the file")
        opening, importing = listing(path)
        share = 100 * opening / importing
        print(f"{'opening and listing, a whole process':42} {opening:6.2f} s  {share:.1f} % of importing keras")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
    else:
        main()
