"""A run that is killed at any moment and asked for again ends with the bits of one that never was."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

KILLS = 20
TRIES = 10
SAME = ("model.keras", "result.json", "run.json", "history.jsonl")
HARDER = ("epochs=60", "batch_size=8", "mixup=0.2", "ema=0.9", "rate=1e-3")


def command(pictures: Path, out: Path, cache: Path) -> list[str]:
    """The recipe that is followed by default, with more in its state than it has otherwise."""
    settings = [word for each in HARDER for word in ("--set", f"stages.1.{each}")]
    asked = ["finetune", "digits_mlp", str(pictures), *settings, "--seed", "3", "--cache", str(cache), "-o", str(out)]
    return [sys.executable, "-m", "transfer", *asked]


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_no_bit(tmp_path, digits_folder):
    start = time.monotonic()
    subprocess.run(command(digits_folder, tmp_path / "whole", tmp_path / "kept"), check=True, capture_output=True)
    seconds = time.monotonic() - start

    def kill_and_go_on(number: int) -> None:
        draw = random.Random(number)
        out, cache = tmp_path / f"run{number}", tmp_path / ("kept" if number % 2 else f"kept{number}")
        asked = command(digits_folder, out, cache)
        for _ in range(TRIES):
            if is_killed(asked, draw.uniform(0.3, 1.0) * seconds):
                break
            subprocess.run(["rm", "-r", str(out)], check=True)
        else:
            pytest.fail(f"{TRIES} runs had ended before they were to be killed")
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        for each in SAME:
            assert (out / each).read_bytes() == (tmp_path / "whole" / each).read_bytes(), (number, each)
        assert [each.name for each in tmp_path.glob(f".{out.name}.*")] == []

    with ThreadPoolExecutor(2) as pool:  # most of a run is starting up, on one core
        list(pool.map(kill_and_go_on, range(KILLS)))


def is_killed(asked: list[str], seconds: float) -> bool:
    """Kill a command after some time; false where it was done before that."""
    child = subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _, errors = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        return True
    assert child.returncode == 0, errors
    return False
