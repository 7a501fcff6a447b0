"""A pretrained encoder on disk: the checkpoint, and the folder beside it. Where the checkpoint is, all of it is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import NDArray

from transfer.errors import DataError, OutputError, Problem
from transfer.jobs.picture_sheets import write_sheet
from transfer.jobs.pretrained import HISTORY, PICTURES, TIMING, TOLD, Pretrained, folder_beside, read_told
from transfer.models.restoring import restore
from transfer.models.saving import save_weights
from transfer.placing import placed_folder, refuse_existing
from transfer.specs import Json
from transfer.training.history import Epoch

Pictures: TypeAlias = Mapping[str, NDArray[Any]]


def refuse_target(target: Path, *, force: bool) -> None:
    """Ask for permission before any work is done; only what pretraining wrote is ever replaced beside a checkpoint.

    Raises:
        OutputError: if one of both is there and `force` is false, or the folder is of something else.
    """
    refuse_existing(target, force=force)
    folder = folder_beside(target)
    if os.path.lexists(folder) and not (folder / TOLD).is_file():
        raise OutputError(f"{folder} exists already and is of nothing pretrained.", next_step="choose another name")
    refuse_existing(folder, force=force)


def find_finished(target: Path, asked: Json) -> Pretrained | None:
    """What stands there already, if it is of this very request."""
    if not target.is_file():
        return None
    try:
        told = read_told(folder_beside(target))
        if told["asked"]["digest"] != asked["digest"]:
            return None
        history = tuple(Epoch(**each) for each in told["history"])
        model = restore(target).model
        left_out = tuple(Problem(**each) for each in told["left_out"])
        return Pretrained(
            model,
            told["method"],
            told["source"],
            told["examples"],
            history,
            tuple(told["signs"]),
            tuple(told["notes"]),
            target,
            told["asked"],
            left_out,
            reused=True,
        )
    except (DataError, KeyError, TypeError):
        return None


def write_pretrained(
    found: Pretrained,
    target: Path,
    *,
    seconds: Mapping[str, float],
    pictures: Pictures | None,
    white: float,
    force: bool,
) -> Pretrained:
    """Write both, the checkpoint last.

    Args:
        found: what came of it.
        target: of the checkpoint.
        seconds: by what they were spent on.
        pictures: (m, h, w, c) by what they show; None where there is nothing to look at.
        white: the largest value of these.
        force: whether what is there may be replaced.

    Raises:
        OutputError: if something is there, or it cannot be written.
    """
    written = replace(found, path=target)
    with placed_folder(folder_beside(target), force=force) as folder:
        _write_json(folder / TOLD, written.to_json())
        lines = [json.dumps(each.to_json(), sort_keys=True) + "\n" for each in found.history]
        (folder / HISTORY).write_text("".join(lines))
        _write_json(folder / TIMING, {name: round(each, 3) for name, each in seconds.items()})
        if pictures is not None:
            (folder / PICTURES).mkdir()
            write_sheet(folder / PICTURES / f"{found.method}.png", pictures, white)
    save_weights(found.model, target, force=force)
    return written


def _write_json(path: Path, values: Json) -> None:
    path.write_text(json.dumps(values, indent=1, sort_keys=True, default=str) + "\n")
