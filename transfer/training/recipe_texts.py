"""Recipes as text: read from TOML, written to it, and changed by settings such as `stages.1.rate=1e-4`.

What is written can be read again and is the same recipe. Everything that is wrong is told at once, each by its path:
`stages.1.rate` is the rate of the second stage.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from transfer.errors import DataError, Problem, nearest
from transfer.recipe_rules import RECIPE_RULES, STAGE_RULES
from transfer.recipes import Recipe, Stage, recipe_problems, stage_problems
from transfer.training.describing_stages import describe_stage
from transfer.training.named_recipes import NAMED, named_recipe, unknown_name

LONGEST = 1 << 20  # bytes of a file
WAYS = ("unfreeze_from", "unfreeze_last", "unfreeze")
ADVICE = "transfer recipe show lp-ft prints a recipe with its fields"


def resolve_recipe(
    source: str, settings: Sequence[str] = (), *, examples: int, seed: int | None = None, blocks: int = 3
) -> Recipe:
    """A recipe by its name or its file, with settings applied.

    Args:
        source: `lp-ft`, or the path of a TOML file.
        settings: as `change_recipe` takes them.
        examples: number of training examples, for those that go by a name.
        seed: instead of the recipe's own.
        blocks: for `gradual`: see `named_recipe`.

    Raises:
        DataError: if there is no such recipe, or something is wrong in it or in the settings.
    """
    if source in NAMED:
        recipe = named_recipe(source, examples=examples, blocks=blocks)
    elif source.endswith(".toml") or Path(source).exists():
        recipe = read_recipe(source)
    else:
        raise unknown_name(source)
    return change_recipe(recipe, settings if seed is None else (*settings, f"seed={seed}"))


def read_recipe(path: str | Path) -> Recipe:
    """A recipe from a TOML file.

    Raises:
        DataError: if it cannot be read, is no TOML or no recipe; names everything that is wrong.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(LONGEST + 1)
    except OSError as error:
        raise DataError(f"The recipe {path} cannot be read: {error.strerror}.", next_step=ADVICE) from error
    if len(content) > LONGEST:
        raise DataError(f"{path} is no recipe: it has more than {LONGEST} bytes.", next_step=ADVICE)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no recipe: it is not UTF-8 text.", next_step=ADVICE) from error
    return parse_recipe(text, source=str(path))


def parse_recipe(text: str, *, source: str = "recipe") -> Recipe:
    """A recipe from the text of a TOML file.

    Args:
        text: `name`, `seed`, `validation` and a table `[[stages]]` for each stage.
        source: what to call it in errors.

    Raises:
        DataError: if it is no TOML or no recipe; names everything that is wrong.
    """
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataError(f"{source} is no TOML.", [Problem(source, found=str(error))], ADVICE) from error
    return _make(values, source)


def change_recipe(recipe: Recipe, settings: Iterable[str]) -> Recipe:
    """The same recipe with some fields changed; its name then says so.

    Args:
        recipe: left as it is.
        settings: `seed=3`, `stages.1.rate=1e-4`, `stages.1.augment=flip,shift`; stages count from 0. What says which
            layers are trained replaces what said it before.

    Raises:
        DataError: names every setting that is wrong.
    """
    values: dict[str, Any] = {**asdict(recipe), "stages": [asdict(stage) for stage in recipe.stages]}
    problems, seen = [], set[str]()
    for setting in settings:
        path, sign, text = (part.strip() for part in setting.partition("="))
        found = path_problem(path, sign, len(recipe.stages), seen)
        if found:
            problems.append(Problem(path or setting, *found))
            continue
        seen.add(path)
        _set(values, path, text)
    if problems:
        raise _refusal("the settings", problems)
    if seen - {"seed", "name"} and "name" not in seen and not recipe.name.endswith(", changed"):
        values["name"] = f"{recipe.name}, changed"
    return _make(values, "the recipe with these settings") if seen else recipe


def format_recipe(recipe: Recipe) -> str:
    """The recipe as TOML, each stage after a comment that says what it does; fields it does not follow are left out."""
    lines = [f"{name} = {_format(getattr(recipe, name))}" for name in ("name", "seed", "validation")]
    for stage in recipe.stages:
        lines += ["", f"# {describe_stage(stage)}", "[[stages]]"]
        lines += [f"{name} = {_format(getattr(stage, name))}" for name in STAGE_RULES if not _is_idle(stage, name)]
    return "\n".join(lines) + "\n"


def _make(values: Mapping[str, Any], source: str) -> Recipe:
    """The recipe that these values make, once nothing is wrong in any of them."""
    problems = _unknown(values, ("stages", *RECIPE_RULES), "")
    own = {name: value for name, value in values.items() if name in RECIPE_RULES}
    tables = values.get("stages", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problems.append(Problem("stages", "a table [[stages]] for each stage", repr(tables)))
        tables = [{"kind": "probe"}]  # so that the other fields are looked at
    stages: list[Stage | None] = []
    for place, table in enumerate(tables):
        known = {name: value for name, value in table.items() if name in STAGE_RULES}
        wrong = stage_problems(known)
        problems += _unknown(table, STAGE_RULES, f"stages.{place}.")
        problems += [Problem(f"stages.{place}.{each.where}", each.expected, each.found) for each in wrong]
        stages.append(None if wrong else Stage(**known))
    problems += recipe_problems(own, stages)
    if problems:
        raise _refusal(source, problems)
    return Recipe(tuple(stage for stage in stages if stage is not None), **own)


def _refusal(source: str, problems: Sequence[Problem]) -> DataError:
    things = "1 thing" if len(problems) == 1 else f"{len(problems)} things"
    return DataError(f"{things} wrong in {source}.", problems, ADVICE)


def _unknown(values: Mapping[str, Any], known: Iterable[str], path: str) -> list[Problem]:
    return [
        Problem(f"{path}{name}", f"a field, the nearest: {nearest(name, known)}", "no such field")
        for name in values
        if name not in known
    ]


def path_problem(path: str, sign: str, stages: int, seen: Collection[str]) -> tuple[str, str] | None:
    """What the path of a setting should have been, and what it is; None where it is right.

    Args:
        path: `seed`, or `stages.1.rate`.
        sign: what stands behind it: `=`, or nothing.
        stages: number of stages of the recipe.
        seen: paths that were set already.
    """
    if not sign:
        return "a field, '=' and its value, such as stages.1.rate=1e-4", "no '='"
    if path in seen:
        return "each field once", "again"
    own, *rest = path.split(".")
    if not rest:
        return (
            None if own in RECIPE_RULES else (f"a field, the nearest: {_nearest_path(path, stages)}", "no such field")
        )
    place, *names = rest
    if own != "stages" or len(names) != 1 or names[0] not in STAGE_RULES:
        return f"a field, the nearest: {_nearest_path(path, stages)}", "no such field"
    if not (place.isdecimal() and place.isascii() and int(place) < stages):
        return f"a stage, 0 … {stages - 1}", place
    return None


def _nearest_path(path: str, stages: int) -> str:
    return nearest(
        path, (*RECIPE_RULES, *(f"stages.{place}.{name}" for place in range(stages) for name in STAGE_RULES))
    )


def _set(values: dict[str, Any], path: str, text: str) -> None:
    *around, name = path.split(".")
    table = values["stages"][int(around[1])] if around else values
    table[name] = value_of(name, text)
    if name in WAYS:
        table.update({way: _DEFAULTS[way] for way in WAYS if way != name})


def value_of(name: str, text: str) -> Any:
    """The text of a setting as a value of the field of that name, or as it stands, for the field's rule to refuse."""
    default = _DEFAULTS[name]
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}.get(text.lower(), text)
        if isinstance(default, tuple):
            return tuple(part.strip() for part in text.split(",")) if text else ()
        if isinstance(default, float):
            return float(text)
        return text if isinstance(default, str) else int(text)
    except ValueError:
        return text


def _is_idle(stage: Stage, name: str) -> bool:
    """Whether a field has its default, and the stage would not follow it anyway."""
    if name == "kind" or getattr(stage, name) != _DEFAULTS[name]:
        return False
    followed = {"momentum": stage.optimizer == "sgd", "epochs": not stage.steps, **dict.fromkeys(WAYS, False)}
    return stage.kind == "probe" or not followed.get(name, True)


def _format(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_format, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


_DEFAULTS: dict[str, Any] = {each.name: each.default for kind in (Recipe, Stage) for each in fields(kind)}
