"""Deciding which stored tensor goes where, before anything is written.

Layers are paired first (`pairing`), then the tensors of each pair: by role, by place where the file only numbers them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from transfer.errors import Problem
from transfer.results import Pair, Plan
from transfer.specs import TensorSpec
from transfer.weights.pairing import How, pair_units
from transfer.weights.renaming import choose_skipped, rename
from transfer.weights.units import Unit, build_units

KINDS = {
    "float": "numbers with a fraction",
    "bfloat": "numbers with a fraction",
    "int": "whole numbers",
    "uint": "whole numbers",
}


def match(
    stored: Mapping[str, TensorSpec],
    wanted: Mapping[str, TensorSpec],
    rules: Sequence[str] = (),
    skip: Iterable[str] = (),
) -> Plan:
    """Work out which stored tensor goes where. Pure: nothing is read or written.

    Args:
        stored: what the file holds, in the writer's order.
        wanted: what the model wants, in its order.
        rules: `old=new`, each a regular expression for the whole name of a layer or tensor in the file and what the
            model calls it (`\\1` refers to a group).
        skip: names of the model to leave as they are, layers or tensors, `*` for any text.

    Raises:
        MatchError: if a rule or a name to skip fits nothing.
    """
    skipped = choose_skipped(wanted, list(skip))
    asked = {name: spec for name, spec in wanted.items() if name not in skipped}
    renamed, by_rule = rename(stored, rules)
    source_of = {spec.name: name for name, spec in renamed.items()}
    pairing = pair_units(build_units(renamed.values()), build_units(asked.values()), by_rule)
    pairs: list[Pair] = []
    misshapen: list[Problem] = []
    surplus: list[Problem] = []
    used: set[str] = set()
    met: set[str] = set()
    for left, right, how in pairing.found:
        matched = pair_tensors(left, right)
        surplus += _left_over(left, right, matched, skipped, source_of)
        for source, target in matched:
            used.add(source.name)
            met.add(target.name)
            scale = _scale(source, target, left)
            problem = None if scale else _misfit(source_of[source.name], source, target)
            if problem:
                misshapen.append(problem)
            else:
                used.add(scale)
                pairs.append(_pair(source, target, how, source_of, scale))
    doubtful = {spec.name for spec in asked.values() if spec.owner in pairing.doubtful}
    order = {name: place for place, name in enumerate(wanted)}
    return Plan(
        pairs=tuple(sorted(pairs, key=lambda pair: order[pair.wanted])),
        missing=tuple(name for name in asked if name not in met | doubtful),
        unexpected=tuple(name for name, spec in renamed.items() if spec.name not in used),
        misshapen=tuple(misshapen),
        surplus=tuple(surplus),
        ambiguous=tuple(pairing.ambiguous),
        skipped=tuple(name for name in wanted if name in skipped),
        wanted_parameters=sum(spec.parameters for spec in asked.values()),
        wanted_tensors=len(asked),
    )


def _pair(source: TensorSpec, target: TensorSpec, how: How, source_of: Mapping[str, str], scale: str) -> Pair:
    changes = [source.converted] if source.converted else []
    if scale:
        changes.append("divided by its scale")
    if source.dtype != target.dtype:
        changes.append(f"{source.dtype} → {target.dtype}")
    return Pair(
        source_of[source.name], target.name, how, target.parameters, ", ".join(changes), source_of.get(scale, "")
    )


def pair_tensors(stored: Unit, wanted: Unit) -> list[tuple[TensorSpec, TensorSpec]]:
    """The tensors of two layers that belong together."""
    theirs, ours = _by_place(stored), _by_place(wanted)
    if len(theirs) == len(ours) and set(theirs) != set(ours):
        left, right = list(theirs.values()), list(ours.values())
        in_order = list(zip(left, right, strict=True))
        told = _same_places(theirs, ours)
        if told is not None:
            return told
        numbered = any(spec.role.isdigit() for spec in left)
        # A role that both sides know must not meet another one: `(gamma, beta)` is no `(beta, scale)`.
        crossed = any(a != b and (a in ours or b in theirs) for a, b in zip(theirs, ours, strict=True))
        if numbered or (not crossed and [s.shape for s in left] == [s.shape for s in right]):
            return in_order
    return [(theirs[place], spec) for place, spec in ours.items() if place in theirs]


def _same_places(
    theirs: Mapping[tuple[str, ...], TensorSpec], ours: Mapping[tuple[str, ...], TensorSpec]
) -> list[tuple[TensorSpec, TensorSpec]] | None:
    """Where inner layers have the same names and equally many tensors each, these in their order."""
    groups: tuple[dict[tuple[str, ...], list[TensorSpec]], ...] = ({}, {})
    for side, group in zip((theirs, ours), groups, strict=True):
        for place, spec in side.items():
            group.setdefault(place[:-1], []).append(spec)
    left, right = groups
    if len(left) < 2 or set(left) != set(right) or any(len(left[key]) != len(right[key]) for key in left):
        return None
    return [pair for key in right for pair in zip(left[key], right[key], strict=True)]


def _by_place(unit: Unit) -> dict[tuple[str, ...], TensorSpec]:
    """Each tensor by the inner layers that lead to it and its role.

    What an inner layer is called differs between eras and says nothing where there is only one: `forward_lstm` and
    `forward_lstm_1/lstm_cell` are both the forward side.
    """
    inner = [
        [_side(part) for part in spec.layer.removeprefix(unit.full_name).strip("/").split("/") if part]
        for spec in unit.tensors
    ]
    inner = [[part for part in parts if not re.fullmatch(r"(.+_)?cell(_\d+)?", part)] for parts in inner]
    while all(inner) and len({parts[0] for parts in inner}) == 1:
        inner = [parts[1:] for parts in inner]
    return {(*parts, spec.role): spec for parts, spec in zip(inner, unit.tensors, strict=True)}


def _side(part: str) -> str:
    found = re.match(r"(forward|backward)(_|$)", part)
    return found.group(1) if found else part


def _left_over(
    left: Unit,
    right: Unit,
    matched: Sequence[tuple[TensorSpec, TensorSpec]],
    skipped: set[str],
    source_of: Mapping[str, str],
) -> list[Problem]:
    """Tensors of a paired layer that the model's layer has no place for: without a bias, say, it computes otherwise."""
    taken = {source.name for source, _ in matched}
    taken |= {_scale(source, target, left) for source, target in matched}
    return [
        Problem(source_of[spec.name], f"no such tensor in layer {right.full_name!r}", f"{spec.shape} in the file")
        for spec in left.tensors
        if spec.name not in taken and f"{right.full_name}/{spec.role}" not in skipped
    ]


def _scale(source: TensorSpec, target: TensorSpec, unit: Unit) -> str:
    """Name of the scale by which a quantized kernel is divided to become the float kernel that is wanted, or empty."""
    if not source.dtype.startswith("int") or "float" not in target.dtype or source.shape != target.shape:
        return ""
    return next(
        (
            spec.name
            for spec in unit.tensors
            if spec.layer == source.layer
            and spec.role == f"{source.role}_scale"
            and spec.shape in (source.shape[-1:], source.shape[:1])
        ),
        "",
    )


def _misfit(name: str, stored: TensorSpec, wanted: TensorSpec) -> Problem | None:
    kinds = [re.sub(r"\d+(_\w+)?$", "", spec.dtype) for spec in (stored, wanted)]
    kinds = [KINDS.get(kind, kind) for kind in kinds]
    if kinds[0] != kinds[1]:
        return Problem(
            wanted.name,
            f"{wanted.dtype} in the model",
            f"{stored.dtype} in the file" + ("" if name == wanted.name else f" ({name})"),
        )
    if stored.shape != wanted.shape:
        found = f"{stored.shape} in the file" + ("" if name == wanted.name else f" ({name})")
        return Problem(wanted.name, f"{wanted.shape} in layer {wanted.layer!r}", found)
    return None
