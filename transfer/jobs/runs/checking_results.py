"""Whether `result.json` holds what a run writes there, field by field: it may come from anyone."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from transfer.errors import Problem
from transfer.results import Result
from transfer.specs import Json

_MOST = 12  # faults that are told
_BITS = 256  # of a whole number


def faults_of(result: Result, where: str) -> tuple[Problem, ...]:
    """What is of another kind than a run writes, the first dozen; empty where nothing is.

    Args:
        result: as `Result.from_json` made it, which looks at no kinds.
        where: the file it lies in.
    """
    found = [*_faults(result, Result, where), *_faults_of_decisions(result, f"{where}: decisions")]
    if result.labelling is None and not result.classes:
        found.append(Problem(f"{where}: classes", "names, or a labelling", "none"))
    for way in result.outputs if not found and result.labelling is not None else ():
        if len(way.outputs) < len(result.labelling or ()):
            found.append(Problem(f"{where}: outputs", "measures of each output", f"{len(way.outputs)} of {way.name}"))
    return tuple(found[:_MOST])


def _faults(value: Any, hint: Any, where: str) -> Iterator[Problem]:
    """Where a value is not what its annotation says; of what may be anything nothing is asked."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        found = [list(_faults(value, each, where)) for each in inner]
        if all(found):
            yield min(found, key=lambda each: each[0].where == where)[0]  # the one that got farther
    elif origin is tuple:
        if isinstance(value, tuple):
            for place, each in enumerate(value):
                yield from _faults(each, inner[0], f"{where}[{place}]")
        else:
            yield _fault(where, "a list", value)
    elif origin is Literal:
        if value not in inner:
            yield _fault(where, " or ".join(map(str, inner)), value)
    elif isinstance(hint, type) and is_dataclass(hint):
        if isinstance(value, hint):
            for name, each in _hints(hint).items():
                yield from _faults(getattr(value, name), each, f"{where}: {name}")
        else:
            yield _fault(where, "an object", value)
    elif hint in _KINDS:
        kinds, called = _KINDS[hint]
        if not isinstance(value, kinds) or (isinstance(value, bool) and hint is not bool) or _is_endless(value):
            yield _fault(where, called, value)


_KINDS: dict[Any, tuple[tuple[type, ...], str]] = {
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a text"),
    bool: ((bool,), "true or false"),
    type(None): ((type(None),), "null"),
}


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    known = get_type_hints(kind)
    return {each.name: known[each.name] for each in fields(kind) if known[each.name] is not Json}


def _faults_of_decisions(result: Result, where: str) -> Iterator[Problem]:
    """Thresholds are looked up by whoever decides from probabilities."""
    if result.decisions is None:
        return
    named = {each.name: each for each in result.labelling or ()}
    found = result.decisions.get("thresholds", {}) if isinstance(result.decisions, dict) else None
    if not isinstance(found, dict):
        yield _fault(where, "an object with thresholds", result.decisions)
        return
    for name, known in found.items():
        labels = known.get("labels") if isinstance(known, dict) else None
        values = [each.get("value") if isinstance(each, dict) else None for each in labels or ()]
        output = named.get(name)
        if (
            output is None
            or len(values) != len(output.classes)
            or not all(isinstance(v, float) or v in (0, 1) for v in values)
        ):
            yield _fault(f"{where}: thresholds: {name[:60]}", "a number for each label of an output", known)


def _is_endless(value: Any) -> bool:
    """Whether it is a whole number that no float can hold."""
    return isinstance(value, int) and value.bit_length() > _BITS


def _fault(where: str, expected: str, found: Any) -> Problem:
    return Problem(where, expected, f"{type(found).__name__} {str(found)[:60]}")
