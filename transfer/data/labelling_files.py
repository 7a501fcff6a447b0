"""What labels are, as text: read from TOML or JSON, written as TOML.

    [outputs.food]
    classes = ["fruit", "dessert", "drink"]

    [outputs.kind]
    parent = "food"
    classes = { fruit = ["apple", "other"], dessert = ["cake", "other"] }

    [outputs.tags]
    kind = "sigmoid"
    classes = ["loud", "old"]

A name that stands under two classes of the parent becomes two: `fruit/other` and `dessert/other`.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from transfer.errors import DataError, Problem, near_names
from transfer.labellings import KINDS, Labelling, Output

_LONGEST = 1 << 22  # bytes of a file
_FIELDS = ("kind", "classes", "parent", "under", "weight", "class_weights", "focal")
_NUMBERS = ("weight", "focal")
_NEXT_STEP = 'write a table for each output, such as [outputs.food] with classes = ["fruit", "dessert"]'
_SAID = {
    "softmax": "one of these, or not known",
    "sigmoid": "any of these, each for itself",
    "regression": "numbers",
}

_Tables = Mapping[str, Mapping[str, Any]]


def read_labelling(path: str | os.PathLike[str]) -> Labelling:
    """What labels are, from a TOML file, or a JSON file of the same tables.

    Raises:
        DataError: if it cannot be read or is no labelling; names everything that is wrong.
    """
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(_LONGEST + 1)
    except OSError as error:
        raise DataError(f"The labelling {path} cannot be read: {error.strerror}.", next_step=_NEXT_STEP) from error
    if len(content) > _LONGEST:
        raise DataError(f"{path} is no labelling: it has more than {_LONGEST} bytes.", next_step=_NEXT_STEP)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no labelling: it is not UTF-8 text.", next_step=_NEXT_STEP) from error
    return parse_labelling(text, source=Path(path).name)


def parse_labelling(text: str, *, source: str = "labelling") -> Labelling:
    """What labels are, from a text: JSON where it begins with a brace, else TOML.

    Args:
        text: with a table `outputs.NAME` for each output; a parent may stand anywhere.
        source: what to call it in errors.

    Raises:
        DataError: if it is no such text; names everything that is wrong.
    """
    try:
        values = json.loads(text) if text.lstrip()[:1] == "{" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{source} is neither TOML nor JSON.", [Problem(source, found=str(error))], _NEXT_STEP
        ) from error
    tables = values.get("outputs")
    problems = [
        Problem(f"{source} {key}", "a table [outputs.NAME] for each output", f"the key {key!r}")
        for key in values
        if key != "outputs"
    ]
    if not isinstance(tables, dict) or not tables or not all(isinstance(each, dict) for each in tables.values()):
        problems.append(Problem(f"{source} outputs", "a table [outputs.NAME] for each output", _shown(tables)))
        raise _refusal(source, problems)
    problems += [problem for name in tables for problem in _faults_of_fields(f"{source} outputs.{name}", tables[name])]
    problems = problems or [*_faults_of_parents(source, tables)]
    if problems:
        raise _refusal(source, problems)
    return _labelling(source, tables)


def format_labelling(labelling: Labelling) -> str:
    """The labelling as TOML, each output after a comment that says what it is; fields that are as always left out."""
    return "\n".join(line for output in labelling for line in (*_lines(output), ""))


def _faults_of_fields(where: str, table: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the fields of one output, each for itself."""
    for key in [key for key in table if key not in _FIELDS]:
        yield Problem(f"{where}.{key}", f"one of {', '.join(_FIELDS)}", f"{key!r}{near_names(key, _FIELDS, lead='; ')}")
    kind = table.get("kind", "softmax")
    if kind not in KINDS:
        yield Problem(f"{where}.kind", "softmax, sigmoid or regression", _shown(kind))
    for key in ("parent", "under"):
        if not isinstance(table.get(key, ""), str):
            yield Problem(f"{where}.{key}", "a name", _shown(table[key]))
    for key in _NUMBERS:
        if isinstance(table.get(key, 1), bool) or not isinstance(table.get(key, 1), int | float):
            yield Problem(f"{where}.{key}", "a number", _shown(table[key]))
    if table.get("class_weights", "none") not in ("none", "balanced"):
        yield Problem(f"{where}.class_weights", "'none' or 'balanced'", _shown(table["class_weights"]))
    yield from _faults_of_classes(f"{where}.classes", table, kind)


def _faults_of_classes(where: str, table: Mapping[str, Any], kind: object) -> Iterator[Problem]:
    classes, parent, under = (table.get(key) for key in ("classes", "parent", "under"))
    if classes is None:
        if kind != "regression":
            yield Problem(where, "a list of names", "nothing")
        if parent and not under:
            yield Problem(where, "under = '…', the parent's class to which it belongs", "nothing")
    elif isinstance(classes, dict):
        if not parent:
            yield Problem(where, "a list of names, or the parent of which these are the classes", "a table, no parent")
        elif under:
            yield Problem(where, "a list of names, since all stand under one class", "a table")
        for name, fine in classes.items():
            if not _are_names(fine):
                yield Problem(f"{where}.{name}", "a list of names, none empty", _shown(fine))
    elif not _are_names(classes):
        yield Problem(where, "a list of names, none empty", _shown(classes))
    elif parent and not under:
        yield Problem(where, "a list for each class of the parent, or under = '…', one class of it", "one list")
    if under and not parent:
        yield Problem(where.removesuffix("classes") + "under", "a parent as well", _shown(under))


def _are_names(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) and each for each in value)


def _faults_of_parents(source: str, tables: _Tables) -> Iterator[Problem]:
    """Outputs under something that is no output with classes, or under themselves by a detour."""
    for name, table in tables.items():
        parent = table.get("parent", "")
        others = [each for each in tables if each != name and tables[each].get("kind", "softmax") == "softmax"]
        where = f"{source} outputs.{name}.parent"
        if parent and parent not in others:
            near = near_names(parent, others, lead="; ")
            yield Problem(where, "a softmax output", f"{parent!r}{near}")
        seen = {name}
        while parent in tables and parent not in seen:
            seen.add(parent)
            parent = tables[parent].get("parent", "")
        if parent == name and len(seen) > 1:
            yield Problem(where, "no output that stands under this one", repr(table["parent"]))


def _labelling(source: str, tables: _Tables) -> Labelling:
    """The outputs, a parent before what stands under it, otherwise in the order of the text.

    Raises:
        DataError: if classes and parents do not fit together.
    """
    made: dict[str, Output] = {}
    problems: list[Problem] = []
    waiting = list(tables)
    while waiting:
        name = next(each for each in waiting if tables[each].get("parent", "") not in waiting)
        waiting.remove(name)
        parent = made.get(tables[name].get("parent", ""))
        if tables[name].get("parent") and parent is None:
            continue  # what is wrong with the parent is told
        output = _output(f"{source} outputs.{name}", name, tables[name], parent)
        if isinstance(output, Output):
            made[name] = output
        else:
            problems += output
    if problems:
        raise _refusal(source, problems)
    return Labelling(tuple(made.values()))


def _output(where: str, name: str, table: Mapping[str, Any], parent: Output | None) -> Output | list[Problem]:
    classes, under = _classes(table, parent)
    if parent:
        strange = [each for each in dict.fromkeys(under) if each not in parent.classes]
        key = "under" if table.get("under") else "classes"
        problems = [
            Problem(
                f"{where}.{key}",
                f"classes of {parent.name!r}",
                f"{each!r}{near_names(each, parent.classes, lead='; ')}",
            )
            for each in strange
        ]
        if problems:
            return problems
    plain = {key: table[key] for key in (*_NUMBERS, "kind", "class_weights", "parent") if key in table}
    try:
        return Output(name, classes=classes, under=under, **plain)
    except ValueError as error:
        return [Problem(where, found=str(error).partition(": ")[2])]


def _classes(table: Mapping[str, Any], parent: Output | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of classes and the parent's class of each, in the order of the parent's."""
    classes = table.get("classes", [])
    if isinstance(classes, dict):
        order = list(parent.classes) if parent else []
        grouped = sorted(classes.items(), key=lambda each: order.index(each[0]) if each[0] in order else len(order))
        return fine_classes(grouped)
    under = table.get("under", "")
    if under and not classes:
        return (), (under,)  # a regression calls its one number after itself
    return tuple(classes), (under,) * len(classes) if under else ()


def fine_classes(grouped: Sequence[tuple[str, Sequence[str]]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The classes under each of a parent's, and the parent's class of each.

    A name that stands under two of these becomes two: `fruit/other` and `dessert/other`.

    Args:
        grouped: (parent's class, names of the classes under it).
    """
    counts = Counter(name for _, fine in grouped for name in set(fine))
    classes = tuple(f"{coarse}/{name}" if counts[name] > 1 else name for coarse, fine in grouped for name in fine)
    return classes, tuple(coarse for coarse, fine in grouped for _ in fine)


def _lines(output: Output) -> Iterator[str]:
    yield f"[outputs.{_key(output.name)}]"
    yield f"kind = {_quoted(output.kind)}  # {_SAID[output.kind]}"
    if output.parent:
        one = f"  # every {output.name} has one {output.parent}" if output.kind == "softmax" else ""
        yield f"parent = {_quoted(output.parent)}{one}"
    if output.parent and (output.kind == "regression" or (len(set(output.under)) == 1 and output.kind != "softmax")):
        yield f"under = {_quoted(output.under[0])}  # said of this class alone"
        yield f"classes = {_list(output.classes)}"
    elif output.parent:
        parts = (f"{_key(name)} = {_list(output.classes[places])}" for name, places in output.groups)
        yield f"classes = {{ {', '.join(parts)} }}"
    else:
        yield f"classes = {_list(output.classes)}"
    if output.weight != 1:
        yield f"weight = {output.weight!r}"
    if output.class_weights != "none":
        yield f"class_weights = {_quoted(output.class_weights)}"
    if output.focal:
        yield f"focal = {output.focal!r}"


def _list(names: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, names))}]"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _shown(value: object) -> str:
    return "nothing" if value is None else repr(value)


def _refusal(source: str, problems: Sequence[Problem]) -> DataError:
    things = "1 thing" if len(problems) == 1 else f"{len(problems)} things"
    return DataError(f"{things} wrong in {source}.", problems, _NEXT_STEP)
