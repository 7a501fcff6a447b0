"""The options that say what the labels of a set are, and how it is read by them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from transfer.cli.head_texts import AskedHead, HeadType, check_head
from transfer.cli.options import Decorator

if TYPE_CHECKING:
    from transfer.data.labelled import LabelledSet
    from transfer.errors import Problem
    from transfer.labellings import Labelling

labelling_option: Decorator = click.option(
    "--labelling",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What the labels are, in TOML or JSON: outputs, their classes, what stands under what.",
)
labels_option: Decorator = click.option(
    "--labels",
    type=click.Path(path_type=Path),
    metavar="TABLE",
    help="A table (CSV, TSV) that labels the pictures of the folder DATA, wherever it lies.",
)
separator_option: Decorator = click.option(
    "--separator", metavar="TEXT", help="Between several labels in a cell.  [default: ';' or '|']"
)
_OPTIONS: tuple[Decorator, ...] = (
    labels_option,
    labelling_option,
    click.option(
        "--head",
        "heads",
        multiple=True,
        type=HeadType(),
        help="Learn this output; may be given several times: food, food:softmax, tags:sigmoid, x:5.  "
        "[default: all; of a table that has one column called label, class, category or target, that one]",
    ),
    separator_option,
    click.option("--group-by", metavar="COLUMN", help="Keep examples of equal values there together when dividing."),
)


@dataclass(frozen=True, slots=True)
class LabelChoice:
    """What the options say.

    Attributes:
        labels: a table of its own.
        labelling: a file.
        heads: that are asked for; none for all.
        separator: between labels of a cell.
        group_by: a column.
    """

    labels: Path | None
    labelling: Path | None
    heads: tuple[AskedHead, ...]
    separator: str | None
    group_by: str | None

    @property
    def words(self) -> list[str]:
        """The same again, as it is typed."""
        given = {
            "--labels": self.labels,
            "--labelling": self.labelling,
            "--separator": self.separator,
            "--group-by": self.group_by,
        }
        found = [word for name, value in given.items() if value is not None for word in (name, str(value))]
        return found + [word for head in self.heads for word in ("--head", head.text)]

    def read(
        self, data: Path, *, strict: bool, skip_unreadable: bool, leniently: bool = False, opened: bool = True
    ) -> tuple[LabelledSet, tuple[Problem, ...]]:
        """The examples at a path, and with `leniently` what is damaged among them, unless pictures are not `opened`.

        Raises:
            DataError: if they are not right.
            click.UsageError: if a head is none of the labelling, or has other classes, or options of `extract` alone.
        """
        from transfer.data.reading_leniently import read_leniently, read_strictly

        self._refuse_options()
        reader = read_leniently if leniently else read_strictly
        how = {**self._how(data), **({} if opened else {"max_pixels": None})}
        read, damaged = reader(data, strict=strict, skip_unreadable=skip_unreadable, **how)
        if self._renames(data) and read.labelling.is_single:
            read = read.renamed(self.heads[0].name)
        for head in self.heads:
            check_head(head, read.labelling)
        return read, damaged

    def alike(self, read: LabelledSet) -> Callable[..., tuple[LabelledSet, tuple[Problem, ...]]]:
        """What reads another set by the labelling that one was read by."""
        return functools.partial(_read_alike, read.labelling, self)

    def _refuse_options(self) -> None:
        """Refuse what would have no effect here."""
        for head in self.heads:
            if head.options:
                raise click.UsageError(
                    f"--head {head.name}: {' and '.join(head.options)} would have no effect: a head that is learnt "
                    "here is one layer. Attach such a head with 'extract', and train it by transfer.finetune in Python."
                )

    def _renames(self, data: Path) -> bool:
        """Whether a head says what the one output of a folder of class folders is called."""
        return len(self.heads) == 1 and data.is_dir() and self.labels is None and self.labelling is None

    def _how(self, data: Path) -> dict[str, Any]:
        how: dict[str, Any] = {
            "labels": self.labels,
            "labelling": self._labelling(),
            "separator": self.separator,
            "group_by": self.group_by,
        }
        if self.heads and self.labelling is None and not self._renames(data):
            how["outputs"] = [each.name if each.kind is None else (each.name, each.kind) for each in self.heads]
        return {name: value for name, value in how.items() if value is not None}

    def _labelling(self) -> Labelling | None:
        """Of the file, the outputs that are asked for."""
        if self.labelling is None:
            return None
        from transfer.data.labelling_files import read_labelling
        from transfer.labellings import Labelling

        found = read_labelling(self.labelling)
        if not self.heads:
            return found
        for head in self.heads:
            check_head(head, found)
        names = {head.name for head in self.heads}
        try:
            return Labelling(tuple(each for each in found if each.name in names))
        except ValueError as error:
            raise click.UsageError(f"--head: {error}; name the parent too.") from error


def _read_alike(
    labelling: Labelling,
    choice: LabelChoice,
    data: Path,
    *,
    strict: bool,
    skip_unreadable: bool,
    leniently: bool = False,
    opened: bool = True,
) -> tuple[LabelledSet, tuple[Problem, ...]]:
    if labelling.is_single:
        return replace(choice, labels=None).read(
            data, strict=strict, skip_unreadable=skip_unreadable, leniently=leniently, opened=opened
        )
    from transfer.data.reading_leniently import read_leniently, read_strictly

    reader = read_leniently if leniently else read_strictly
    how: dict[str, Any] = {} if choice.separator is None else {"separator": choice.separator}
    if not opened:
        how["max_pixels"] = None
    return reader(data, strict=strict, skip_unreadable=skip_unreadable, labelling=labelling, **how)


def labelling_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of a command that learns a set; it is given them as `labelled_by`, a `LabelChoice`."""

    @functools.wraps(command)
    def with_choice(**given: Any) -> None:
        names = ("labels", "labelling", "heads", "separator", "group_by")
        choice = LabelChoice(**{name: given.pop(name) for name in names})
        command(**given, labelled_by=choice)

    decorated: Callable[..., None] = with_choice
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated
