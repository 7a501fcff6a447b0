"""What pretraining gives: an encoder, how it came about, and the folder beside its file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from transfer.errors import DataError, Problem
from transfer.html_tables import as_html
from transfer.specs import Json
from transfer.tabulating import Part, format_parts
from transfer.training.history import Epoch

SCHEMA = 1
TOLD, HISTORY, TIMING, PICTURES = "pretraining.json", "history.jsonl", "timing.json", "pictures"
_SHOWN = 10  # epochs of the table


@dataclass(frozen=True, slots=True, eq=False)
class Pretrained:
    """An encoder that was pretrained; printed, it is its curve and what it came to.

    Attributes:
        model: raw input as the architecture takes it, to features; with a card.
        method: by which.
        source: of the examples.
        examples: how many were learnt from.
        history: of the epochs; `outputs` holds the mean of each measure.
        signs: that it taught nothing, in a sentence each; empty where there are none.
        notes: what else there is to know.
        path: of the checkpoint; None where none was written.
        asked: what was asked, with its digest.
        left_out: examples that could not be read.
        resumed_at: steps that it went on from; 0 where it began anew.
        reused: whether it stood there already.
    """

    model: keras.Model = field(repr=False)
    method: str
    source: str
    examples: int
    history: tuple[Epoch, ...] = field(repr=False)
    signs: tuple[str, ...]
    notes: tuple[str, ...]
    path: Path | None
    asked: Json = field(repr=False)
    left_out: tuple[Problem, ...] = ()
    resumed_at: int = 0
    reused: bool = False

    @property
    def folder(self) -> Path | None:
        """What lies beside the checkpoint: its history, and pictures to look at."""
        return None if self.path is None else folder_beside(self.path)

    def __str__(self) -> str:
        return format_parts(self.parts)

    def _repr_html_(self) -> str:
        return as_html(self.parts)

    @property
    def parts(self) -> Iterator[Part]:
        """The lines and the table in print."""
        epochs = f"{len(self.history)} epoch{'s' if len(self.history) != 1 else ''}"
        yield f"{self.method}: {self.examples:,} examples of {self.source}, {epochs}"
        if self.history:
            names = list(self.history[-1].outputs)
            places = sorted({round(k * (len(self.history) - 1) / (_SHOWN - 1)) for k in range(_SHOWN)})
            rows = [_row(self.history[place], names) for place in places]
            yield ("epoch", *names), rows, ("epoch", *names)
        yield from (f"sign      {each}" for each in self.signs)
        yield from (f"left out  {each}" for each in self.left_out)
        yield from (f"note      {each}" for each in self.notes)
        if self.resumed_at:
            yield f"resumed   from step {self.resumed_at:,}"
        if self.path is not None:
            yield f"written   {self.path}, and {self.folder}/"

    def to_json(self) -> Json:
        """As plain values, for `--json` and the folder."""
        return {
            "schema": SCHEMA,
            "method": self.method,
            "source": self.source,
            "examples": self.examples,
            "parameters": int(self.model.count_params()),
            "history": [each.to_json() for each in self.history],
            "signs": list(self.signs),
            "notes": list(self.notes),
            "left_out": [
                {"where": each.where, "expected": each.expected, "found": each.found} for each in self.left_out
            ],
            "path": None if self.path is None else str(self.path),
            "asked": self.asked,
        }


def _row(epoch: Epoch, names: list[str]) -> tuple[str, ...]:
    return str(epoch.number), *(f"{epoch.outputs[name]['value']:.4g}" for name in names)


def folder_beside(path: Path) -> Path:
    """Where history and pictures of a checkpoint lie: `encoder.weights.h5` → `encoder.pretraining`."""
    name = path.name
    for suffix in (".keras", ".hdf5", ".h5", ".safetensors", ".weights"):
        name = name.removesuffix(suffix)
    return path.with_name(f"{name}.pretraining")


def read_told(folder: Path) -> Json:
    """What the folder beside a checkpoint says.

    Raises:
        DataError: if it is none.
    """
    try:
        told: Any = json.loads((folder / TOLD).read_text())
        if told["schema"] > SCHEMA:
            raise DataError(f"{folder} was written by a newer transfer.", next_step="upgrade h5transfer")
        return told
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder} does not say how anything was pretrained.",
            [Problem(str(folder), "a folder that 'transfer pretrain' wrote", "no pretraining.json")],
        ) from error
