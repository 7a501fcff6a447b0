"""How far the steps of a run moved each layer, from what it recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from transfer.specs import Json

_NOT_KEPT = "trial"  # of epochs that were trained on a part, to see how far to go


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """How far a run moved one layer in a step.

    Attributes:
        layer: its name.
        ratios: norm of an update over the norm of the weights, at the end of each epoch.
    """

    layer: str
    ratios: tuple[float, ...]


def read_updates(lines: Iterable[str]) -> tuple[tuple[UpdateReport, ...], tuple[int, ...]]:
    """What the epochs that were kept recorded of each layer, and the numbers of lines that cannot be read.

    Args:
        lines: of `history.jsonl`.
    """
    found: dict[str, list[float]] = {}
    torn: list[int] = []
    for number, text in enumerate(lines, start=1):
        try:
            line = json.loads(text)
            recorded = _recorded(line)
        except (ValueError, TypeError, AttributeError):
            torn.append(number)
            continue
        for layer, ratio in recorded.items():
            found.setdefault(layer, []).append(ratio)
    return tuple(UpdateReport(layer, tuple(ratios)) for layer, ratios in found.items()), tuple(torn)


def _recorded(line: Json) -> dict[str, float]:
    if line.get("stage") == _NOT_KEPT:
        return {}
    return {layer: float(ratio) for layer, ratio in (line.get("updates") or {}).items()}
