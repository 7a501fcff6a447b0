"""Text from outside as a page may show it: names of classes, files and layers can hold anything."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 160
_HEADING = 10  # columns of print that a heading takes


def shown(text: object, longest: int = LONGEST) -> str:
    """A text with whatever does not print, or would turn the direction of what follows, written out; its middle goes.

    It is text still: the template escapes it.

    Args:
        text: from outside, of any length.
        longest: characters that are kept.
    """
    whole = str(text)
    written = "".join(map(_written, whole if len(whole) <= 4 * longest else _shortened(whole, 4 * longest)))
    return written if len(written) <= longest else _shortened(written, longest)


def told(text: str) -> str:
    """A sentence of ours with names from outside in it: as `shown`, longer, and lines may be broken."""
    return "\n".join(shown(line, 2000) for line in text[:20_000].splitlines())


def part_headings(lines: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Lines of print, each with the word that heads it in its first ten columns; empty where it has none."""
    return tuple((line[:_HEADING].strip(), told(line[_HEADING:].strip())) for line in lines)


def _written(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def _shortened(text: str, longest: int) -> str:
    half = longest // 2
    return f"{text[:half]} … {text[half - longest :]}"
