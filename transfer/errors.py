"""What can go wrong, as one tree.

    TransferError              exit code 1
    ├── CheckpointError        3   a file is not readable, damaged or hostile
    ├── MatchError             4   a file does not fit a model
    ├── LayerError             5   a name, a cut or a graph is wrong
    │   └── KerasNeededError       only Keras can tell what a layer makes or gives
    ├── DataError              6   a labelled set or a recipe is wrong
    ├── TrainingError          7   a run went wrong: NaN, interrupted, cluster
    │   └── NotFiniteError         a step of training was not finite
    └── OutputError            8   an output exists already or cannot be written

Exit code 2 is a slip on the command line, 130 an interruption from the keyboard. Every error tells where it is, what
was expected, what was found and what to do next; all problems at once, not the first.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

LONGEST = 1800  # bytes of a message; problems past that are counted
LONGEST_FIELD = 240
MOST = 12  # problems written out, so that the first line and the last are seen together
_NEAR = 0.6  # of 1; from there on difflib calls texts alike
_LISTED = 8  # names that are all shown where none is near


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
        where, expected, found = map(_shortened, (self.where, self.expected, self.found))
        if not expected:
            return f"  {where}: {found}" if found else f"  {where}"
        return f"  {where}\n    expected  {expected}\n    found     {found}"


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
        lines = [_shortened(self.summary)]
        last = f"  next: {_shortened(self.next_step)}" if self.next_step else ""
        room = LONGEST - len(lines[0].encode(errors="replace")) - len(last.encode(errors="replace"))
        for place, problem in enumerate(self.problems):
            line = str(problem)
            room -= len(line.encode(errors="replace")) + 1
            if room < 0 or place == MOST:
                lines.append(f"  … and {len(self.problems) - place} more")
                break
            lines.append(line)
        return "\n".join([*lines, last] if last else lines)


class CheckpointError(TransferError):
    """A checkpoint is not readable, damaged or hostile."""

    exit_code = 3


class MatchError(TransferError):
    """A checkpoint does not fit a model."""

    exit_code = 4


class LayerError(TransferError):
    """A layer's name, a cut or a graph is wrong."""

    exit_code = 5


class KerasNeededError(LayerError):
    """Only Keras can tell what a layer makes or gives: a class of somebody's own, or one without a rule here."""


class DataError(TransferError):
    """A labelled set, an input to predict, or a recipe is wrong."""

    exit_code = 6


class TrainingError(TransferError):
    """A run went wrong."""

    exit_code = 7


class NotFiniteError(TrainingError):
    """A loss, a gradient or a weight stopped being finite in a step of training."""


class OutputError(TransferError):
    """An output exists already or cannot be written."""

    exit_code = 8


def _shortened(text: str) -> str:
    """Names in files can be of any length: the middle of a long text goes."""
    if len(text) <= LONGEST_FIELD:
        return text
    return f"{text[: LONGEST_FIELD // 2]} … {text[-LONGEST_FIELD // 3 :]}"


def nearest(name: str, known: Iterable[str], *, count: int = 3, cutoff: float = 0.0) -> str:
    """The known names most like `name`, quoted, for the last line of an error; empty where there is none.

    Args:
        name: as it was written.
        known: what it could have been.
        count: how many at the most.
        cutoff: how like they have to be, in [0, 1]; what is unlike is named too at 0.
    """
    names = list(dict.fromkeys(known))
    lowered = {each.lower(): each for each in reversed(names)}
    close = difflib.get_close_matches(name.lower(), lowered, n=count, cutoff=cutoff)
    return ", ".join(repr(lowered[each]) for each in close)


def near_names(name: str, known: Iterable[str], *, lead: str = "") -> str:
    """`nearest: …` with the known names that are like `name`; of a few names all where none is; else empty.

    Args:
        name: as it was written.
        known: what it could have been.
        lead: what stands before, where there is anything to say.
    """
    names = list(dict.fromkeys(known))
    lowered = {each.lower(): each for each in reversed(names)}
    close = difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=_NEAR)
    if close:
        return f"{lead}nearest: {', '.join(repr(lowered[each]) for each in close)}"
    return f"{lead}there are {', '.join(map(repr, names))}" if 0 < len(names) <= _LISTED else ""
