"""What an extraction did, or would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from transfer.graphs.summarizing import LayerSummary
from transfer.results import Receipt
from transfer.specs import Json
from transfer.surgery.extracting import ExtractedNetwork

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Extracted:
    """What an extraction did, or would do.

    Attributes:
        out: the new file; None where nothing was written.
        receipt: how the old one was brought into its architecture.
        done: what was done to it, step by step.
        kept: names of the layers taken over.
        dropped: names of the layers left behind.
        layers: of the new network.
        before: parameters of the old network; None where that is not known without building it.
        notes: what else there is to know.
    """

    out: Path | None
    receipt: Receipt
    done: tuple[str, ...]
    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    layers: tuple[LayerSummary, ...]
    before: int | None
    notes: tuple[str, ...] = ()

    @property
    def after(self) -> int | None:
        """Parameters of the new network; None where that is not known without building it."""
        return _total(self.layers)

    @property
    def trainable(self) -> int | None:
        """How many of them training changes; None likewise."""
        counts = [each.trainable for each in self.layers]
        return None if None in counts else sum(each or 0 for each in counts)

    def __str__(self) -> str:
        lines = [self.receipt.brief]
        lines += [f"done      {each}" for each in self.done]
        lines += [f"note      {each}" for each in self.notes]
        lines.append(f"dropped   {', '.join(self.dropped) or 'nothing'}")
        lines.append(f"wrote     {self.out}" if self.out is not None else "wrote     nothing (a dry run)")
        shown = [each for each in self.layers if each.parameters != 0]
        width = max((len(each.name) for each in shown), default=5)
        lines.append(f"  {'before':{width}}  {_number(self.before):>11}")
        for each in shown:
            state: str = each.state
            if state == "new" and each.trainable is not None:
                state = f"{'trainable' if each.trainable else 'frozen'}, new"
            if state == "partly frozen":
                state += f", {_number(each.trainable)} trainable"
            lines.append(f"  {each.name:{width}}  {_number(each.parameters):>11}  {state}".rstrip())
        return "\n".join(
            [*lines, f"  {'total':{width}}  {_number(self.after):>11}  {_number(self.trainable)} trainable"]
        )

    def to_json(self) -> Json:
        """As plain values."""
        layers = [{**asdict(each), "new": each.state == "new"} for each in self.layers]
        return {
            "schema": SCHEMA,
            "out": None if self.out is None else str(self.out),
            "done": list(self.done),
            "kept": list(self.kept),
            "dropped": list(self.dropped),
            "layers": layers,
            "parameters": {"before": self.before, "after": self.after, "trainable": self.trainable},
            "notes": list(self.notes),
            "receipt": self.receipt.to_json(),
        }


def describe_extraction(
    before: Sequence[LayerSummary],
    after: Sequence[LayerSummary],
    found: ExtractedNetwork,
    receipt: Receipt,
    out: Path | None,
    notes: Sequence[str] = (),
) -> Extracted:
    """Put together what there is to say of an extraction.

    Args:
        before: layers of the old network.
        after: of the new one.
        found: the new network.
        receipt: how the old one was restored.
        out: the file that was written; None for none.
        notes: what else there is to know.
    """
    told = (*found.notes, *notes)
    return Extracted(out, receipt, found.done, found.kept, found.dropped, tuple(after), _total(before), told)


def _total(layers: Sequence[LayerSummary]) -> int | None:
    counts = [each.parameters for each in layers]
    return None if None in counts else sum(each or 0 for each in counts)


def _number(count: int | None) -> str:
    return "not known" if count is None else f"{count:,}"
