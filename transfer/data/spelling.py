"""Names of classes that look like misspelled ones: rare, and a slip away from the name of a common class."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import Values
from transfer.labellings import Labelling, Output
from transfer.specs import Json
from transfer.tabulating import shorten

_FEW = 5  # examples of a rare class
_RARER = 10  # times; then a class is rare beside another, however many it has
_COMMON = 5  # times that the other one has more, at least
_SHORTEST = 5  # letters of a word; shorter ones are a letter apart by chance
_LONG = 8  # letters, from which on two slips are allowed
_SHOWN = 3  # examples


@dataclass(frozen=True, slots=True)
class Misspelling:
    """A class that may be another one, misspelled.

    Attributes:
        name: of the rare class.
        count: of its examples.
        near: name of the common class.
        near_count: of its examples.
        examples: names of some of the rare class.
        output: of which they are classes; empty where there is one of classes alone.
    """

    name: str
    count: int
    near: str
    near_count: int
    examples: tuple[str, ...] = ()
    output: str = ""

    def __str__(self) -> str:
        lead = f"{self.output}: " if self.output else ""
        more = ", …" if self.count > len(self.examples) else ""
        where = f": {', '.join(self.examples)}{more}" if self.examples else ""
        examples = "1 example" if self.count == 1 else f"{self.count} examples"
        return f"{lead}{self.name!r} ({examples}{where}) looks like {self.near!r} ({self.near_count})"

    def to_json(self) -> Json:
        """As plain values."""
        return asdict(self)


def find_misspellings(labelling: Labelling, targets: Sequence[Values], names: Sequence[str]) -> tuple[Misspelling, ...]:
    """The classes and labels that look misspelled, with examples; see `misspellings`."""
    pairs = zip(labelling, targets, strict=True)
    called = "" if labelling.is_single else None
    return tuple(
        chain.from_iterable(
            _of_output(output, values, names, output.name if called is None else called) for output, values in pairs
        )
    )


def _of_output(output: Output, values: Values, names: Sequence[str], called: str) -> Iterator[Misspelling]:
    if output.kind == "regression":
        return
    rows = {name: np.flatnonzero(_has(output, values, place)) for place, name in enumerate(output.classes)}
    for each in misspellings([(name, len(places)) for name, places in rows.items()]):
        examples = tuple(names[place] for place in rows[each.name][:_SHOWN])
        yield Misspelling(each.name, each.count, each.near, each.near_count, examples, called)


def _has(output: Output, values: Values, place: int) -> NDArray[np.bool_]:
    return np.asarray(values == place if output.kind == "softmax" else values[:, place] == 1, np.bool_)


def misspellings(counts: Sequence[tuple[str, int]]) -> list[Misspelling]:
    """The rare names that look like common ones, each with the most common of these.

    A difference in letters is a slip where both are long words of one beginning, alike but for a letter (two in longer
    words; neighbours that change places are one). Names that differ in a number are different. A difference of capitals
    and spaces alone is always told.

    Args:
        counts: (name, examples); names without examples count for nothing.
    """
    told = [_Class.of(name, count) for name, count in sorted(counts, key=lambda each: -each[1]) if count]
    found = []
    for place, rare in enumerate(told):
        near = next((common for common in told[:place] if _is_slip(rare, common)), None)
        if near is not None:
            found.append(Misspelling(rare.name, rare.count, near.name, near.count))
    return found


def spelling_warning(found: Sequence[Misspelling]) -> str:
    """What is said of such classes, and what to do; empty where there are none."""
    if not found:
        return ""
    ask = "is it misspelled? Mend it" if len(found) == 1 else "are they misspelled? Mend them"
    return (
        f"{shorten([*map(str, found)], separator='; ')}; {ask}; a labelling that lists the classes refuses others "
        "(transfer labelling DATA > l.toml; --labelling l.toml)"
    )


@dataclass(frozen=True, slots=True)
class _Class:
    """A class, its examples, its name without capitals and spaces, and the words and numbers in it."""

    name: str
    count: int
    squeezed: str
    words: tuple[str, ...]

    @classmethod
    def of(cls, name: str, count: int) -> _Class:
        plain = name.casefold()
        return cls(name, count, re.sub(r"[\s_-]+", "", plain), tuple(re.findall(r"\d+|[^\W\d_]+", plain)))


def _is_slip(rare: _Class, common: _Class) -> bool:
    if rare.squeezed == common.squeezed:
        return len(rare.squeezed) >= _SHORTEST
    is_rare = rare.count < _FEW or rare.count * _RARER < common.count
    return is_rare and common.count >= _COMMON * rare.count and _are_alike(rare.words, common.words)


def _are_alike(words: Sequence[str], others: Sequence[str]) -> bool:
    """Whether names are the same but for a slip in one word."""
    if len(words) != len(others):
        return False
    differing = [pair for pair in zip(words, others, strict=True) if pair[0] != pair[1]]
    if len(differing) != 1:
        return False
    word, other = differing[0]
    shorter = min(len(word), len(other))
    is_one_beginning = word[0] == other[0] or word[:2] == other[1::-1]
    if shorter < _SHORTEST or not is_one_beginning or word.isdigit() or other.isdigit():
        return False
    most = 2 if shorter >= _LONG else 1
    is_far = abs(len(word) - len(other)) > most or len(set(word) ^ set(other)) > 2 * most
    return not is_far and slips(word, other) <= most


def slips(word: str, other: str) -> int:
    """Letters to insert, leave out, replace, or swap with their neighbours, to make one word of another.

    Source: the optimal string alignment distance, after Damerau (1964).
    """
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(word, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            least = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and word[i - 2] == wanted:
                least = min(least, before[j - 2] + 1)
            row.append(least)
        before, last = last, row
    return last[-1]
