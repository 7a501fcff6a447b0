"""Columns of a table that are not learnt, and how they would be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transfer.data.column_names import CORRECTIONS, NUMBERING, output_name, plain_name
from transfer.data.inferring import Column, tells_apart
from transfer.data.sheets import Sheet
from transfer.errors import Problem


def tell_unused(sheet: Sheet, unused: Sequence[str], learnt: Sequence[str] = ()) -> Iterator[Problem]:
    """Each column that is not used; in a table that an audit wrote, its own beside the label are silently fine.

    Args:
        sheet: the table.
        unused: names of its columns.
        learnt: names of those that are learnt where nobody said which: with them others can be.
    """
    is_audit = set(CORRECTIONS) <= set(sheet.header)
    for name in unused:
        if is_audit and name in CORRECTIONS:
            continue
        how = _how_to_learn(sheet, name, learnt) if learnt else ""
        yield Problem(sheet.name, found=f"column {name!r} is not used{how}")


def _how_to_learn(sheet: Sheet, name: str, learnt: Sequence[str]) -> str:
    """What to ask for, where the column tells examples apart."""
    place = sheet.header.index(name)
    cells = tuple(record.cells[place] for record in sheet.records)
    if plain_name(name) in NUMBERING or not tells_apart(Column(name, cells)):
        return ""
    heads = " ".join(f"--head {output_name(each)}" for each in (*learnt, name))
    return f"; {heads} learns {'both' if len(learnt) == 1 else 'it too'}"
