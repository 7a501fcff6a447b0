"""Make `shoulder_exercises.npz`: what a watch felt while ten people did seven exercises with each arm.

    pip download --no-deps seglearn==1.2.5
    python examples/data/make_shoulder_exercises.py seglearn-1.2.5-py3-none-any.whl

Of each of 140 recordings six stretches of 4 s that do not overlap, as 80 steps of 3 accelerations and 3 turning rates:
`x` (840, 80, 6), in 1/32 g and 1/8 rad/s; `y_exercise`, `y_side` and `person`, (840,) each.
Source: Burns et al. (2018), Shoulder Physiotherapy Exercise Recognition, arXiv:1802.01489; the data that seglearn 1.2.5
carries, BSD-3-Clause.
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import numpy as np

NAMES = {
    "PEN": "pendulum",
    "ABD": "abduction",
    "FEL": "forward elevation",
    "IR": "internal rotation",
    "ER": "external rotation",
    "TRAP": "trapezius extension",
    "ROW": "upright row",
}
STRETCHES, SECONDS, RATE, STEPS = 6, 4, 50, 80  # RATE in samples a second
SCALES = np.array([32, 32, 32, 8, 8, 8])


def main(wheel: Path) -> None:
    """Write next to this script."""
    with zipfile.ZipFile(wheel) as archive:
        stored = io.BytesIO(archive.read("seglearn/data/watch_dataset.npy"))
    data = np.load(stored, allow_pickle=True).item()  # the wheel's own file
    stretches = np.concatenate([cut(recording) for recording in data["X"]])
    exercises = np.array([NAMES[each] for each in data["y_labels"]])[data["y"].astype(int)]
    sides = np.where(data["side"] == 1, "right", "left")
    target = Path(__file__).with_name("shoulder_exercises.npz")
    np.savez_compressed(
        target,
        x=np.clip(np.rint(stretches * SCALES), -127, 127).astype(np.int8),
        y_exercise=np.repeat(exercises, STRETCHES),
        y_side=np.repeat(sides, STRETCHES),
        person=np.repeat(data["subject"], STRETCHES).astype(np.int8),
    )
    print(f"{target.name}: {len(stretches)} stretches, {target.stat().st_size:,} bytes")


def cut(recording: np.ndarray) -> np.ndarray:
    """(samples, 6) to (STRETCHES, STEPS, 6), evenly from the whole; each step is what holds at its time."""
    length = SECONDS * RATE
    starts = np.linspace(0, len(recording) - length, STRETCHES).astype(int)
    times = (np.arange(STEPS) + 0.5) * length / STEPS - 0.5
    samples = np.arange(length)
    parts = [recording[start : start + length] for start in starts]
    return np.stack([np.stack([np.interp(times, samples, part[:, k]) for k in range(6)], 1) for part in parts])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
