"""Texts of `transfer help TOPIC`: written by hand in `help_topics/`, with lists filled in from what there is."""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Callable, Iterator
from importlib.resources import files

WIDTH = 112


def list_topics() -> dict[str, str]:
    """Topics by name, each with its first line."""
    found = {each.name.removesuffix(".txt"): each for each in files("transfer.cli").joinpath("help_topics").iterdir()}
    return {name: found[name].read_text(encoding="utf-8").partition("\n")[0] for name in sorted(found)}


def read_topic(name: str) -> str:
    """The text of a topic that `list_topics` names."""
    text = files("transfer.cli").joinpath("help_topics", f"{name}.txt").read_text(encoding="utf-8")
    for field, fill in _FILLED.items():
        if f"{{{field}}}" in text:
            text = text.replace(f"{{{field}}}", fill())
    return text


def _recipes() -> str:
    from transfer.training.named_recipes import summarize_named

    return "\n".join(_entries(summarize_named()))


def _checkpoints() -> str:
    from transfer.weights.shipped import shipped_checkpoints

    return "\n".join(f"  {name}" for name in shipped_checkpoints())


def _applications() -> str:
    from transfer.weights.identifying import application_names

    return textwrap.fill(", ".join(application_names()), WIDTH, initial_indent="  ", subsequent_indent="  ")


def _kinds() -> str:
    from transfer.labellings import KINDS

    return ", ".join(KINDS)


def _codes() -> str:
    """From the tree of errors, each by its first line."""
    from transfer.errors import TransferError

    codes = {1: "anything else; 'verify' of a file that records nothing; 'doctor' where something fails"}
    codes[2] = "a slip on the command line"
    for kind in TransferError.__subclasses__():
        codes[kind.exit_code] = (kind.__doc__ or "").partition("\n")[0].rstrip(".")
    return "\n".join(f"{code:6}  {what[0].lower()}{what[1:]}" for code, what in sorted(codes.items()))


def _shipped() -> str:
    from transfer.weights.shipped import shipped_checkpoints

    return str(next(iter(shipped_checkpoints().values())).parent)


def _cache() -> str:
    from transfer.cli.caching import default_folder

    return str(default_folder())


def _schemas() -> str:
    from transfer.cli.json_schemas import list_schemas

    return textwrap.fill(", ".join(list_schemas()), WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _schema_folder() -> str:
    return str(files("transfer.cli").joinpath("schemas"))


def _entries(texts: dict[str, str]) -> Iterator[str]:
    """Names with what they are, in two columns."""
    width = max(map(len, texts)) + 4
    for name, text in texts.items():
        yield textwrap.fill(text, WIDTH, initial_indent=f"  {name}".ljust(width), subsequent_indent=" " * width)


_FILLED: dict[str, Callable[[], str]] = {
    "applications": _applications,
    "cache": _cache,
    "checkpoints": _checkpoints,
    "codes": _codes,
    "folder": _schema_folder,
    "kinds": _kinds,
    "recipes": _recipes,
    "schemas": _schemas,
    "shipped": _shipped,
    "temporary": tempfile.gettempdir,
}
