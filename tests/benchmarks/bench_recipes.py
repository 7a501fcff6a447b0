"""What the default recipe is worth: `lp-ft` beside `probe` and `full`, on the same examples, over several seeds.

    python tests/benchmarks/bench_recipes.py [SEEDS] [SIZE]

On the drawings that come along (MobileNetV2, 40 examples a class, at 96 pixels or SIZE) and on scanned
digits (`digits_mlp` cut before its head, 20 a class). Prints the accuracy of each on all other examples, seed by seed,
and the mean differences with their paired 95 % intervals over the seeds.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from scipy.stats import t as student

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import transfer

DATA = Path(__file__).resolve().parents[2] / "examples" / "data"
RECIPES = ("probe", "lp-ft", "full")


def main() -> None:
    """Both sets."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 96
    with tempfile.TemporaryDirectory() as cache:
        _compare("mobilenet_v2_imagenet", DATA / "clipart", seeds, shots=40, cache=cache, size=(size, size))
        _compare("digits_mlp", DATA / "scanned_digits.npz", seeds, shots=20, cache=cache, drop_last=1)


def _compare(name: str, path: Path, seeds: int, *, shots: int, cache: str, drop_last: int = 0, **options) -> None:
    data = transfer.read_labelled(path)
    head = transfer.Head("label", classes=len(data.classes))
    student = transfer.extract(transfer.restore(name), drop_last=drop_last, freeze="backbone", heads=[head])
    accuracy: dict[str, list[float]] = {recipe: [] for recipe in RECIPES}
    for seed in range(seeds):
        line = []
        for recipe in RECIPES:
            start = time.perf_counter()
            asked = transfer.named_recipe(recipe, examples=shots * len(data.classes), seed=seed)
            run = transfer.finetune(student, data, recipe=asked, shots=shots, cache=cache, **options)
            accuracy[recipe].append(run.result.score.accuracy.value)
            line.append(f"{recipe} {accuracy[recipe][-1]:.3f} ({time.perf_counter() - start:.0f} s)")
        print(f"{path.stem}, seed {seed}: {', '.join(line)}", flush=True)
    print(f"{path.stem}: " + ", ".join(f"{recipe} {statistics.mean(each):.3f}" for recipe, each in accuracy.items()))
    for other in ("probe", "full"):
        print(f"  lp-ft against {other}: {_interval(accuracy['lp-ft'], accuracy[other])}", flush=True)


def _interval(ours: list[float], theirs: list[float]) -> str:
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    mean = statistics.mean(differences)
    if len(differences) < 2:
        return f"{mean:+.4f}"
    half = student.ppf(0.975, len(differences) - 1) * statistics.stdev(differences) / len(differences) ** 0.5
    return f"{mean:+.4f} [{mean - half:+.4f}, {mean + half:+.4f}]"


if __name__ == "__main__":
    main()
