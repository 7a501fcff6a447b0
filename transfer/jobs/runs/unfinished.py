"""Where an unfinished run keeps how far it is: a hidden folder beside the one that it will become.

It goes when the run is done, and when it fails for a reason that would come again. Where the disk takes no more it
stays, so that the same command goes on once there is room. Of training that stopped being finite the last finite
weights stay, as a model, until a run is done there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import keras

from transfer.errors import NotFiniteError, OutputError, Problem, TransferError
from transfer.models.saving import save_model
from transfer.placing import make_folder, placed_file
from transfer.specs import Json
from transfer.weights.digests import digest_json

LAST_FINITE = "last_finite.keras"
_ASKED = "asked.json"


@contextmanager
def kept_state(target: Path | None, asked: Json, *, force: bool) -> Iterator[Path | None]:
    """A folder for the state of a run while it is made; None without a target.

    A run that ends before it has kept anything leaves nothing.

    Args:
        target: where the run will be.
        asked: what decides its outcome, with its digest.
        force: whether what another request has left there goes.

    Raises:
        OutputError: if another request was cut off there, or the folder cannot be made.
    """
    if target is None:
        yield None
        return
    absent = [each for each in target.parents if not each.exists()]
    folder = _prepare(target, asked, force=force)
    try:
        yield folder
    except BaseException as error:
        if isinstance(error, TransferError) and not isinstance(error, OutputError):
            _forget(folder, but=LAST_FINITE if isinstance(error, NotFiniteError) else "")
        if not any(each.is_file() and each.name != _ASKED for each in folder.rglob("*")):
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # one that somebody has put something into stays
                for each in absent:
                    each.rmdir()
        elif isinstance(error, OutputError) and _comes_from_disk(error):
            step = f"{error.next_step}; the same command then goes on where it was"
            raise OutputError(error.summary, error.problems, step) from error
        raise
    shutil.rmtree(folder, ignore_errors=True)


def with_last_finite(error: NotFiniteError, make: Callable[[], keras.Model], folder: Path | None) -> NotFiniteError:
    """The same error, with where the last finite weights are kept; as it was where they cannot be kept.

    Args:
        error: that ended a run.
        make: gives the model with these weights.
        folder: of the run's state; None for none.
    """
    if folder is None:
        return error
    try:
        save_model(make(), folder / LAST_FINITE, force=True)
    except OutputError:
        return error
    kept = Problem(str(folder / LAST_FINITE), found="the last finite weights, until a run is done there")
    return NotFiniteError(error.summary, (*error.problems, kept), error.next_step)


def _comes_from_disk(error: BaseException | None) -> bool:
    """Whether an error goes back to one of the operating system."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error is not None


def _forget(folder: Path, *, but: str) -> None:
    """Take away what is in a folder, all but the file of that name."""
    for each in folder.iterdir():
        if each.is_dir():
            shutil.rmtree(each, ignore_errors=True)
        elif each.name != but:
            with suppress(OSError):
                each.unlink()


def _prepare(target: Path, asked: Json, *, force: bool) -> Path:
    """The folder of the same run if it was cut off, else an empty one."""
    folder = _folder(target)
    found, parts = _found(folder), _parts(asked)
    if found and found["digest"] != asked["digest"]:
        changed = [Problem(name, found="has changed") for name in parts if parts[name] != found["parts"].get(name)]
        if not force:
            raise OutputError(
                f"{target} was begun with other settings or inputs, and cut off.",
                [Problem(str(folder), f"the state of request {asked['digest'][:12]}", found["digest"][:12]), *changed],
                next_step="ask for that run again to go on with it, choose another folder, or start anew with --force",
            )
        shutil.rmtree(folder)
    make_folder(folder)
    if not found or not (folder / _ASKED).exists():
        try:
            with placed_file(folder / _ASKED, force=True) as temporary:
                temporary.write_text(json.dumps({"digest": asked["digest"], "parts": parts}) + "\n")
        except OutputError:
            with suppress(OSError):
                folder.rmdir()
            raise
    return folder


def _folder(target: Path) -> Path:
    return target.with_name(f".{target.name}.unfinished")


def _parts(asked: Json) -> dict[str, str]:
    """A digest of each thing that was asked, to tell what has changed."""
    return {name: digest_json(value) for name, value in asked.items() if name != "digest"}


def _found(folder: Path) -> Json:
    """What was asked of a run that was cut off there; empty where none was."""
    try:
        found = json.loads((folder / _ASKED).read_text())
        return {"digest": str(found["digest"]), "parts": dict(found["parts"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
