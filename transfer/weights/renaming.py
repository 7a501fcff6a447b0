"""What the caller says of names: rules `old=new` for the file's, patterns to skip of the model's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from transfer.errors import MatchError, Problem, nearest
from transfer.specs import TensorSpec


def choose_skipped(wanted: Mapping[str, TensorSpec], patterns: Sequence[str]) -> set[str]:
    """Names of the tensors that a pattern fits, by their own name or their layer's.

    Raises:
        MatchError: if a pattern fits nothing.
    """
    found: set[str] = set()
    for pattern in patterns:
        fitting = {
            name
            for name, spec in wanted.items()
            if any(fnmatchcase(each, pattern) for each in (name, spec.layer, spec.owner))
        }
        if not fitting:
            raise MatchError(
                f"skip={pattern!r} fits no tensor of the model.", next_step=f"nearest: {nearest(pattern, wanted)}"
            )
        found |= fitting
    return found


def rename(stored: Mapping[str, TensorSpec], rules: Sequence[str]) -> tuple[dict[str, TensorSpec], set[str]]:
    """Apply rules to the names in a file.

    Args:
        stored: what the file holds.
        rules: `old=new`, the first that fits a tensor counts.

    Returns:
        The tensors under their old names with specs that bear the new ones, and the layers (new names) that a rule
        touched.

    Raises:
        MatchError: if a rule fits nothing, is no regular expression, or gives several tensors one name.
    """
    compiled = [(rule, *_compile(rule)) for rule in rules]
    renamed, touched, used = dict[str, TensorSpec](), set[str](), set[str]()
    for name, spec in stored.items():
        renamed[name] = spec
        for rule, old, new in compiled:
            found = next((hit for each in (spec.layer, spec.owner, name) if (hit := old.fullmatch(each))), None)
            if found is not None:
                used.add(rule)
                renamed[name] = _renamed(rule, found, new, spec)
                touched.add(renamed[name].owner)
                break
    _refuse_collisions(renamed)
    idle = [rule for rule in rules if rule not in used]
    if idle:
        known = dict.fromkeys(spec.layer for spec in stored.values())
        raise MatchError(
            f"rule {idle[0]!r} fits nothing in the file.",
            next_step=f"nearest: {nearest(idle[0].partition('=')[0], known)}",
        )
    return renamed, touched


def _compile(rule: str) -> tuple[re.Pattern[str], str]:
    pattern, equals, new = rule.partition("=")
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise MatchError(f"rule {rule!r} is no regular expression: {error}.") from error
    if not equals or not new:
        raise MatchError(f"rule {rule!r} does not read 'old=new'.")
    return compiled, new


def _renamed(rule: str, found: re.Match[str], new: str, spec: TensorSpec) -> TensorSpec:
    """The tensor with the layer and role that a rule gives."""
    try:
        name = found.expand(new)
    except (re.error, IndexError) as error:
        raise MatchError(f"rule {rule!r} cannot be carried out: {error}.") from error
    if found.string == spec.layer:
        layer, role = name, spec.role
    elif found.string == spec.owner:
        layer, role = name + spec.layer.removeprefix(spec.owner), spec.role
    else:
        layer, _, role = name.rpartition("/")
    inner = spec.layer.removeprefix(spec.owner)
    owner = layer.removesuffix(inner) if inner else layer
    return replace(spec, name=f"{layer}/{role}", layer=layer, role=role, owner=owner)


def _refuse_collisions(renamed: Mapping[str, TensorSpec]) -> None:
    sources: dict[str, list[str]] = {}
    for name, spec in renamed.items():
        sources.setdefault(spec.name, []).append(name)
    problems = [Problem(new, "one tensor of the file", ", ".join(old)) for new, old in sources.items() if len(old) > 1]
    if problems:
        raise MatchError(
            "The rules give several tensors one name.", problems, next_step="write a rule for each of them"
        )
