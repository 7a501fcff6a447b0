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
from transfer.weights.roles import ROLES
from transfer.weights.tensors import pair_tensors
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
    ambiguous = list(pairing.ambiguous)
    used: set[str] = set()
    met: set[str] = set()
    for left, right, how in pairing.found:
        matched, unclear = pair_tensors(left, right)
        ambiguous += unclear
        is_other = how != "rule" and _is_other_class(left.layer_class, right.layer_class)
        surplus += [] if unclear else _left_over(left, right, matched, skipped, source_of)
        for source, target in matched:
            used.add(source.name)
            met.add(target.name)
            scale = _scale(source, target, left)
            problem = None if scale else _misfit(source_of[source.name], source, target)
            if is_other:
                problem = Problem(
                    target.name, f"one of a {right.layer_class}", f"that of a {left.layer_class} in the file"
                )
            if problem:
                misshapen.append(problem)
            else:
                used.add(scale)
                pairs.append(_pair(source, target, how, source_of, scale))
    unsure = pairing.doubtful | {problem.where for problem in ambiguous}
    doubtful = {spec.name for spec in asked.values() if spec.owner in unsure}
    order = {name: place for place, name in enumerate(wanted)}
    return Plan(
        pairs=tuple(sorted(pairs, key=lambda pair: order[pair.wanted])),
        missing=tuple(name for name in asked if name not in met | doubtful),
        unexpected=tuple(name for name, spec in renamed.items() if spec.name not in used),
        misshapen=tuple(misshapen),
        surplus=tuple(surplus),
        ambiguous=tuple(ambiguous),
        skipped=tuple(name for name in wanted if name in skipped),
        wanted_parameters=sum(spec.parameters for spec in asked.values()),
        wanted_tensors=len(asked),
    )


def _is_other_class(stored: str, wanted: str) -> bool:
    """Layers of one name and one shape may still be of different kinds: a convolution and its transpose, two norms."""
    return stored != wanted and {stored, wanted} <= set(ROLES)


def _pair(source: TensorSpec, target: TensorSpec, how: How, source_of: Mapping[str, str], scale: str) -> Pair:
    changes = [source.converted] if source.converted else []
    if scale:
        changes.append("divided by its scale")
    if source.dtype != target.dtype:
        changes.append(f"{source.dtype} → {target.dtype}")
    return Pair(
        source_of[source.name], target.name, how, target.parameters, ", ".join(changes), source_of.get(scale, "")
    )


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
