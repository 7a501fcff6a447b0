"""What is found wrong with a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from transfer.tabulating import shorten

Kind = Literal[
    "not finite",
    "input scale",
    "labels",
    "saturated",
    "dead units",
    "vanishing",
    "exploding",
    "large updates",
    "small updates",
]
Severity = Literal["fault", "remark"]
Fix = Literal["rescale", "rectify", "redraw", "revive", ""]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, why, and what to do.

    Attributes:
        kind: what it is, in a word.
        layers: where, in the order of the network; empty where it concerns all.
        cause: why, in a sentence.
        evidence: the numbers.
        advice: what to do.
        severity: a `fault` keeps the network from learning; a `remark` is worth knowing.
        fix: which change is written when one is asked for; empty where none is known.
    """

    kind: Kind
    layers: tuple[str, ...]
    cause: str
    evidence: str
    advice: str
    severity: Severity = "fault"
    fix: Fix = ""

    def __str__(self) -> str:
        where = shorten(self.layers) or "all layers"
        lines = [f"{self.severity:7} {self.kind}: {where}", f"          {self.cause}", f"          {self.evidence}"]
        return "\n".join([*lines, f"          next: {self.advice}"])
