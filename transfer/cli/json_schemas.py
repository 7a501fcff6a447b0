"""The forms of what `--json` prints: a JSON Schema for each, which the package carries."""

from __future__ import annotations

import json
from importlib.resources import files

from transfer.specs import Json


def list_schemas() -> tuple[str, ...]:
    """Names, sorted: commands with '-' between their words, what else they print, and `error`."""
    folder = files("transfer.cli").joinpath("schemas")
    return tuple(sorted(each.name.removesuffix(".json") for each in folder.iterdir()))


def read_schema(name: str) -> Json:
    """The schema that goes by a name."""
    return json.loads(files("transfer.cli").joinpath("schemas", f"{name}.json").read_text(encoding="utf-8"))
