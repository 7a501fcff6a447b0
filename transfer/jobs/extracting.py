"""Extraction as a whole job: a file in, a file out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import keras

from transfer.errors import OutputError
from transfer.models.extracting import extract
from transfer.models.restoring import restore_file
from transfer.models.saving import save_model, save_weights
from transfer.placing import refuse_existing
from transfer.results import Receipt
from transfer.specs import Head, Json, Restoring
from transfer.weights.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class Extracted:
    """What an extraction wrote.

    Attributes:
        out: the new file.
        receipt: how the old one was restored.
        kept: names of the layers taken over.
        dropped: names of the layers left behind.
        layers: (name, parameters, trainable ones) of each layer in the new network.
    """

    out: Path
    receipt: Receipt
    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    layers: tuple[tuple[str, int, int], ...]

    def __str__(self) -> str:
        lines = [str(self.receipt), f"dropped  {', '.join(self.dropped) or 'nothing'}", f"wrote    {self.out}"]
        width = max(len(name) for name, _, _ in self.layers)
        shown = [each for each in self.layers if each[1]]
        for name, parameters, trainable in shown:
            state = "trainable" if trainable else "frozen"
            lines.append(f"  {name:{width}}  {parameters:>11,}  {state}{'' if name in self.kept else ', new'}")
        total, moving = sum(each[1] for each in shown), sum(each[2] for each in shown)
        return "\n".join([*lines, f"  {'total':{width}}  {total:>11,}  {moving:,} trainable"])

    def to_json(self) -> Json:
        """As plain values."""
        layers = [
            {"name": name, "parameters": count, "trainable": moving, "new": name not in self.kept}
            for name, count, moving in self.layers
        ]
        return {
            "out": str(self.out),
            "dropped": list(self.dropped),
            "layers": layers,
            "receipt": self.receipt.to_json(),
        }


def extract_file(
    file: Checkpoint | str,
    out: Path,
    *,
    into: str | None = None,
    drop_last: int = 0,
    at: str | None = None,
    heads: Sequence[Head] = (),
    freeze: Sequence[str] = (),
    restoring: Restoring | None = None,
    seed: int = 0,
    force: bool = False,
) -> Extracted:
    """Restore a file, extract, and write the result.

    Args:
        file: a checkpoint, its path, or the name of a shipped one.
        out: `NAME.keras` for a whole model, `NAME.weights.h5` or `NAME.h5` for weights with a card.
        into: name of the original architecture, where the file does not hold it.
        drop_last: number of last layers to drop.
        at: the last layer to keep instead.
        heads: what to attach.
        freeze: `backbone`, names or patterns.
        restoring: how the file is brought into the architecture.
        seed: of the heads' initial kernels.
        force: whether `out` may be replaced.

    Raises:
        TransferError: of the kind that fits: the file, the match, a layer, the output.
    """
    if not out.name.endswith((".keras", ".h5")):
        raise OutputError(
            f"{out} has no suffix that says what to write.", next_step="call it NAME.keras, NAME.h5 or NAME.weights.h5"
        )
    refuse_existing(out, force=force)
    keras.utils.set_random_seed(seed)  # layers that are skipped keep the initial values they are built with
    restored = restore_file(file, into, restoring or Restoring())
    student = extract(restored, drop_last=drop_last, at=at, freeze=freeze, heads=heads, seed=seed)
    (save_model if out.name.endswith(".keras") else save_weights)(student, out, force=force)
    new = {head.name for head in heads}
    before, after = ([layer.name for layer in model.layers] for model in (restored.model, student))
    return Extracted(
        out=out,
        receipt=restored.receipt,
        kept=tuple(name for name in after if name in before and name not in new),
        dropped=tuple(name for name in before if name not in after or name in new),
        layers=tuple(
            (layer.name, layer.count_params(), sum(prod(w.shape) for w in layer.trainable_weights))
            for layer in student.layers
        ),
    )
