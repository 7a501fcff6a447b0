"""A pretrained encoder on disk: the checkpoint, and the folder beside it. Where the checkpoint is, all of it is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from transfer.errors import DataError, OutputError, Problem
from transfer.jobs.pretraining.picture_sheets import write_sheet
from transfer.jobs.pretraining.pretrained import HISTORY, PICTURES, TIMING, TOLD, Pretrained, folder_beside, read_told
from transfer.jobs.pretraining.telling_pretrained import Learnt
from transfer.models.building import read_model
from transfer.models.restoring import restore
from transfer.models.saving import save_weights
from transfer.placing import placed_folder, refuse_existing
from transfer.specs import Json
from transfer.training.history import Epoch
from transfer.weights.digests import digest_manifest
from transfer.weights.tensor_digests import digest_tensor


def refuse_place(target: Path, *, force: bool) -> None:
    """Refuse, before anything is read, a place where nothing can go whatever is asked.

    Args:
        target: of the checkpoint.
        force: whether what is there may be replaced.

    Raises:
        OutputError: if its folder is not there, or it or the folder beside it is of nothing pretrained.
    """
    folder = folder_beside(target)
    refuse_existing(target, force=force or (folder / TOLD).is_file())
    if os.path.lexists(folder) and not (folder / TOLD).is_file():
        raise OutputError(f"{folder} exists already and is of nothing pretrained.", next_step="choose another name")


def refuse_target(target: Path, asked: Json, *, force: bool) -> None:
    """Ask for permission before anything is learnt; only what pretraining wrote is ever replaced beside a checkpoint.

    Args:
        target: of the checkpoint.
        asked: a folder of this very request without its checkpoint was left by a run that was cut off, and goes.
        force: whether what is there may be replaced.

    Raises:
        OutputError: if one of both is there and `force` is false, or the folder is of something else.
    """
    refuse_existing(target, force=force)
    refuse_place(target, force=force)
    refuse_existing(folder_beside(target), force=force or _is_left(target, asked))


def _is_left(target: Path, asked: Json) -> bool:
    """Whether a run of this request was cut off after its folder was written and before its checkpoint was."""
    if os.path.lexists(target):
        return False
    try:
        return bool(read_told(folder_beside(target))["asked"]["digest"] == asked["digest"])
    except (DataError, KeyError, TypeError):
        return False


def find_finished(target: Path, asked: Json, custom_objects: Mapping[str, Any] | None = None) -> Pretrained | None:
    """What stands there already, if it is of this very request.

    Args:
        target: of the checkpoint.
        asked: with its digest.
        custom_objects: classes of the caller's that the encoder holds, by name.
    """
    if not target.is_file():
        return None
    try:
        told = read_told(folder_beside(target))
        if told["asked"]["digest"] != asked["digest"]:
            return None
        history = tuple(Epoch(**each) for each in told["history"])
        model = restore(target, custom_objects=custom_objects).model
        if told["weights"] != _weights_digest(model):
            return None
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
    found: Pretrained, learnt: Learnt, target: Path, seconds: Mapping[str, float], *, force: bool
) -> Pretrained:
    """Write both, the checkpoint last.

    Args:
        found: what came of it.
        learnt: what there is to look at.
        target: of the checkpoint.
        seconds: by what they were spent on.
        force: whether what is there may be replaced.

    Raises:
        OutputError: if something is there, or it cannot be written.
    """
    written = replace(found, path=target)
    with placed_folder(folder_beside(target), force=force or _is_left(target, found.asked)) as folder:
        _write_json(folder / TOLD, {**written.to_json(), "weights": _weights_digest(found.model)})
        lines = [json.dumps(each.to_json(), sort_keys=True) + "\n" for each in found.history]
        (folder / HISTORY).write_text("".join(lines))
        _write_json(folder / TIMING, {name: round(each, 3) for name, each in seconds.items()})
        _write_pictures(folder / PICTURES / f"{found.method}.png", learnt)
    save_weights(found.model, target, force=force)
    return written


def _write_pictures(path: Path, learnt: Learnt) -> None:
    """What there is to look at, if there is anything."""
    objective, encoder = learnt.objective, learnt.objective.encoder
    if not encoder.is_image or encoder.shape[-1] not in (1, 3) or objective.pictures is None:
        return
    pictures = objective.pictures(learnt.shown)
    path.parent.mkdir()
    span = encoder.white - encoder.black or 1.0  # of images that are all the same
    write_sheet(path, {name: each - encoder.black for name, each in pictures.items()}, span)


def _weights_digest(model: keras.Model) -> str:
    """Of all tensors, so that a checkpoint is not taken for another's."""
    return digest_manifest({name: digest_tensor(values) for name, values in read_model(model).tensors.items()})


def _write_json(path: Path, values: Json) -> None:
    path.write_text(json.dumps(values, indent=1, sort_keys=True, default=str) + "\n")
