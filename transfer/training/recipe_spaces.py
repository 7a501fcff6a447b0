"""Which values the fields of a recipe may take in a sweep: `stages.1.rate=1e-5..1e-3`, `stages.1.optimizer=adam,sgd`.

A range, `LOW..HIGH`, is of numbers; it is even in the logarithm where a field of fractions spans a factor of ten or
more, or `:log` stands behind it, and even in the number otherwise, or with `:linear`. Everything else is a list of
values with commas between them; where a value is a list itself, as of `augment`, `|` stands between the values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice, product
from typing import Any, TypeAlias

from transfer.errors import DataError, Problem
from transfer.recipe_rules import RECIPE_RULES, STAGE_RULES, Rule
from transfer.recipes import Recipe, Stage
from transfer.training.recipe_texts import WAYS, change_recipe, path_problem, value_of

Point: TypeAlias = dict[str, str]
Over: TypeAlias = "Sequence[str] | Mapping[str, str | Sequence[object]]"

_WIDE = 10.0  # from this factor on a range of fractions is even in the logarithm
_DIGITS = 4
_TRIED = 256  # combinations of a space that are looked at before anything runs
_DEFAULTS: dict[str, Any] = {each.name: each.default for kind in (Recipe, Stage) for each in fields(kind)}
_EXPECTED = "LOW..HIGH, LOW..HIGH:log, LOW..HIGH:linear, or values with commas between them"


@dataclass(frozen=True, slots=True)
class Choices:
    """Some values, each once.

    Attributes:
        values: as `--set` takes them.
    """

    values: tuple[str, ...]

    @property
    def ends(self) -> tuple[str, ...]:
        """All of them."""
        return self.values

    def __str__(self) -> str:
        return " | ".join(each or "none" for each in self.values)


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from one to another, both among them.

    Attributes:
        low: the smallest.
        high: the largest.
        is_log: whether it is even in the logarithm.
        is_whole: whether its numbers are integers.
    """

    low: float
    high: float
    is_log: bool
    is_whole: bool

    @property
    def ends(self) -> tuple[str, ...]:
        """As `--set` takes them."""
        return self.text(self.low), self.text(self.high)

    def text(self, value: float) -> str:
        """A number of it as `--set` takes it, in four digits and not beyond its ends."""
        if self.is_whole:
            return str(int(value))
        return repr(min(self.high, max(self.low, float(f"{value:.{_DIGITS}g}"))))

    def __str__(self) -> str:
        return f"{self.ends[0]} .. {self.ends[1]}, {'log' if self.is_log else 'linear'}"


Space: TypeAlias = "Choices | Range"


@dataclass(frozen=True, slots=True)
class RecipeSpace:
    """A recipe and what is varied of it.

    Attributes:
        recipe: as it is.
        spaces: of fields by their paths, in the order in which they were given.
    """

    recipe: Recipe
    spaces: dict[str, Space]

    @property
    def size(self) -> int | None:
        """Number of points; None where there is a range of fractions."""
        counts = [_count(each) for each in self.spaces.values()]
        return None if None in counts else math.prod(each for each in counts if each is not None)

    def grid(self) -> Iterator[Point]:
        """All points of a finite space, those of the last field one after another."""
        several = [_listed(each) for each in self.spaces.values()]
        yield from (dict(zip(self.spaces, values, strict=True)) for values in product(*several))

    def at(self, point: Mapping[str, str]) -> Recipe:
        """The recipe at a point.

        Raises:
            DataError: if the values do not go together.
        """
        return change_recipe(self.recipe, [f"{path}={value}" for path, value in point.items()])

    def to_json(self) -> dict[str, str]:
        """As plain values."""
        return {path: str(each) for path, each in self.spaces.items()}


def parse_space(recipe: Recipe, over: Over) -> RecipeSpace:
    """What is varied of a recipe.

    Args:
        recipe: as it is.
        over: texts `FIELD=SPACE`, or spaces by fields: a text, or a list of values.

    Raises:
        DataError: names everything that is wrong: no such field, one that comes twice, a space that is none, a value
            that the field refuses; or that no values go together.
    """
    problems: list[Problem] = []
    spaces: dict[str, Space] = {}
    for path, sign, given in _pairs(over):
        found = path_problem(path, sign, len(recipe.stages), set(spaces)) or _unfit(path)
        if found:
            problems.append(Problem(path or str(given), *found))
            continue
        space = _parse(path, given)
        if isinstance(space, Problem):
            problems.append(space)
        else:
            problems += _rivals(path, spaces)
            spaces[path] = space
            problems += _refused(path, space)
    if not spaces and not problems:
        problems.append(Problem("over", "a field to vary, such as stages.1.rate=1e-5..1e-3", "none"))
    if problems:
        things = "1 thing" if len(problems) == 1 else f"{len(problems)} things"
        raise DataError(
            f"{things} wrong in what is swept over.", problems, "transfer sweep --help says how to write it"
        )
    whole = RecipeSpace(recipe, spaces)
    _refuse_impossible(whole)
    return whole


def _pairs(over: Over) -> Iterator[tuple[str, str, str | Sequence[object]]]:
    if isinstance(over, Mapping):
        yield from ((path.strip(), "=", given) for path, given in over.items())
        return
    for text in over:
        path, sign, given = text.partition("=")
        yield path.strip(), sign, given.strip()


def _rivals(path: str, spaces: Mapping[str, Space]) -> list[Problem]:
    """Another field swept of the same stage that says what is trained, of which a stage takes one."""
    around, _, name = path.rpartition(".")
    others = [each for each in spaces if each.rpartition(".")[0] == around and each.rpartition(".")[2] in WAYS]
    return [Problem(path, f"one of {' and '.join((*others, path))}", "both")] if name in WAYS and others else []


def _unfit(path: str) -> tuple[str, str] | None:
    """Fields that say what is compared, not how it is learnt."""
    told = {"seed": "the same draws for all trials: --seed", "name": "a field that changes what is learnt"}
    return (told[path], path) if path in told else None


def _name_of(path: str) -> str:
    return path.rpartition(".")[2]


def _parse(path: str, given: str | Sequence[object]) -> Space | Problem:
    default = _DEFAULTS[_name_of(path)]
    if not isinstance(given, str):
        return _choices(path, [_said(each) for each in given])
    is_number = isinstance(default, int | float | None) and not isinstance(default, bool)
    if ".." in given and is_number:
        return _range(path, given, is_whole=not isinstance(default, float))
    sign = "|" if isinstance(default, tuple) or "|" in given else ","
    return _choices(path, [",".join(map(str.strip, each.split(","))) for each in given.split(sign)])


def _said(value: object) -> str:
    """A value of Python as `--set` takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(float(value))
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _choices(path: str, values: Sequence[str]) -> Space | Problem:
    found = tuple(each.strip() for each in values)
    is_list = isinstance(_DEFAULTS[_name_of(path)], tuple)
    if not found or (not is_list and "" in found):
        return Problem(path, _EXPECTED, "an empty value" if found else "no value")
    kept = [value_of(_name_of(path), each) for each in found]
    if len({repr(each) for each in kept}) < len(kept):
        return Problem(path, "each value once", ", ".join(found))
    return Choices(found)


def _range(path: str, text: str, *, is_whole: bool) -> Space | Problem:
    ends, _, scale = text.partition(":")
    try:
        low, high = ((int if is_whole else float)(each) for each in ends.split(".."))
    except ValueError:
        return Problem(path, f"{_EXPECTED}; {'integers' if is_whole else 'numbers'} as LOW and HIGH", repr(text))
    if scale not in ("", "log", "linear"):
        return Problem(path, "':log' or ':linear' behind a range", repr(f":{scale}"))
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        return Problem(path, "LOW below HIGH, both finite", repr(text))
    if scale == "log" and low <= 0:
        return Problem(path, "LOW above 0 for ':log'", repr(text))
    is_log = scale == "log" or (scale == "" and not is_whole and low > 0 and high / low >= _WIDE)
    return Range(low, high, is_log, is_whole)


def _refused(path: str, space: Space) -> list[Problem]:
    """What the rule of the field says of the values, or of both ends."""
    rules: Mapping[str, Rule] = STAGE_RULES if "." in path else RECIPE_RULES
    rule = rules[_name_of(path)]
    values = [(text, value_of(_name_of(path), text)) for text in space.ends]
    return [Problem(path, rule.expected, repr(text)) for text, value in values if not rule.accepts(value)]


def _refuse_impossible(space: RecipeSpace) -> None:
    """Refuse a space of which no values go together, as far as it can be seen in a few."""
    first: DataError | None = None
    tried = product(*(each.ends for each in space.spaces.values()))
    for values in islice(tried, _TRIED):
        try:
            space.at(dict(zip(space.spaces, values, strict=True)))
        except DataError as error:
            first = first or error
        else:
            return
    if first is not None:
        raise DataError(
            "No values of what is swept over go together.", first.problems, "change the recipe with --set as well"
        )


def _count(space: Space) -> int | None:
    if isinstance(space, Choices):
        return len(space.values)
    return int(space.high) - int(space.low) + 1 if space.is_whole else None


def _listed(space: Space) -> Sequence[str]:
    if isinstance(space, Choices):
        return space.values
    return [str(each) for each in range(int(space.low), int(space.high) + 1)]
