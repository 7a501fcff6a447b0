"""What results print, as tables of HTML for a notebook: the same lines and cells, in the notebook's own colours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby

from transfer.tabulating import Part

MOST_ROWS = 200  # of a table; the others are counted
_LABEL = re.compile(r"(?=.{9} \S)([a-z][a-z ]*[a-z]|) {2,}(.+)")  # `verdict   it paid`, as lines are printed


def as_html(parts: Iterable[Part]) -> str:
    """Lines and tables as one element of HTML.

    All text is escaped, and whatever does not print, or would turn the direction of what follows, is written out.
    Nothing has a colour of its own, so that light and dark notebooks show it alike.

    Args:
        parts: as `format_parts` takes them.
    """
    drawn: list[str] = []
    for is_text, several in groupby(parts, lambda part: isinstance(part, str)):
        if is_text:
            lines = (line for part in several if isinstance(part, str) for line in part.splitlines())
            drawn += _lines(lines)
        else:
            drawn += [_table(*part) for part in several if not isinstance(part, str)]
    return f"<div>{''.join(drawn)}</div>"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str]) -> str:
    sides = ["right" if name in numbers else "left" for name in columns]
    head = "".join(_cell("th", name, side) for name, side in zip(columns, sides, strict=True))
    body = "".join(
        f"<tr>{''.join(_cell('td', cell, side) for cell, side in zip(row, sides, strict=True))}</tr>"
        for row in rows[:MOST_ROWS]
    )
    more = f"<p>and {len(rows) - MOST_ROWS:,} more rows</p>" if len(rows) > MOST_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(tag: str, text: str, side: str) -> str:
    return f'<{tag} style="text-align:{side};padding:.1em .6em">{_shown(text)}</{tag}>'


def _lines(lines: Iterable[str]) -> Iterator[str]:
    """Lines that begin with a label as rows of a table, the others as paragraphs."""
    for is_labelled, several in groupby(filter(str.strip, lines), lambda line: _LABEL.fullmatch(line) is not None):
        if not is_labelled:
            yield from (f"<p>{_shown(line)}</p>" for line in several)
            continue
        found = [match for line in several if (match := _LABEL.fullmatch(line))]
        rows = (f"<tr>{_cell('th', match[1], 'left')}{_cell('td', match[2], 'left')}</tr>" for match in found)
        yield f"<table><tbody>{''.join(rows)}</tbody></table>"


def _shown(text: str) -> str:
    """A text as HTML; names of classes and files can hold anything."""
    return escape("".join(each if each.isprintable() else _written_out(each) for each in text))


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
