"""What somebody needs who wants the same run again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from transfer.reports.contents import Contents
from transfer.reports.shown_text import shown
from transfer.reports.tables import Table, table_of
from transfer.specs import Json

_LISTS = ("split", "learnt", "receipt")  # as long as the data, or shown elsewhere


@dataclass(frozen=True, slots=True)
class Reproduction:
    """How to reproduce a run.

    Attributes:
        command: to type; empty where it was started from Python.
        recipe: each stage, and what it was set to.
        digests: of what went in.
        versions: of programs.
        seconds: by what they were spent on.
        asked: all that was asked, as text.
    """

    command: str
    recipe: Table | None
    digests: Table | None
    versions: Table | None
    seconds: Table | None
    asked: str


def reproduce(contents: Contents) -> Reproduction:
    """Gather it from what was asked."""
    asked = contents.asked if isinstance(contents.asked, dict) else {}
    versions = asked.get("versions")
    seconds = contents.seconds if isinstance(contents.seconds, dict) else {}
    times = {name: each for name, each in seconds.items() if isinstance(each, int | float)}
    spent = [(name, f"{each:.2f}") for name, each in times.items()]
    spent += [("together", f"{sum(times.values()):.2f}")] if len(times) > 1 else []
    short = {name: each for name, each in asked.items() if name not in _LISTS}
    return Reproduction(
        "\n".join(shown(line, 4000) for line in contents.command.splitlines()),
        _recipe(asked.get("recipe")),
        _two("digests", "of", "digest", list(_digests(asked))),
        _two("versions", "program", "version", list(versions.items()) if isinstance(versions, dict) else []),
        table_of("seconds", ("spent on", "seconds"), spent, ("seconds",)) if spent else None,
        "\n".join(shown(line, 400) for line in json.dumps(short, indent=1, ensure_ascii=False).splitlines()[:2000])
        if short
        else "",
    )


def _recipe(recipe: Json) -> Table | None:
    if not isinstance(recipe, dict):
        return None
    rows = [
        ("all", str(name), _told(each))
        for name, each in recipe.items()
        if name != "stages" and (name == "seed" or not _is_empty(each))
    ]
    for place, stage in enumerate(recipe.get("stages") or (), 1):
        if isinstance(stage, dict):
            name = f"{place}: {stage.get('kind', 'stage')}"
            rows += [(name, str(key), _told(each)) for key, each in stage.items() if not _is_empty(each)]
    return table_of("recipe", ("stage", "setting", "value"), rows) if rows else None


def _is_empty(value: Json) -> bool:
    return value is None or value is False or value in ("", [], {}, "none", 0)  # what a stage does not do


def _told(value: Json) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _digests(asked: Json) -> Iterator[tuple[str, str]]:
    """Every digest that was asked with, with where it stands."""
    for name, value in asked.items():
        if name in ("digest",) and isinstance(value, str):
            yield "the whole request", value
        elif isinstance(value, dict) and name not in _LISTS:
            for inner, each in value.items():
                if isinstance(each, str) and (inner == "digest" or _is_digest(each)):
                    yield f"{name} {inner}" if inner != "digest" else str(name), each


def _is_digest(text: str) -> bool:
    return len(text) == 64 and all(each in "0123456789abcdef" for each in text)


def _two(caption: str, first: str, second: str, rows: list[tuple[str, Json]]) -> Table | None:
    told = [(shown(name), shown(value)) for name, value in rows]
    return table_of(caption, (first, second), told) if told else None
