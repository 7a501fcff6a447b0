"""Deciding which stored tensor goes where, before anything is written.

Layers are paired first, then the tensors of each pair. Layers whose tensors have the same shapes, under the same
parent, compete for each other's places; within such a group names and the writer's order are the evidence:

- both say the same: settled;
- only the order speaks (other names, or automatic ones that have shifted, `conv2d_4` for `conv2d`): the order settles;
- names that someone chose say otherwise than the order, or the counts differ and names do not tell: ambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from transfer.errors import MatchError, Problem, nearest
from transfer.results import Pair, Plan
from transfer.specs import TensorSpec

How = Literal["name", "order", "rule"]
KINDS = {
    "float": "numbers with a fraction",
    "bfloat": "numbers with a fraction",
    "int": "whole numbers",
    "uint": "whole numbers",
}


@dataclass(frozen=True, slots=True)
class _Layer:
    name: str
    tensors: tuple[TensorSpec, ...]

    @property
    def parent(self) -> str:
        return self.name.rpartition("/")[0]

    @property
    def kind(self) -> tuple[str, tuple[tuple[int, ...], ...]]:
        """What a layer competes with: the same parent, the same shapes."""
        return self.parent, tuple(sorted(each.shape for each in self.tensors))

    @property
    def numbered_class(self) -> str:
        """The class within which the writer numbered the layer; empty where unknown."""
        return self.tensors[0].layer_class if self.position is not None else ""

    @property
    def position(self) -> int | None:
        return self.tensors[0].position

    def is_automatic(self, layer_class: str) -> bool:
        """Whether Keras made up the name: `dense_5` for a `Dense`."""
        own = self.name.rpartition("/")[2]
        return re.sub(r"_\d+$", "", own) == (self.tensors[0].layer_class or layer_class)


@dataclass(slots=True)
class _Pairing:
    found: list[tuple[_Layer, _Layer, How]] = field(default_factory=list)
    ambiguous: list[Problem] = field(default_factory=list)
    doubtful: set[str] = field(default_factory=set)  # wanted layers that are ambiguous

    def add(self, stored: _Layer, wanted: _Layer, how: How) -> None:
        self.found.append((stored, wanted, how))


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
    skipped = _skipped(wanted, list(skip))
    asked = {name: spec for name, spec in wanted.items() if name not in skipped}
    renamed, by_rule = _rename(stored, rules)
    source_of = {spec.name: name for name, spec in renamed.items()}
    ours, theirs = _layers(asked.values()), _layers(renamed.values())
    pairing = _pair_layers(theirs, ours, by_rule)
    pairs: list[Pair] = []
    misshapen: list[Problem] = []
    surplus: list[Problem] = []
    used: set[str] = set()
    met: set[str] = set()
    for left, right, how in pairing.found:
        surplus += _left_over(left, right, skipped, source_of)
        for source, target in _pair_tensors(left.tensors, right.tensors):
            used.add(source.name)
            met.add(target.name)
            problem = _misfit(source_of[source.name], source, target)
            if problem:
                misshapen.append(problem)
                continue
            converted = "" if source.dtype == target.dtype else f"{source.dtype} → {target.dtype}"
            pairs.append(Pair(source_of[source.name], target.name, how, target.parameters, converted))
    doubtful = {spec.name for spec in asked.values() if spec.layer in pairing.doubtful}
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
    )


def _pair_layers(stored: list[_Layer], wanted: list[_Layer], by_rule: set[str]) -> _Pairing:
    pairing = _Pairing()
    by_name = {layer.name: layer for layer in stored}
    names = {layer.name for layer in wanted}
    for layer in wanted:  # what the caller ruled needs no other evidence
        if layer.name in by_rule and layer.name in by_name:
            pairing.add(by_name[layer.name], layer, "rule")
    groups: dict[object, list[_Layer]] = {}
    for layer in wanted:
        if layer.name not in by_rule:
            groups.setdefault(layer.kind, []).append(layer)
    for kind, ours in groups.items():
        theirs = [layer for layer in stored if layer.kind == kind and layer.name not in by_rule]
        for left, right in _by_class(theirs, ours):
            _pair_group(left, right, pairing, elsewhere=(set(by_name), names))
    # The same name with other shapes: a pair that does not fit, told as such.
    paired = {layer.name for _, layer, _ in pairing.found}
    taken = {layer.name for layer, _, _ in pairing.found}
    for layer in wanted:
        if layer.name in by_name and layer.name not in paired | taken | pairing.doubtful:
            pairing.add(by_name[layer.name], layer, "name")
    return pairing


def _by_class(theirs: list[_Layer], ours: list[_Layer]) -> list[tuple[list[_Layer], list[_Layer]]]:
    """Where both sides know all classes, layers compete within theirs: so Keras 3 numbers them."""
    if not theirs or not all(layer.numbered_class for layer in (*theirs, *ours)):
        return [(theirs, ours)]
    classes = dict.fromkeys(layer.numbered_class for layer in ours)
    return [
        (
            [layer for layer in theirs if layer.numbered_class == each],
            [layer for layer in ours if layer.numbered_class == each],
        )
        for each in classes
    ]


def _pair_group(
    theirs: list[_Layer], ours: list[_Layer], pairing: _Pairing, elsewhere: tuple[set[str], set[str]]
) -> None:
    """Pair layers of one kind under one parent."""
    by_name = {layer.name: layer for layer in theirs}
    shared = [(by_name[layer.name], layer) for layer in ours if layer.name in by_name]
    ordered = sorted((layer for layer in theirs if layer.position is not None), key=lambda layer: layer.position or 0)
    has_order = len(ordered) == len(theirs)
    in_order = list(zip(ordered, ours, strict=True)) if has_order and len(ordered) == len(ours) else None
    if in_order is not None:
        automatic = all(a.is_automatic(b.tensors[0].layer_class) and b.is_automatic("") for a, b in in_order)
        if all(pair in in_order for pair in shared):
            for left, right in in_order:
                # A name that stands elsewhere with another shape was meant for that place, unless Keras made it up.
                torn = left.name != right.name and (left.name in elsewhere[1] or right.name in elsewhere[0])
                if not torn or automatic:
                    pairing.add(left, right, "name" if left.name == right.name else "order")
        elif automatic and len(shared) < len(ours):
            for left, right in in_order:
                pairing.add(left, right, "order")
        else:
            _doubt(in_order, shared, pairing)
        return
    positions = [left.position or 0 for left, _ in shared]
    if has_order and positions != sorted(positions):
        _doubt(None, shared, pairing)
        return
    for left, right in shared:
        pairing.add(left, right, "name")
    left_over = [layer for layer in theirs if layer.name not in elsewhere[1]]
    open_places = [layer for layer in ours if layer.name not in elsewhere[0]]
    if left_over and open_places:
        offered = ", ".join(repr(layer.name) for layer in left_over[:4])
        for layer in open_places:
            found = f"{offered} in the file have its shapes, and neither name nor order tells which is meant"
            pairing.ambiguous.append(Problem(layer.name, "one layer of the file", found))
            pairing.doubtful.add(layer.name)


def _doubt(
    in_order: list[tuple[_Layer, _Layer]] | None, shared: list[tuple[_Layer, _Layer]], pairing: _Pairing
) -> None:
    """Set down both readings where names and order disagree; where they agree, the pair is settled."""
    by_order = {right.name: left for left, right in in_order or ()}
    by_name = {right.name: left for left, right in shared}
    layers = {right.name: right for _, right in [*(in_order or ()), *shared]}
    for name, layer in layers.items():
        left, other = by_name.get(name), by_order.get(name)
        if left is not None and left is other:
            pairing.add(left, layer, "name")
            continue
        pairing.doubtful.add(name)
        reading = f"{left.name!r} by name" if left is not None else "one layer of the file"
        order = repr(other.name) if other is not None else "another one"
        pairing.ambiguous.append(Problem(name, reading, f"{order} by the writer's order"))


def _pair_tensors(stored: Sequence[TensorSpec], wanted: Sequence[TensorSpec]) -> list[tuple[TensorSpec, TensorSpec]]:
    """The tensors of two layers that belong together: by role, by place where the file only numbers them."""
    by_role = {spec.role: spec for spec in stored}
    if len(stored) == len(wanted) and any(role.isdigit() for role in by_role):
        return list(zip(stored, wanted, strict=True))
    return [(by_role[spec.role], spec) for spec in wanted if spec.role in by_role]


def _left_over(left: _Layer, right: _Layer, skipped: set[str], source_of: Mapping[str, str]) -> list[Problem]:
    """Tensors of a paired layer that the model's layer has no place for: without a bias, say, it computes otherwise."""
    taken = {source.name for source, _ in _pair_tensors(left.tensors, right.tensors)}
    return [
        Problem(source_of[spec.name], f"no such tensor in layer {right.name!r}", f"{spec.shape} in the file")
        for spec in left.tensors
        if spec.name not in taken and f"{right.name}/{spec.role}" not in skipped
    ]


def _misfit(name: str, stored: TensorSpec, wanted: TensorSpec) -> Problem | None:
    kinds = [re.sub(r"\d+$", "", spec.dtype) for spec in (stored, wanted)]
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


def _layers(specs: Iterable[TensorSpec]) -> list[_Layer]:
    members: dict[str, list[TensorSpec]] = {}
    for spec in specs:
        members.setdefault(spec.layer, []).append(spec)
    return [_Layer(name, tuple(tensors)) for name, tensors in members.items()]


def _skipped(wanted: Mapping[str, TensorSpec], patterns: list[str]) -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        fitting = {
            name for name, spec in wanted.items() if fnmatchcase(name, pattern) or fnmatchcase(spec.layer, pattern)
        }
        if not fitting:
            raise MatchError(
                f"skip={pattern!r} fits no tensor of the model.", next_step=f"nearest: {nearest(pattern, wanted)}"
            )
        found |= fitting
    return found


def _rename(stored: Mapping[str, TensorSpec], rules: Sequence[str]) -> tuple[dict[str, TensorSpec], set[str]]:
    """Apply the rules to the names in the file; also gives the layers (new names) that a rule touched."""
    compiled = []
    for rule in rules:
        pattern, equals, new = rule.partition("=")
        try:
            compiled.append((rule, re.compile(pattern), new))
        except re.error as error:
            raise MatchError(f"rule {rule!r} is no regular expression: {error}.") from error
        if not equals or not new:
            raise MatchError(f"rule {rule!r} does not read 'old=new'.")
    renamed, touched, used = {}, set(), set()
    for name, spec in stored.items():
        renamed[name] = spec
        for rule, old, new in compiled:
            found = old.fullmatch(spec.layer) or old.fullmatch(name)
            if found is None:
                continue
            layer, role = _renamed(rule, found, new, spec)
            used.add(rule)
            touched.add(layer)
            renamed[name] = TensorSpec(
                f"{layer}/{role}", spec.shape, spec.dtype, layer, role, spec.layer_class, spec.position
            )
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


def _renamed(rule: str, found: re.Match[str], new: str, spec: TensorSpec) -> tuple[str, str]:
    """The layer and role that a rule gives."""
    try:
        name = found.expand(new)
    except (re.error, IndexError) as error:
        raise MatchError(f"rule {rule!r} cannot be carried out: {error}.") from error
    if found.string == spec.layer:
        return name, spec.role
    layer, _, role = name.rpartition("/")
    return layer, role


def _refuse_collisions(renamed: Mapping[str, TensorSpec]) -> None:
    sources: dict[str, list[str]] = {}
    for name, spec in renamed.items():
        sources.setdefault(spec.name, []).append(name)
    problems = [Problem(new, "one tensor of the file", ", ".join(old)) for new, old in sources.items() if len(old) > 1]
    if problems:
        raise MatchError(
            "The rules give several tensors one name.", problems, next_step="write a rule for each of them"
        )
