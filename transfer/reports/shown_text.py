"""Text from outside as a page may show it: names of classes, files and layers can hold anything."""

from __future__ import annotations

LONGEST = 160


def shown(text: object, longest: int = LONGEST) -> str:
    """A text with whatever does not print, or would turn the direction of what follows, written out; its middle goes.

    It is text still: the template escapes it.

    Args:
        text: from outside, of any length.
        longest: characters that are kept.
    """
    whole = str(text)
    half = longest // 2
    short = whole if len(whole) <= longest else f"{whole[:half]} … {whole[-(longest - half) :]}"
    return "".join(each if each.isprintable() else _written_out(each) for each in short)


def told(text: str) -> str:
    """A sentence of ours with names from outside in it: as `shown`, longer, and lines may be broken."""
    return "\n".join(shown(line, 2000) for line in text[:20_000].splitlines())


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
