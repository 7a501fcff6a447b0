"""Whether pretraining paid: encoders held against the same network from random weights, at few and more labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from transfer.errors import Problem
from transfer.evidence.corrected_comparison import FoldDifference
from transfer.evidence.curve_points import COLUMNS, CurvePoints, adjusted
from transfer.evidence.label_curves import worth
from transfer.html_tables import as_html
from transfer.specs import Json
from transfer.tabulating import Part, Table, format_parts

_HELD = ("less scratch", "its 95 % interval", "p")
_COLUMNS = (*COLUMNS[:-1], *_HELD)
_NUMBERS = ("shots", "accuracy", "less scratch", "p")


@dataclass(frozen=True, slots=True)
class Proof(CurvePoints):
    """Encoders held against training from scratch; printed, it is a table and a verdict for each way of using one.

    Attributes:
        source, points: as all curves have them.
        asked: (way, reference): a way of using an encoder, and training its own architecture from scratch.
        steps: (shots, steps) that fine-tuning and training from scratch take alike.
        notes: what else there is to know.
        left_out: numbers of shots that could not be tried, and why.
    """

    asked: tuple[tuple[str, str], ...]
    steps: tuple[tuple[int, int], ...] = ()
    notes: tuple[str, ...] = ()
    left_out: tuple[Problem, ...] = ()

    @property
    def differences(self) -> tuple[tuple[str, int, FoldDifference], ...]:
        """How far each way that is asked about lies above its reference, by way and shots.

        P-values are adjusted for the number of all that are told here (Holm); each interval stands for itself.
        """
        told = [
            (way, one.shots, one.less(other))
            for way, reference in self.asked
            for one, other in zip(self.of(way), self.of(reference), strict=True)
        ]
        return adjusted(told)

    @property
    def verdicts(self) -> tuple[str, ...]:
        """For each way that is asked about at how many labels it paid, hurt, or neither can be told."""
        told: dict[str, list[tuple[int, FoldDifference]]] = {way: [] for way, _ in self.asked}
        for way, shots, found in self.differences:
            told[way].append((shots, found))
        return tuple(f"{way}: {verdict(reference, told[way])}" for way, reference in self.asked)

    @property
    def worth(self) -> tuple[str, ...]:
        """With how many labels training from scratch is as good, for each point that paid, in a sentence."""
        paid = {(way, shots) for way, shots, found in self.differences if found.told_apart and found.mean > 0}
        return tuple(
            sentence
            for way, reference in self.asked
            for sentence in worth([each for each in self.of(way) if (way, each.shots) in paid], self.of(reference))
        )

    @property
    def table(self) -> Table:
        """Columns, rows and the columns of numbers."""
        held = {(way, shots): found for way, shots, found in self.differences}
        rows = [(*each.cells[:-1], *_cells(held.get((each.way, each.shots)))) for each in self.points]
        return _COLUMNS, rows, _NUMBERS

    @property
    def closing(self) -> tuple[str, ...]:
        """What the table comes to."""
        return (
            *(f"verdict   {each}" for each in self.verdicts),
            *(f"worth     {each}" for each in self.worth),
            *(f"left out  {each.where}: {each.found}" for each in self.left_out),
            *(f"note      {each}" for each in self.notes),
        )

    def __str__(self) -> str:
        return format_parts(self.parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The table and the lines in print."""
        return (self.table, *self.closing)

    def to_json(self) -> Json:
        """As plain values."""
        return {
            "schema": 1,
            "source": self.source,
            "points": self.described,
            "asked": [{"way": way, "reference": reference} for way, reference in self.asked],
            "differences": [
                {"way": way, "shots": shots, **asdict(found), "told_apart": found.told_apart}
                for way, shots, found in self.differences
            ],
            "verdicts": list(self.verdicts),
            "worth": list(self.worth),
            "steps": [{"shots": shots, "steps": steps} for shots, steps in self.steps],
            "notes": list(self.notes),
            "left_out": [asdict(each) for each in self.left_out],
        }


def verdict(reference: str, differences: Sequence[tuple[int, FoldDifference]]) -> str:
    """At how many labels a class it paid, hurt, or neither can be told.

    Args:
        reference: what it is held against.
        differences: (shots, how far it lies above that), by shots.
    """
    apart = [(shots, each) for shots, each in differences if each.told_apart]
    parts = (
        ("it paid at {}", [each for each in apart if each[1].mean > 0]),
        ("it hurt at {}", [each for each in apart if each[1].mean < 0]),
        (f"not told apart from {reference} at {{}}", [each for each in differences if not each[1].told_apart]),
    )
    return "; ".join(text.format(_shown(some)) for text, some in parts if some)


def _shown(some: Sequence[tuple[int, FoldDifference]]) -> str:
    """`5 and 10 labels a class (+0.052 [+0.021, +0.083], …)`."""
    counts = [str(shots) for shots, _ in some]
    listed = " and ".join([", ".join(counts[:-1]), counts[-1]] if len(counts) > 1 else counts)
    unit = "label a class" if counts == ["1"] else "labels a class"
    return f"{listed} {unit} ({', '.join(f'{each.mean:+.3f}{_bounds(each)}' for _, each in some)})"


def _bounds(found: FoldDifference) -> str:
    return "" if found.low is None or found.high is None else f" [{found.low:+.3f}, {found.high:+.3f}]"


def _cells(found: FoldDifference | None) -> tuple[str, str, str]:
    if found is None:
        return "", "", ""
    return f"{found.mean:+.3f}", _bounds(found).strip() or "-", f"{found.p_value:.2g}"
