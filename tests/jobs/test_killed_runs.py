"""A run that is killed at any moment and asked for again ends with the bits of one that never was."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

KILLS = 20
SAME = ("model.keras", "result.json", "run.json", "history.jsonl")
RECIPE = """
seed = 3
[[stages]]
kind = "probe"
[[stages]]
unfreeze_from = "dense_2"
epochs = 60
rate = 1e-3
ema = 0.9
mixup = 0.2
batch_size = 8
"""


def command(folder: Path, pictures: Path, name: str) -> list[str]:
    asked = ["finetune", "digits_mlp", str(pictures), "--recipe", str(folder / "r.toml"), "-o", str(folder / name)]
    return [sys.executable, "-m", "transfer", *asked]


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_no_bit(tmp_path, digits_folder):
    (tmp_path / "r.toml").write_text(RECIPE)
    start = time.monotonic()
    subprocess.run(command(tmp_path, digits_folder, "whole"), check=True, capture_output=True)
    seconds = time.monotonic() - start
    draw, kills = random.Random(0), 0
    for _ in range(10 * KILLS):
        name = f"run{kills}"
        child = subprocess.Popen(
            command(tmp_path, digits_folder, name), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            child.wait(draw.uniform(0.3, 1.0) * seconds)
        except subprocess.TimeoutExpired:
            os.kill(child.pid, signal.SIGKILL)
            child.communicate()
            kills += 1
            done = subprocess.run(command(tmp_path, digits_folder, name), capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            for each in SAME:
                assert (tmp_path / name / each).read_bytes() == (tmp_path / "whole" / each).read_bytes(), each
            assert not (tmp_path / f".{name}.unfinished").exists()
        else:  # it had ended before
            _, errors = child.communicate()
            assert child.returncode == 0, errors
            subprocess.run(["rm", "-r", str(tmp_path / name)], check=True)
        if kills == KILLS:
            return
    pytest.fail(f"{kills} of {10 * KILLS} runs were still at work when they were to be killed")
