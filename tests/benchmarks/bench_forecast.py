"""What `transfer finetune --dry-run` says beside what the run then takes: seconds and memory at its peak.

    python tests/benchmarks/bench_forecast.py [NAME ...]

Each case is forecast and run by the command, one right after the other, each in a process of its own; the run's seconds
are those of the whole process. Ratios are forecast / actual: 1 is exact. On a machine that does other things as well
both wait, and not alike: `alone` is the ratio with each side divided by how much longer its process took than its
processors worked. Names choose cases.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
CLIPART = ROOT / "examples" / "data" / "clipart"
MOBILENET, MLP = "mobilenet_v2_imagenet", "digits_mlp"
PROBE = ("--recipe", "probe")
CASES = {
    "clipart 160 px, probe": (MOBILENET, "clipart", *PROBE),
    "clipart 96 px, probe": (MOBILENET, "clipart", *PROBE, "--size", "96"),
    "clipart 160 px, lp-ft": (MOBILENET, "clipart", "--recipe", "lp-ft"),
    "clipart 96 px, from block_15": (MOBILENET, "clipart", "--size", "96", "--unfreeze-from", "block_15_expand"),
    "clipart 96 px, full": (MOBILENET, "clipart", "--size", "96", "--recipe", "full", "--set", "stages.1.epochs=5"),
    "digits, probe": (MLP, "digits", *PROBE),
    "digits, lp-ft": (MLP, "digits", "--recipe", "lp-ft"),
    "digits, full": (MLP, "digits", "--recipe", "full"),
    "2,400 photos 96 px, probe": (MOBILENET, "photos", *PROBE, "--size", "96"),
    "2,400 photos 96 px, lp-ft": (MOBILENET, "photos", "--size", "96", "--recipe", "lp-ft"),
}


def main() -> None:
    """Forecast and run each case."""
    chosen = [name for name in CASES if not sys.argv[1:] or any(word in name for word in sys.argv[1:])]
    with tempfile.TemporaryDirectory() as place:
        sets = {"clipart": CLIPART, "digits": Path(place) / "digits.npz", "photos": Path(place) / "photos"}
        write_digits(sets["digits"])
        if any("photos" in name for name in chosen):
            write_photos(sets["photos"], 2400)
        print(f"{'case':30} {'said s':>7} {'took s':>7} {'ratio':>6} {'alone':>6} ", end="")
        print(f"{'said MB':>8} {'took MB':>8} {'ratio':>6} {'dry run s':>10}")
        for name in chosen:
            file, data, *options = CASES[name]
            arguments = [file, str(sets[data]), *options]
            compare(name, arguments, Path(place) / name.replace(" ", "_").replace(",", ""))


def compare(name: str, arguments: list[str], folder: Path) -> None:
    """Print one line, and below it the parts."""
    output, dry = call([*arguments, "--dry-run", "--json"])
    told = json.loads(output)
    run = call([*arguments, "-o", str(folder)])[1]
    seconds, memory = told["seconds"], told["memory_bytes"]["total"]
    ratio = seconds["total"] / run.seconds
    print(
        f"{name:30} {seconds['total']:7.1f} {run.seconds:7.1f} {ratio:6.2f} {ratio * run.waiting / dry.waiting:6.2f} "
        f"{memory / 1e6:8.0f} {run.peak_bytes / 1e6:8.0f} {memory / run.peak_bytes:6.2f} {dry.seconds:10.1f}"
    )
    timing = json.loads((folder / "timing.json").read_text())
    print("    said", ", ".join(f"{part} {value:.1f}" for part, value in seconds.items() if part != "total"))
    print("    took", ", ".join(f"{part} {value:.1f}" for part, value in timing.items()), flush=True)


@dataclass(frozen=True)
class Used:
    """What a process used.

    Attributes:
        seconds: from its start to its end.
        worked: seconds of its processors.
        peak_bytes: the most that it had in memory.
    """

    seconds: float
    worked: float
    peak_bytes: int

    @property
    def waiting(self) -> float:
        """How much longer it took than its processors worked."""
        return self.seconds / self.worked


def call(arguments: list[str]) -> tuple[str, Used]:
    """What `transfer finetune` says, and what it uses."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "transfer", "finetune", *arguments, "--no-cache"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"transfer finetune {' '.join(arguments)} ended with {status}")
    seconds = time.perf_counter() - start
    return output, Used(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def write_digits(path: Path) -> None:
    """Digit-like images of 28 x 28 with noise: 2,000 of ten classes."""
    random = np.random.default_rng(0)
    labels = np.arange(2000) % 10
    centres = random.normal(120, 60, (10, 784))
    np.savez(path, x=np.clip(centres[labels] + random.normal(0, 90, (2000, 784)), 0, 255).astype(np.uint8), y=labels)


def write_photos(folder: Path, count: int) -> None:
    """Smooth random JPEG files of 320 x 240 in six tints, as photographs are rather than noise."""
    random = np.random.default_rng(0)
    for k in range(count):
        target = folder / f"tint_{k % 6}" / f"{k:05}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        tint = np.array([[(k % 6) * 20, 60, 100 - (k % 6) * 15]])
        small = np.clip(random.integers(0, 200, (12, 16, 3)) + tint - 50, 0, 255).astype(np.uint8)
        Image.fromarray(small).resize((320, 240), Image.Resampling.BICUBIC).save(target, quality=90)


if __name__ == "__main__":
    main()
