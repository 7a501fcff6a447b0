"""What can go wrong, as one tree.

    TransferError              exit code 1
    ├── CheckpointError        3   a file is not readable, damaged or hostile
    ├── MatchError             4   a file does not fit a model
    ├── LayerError             5   a name, a cut or a graph is wrong
    ├── DataError              6   a labelled set is wrong
    ├── TrainingError          7   a run went wrong: NaN, interrupted, cluster
    └── OutputError            8   an output exists already or cannot be written

Exit code 2 is a slip on the command line, 130 an interruption from the keyboard. Every error tells where it is, what
was expected, what was found and what to do next; all problems at once, not the first.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

SHOWN = 12  # problems written out in a message; the others are counted


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        where: the tensor, layer, file or option concerned.
        expected: what would have been right; empty where `found` says it all.
        found: what is there.
    """

    where: str
    expected: str = ""
    found: str = ""

    def __str__(self) -> str:
        if not self.expected:
            return f"  {self.where}: {self.found}" if self.found else f"  {self.where}"
        return f"  {self.where}\n    expected  {self.expected}\n    found     {self.found}"


class TransferError(Exception):
    """The root of the tree.

    Attributes:
        summary: one sentence that names the file or thing concerned.
        problems: each thing that is wrong.
        next_step: what to do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, summary: str, problems: Iterable[Problem] = (), next_step: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        self.problems = tuple(problems)
        self.next_step = next_step

    def __reduce__(self) -> tuple[type[TransferError], tuple[str, tuple[Problem, ...], str]]:
        return type(self), (self.summary, self.problems, self.next_step)

    def __str__(self) -> str:
        lines = [self.summary, *map(str, self.problems[:SHOWN])]
        if len(self.problems) > SHOWN:
            lines.append(f"  … and {len(self.problems) - SHOWN} more")
        if self.next_step:
            lines.append(f"  next: {self.next_step}")
        return "\n".join(lines)


class CheckpointError(TransferError):
    """A checkpoint is not readable, damaged or hostile."""

    exit_code = 3


class MatchError(TransferError):
    """A checkpoint does not fit a model."""

    exit_code = 4


class LayerError(TransferError):
    """A layer's name, a cut or a graph is wrong."""

    exit_code = 5


class DataError(TransferError):
    """A labelled set, or an input to predict, is wrong."""

    exit_code = 6


class TrainingError(TransferError):
    """A run went wrong."""

    exit_code = 7


class OutputError(TransferError):
    """An output exists already or cannot be written."""

    exit_code = 8


def nearest(name: str, known: Iterable[str], *, count: int = 3) -> str:
    """The known names most like `name`, quoted, for the last line of an error; empty where nothing is known."""
    names = list(dict.fromkeys(known))
    lowered = {each.lower(): each for each in reversed(names)}
    close = difflib.get_close_matches(name.lower(), lowered, n=count, cutoff=0.0)
    return ", ".join(repr(lowered[each]) for each in close)
