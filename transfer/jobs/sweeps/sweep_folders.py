"""What lies in the folder of a sweep, and how one that was killed goes on.

    SWEEP/sweep.json         what was asked; of a finished one all that came of it
    SWEEP/trials/0007.json   a trial that is done; 0007.begun while it is not, with how often it was begun
    SWEEP/study.db           the same for Optuna and its tools
    SWEEP/best.toml          the best recipe
    SWEEP/runs/best          its run on the test part; beside it `as_it_is`
    SWEEP/tune               what Ray Tune knows of the trials, if it did them
    SWEEP/features           what is frozen, computed once; gone when all is done

Each file appears whole or not at all.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transfer.errors import OutputError, Problem
from transfer.evidence.sweeps import Sweep, Trial
from transfer.placing import place_json
from transfer.specs import Json

SCHEMA = 1
SWEEP, TRIALS, STUDY, BEST, RUNS, FEATURES = "sweep.json", "trials", "study.db", "best.toml", "runs", "features"
TUNE = "tune"
TRIES = 3


@dataclass(frozen=True, slots=True)
class SweepFolder:
    """A folder of this request.

    Attributes:
        path: of it.
    """

    path: Path

    def trial(self, number: int) -> Trial | None:
        """A trial that is done; None where it is not, or cannot be read."""
        try:
            found = Trial.from_json(json.loads(self._place(number, "json").read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        return found if found.number == number else None

    def write_trial(self, trial: Trial) -> None:
        """Note that a trial is done.

        Raises:
            OutputError: if it cannot be written.
        """
        place_json(self._place(trial.number, "json"), asdict(trial))
        self._place(trial.number, "begun").unlink(missing_ok=True)

    @contextmanager
    def beginning(self, number: int) -> Iterator[int]:
        """While a trial is tried: how often it was before, each time ended by the death of its process.

        Raises:
            OutputError: if it cannot be noted.
        """
        place, before = self._place(number, "begun"), self._begun(number)
        if before < TRIES:
            place_json(place, before + 1)
        try:
            yield before
        except BaseException:  # told, not killed: what is interrupted has not failed
            with suppress(OSError):
                place_json(place, before)
            raise

    @contextmanager
    def interruptible(self, numbers: Iterable[int]) -> Iterator[None]:
        """While trials are tried in other processes: those that end with them at Ctrl-C have not failed either.

        Args:
            numbers: of the trials.
        """
        before = {number: self._begun(number) for number in numbers}
        try:
            yield
        except KeyboardInterrupt:
            for number, count in before.items():
                with suppress(OSError):
                    place = self._place(number, "begun")
                    place_json(place, count) if count else place.unlink(missing_ok=True)
            raise

    def finish(self, asked: Json, sweep: Sweep) -> None:
        """Say that all is done, and what came of it.

        Raises:
            OutputError: if it cannot be written.
        """
        told = sweep.to_json()
        place_json(self.path / SWEEP, {"schema": SCHEMA, "finished": True, "asked": asked, "found": told})
        shutil.rmtree(self.path / FEATURES, ignore_errors=True)

    def _begun(self, number: int) -> int:
        """How often a trial was begun and not ended; 0 where that cannot be read."""
        try:
            return int(self._place(number, "begun").read_text())
        except (OSError, ValueError):
            return 0

    def _place(self, number: int, ending: str) -> Path:
        return self.path / TRIALS / f"{number:04}.{ending}"


def open_sweep(path: Path, asked: Json, *, resume: bool, force: bool) -> SweepFolder | Sweep:
    """The folder of a request, new or as it was left; the sweep itself where it is finished.

    Args:
        path: of the folder.
        asked: what decides the outcome, with its digest.
        resume: whether there has to be one that goes on.
        force: whether a sweep of another request goes.

    Raises:
        OutputError: if something else is there, or another request, or nothing that could go on.
    """
    there = _read(path)
    if there is not None and not force and there["asked"].get("digest") == asked["digest"]:
        return _finished(path, there) or SweepFolder(path)
    if resume:
        raise _nothing_to_resume(path, asked, there)
    if there is not None:
        if not force:
            raise _other(path, asked, there["asked"])
        shutil.rmtree(path)
    place_json(path / SWEEP, {"schema": SCHEMA, "finished": False, "asked": asked})
    return SweepFolder(path)


def _finished(path: Path, there: Json) -> Sweep | None:
    if there.get("finished") is not True or not (path / BEST).is_file():
        return None
    try:
        return Sweep.from_json(there["found"], path)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None  # the trials are there still


def _read(path: Path) -> Json | None:
    """What `sweep.json` says; None where there is no folder, or nothing in it."""
    found = "no sweep"
    try:
        if not os.path.lexists(path) or (path.is_dir() and not any(path.iterdir())):
            return None
        told: Any = json.loads((path / SWEEP).read_text(encoding="utf-8"))
        if not isinstance(told, dict) or not isinstance(told.get("asked"), dict):
            raise ValueError(found)
        if told["schema"] != SCHEMA:
            found = "one of another version"
            raise ValueError(found)
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise OutputError(
            f"{path} exists already and holds something else than a sweep.",
            [Problem(str(path / SWEEP), "what 'transfer sweep' wrote", found)],
            next_step="choose another folder with -o (out=…)",
        ) from error
    return told


def _nothing_to_resume(path: Path, asked: Json, there: Json | None) -> OutputError:
    if there is not None:
        return _other(path, asked, there["asked"])
    return OutputError(
        f"There is no sweep in {path} that could go on.", next_step="begin one: leave out --resume (resume=False)"
    )


def _other(path: Path, asked: Json, there: Json) -> OutputError:
    now, then = (_flat(json.loads(json.dumps(each, default=str))) for each in (asked, there))
    changed = [name for name in {**now, **then} if now.get(name) != then.get(name) and not name.endswith("digest")]
    problems = [Problem(name, str(now.get(name, "none")), str(then.get(name, "none"))) for name in changed]
    return OutputError(
        f"{path} holds a sweep with other settings or inputs.",
        problems or [Problem("data", found="other examples or labels")],
        next_step="choose another folder with -o (out=…), or replace the sweep with --force (force=True)",
    )


def _flat(values: Json, above: str = "") -> dict[str, Json]:
    """Each setting by its path."""
    pairs = enumerate(values) if isinstance(values, list) else values.items()
    found: dict[str, Json] = {}
    for name, value in pairs:
        if isinstance(value, dict | list):
            found |= _flat(value, f"{above}{name}.")
        else:
            found[f"{above}{name}"] = value
    return found
