"""A proof beside the encoder that it is of."""

from __future__ import annotations

import json
from collections.abc import Sequence

from transfer.data.labelled import LabelledSet
from transfer.evidence.proofs import Proof
from transfer.jobs.checking_outputs import refuse_outputs
from transfer.jobs.dealing_shots import deal_shots
from transfer.jobs.pretrained import Pretrained
from transfer.jobs.proving import TEST_SHARE, prove
from transfer.jobs.reading_unlabelled import Unlabelled
from transfer.placing import placed_file
from transfer.specs import Progress, silent

PROOF = "proof.json"


def refuse_proof(data: LabelledSet, shots: Sequence[int], *, divisions: int, seed: int) -> None:
    """Refuse labelled examples of which no proof can be made, before anything is pretrained.

    Raises:
        DataError: if they have not one class each, or are too few.
    """
    refuse_outputs(data, "a proof is made")
    deal_shots(data, shots, divisions=divisions, seed=seed, test_share=TEST_SHARE)


def prove_beside(
    found: Pretrained,
    unlabelled: Unlabelled,
    data: LabelledSet,
    *,
    shots: Sequence[int],
    divisions: int,
    size: tuple[int, int] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Proof:
    """Prove an encoder, and keep the proof in the folder beside it; one that is there is replaced.

    Args:
        found: the encoder.
        unlabelled: what it was pretrained on.
        data: labelled examples.
        shots: labels a class.
        divisions: of these examples.
        size: (h, w) of images.
        seed: of the first division.
        progress: told of what is going on.

    Raises:
        TransferError: of the kind that fits.
    """
    proof = prove(
        found,
        data,
        shots=shots,
        divisions=divisions,
        size=size,
        seed=seed,
        pretrained_on=unlabelled,
        skip_unreadable=True,
        progress=progress,
    )
    if found.folder is not None:
        with placed_file(found.folder / PROOF, force=True) as temporary:
            temporary.write_text(json.dumps(proof.to_json(), indent=1, sort_keys=True) + "\n")
    return proof
