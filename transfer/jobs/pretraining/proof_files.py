"""Proofs beside the encoder that they are of: one for each thing that was asked."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from transfer.data.labelled import LabelledSet
from transfer.evidence.proofs import Proof
from transfer.jobs.examples.checking_outputs import refuse_outputs
from transfer.jobs.examples.dealing_shots import deal_shots
from transfer.jobs.examples.reading_unlabelled import Unlabelled
from transfer.jobs.pretraining.pretrained import Pretrained
from transfer.jobs.pretraining.proving import BACKBONE, TEST_SHARE, prove
from transfer.jobs.runs.describing import describe_sets
from transfer.placing import placed_file
from transfer.specs import Json, Progress, silent
from transfer.weights.opening import open_checkpoint

_NAME = "proof"


def refuse_proof(
    data: LabelledSet, shots: Sequence[int], *, divisions: int, backbone: str | None = BACKBONE, seed: int
) -> None:
    """Refuse what no proof can be made of, before anything is pretrained.

    Raises:
        DataError: if the examples have not one class each, or are too few.
        CheckpointError: if there is no such backbone.
    """
    refuse_outputs(data, "a proof is made")
    deal_shots(data, shots, divisions=divisions, seed=seed, test_share=TEST_SHARE)
    if backbone is not None:
        with open_checkpoint(backbone):
            pass


def prove_beside(
    found: Pretrained,
    unlabelled: Unlabelled,
    data: LabelledSet,
    *,
    shots: Sequence[int],
    divisions: int,
    steps: int | None = None,
    backbone: str | None = BACKBONE,
    size: tuple[int, int] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[Proof, Path | None]:
    """Prove an encoder, and keep the proof in the folder beside it; a proof of something else that is there stays.

    Args:
        found: the encoder.
        unlabelled: what it was pretrained on.
        data: labelled examples.
        shots: labels a class.
        divisions: of these examples.
        steps: of fine-tuning and of training from scratch; None for those of `scratch`.
        backbone: a checkpoint that they are held against, or its name; None for none.
        size: (h, w) of images.
        seed: of the first division.
        progress: told of what is going on.

    Returns:
        It, and where it is kept: `proof.json`, `proof_2.json` where that is of something else, and so on; None where
        the encoder was not written.

    Raises:
        TransferError: of the kind that fits.
    """
    proof = prove(
        found,
        data,
        shots=shots,
        divisions=divisions,
        steps=steps,
        backbone=backbone,
        size=size,
        seed=seed,
        pretrained_on=unlabelled,
        skip_unreadable=True,
        progress=progress,
    )
    if found.folder is None:
        return proof, None
    asked = {
        **{"shots": list(shots), "divisions": divisions, "steps": steps, "backbone": backbone, "seed": seed},
        **{"size": None if size is None else list(size), "data": {**describe_sets(data, None)["data"], "source": ""}},
    }
    path = _place(found.folder, asked)
    with placed_file(path, force=True) as temporary:
        temporary.write_text(json.dumps({**proof.to_json(), "request": asked}, indent=1, sort_keys=True) + "\n")
    return proof, path


def _place(folder: Path, asked: Json) -> Path:
    """Where a proof goes: in place of one of the same request, else to the first free name."""
    names = (f"{_NAME}.json" if number == 1 else f"{_NAME}_{number}.json" for number in count(1))
    return next(path for path in map(folder.joinpath, names) if not os.path.lexists(path) or _asked(path) == asked)


def _asked(path: Path) -> Json:
    """What a proof was asked; None where the file does not say it."""
    try:
        return json.loads(path.read_text())["request"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
