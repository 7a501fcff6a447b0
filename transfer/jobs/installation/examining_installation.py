"""Looking at this machine and what is installed on it, whether it will do; TensorFlow runs in a process of its own."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from transfer.jobs.installation.installation_findings import (
    Examination,
    Finding,
    judge_codecs,
    judge_combinations,
    judge_extras,
    judge_hdf5,
    judge_memory,
    judge_python,
    judge_room,
    judge_versions,
)

DISTRIBUTION = "h5transfer"
PATIENCE_SECONDS = 180  # a cold import of TensorFlow from a slow disk takes a minute
_ROOT = Path(__file__).resolve().parents[3]
_CODECS = {"PNG": "zlib", "JPEG": "jpg", "WebP": "webp", "TIFF": "libtiff", "JPEG 2000": "jpg_2000", "AVIF": "avif"}


def examine_installation(cache: Path, environment: Mapping[str, str], *, with_test: bool = True) -> Examination:
    """Look at everything.

    Args:
        cache: the folder in which features are kept.
        environment: variables of the process.
        with_test: whether a network that ships is restored and asked, which takes some ten seconds.
    """
    return Examination(tuple(_look(cache, environment, with_test=with_test)))


def _look(cache: Path, environment: Mapping[str, str], *, with_test: bool) -> Iterator[Finding]:
    installed = _installed()
    yield judge_python(sys.version_info[:2], f"{platform.python_version()} ({sys.executable})")
    yield Finding("platform", "ok", f"{platform.system()} {platform.machine()}, {_processors()} processors")
    wanted, extras = _requirements()
    own = installed.get(DISTRIBUTION)
    if own is None:
        advice = "pip install . in its folder, so that versions can be checked"
        yield Finding("transfer", "warn", f"not installed; it runs from {_ROOT}", advice)
    else:
        yield Finding("transfer", "ok", f"{own} ({_ROOT})")
    yield from judge_versions(wanted, installed)
    yield from judge_extras(extras, installed)
    yield from judge_combinations(installed, environment)
    yield from _look_at_libraries(environment)
    yield judge_memory(*_memory())
    for what, folder in (("cache", cache), ("temporary files", Path(tempfile.gettempdir()))):
        yield _look_at_folder(what, folder)
    if with_test:
        yield from run_test(environment)


def _installed() -> dict[str, str]:
    """Every package with its version, by its name as pip writes it."""
    found = importlib.metadata.distributions()
    return {re.sub(r"[-_.]+", "-", each.metadata["Name"] or "").lower(): each.version for each in reversed([*found])}


def _requirements() -> tuple[dict[str, str], dict[str, list[str]]]:
    """What the distribution asks for, with the lowest versions, and packages of each extra for users."""
    try:
        requires = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        requires = []
    wanted: dict[str, str] = {}
    extras: dict[str, list[str]] = {}
    for text in requires:
        name, lowest = parse_requirement(text)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", text)
        if extra is None:
            wanted[name] = lowest
        elif extra[1] != "dev":
            extras.setdefault(extra[1], []).append(name)
    return wanted, extras


def parse_requirement(text: str) -> tuple[str, str]:
    """`scikit-learn>=1.8; extra == 'x'` → (`scikit-learn`, `1.8`); the version is empty where none is asked for."""
    name = re.match(r"[\w.-]+", text)
    lowest = re.search(r">=\s*([\w.]+)", text.partition(";")[0])
    return re.sub(r"[-_.]+", "-", name[0] if name else text).lower(), lowest[1] if lowest else ""


def _look_at_libraries(environment: Mapping[str, str]) -> Iterator[Finding]:
    try:
        from transfer.weights.libraries import hdf5_version

        yield from judge_hdf5(hdf5_version(), environment)
    except ImportError as error:
        yield Finding("HDF5", "fail", f"h5py cannot be imported: {error}", "pip install --force-reinstall h5py numpy")
    try:
        from PIL import features

        yield judge_codecs({name: bool(features.check(codec)) for name, codec in _CODECS.items()})
    except ImportError as error:
        said = f"pillow cannot be imported: {error}"
        yield Finding("pictures", "fail", said, "pip install --force-reinstall pillow")


def _look_at_folder(what: str, folder: Path) -> Finding:
    """A folder, or the nearest one above it that is there."""
    there = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    writable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    return judge_room(what, str(folder), shutil.disk_usage(there).free if writable else None, is_writable=writable)


def _processors() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> tuple[int | None, int | None]:
    """Of the machine in bytes: in all, and free to be taken; None for what the platform does not tell."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None, None
    found = re.search(r"^MemAvailable: +(\d+) kB", _text("/proc/meminfo"), re.MULTILINE)
    free = int(found[1]) * 1024 if found else None
    limit, taken = _text("/sys/fs/cgroup/memory.max").strip(), _text("/sys/fs/cgroup/memory.current").strip()
    if limit.isdecimal() and taken.isdecimal():  # a container may have less than its machine
        room = max(0, int(limit) - int(taken))
        return min(total, int(limit)), room if free is None else min(room, free)
    return total, free


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def run_test(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Let another process import TensorFlow, restore a network that ships, and ask it; it may crash there."""
    command = [sys.executable, "-P", "-m", "transfer.jobs.installation.testing_installation"]
    paths = [str(_ROOT), *filter(None, [environment.get("PYTHONPATH")])]
    around = {**environment, "PYTHONPATH": os.pathsep.join(paths), "TF_CPP_MIN_LOG_LEVEL": "3"}
    around["KERAS_BACKEND"] = "tensorflow"
    try:
        ended = subprocess.run(
            command, env=around, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        said = f"not done after {PATIENCE_SECONDS} s"
        yield Finding("self-test", "fail", said, "look for a full disk, little memory, or a GPU that does not answer")
        return
    told = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith('{"what"')]
    yield from (Finding(**each) for each in told)
    if ended.returncode and not any(each["state"] == "fail" for each in told):
        yield _crash(ended.returncode, ended.stderr)


def _crash(code: int, stderr: str) -> Finding:
    last = next((line.strip() for line in reversed(stderr.splitlines()) if line.strip()), "")
    try:
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
    except ValueError:
        how = f"ended with {code}"
    advice = "pip install --force-reinstall tensorflow keras numpy"
    if code == -getattr(signal, "SIGILL", 4):
        advice = "this processor lacks instructions that TensorFlow was built for: take a build for it"
    return Finding("self-test", "fail", f"{how}{f': {last}' if last else ''}", advice)
