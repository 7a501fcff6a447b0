"""Where an unfinished run keeps how far it is: a hidden folder beside the one that it will become."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from transfer.errors import OutputError, Problem, TransferError
from transfer.placing import placed_file
from transfer.specs import Json

_ASKED = "asked.json"


@contextmanager
def kept_state(target: Path | None, asked: Json, *, force: bool) -> Iterator[Path | None]:
    """A folder for the state of a run while it is made; None without a target.

    It goes when the run is done, and when it fails for a reason that would come again. A run that is cut off before it
    has kept anything leaves nothing either.

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
        if isinstance(error, TransferError) or [each.name for each in folder.iterdir()] == [_ASKED]:
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # one that somebody has put something into stays
                for each in absent:
                    each.rmdir()
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _prepare(target: Path, asked: Json, *, force: bool) -> Path:
    """The folder of the same run if it was cut off, else an empty one."""
    folder = _folder(target)
    found = _digest(folder)
    if found not in (None, asked["digest"]):
        if not force:
            raise OutputError(
                f"{target} was begun with other settings or inputs, and cut off.",
                [Problem(str(folder), f"the state of request {asked['digest'][:12]}", str(found)[:12])],
                next_step="ask for that run again to go on with it, choose another folder, or start anew with --force",
            )
        shutil.rmtree(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}.", next_step="choose another folder") from error
    if found is None or not (folder / _ASKED).exists():
        with placed_file(folder / _ASKED, force=True) as temporary:
            temporary.write_text(json.dumps({"digest": asked["digest"]}) + "\n")
    return folder


def _folder(target: Path) -> Path:
    return target.with_name(f".{target.name}.unfinished")


def _digest(folder: Path) -> str | None:
    """Of the request that was cut off there; None where none was."""
    if not folder.exists():
        return None
    try:
        return str(json.loads((folder / _ASKED).read_text())["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
