"""What is asked of the labels of a set, beyond what stands there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from transfer.data.labelling_files import read_labelling
from transfer.errors import DataError, Problem
from transfer.labellings import KINDS, Kind, Labelling


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of the labels of a set.

    Attributes:
        labelling: what they are; None to tell it from the data.
        kinds: the outputs that are wanted, by name, and their kinds, None for what the data show; None for all.
        separator: between the labels of a cell; None for `;` or `|`, whichever occurs.
        group_by: the column, or array, whose equal values stay together when the set is divided; empty for none.
    """

    labelling: Labelling | None = None
    kinds: Mapping[str, Kind | None] | None = None
    separator: str | None = None
    group_by: str = ""

    @classmethod
    def of(
        cls,
        labelling: Labelling | str | os.PathLike[str] | None = None,
        outputs: Sequence[str | tuple[str, Kind]] | None = None,
        separator: str | None = None,
        group_by: str | None = None,
    ) -> Wanted:
        """As `read_labelled` takes it.

        Raises:
            DataError: if a labelling comes with outputs, or an output twice or of an unknown kind.
        """
        if labelling is not None and outputs:
            raise DataError(
                "A labelling says what the outputs are; outputs are named without one.",
                next_step="give labelling=… or outputs=… (--labelling or --head)",
            )
        pairs: list[tuple[str, Kind | None]] = [
            (each, None) if isinstance(each, str) else (each[0], each[1]) for each in outputs or ()
        ]
        problems = [
            Problem(f"output {name!r}", "softmax, sigmoid or regression", repr(kind))
            for name, kind in pairs
            if kind is not None and kind not in KINDS
        ]
        names = [name for name, _ in pairs]
        problems += [Problem(f"output {name!r}", "once", "twice") for name in {*names} if names.count(name) > 1]
        if problems:
            raise DataError(
                "The outputs that are wanted are not right.", problems, "name each once, such as food:softmax"
            )
        if isinstance(labelling, str | os.PathLike):
            labelling = read_labelling(labelling)
        return cls(labelling, dict(pairs) if pairs else None, separator, group_by or "")

    def settled(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of some outputs of which it is said whether a cell holds several labels."""
        kinds = self.kinds or {}
        return tuple(name for name in names if self.separator or kinds.get(name) == "softmax")

    @property
    def is_everything(self) -> bool:
        """Whether nothing is asked: the labels are what stands there."""
        return self == EVERYTHING


EVERYTHING = Wanted()
