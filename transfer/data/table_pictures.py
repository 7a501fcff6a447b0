"""The pictures of a table: where they lie, and what is amiss: damaged ones, too large ones, those without a row."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from transfer.data.column_names import output_name
from transfer.data.encoding import SEPARATOR_GIVEN
from transfer.data.fetched_pictures import bring_pictures
from transfer.data.folders import list_pictures
from transfer.data.images import MAX_PIXELS, ImageError, OversizedImageError, check_image
from transfer.data.rows import NO_LABEL
from transfer.errors import DataError, Problem

_UNUSABLE = " cannot be used: "


@dataclass(frozen=True, slots=True)
class Leniency:
    """What may be left out of a set.

    Attributes:
        strict: whether anything left out is an error.
        skip_unreadable: whether damaged pictures are left out too; `strict` comes first.
        max_pixels: larger pictures are left out; None where none is opened, or need be there.
    """

    strict: bool = False
    skip_unreadable: bool = False
    max_pixels: int | None = MAX_PIXELS

    @property
    def opens(self) -> bool:
        """Whether pictures are looked at."""
        return self.max_pixels is not None

    @property
    def skips_unreadable(self) -> bool:
        """Whether a damaged picture is left out, and no error."""
        return self.skip_unreadable and not self.strict


PATIENT = Leniency()


@dataclass(frozen=True, slots=True)
class TableSource:
    """Where a table and its pictures lie.

    Attributes:
        source: of the set, for messages.
        root: the folder from which paths count.
        table: the file; None for a table in memory.
        whole_folder: whether pictures of the folder without a row are told.
    """

    source: str
    root: Path
    table: Path | None = None
    whole_folder: bool = False

    @property
    def shown(self) -> str:
        """The table, for messages."""
        return self.source if self.table is None else str(self.table)

    @property
    def origin(self) -> str:
        """The folder from which paths count, for messages."""
        if self.table is not None and self.root == self.table.parent:
            return f"the folder that holds {self.table.name}"
        return str(self.root)

    def unnamed(self, paths: Iterable[str]) -> Iterator[Problem]:
        """What lies in the folder and has no row, where the set is the folder; rows have these paths."""
        if not self.whole_folder or self.table is None:
            return
        name = self.table.name
        own = os.path.relpath(os.path.realpath(self.table), os.path.realpath(self.root))
        named = {os.path.normpath(path.replace("\\", "/")) for path in paths} | {own, name}
        pictures, others = list_pictures(self.root)
        names = (path.relative_to(self.root).as_posix() for path in pictures)
        yield from (Problem(each, found=f"has no row in {name}") for each in names if each not in named)
        yield from (problem for problem in others if problem.where not in named)


class Named(Protocol):
    """A picture of a table: on which line it stands, its name, and where it is to be opened."""

    @property
    def line(self) -> int:
        """Of the table."""

    @property
    def name(self) -> str:
        """The path below the folder."""

    @property
    def path(self) -> Path:
        """To be opened."""

    @property
    def address(self) -> str:
        """From which it is to be fetched; empty for a file."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in the pictures of a table, by their lines; nothing where none was looked at.

    Attributes:
        oversized: those that are too large.
        unreadable: those that cannot be read or fetched.
        fetched: where those at addresses are now.
    """

    oversized: dict[int, Problem] = field(default_factory=dict)
    unreadable: dict[int, Problem] = field(default_factory=dict)
    fetched: dict[int, Path] = field(default_factory=dict)

    def path(self, entry: Named) -> Path:
        """Where a picture is to be opened."""
        return self.fetched.get(entry.line, entry.path)

    def is_usable(self, entry: Named) -> bool:
        """Whether nothing is amiss with a picture."""
        return entry.line not in self.oversized and entry.line not in self.unreadable


def check_pictures(entries: Sequence[Named], where: Callable[[int], str], max_pixels: int | None) -> Checked:
    """Fetch the pictures of a table that lie at addresses, and look at all; where no limit says to look, do neither.

    Raises:
        DataError: if nothing here reads addresses of such a kind.
        OutputError: if there is no room for what is fetched.
    """
    checked = Checked()
    if max_pixels is None:
        return checked
    places, not_fetched = bring_pictures(entry.address for entry in entries if entry.address)
    for entry in entries:
        kind, found = checked.unreadable, not_fetched.get(entry.address, "")
        if not found:
            if entry.address:
                checked.fetched[entry.line] = places[entry.address]
            try:
                check_image(checked.path(entry), max_pixels=max_pixels)
            except ImageError as error:
                kind = checked.oversized if isinstance(error, OversizedImageError) else checked.unreadable
                found = error.problems[0].found
        if found:
            kind[entry.line] = Problem(where(entry.line), found=f"{entry.name!r}{_UNUSABLE}{found}")
    return checked


def refuse_faults(
    source: TableSource, faults: Sequence[Problem], left_out: Sequence[Problem], *, column: str = ""
) -> None:
    """Raise one error for everything that is wrong.

    Args:
        source: of table and pictures.
        faults: what is wrong.
        left_out: what may be left out no more.
        column: the only one of labels, which takes an empty cell where it is asked for; empty for none.

    Raises:
        DataError: if there is a fault, or anything left out that should not be.
    """
    if not (faults or left_out):
        return
    steps = [f"correct the table; paths count from {source.origin}"] if faults else []
    if column and any(NO_LABEL in problem.found for problem in faults):
        steps.append(f"--head {output_name(column)} takes an empty cell as not known, and leaves its row out")
    if any(SEPARATOR_GIVEN in problem.found for problem in faults):
        steps[0] += ", or read it with the --separator that is named"
    if any(_UNUSABLE in problem.found for problem in faults):
        steps.append("leave such pictures out with --skip-unreadable (skip_unreadable=True)")
    if left_out:
        steps.append("move away what cannot be used, or do without --strict (strict=True)")
    problems = sorted(dict.fromkeys([*faults, *left_out]), key=by_line)
    things = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    raise DataError(f"{source.shown} cannot be used as a labelled set: {things}.", problems, "; ".join(steps))


def by_line(problem: Problem) -> tuple[int, str]:
    """Problems of lines in the order of the lines, all others behind them by their names."""
    number = re.search(r" (?:line|row) (\d+)$", problem.where)
    return (int(number[1]), "") if number else (2**62, problem.where)
