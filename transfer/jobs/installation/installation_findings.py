"""What is judged about an installation, from plain facts: each finding with what to do. Nothing is looked at here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from transfer.specs import Json

State = Literal["ok", "warn", "fail"]
LITTLE_MEMORY, LITTLE_ROOM = 2 * 2**30, 2**30  # bytes; a run on a few hundred pictures takes about 1 GiB of either
PYTHONS = ((3, 11), (3, 14))  # from the first on, before the second


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: the thing: a package, a folder, a part of the self-test.
        state: `ok`; `warn` for what will hinder some work; `fail` for what will hinder all of it.
        found: what is there.
        advice: what to do; empty where nothing need be done.
    """

    what: str
    state: State
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """All that was looked at.

    Attributes:
        findings: in the order in which they were made.
    """

    findings: tuple[Finding, ...]

    @property
    def has_failed(self) -> bool:
        """Whether anything will hinder all work."""
        return any(each.state == "fail" for each in self.findings)

    def to_json(self) -> Json:
        """As plain values, for `--json`."""
        return {"healthy": not self.has_failed, "findings": [asdict(each) for each in self.findings]}


def judge_python(version: tuple[int, int], full: str) -> Finding:
    """The interpreter, by its version."""
    first, past = PYTHONS
    if first <= version < past:
        return Finding("python", "ok", full)
    known = f"{first[0]}.{first[1]} to {past[0]}.{past[1] - 1}"
    return Finding("python", "warn", f"{full}; tested are {known}", f"make an environment with Python {known}")


def judge_versions(wanted: Mapping[str, str], found: Mapping[str, str]) -> Iterator[Finding]:
    """Packages against the lowest versions that are asked for.

    Args:
        wanted: package to lowest version; empty for any.
        found: package to the version that is installed; one that is not there is not listed.
    """
    for name, lowest in wanted.items():
        version = found.get(name)
        asked = f"{name}>={lowest}" if lowest else name
        install = f"pip install '{asked}'"
        if version is None:
            yield Finding(name, "fail", "not installed", install)
        elif lowest and _numbers(version) < _numbers(lowest):
            yield Finding(name, "fail", f"{version}, older than {lowest}", install)
        else:
            yield Finding(name, "ok", version)


def judge_extras(extras: Mapping[str, Iterable[str]], found: Mapping[str, str]) -> Iterator[Finding]:
    """Extras of the distribution, by the packages that each asks for; one that is not there is no fault."""
    for name, packages in extras.items():
        lacking = [each for each in packages if each not in found]
        said = f"not installed: {', '.join(lacking)}" if lacking else "installed"
        yield Finding(f"extra {name}", "ok", said, f"if wanted: pip install 'h5transfer[{name}]'" if lacking else "")


def judge_combinations(found: Mapping[str, str], environment: Mapping[str, str]) -> Iterator[Finding]:
    """Packages and settings that are known not to go together.

    Args:
        found: package to the version that is installed.
        environment: variables of the process.
    """
    versions = {name: _numbers(version) for name, version in found.items()}
    beside = [name for name in ("tensorflow-cpu", "tensorflow-intel", "tf-nightly") if name in found]
    if "tensorflow" in found and beside:
        names = " and ".join(["tensorflow", *beside])
        yield Finding(
            "packages",
            "warn",
            f"{names} write the same files",
            f"pip uninstall {names.replace(' and', '')}; install one",
        )
    if versions.get("numpy", (0,)) >= (2,) and (0,) < versions.get("tensorflow", (0,)) < (2, 18):
        yield Finding("packages", "fail", "TensorFlow before 2.18 cannot use numpy 2", "pip install -U tensorflow")
    if versions.get("numpy", (0,)) >= (2,) and (0,) < versions.get("h5py", (0,)) < (3, 11):
        yield Finding("packages", "fail", "h5py before 3.11 cannot use numpy 2", "pip install -U h5py")
    if "tensorflow-metal" in found:
        said = "tensorflow-metal computes on the GPU of a Mac, and not the same bits each time"
        yield Finding("packages", "warn", said, "pip uninstall tensorflow-metal, for runs that repeat to the bit")
    if environment.get("TF_USE_LEGACY_KERAS", "0").lower() not in {"", "0", "false"}:
        said = "TF_USE_LEGACY_KERAS is set: the Keras inside TensorFlow is Keras 2 then"
        yield Finding("settings", "warn", said, "unset TF_USE_LEGACY_KERAS")
    backend = environment.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        said = f"KERAS_BACKEND={backend}: the command computes with TensorFlow all the same; in Python it is heeded"
        yield Finding("settings", "warn", said, "export KERAS_BACKEND=tensorflow before Python imports keras")


def judge_hdf5(version: str, environment: Mapping[str, str]) -> Iterator[Finding]:
    """The HDF5 library and what steers it."""
    yield Finding("HDF5", "ok", f"{version}; read by a process of its own, without plugins")
    if environment.get("HDF5_PLUGIN_PATH"):
        said = "HDF5_PLUGIN_PATH is set: 'transfer' loads no plugin, so data sets that only one can unpack are refused"
        yield Finding("HDF5 plugins", "warn", said, "write such a file anew with gzip: h5repack -f GZIP=1 OLD NEW")
    if environment.get("HDF5_USE_FILE_LOCKING", "").upper() not in {"", "FALSE", "0", "BEST_EFFORT"}:
        said = f"HDF5_USE_FILE_LOCKING={environment['HDF5_USE_FILE_LOCKING']}: writing fails where a disk has no locks"
        yield Finding("HDF5 locking", "warn", said, "on network file systems: export HDF5_USE_FILE_LOCKING=BEST_EFFORT")


def judge_room(what: str, folder: str, free_bytes: int | None, *, is_writable: bool) -> Finding:
    """A folder that is written to."""
    if not is_writable:
        return Finding(what, "fail", f"{folder} cannot be written to", "name another: TRANSFER_CACHE, or TMPDIR")
    if free_bytes is None:
        return Finding(what, "ok", folder)
    said = f"{folder}, {_gib(free_bytes)} free"
    little = free_bytes < LITTLE_ROOM
    return Finding(what, "warn" if little else "ok", said, "make room, or name another disk" if little else "")


def judge_memory(total_bytes: int | None, free_bytes: int | None) -> Finding:
    """Memory of the machine."""
    if total_bytes is None:
        return Finding("memory", "ok", "not told by this platform")
    said = f"{_gib(total_bytes)}" + ("" if free_bytes is None else f", {_gib(free_bytes)} of it free")
    little = (total_bytes if free_bytes is None else free_bytes) < LITTLE_MEMORY
    return Finding("memory", "warn" if little else "ok", said, "keep --memory low, and --size small" if little else "")


def judge_codecs(codecs: Mapping[str, bool]) -> Finding:
    """What pillow can decode, by name; PNG and JPEG are what most sets are made of."""
    there, lacking = ([name for name, has in codecs.items() if has is wanted] for wanted in (True, False))
    said = f"{', '.join(there) or 'none'}" + (f"; not {', '.join(lacking)}" if lacking else "")
    if not {"PNG", "JPEG"} - set(there):
        return Finding("pictures", "ok", said)
    return Finding("pictures", "fail", said, "pip install --force-reinstall pillow")


def _gib(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB"


def _numbers(version: str) -> tuple[int, ...]:
    """`2.21.0rc1` → (2, 21, 0)."""
    return tuple(int(each) for each in re.findall(r"\d+", re.split(r"[a-z+-]", version, maxsplit=1)[0]))
