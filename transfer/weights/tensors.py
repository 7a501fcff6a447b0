"""The tensors of two layers that belong together: by role, and by the inner layers that lead to them.

What an inner layer is called differs between eras and says nothing where there is only one: `forward_lstm` and
`forward_lstm_1/lstm_cell` are both the forward side. Where several inner layers of one shape have other names, their
automatic numbers tell, or nothing does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from transfer.errors import Problem
from transfer.specs import TensorSpec
from transfer.weights.roles import ROLES
from transfer.weights.units import Unit

Path: TypeAlias = tuple[str, ...]
Pairs: TypeAlias = list[tuple[TensorSpec, TensorSpec]]
Groups: TypeAlias = dict[Path, list[TensorSpec]]

KNOWN_ROLES = frozenset(role for counts in ROLES.values() for roles in counts.values() for role in roles)
# One role under two names: of an embedding in Keras 1, of a depthwise convolution before Keras 3.
SYNONYMS = (frozenset({"kernel", "embeddings"}), frozenset({"kernel", "depthwise_kernel"}))


def pair_tensors(stored: Unit, wanted: Unit) -> tuple[Pairs, list[Problem]]:
    """Pair the tensors of two layers.

    Returns:
        The pairs, and what is ambiguous: then there are no pairs.
    """
    theirs, ours = _inner_groups(stored), _inner_groups(wanted)
    groups = _pair_groups(theirs, ours)
    if groups is None:
        found = ", ".join("/".join(path) for path in list(theirs)[:4])
        problem = Problem(wanted.full_name, "inner layers told apart by name or number", f"{found} in the file")
        return [], [problem]
    return [pair for left, right in groups for pair in _pair_roles(theirs[left], ours[right])], []


def _inner_groups(unit: Unit) -> Groups:
    """Tensors by the inner layers that lead to them, as far as these tell anything."""
    inner = [
        tuple(_side(part) for part in spec.layer.removeprefix(unit.full_name).strip("/").split("/") if part)
        for spec in unit.tensors
    ]
    without_cells = [tuple(part for part in path if not _is_cell(part)) for path in inner]
    if len(set(without_cells)) == len(set(inner)):  # several cells in a stack keep their names
        inner = without_cells
    while all(inner) and len({path[0] for path in inner}) == 1:
        inner = [path[1:] for path in inner]
    groups: Groups = {}
    for path, spec in zip(inner, unit.tensors, strict=True):
        groups.setdefault(path, []).append(spec)
    return groups


def _side(part: str) -> str:
    found = re.match(r"(forward|backward)(_|$)", part)
    return found.group(1) if found else part


def _is_cell(part: str) -> bool:
    return re.fullmatch(r"(.+_)?cells?(_\d+)?", part) is not None


def _pair_groups(theirs: Groups, ours: Groups) -> list[tuple[Path, Path]] | None:
    """Which inner layer goes with which; None where nothing tells."""
    shared = [(path, path) for path in ours if path in theirs]
    left = [path for path in theirs if path not in ours]
    right = [path for path in ours if path not in theirs]
    if not left or not right:
        return shared
    kinds = [_kind(theirs[path]) for path in left], [_kind(ours[path]) for path in right]
    if len(left) == len(right) == 1 or (
        sorted(kinds[0]) == sorted(kinds[1]) and len(set(kinds[0])) == len(kinds[0]) and not shared
    ):
        places = dict(zip(kinds[0], left, strict=True))
        return [*shared, *((places.get(kind, left[0]), path) for kind, path in zip(kinds[1], right, strict=True))]
    numbered = _by_number(list(theirs)), _by_number(list(ours))
    if numbered[0] is None or numbered[1] is None or len(theirs) != len(ours):
        return None
    pairs = list(zip(numbered[0], numbered[1], strict=True))
    return pairs if all(_kind(theirs[a]) == _kind(ours[b]) for a, b in pairs) else None


def _kind(tensors: Sequence[TensorSpec]) -> str:
    return str(sorted(each.shape for each in tensors))


def _by_number(paths: list[Path]) -> list[Path] | None:
    """Inner layers by the numbers of their automatic names, tensors of the layer itself first; None without numbers."""
    found: list[tuple[tuple[tuple[str, int], ...], Path]] = []
    for path in paths:
        parts = [re.fullmatch(r"(.+?)(?:_(\d+))?", part) for part in path]
        found.append((tuple((part.group(1), int(part.group(2) or 0)) for part in parts if part), path))
    bases = {tuple(base for base, _ in key) for key, _ in found if key}
    return [path for _, path in sorted(found)] if len(bases) == 1 else None


def _pair_roles(theirs: Sequence[TensorSpec], ours: Sequence[TensorSpec]) -> Pairs:
    """The tensors of one inner layer, by role; by place where the file only numbers them, or calls them otherwise."""
    by_role: Mapping[str, TensorSpec] = {spec.role: spec for spec in theirs}
    roles = {spec.role for spec in ours}
    if len(theirs) == len(ours) and set(by_role) != roles:
        in_order = list(zip(theirs, ours, strict=True))
        numbered = all(spec.role.isdigit() for spec in theirs) or all(spec.role.isdigit() for spec in ours)
        renamed = all(_may_be(a.role, b.role, set(by_role), roles) and a.shape == b.shape for a, b in in_order)
        if numbered or renamed:
            return in_order
    return [(by_role[spec.role], spec) for spec in ours if spec.role in by_role]


def _may_be(stored: str, wanted: str, theirs: set[str], ours: set[str]) -> bool:
    """Whether one role may be another's older name: a role that both sides know, or that Keras knows, is none."""
    if stored == wanted or {stored, wanted} in SYNONYMS:
        return True
    return stored not in ours and wanted not in theirs and not {stored, wanted} <= KNOWN_ROLES
