"""Reaching a Ray cluster: the one of the address, the one that this process is in already, or one of this machine."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transfer.errors import Problem, TrainingError

START = "start one with 'ray start --head' there, and name it: --address HOST:6379 (address=…)"


def load_ray(module: str = "ray") -> Any:
    """Ray, or a module of it; nothing is told to anybody of its use.

    Raises:
        TrainingError: if it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # workers without GPUs keep what the user has set
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise TrainingError(
            "Work on a cluster needs Ray.",
            [Problem(module, "installed", str(error))],
            next_step="pip install 'h5transfer[ray]', or take --engine local (engine=None)",
        ) from error


@contextmanager
def cluster(address: str | None = None) -> Iterator[Any]:
    """Ray, connected for a while.

    Args:
        address: `HOST:6379` of a cluster, `auto` for the one that runs on this machine, or None for what RAY_ADDRESS
            says and else for processes of this machine alone, which end with it. A process that is connected already
            stays so, and the address is not looked at.

    Raises:
        TrainingError: if Ray is not installed, or nothing answers there.
    """
    ray = load_ray()
    if ray.is_initialized():
        yield ray
        return
    try:
        ray.init(
            address=address,
            include_dashboard=None if address else False,
            logging_level=logging.CRITICAL,  # what becomes of workers is told by who asked for them
            log_to_driver=False,
        )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise TrainingError(
            f"No Ray cluster answers at {address or os.environ.get('RAY_ADDRESS') or 'this machine'}.",
            [Problem("--address", "the address of a running cluster", " ".join(str(error).split()))],
            next_step=START,
        ) from error
    # Whatever is asked of the logs, Ray prints of each worker that dies on standard output, where results go.
    printing = load_ray("ray._private.worker")
    before = getattr(printing, "_worker_logs_enabled", True)
    printing._worker_logs_enabled = False
    try:
        yield ray
    finally:
        ray.shutdown()
        printing._worker_logs_enabled = before
