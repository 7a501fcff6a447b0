"""Reaching a Ray cluster: the one of the address, the one that this process is in already, or one of this machine."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transfer.errors import Problem, TrainingError
from transfer.scaling.knocking import START, knock


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
        TrainingError: if Ray is not installed, nothing answers there, or the cluster wants another token.
    """
    ray = load_ray()
    if ray.is_initialized():
        yield ray
        return
    mode = os.environ.get("RAY_AUTH_MODE")
    # Whatever is asked of the logs, Ray prints of each worker that dies on standard output, where results go.
    printing = load_ray("ray._private.worker")
    before = getattr(printing, "_worker_logs_enabled", True)
    try:
        _connect(ray, address or os.environ.get("RAY_ADDRESS") or "local")
        printing._worker_logs_enabled = False
        yield ray
    finally:
        ray.shutdown()
        printing._worker_logs_enabled = before
        _settle(mode)


def _connect(ray: Any, address: str) -> None:
    """Connect, by an address always: without one, Ray joins what was started here last, and waits for it if it died."""
    try:
        if address == "auto":
            address = load_ray("ray._private.services").canonicalize_bootstrap_address(address)
        if address != "local" and knock(address):
            _settle("token")
        ray.init(
            address=address,
            include_dashboard=False if address == "local" else None,
            logging_level=logging.CRITICAL,  # what becomes of workers is told by who asked for them
            log_to_driver=False,
        )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise TrainingError(
            f"No Ray cluster answers at {'this machine' if address in ('auto', 'local') else address}.",
            [Problem("--address", "the address of a running cluster", " ".join(str(error).split()))],
            next_step=START,
        ) from error


def _settle(mode: str | None) -> None:
    """Whether Ray shows a token, here and in processes that are begun here; None as if it had not been said."""
    if os.environ.get("RAY_AUTH_MODE") == mode:
        return
    if mode is None:
        del os.environ["RAY_AUTH_MODE"]
    else:
        os.environ["RAY_AUTH_MODE"] = mode
    load_ray("ray._raylet").Config.initialize("")  # it has read the environment once
