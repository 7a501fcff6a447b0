"""Pairing layers of a file with layers of a model, by names and by the writer's order.

Nested models are paired first and looked into; one that has no partner gives its layers to the model around it. Then
layers whose tensors have the same shapes compete for each other's places; within such a group names and the writer's
order are the evidence:

- both say the same: settled;
- only the order speaks (other names, or automatic ones that have shifted, `conv2d_4` for `conv2d`): the order settles;
- names that someone chose say otherwise than the order, or the counts differ and names do not tell: ambiguous.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from transfer.errors import Problem
from transfer.weights.units import Unit, flatten, regroup

How: TypeAlias = Literal["name", "order", "shape", "rule"]


@dataclass(slots=True)
class Pairing:
    """Which layer goes with which.

    Attributes:
        found: layer of the file, layer of the model, and what decided.
        ambiguous: layers for which the evidence disagrees, or for which there is none.
        doubtful: full names of these in the model.
    """

    found: list[tuple[Unit, Unit, How]] = field(default_factory=list)
    ambiguous: list[Problem] = field(default_factory=list)
    doubtful: set[str] = field(default_factory=set)

    def add(self, stored: Unit, wanted: Unit, how: How) -> None:
        """Set a pair down."""
        self.found.append((stored, wanted, how))

    def doubt(self, wanted: Unit, expected: str, found: str) -> None:
        """Set down that nothing settles a layer."""
        if wanted.full_name not in self.doubtful:
            self.ambiguous.append(Problem(wanted.full_name, expected, found))
            self.doubtful.add(wanted.full_name)


def pair_units(stored: Sequence[Unit], wanted: Sequence[Unit], by_rule: set[str]) -> Pairing:
    """Pair the layers of a file with those of a model.

    Args:
        stored: of the file.
        wanted: of the model.
        by_rule: full names that the caller gave to layers of the file: these need no other evidence.
    """
    pairing = Pairing()
    leaves = {each.full_name: each for unit in stored for each in unit.walk()}
    ruled = {each.full_name: each for unit in wanted for each in unit.walk() if each.full_name in by_rule & set(leaves)}
    for name, unit in ruled.items():
        pairing.add(leaves[name], unit, "rule")
    _pair_level(_without(stored, by_rule), _without(wanted, set(ruled)), pairing)
    return pairing


def _without(units: Sequence[Unit], names: set[str]) -> list[Unit]:
    kept = []
    for unit in units:
        if unit.children:
            children = tuple(_without(unit.children, names))
            if children:
                kept.append(Unit(unit.path, children=children))
        elif unit.full_name not in names:
            kept.append(unit)
    return kept


def _pair_level(stored: list[Unit], wanted: list[Unit], pairing: Pairing) -> None:
    """Pair what one model of the file holds with what one model holds."""
    stored, wanted = _pair_models(stored, wanted, pairing)
    while any(unit.children for unit in (*stored, *wanted)):
        stored, wanted = _pair_models(_spliced(stored), _spliced(wanted), pairing)
    _pair_layers(stored, wanted, pairing)


def _pair_models(stored: list[Unit], wanted: list[Unit], pairing: Pairing) -> tuple[list[Unit], list[Unit]]:
    """Look into nested models that have a partner; gives back what is left."""
    partners, doubtful = _partners(stored, wanted)
    done: set[int] = set()
    for unit, problem in doubtful:
        done.add(id(unit))
        for each in unit.walk():
            pairing.doubt(each, problem.expected, problem.found)
    for left, right in partners:
        one, other = _alike(left, right)
        if one.children and other.children:
            _pair_level(list(one.children), list(other.children), pairing)
            done |= {id(left), id(right)}
        elif one.signature == other.signature:
            pairing.add(one, other, "name" if one.name == other.name else "shape")
            done |= {id(left), id(right)}
    return [unit for unit in stored if id(unit) not in done], [unit for unit in wanted if id(unit) not in done]


def _partners(stored: list[Unit], wanted: list[Unit]) -> tuple[list[tuple[Unit, Unit]], list[tuple[Unit, Problem]]]:
    """Which nested model goes with which, by the same evidence as layers; and those for which it disagrees.

    What has the same name but not the same layers goes together too: a part may have been cut off.
    """
    trial = Pairing()
    names = ({unit.name for unit in stored}, {unit.name for unit in wanted})
    for kind in {unit.signature: None for unit in wanted if unit.children}:
        ours = [unit for unit in wanted if unit.children and unit.signature == kind]
        theirs = [unit for unit in stored if unit.children and unit.signature == kind]
        _pair_group(theirs, ours, trial, names)
    partners = [(left, right) for left, right, _ in trial.found]
    taken = {id(unit) for pair in partners for unit in pair}
    problems = {problem.where: problem for problem in trial.ambiguous}
    doubtful = [(unit, problems[unit.full_name]) for unit in wanted if unit.children and unit.full_name in problems]
    left_over = {unit.name: unit for unit in stored if id(unit) not in taken}
    for unit in wanted:
        partner = left_over.get(unit.name)
        if partner is None or id(unit) in taken or unit.full_name in problems:
            continue
        if (unit.children or partner.children) and (not unit.is_automatic() or not unit.children):
            partners.append((partner, unit))
    return partners, doubtful


def _alike(left: Unit, right: Unit) -> tuple[Unit, Unit]:
    """Both as models, or both as layers: files do not always say which of the two something is."""
    if left.children and not right.children:
        right = regroup(right)
        left = left if right.children else flatten(left)
    elif right.children and not left.children:
        left = regroup(left)
        right = right if left.children else flatten(right)
    return left, right


def _spliced(units: Sequence[Unit]) -> list[Unit]:
    return [each for unit in units for each in (unit.children or (unit,))]


def _pair_layers(stored: list[Unit], wanted: list[Unit], pairing: Pairing) -> None:
    elsewhere = ({unit.name for unit in stored}, {unit.name for unit in wanted})
    groups: dict[object, list[Unit]] = {}
    for unit in wanted:
        groups.setdefault(unit.signature, []).append(unit)
    for kind, ours in groups.items():
        theirs = [unit for unit in stored if unit.signature == kind]
        for left, right in _by_class(theirs, ours):
            _pair_group(left, right, pairing, elsewhere)
    _pair_misfits(stored, wanted, pairing)


def _pair_misfits(stored: list[Unit], wanted: list[Unit], pairing: Pairing) -> None:
    """The same name, or the same place in its class, with other shapes: a pair that does not fit, told as such."""
    taken = {id(unit) for left, right, _ in pairing.found for unit in (left, right)}
    left_over = [unit for unit in stored if id(unit) not in taken]
    by_name = {unit.name: unit for unit in left_over}
    for unit in wanted:
        if id(unit) in taken or unit.full_name in pairing.doubtful:
            continue
        partner = by_name.get(unit.name) or _same_place(unit, stored, wanted, left_over)
        if partner is not None:
            by_name.pop(partner.name, None)
            left_over.remove(partner)
            pairing.add(partner, unit, "name" if partner.name == unit.name else "order")


def _same_place(unit: Unit, stored: list[Unit], wanted: list[Unit], left_over: list[Unit]) -> Unit | None:
    """Where both sides number all layers of a class and have equally many, the one with the same number."""
    ours = [each for each in wanted if each.layer_class == unit.layer_class]
    theirs = _ordered([each for each in stored if each.layer_class == unit.layer_class])
    if not unit.layer_class or theirs is None or len(theirs) != len(ours):
        return None
    partner = theirs[ours.index(unit)]
    return partner if partner in left_over else None


def _by_class(theirs: list[Unit], ours: list[Unit]) -> list[tuple[list[Unit], list[Unit]]]:
    """Where both sides know all classes, layers compete within theirs: so Keras 3 numbers them."""
    known = all(unit.layer_class and unit.position is not None for unit in (*theirs, *ours))
    if not theirs or not known:
        return [(theirs, ours)]
    classes = dict.fromkeys(unit.layer_class for unit in ours)
    return [
        (
            [unit for unit in theirs if unit.layer_class == each],
            [unit for unit in ours if unit.layer_class == each],
        )
        for each in classes
    ]


def _ordered(units: list[Unit]) -> list[Unit] | None:
    """As their writer had them; None where that is not known."""
    if len({unit.layer_class for unit in units}) > 1 and any(unit.children for unit in units):
        return None  # models of several classes, each class with numbers of its own
    if all(unit.position is not None for unit in units):
        return sorted(units, key=lambda unit: unit.position or 0)
    return None


def _numbered(units: list[Unit], layer_class: str) -> list[Unit] | None:
    """By the numbers in automatic names, where all have one."""
    bases = {re.sub(r"_\d+$", "", unit.name) for unit in units}
    numbers = {unit.number for unit in units}
    if len(bases) == 1 and len(numbers) == len(units) and all(unit.is_automatic(layer_class) for unit in units):
        return sorted(units, key=lambda unit: unit.number)
    return None


def _in_order(theirs: list[Unit], ours: list[Unit]) -> tuple[list[Unit] | None, list[Unit]]:
    """Both sides in the order in which they belong together; None where no order tells.

    Numbers and places of layers compare within one model alone.
    """
    scopes = [{unit.path[:-1] for unit in units} for units in (theirs, ours)]
    if all(len(each) == 1 for each in scopes):
        ordered = _ordered(theirs)
        if ordered is not None:
            return ordered, ours
        kind = ours[0].layer_class
        numbered = _numbered(theirs, kind), _numbered(ours, kind)
        if numbered[0] is not None and numbered[1] is not None:
            return numbered[0], numbered[1]
    return None, ours


def _pair_group(theirs: list[Unit], ours: list[Unit], pairing: Pairing, elsewhere: tuple[set[str], set[str]]) -> None:
    """Pair layers of one kind."""
    if not theirs:
        return
    shared = _shared(theirs, ours)
    ordered, places = _in_order(theirs, ours)
    if len(theirs) == len(ours) and ordered is not None:
        _pair_in_order(list(zip(ordered, places, strict=True)), shared, pairing, elsewhere)
    elif len(theirs) == len(ours):
        _pair_by_name(theirs, ours, shared, pairing, elsewhere)
    else:
        _pair_some(theirs, places, ordered, shared, pairing, elsewhere)


def _shared(theirs: list[Unit], ours: list[Unit]) -> list[tuple[Unit, Unit]]:
    """Pairs of one name; of several that share it, those of one full name."""
    found: list[tuple[Unit, Unit]] = []
    ours_named, theirs_named = (Counter(unit.name for unit in units) for units in (ours, theirs))
    for unit in ours:
        fitting = [each for each in theirs if each.name == unit.name]
        if ours_named[unit.name] > 1 or theirs_named[unit.name] > 1:
            fitting = [each for each in fitting if each.full_name == unit.full_name]
        found += [(each, unit) for each in fitting[:1]]
    return found


def _pair_in_order(
    in_order: list[tuple[Unit, Unit]],
    shared: list[tuple[Unit, Unit]],
    pairing: Pairing,
    elsewhere: tuple[set[str], set[str]],
) -> None:
    automatic = all(left.is_automatic(right.layer_class) and right.is_automatic() for left, right in in_order)
    if all(pair in in_order for pair in shared):
        for left, right in in_order:
            # A name that stands elsewhere with another shape was meant for that place, unless Keras made it up.
            torn = left.name != right.name and (left.name in elsewhere[1] or right.name in elsewhere[0])
            if not torn or automatic:
                pairing.add(left, right, "name" if left.name == right.name else "order")
    elif automatic and len(shared) < len(in_order):
        for left, right in in_order:
            pairing.add(left, right, "order")
    else:
        _doubt(in_order, shared, pairing)


def _pair_by_name(
    theirs: list[Unit],
    ours: list[Unit],
    shared: list[tuple[Unit, Unit]],
    pairing: Pairing,
    elsewhere: tuple[set[str], set[str]],
) -> None:
    """Equally many, and no order: equal names, then names but for a scope's number, then the only one left."""
    settled = list(shared)
    left_over, open_places = _rest(theirs, ours, settled)
    for unit in open_places:
        base = re.sub(r"_\d+$", "", unit.name)
        fitting = [each for each in left_over if re.sub(r"_\d+$", "", each.name) == base]
        if len(fitting) == 1 and sum(re.sub(r"_\d+$", "", each.name) == base for each in open_places) == 1:
            settled.append((fitting[0], unit))
    for left, right in settled:
        pairing.add(left, right, "name")
    left_over, open_places = _rest(theirs, ours, settled)
    only = len(left_over) == 1 and left_over[0].name not in elsewhere[1] and open_places[0].name not in elsewhere[0]
    if only:
        pairing.add(left_over[0], open_places[0], "shape")
    else:
        _offer(left_over, open_places, pairing)


def _pair_some(
    theirs: list[Unit],
    ours: list[Unit],
    ordered: list[Unit] | None,
    shared: list[tuple[Unit, Unit]],
    pairing: Pairing,
    elsewhere: tuple[set[str], set[str]],
) -> None:
    """Counts differ: names tell, as long as the order does not say otherwise and Keras did not make them up."""
    places = {id(unit): place for place, unit in enumerate(ordered or ())}
    order = [places[id(left)] for left, _ in shared if ordered is not None]
    if order != sorted(order):
        _doubt(None, shared, pairing)
        return
    if shared and not _counts_alike(theirs, ours):
        for unit in ours:
            offered = ", ".join(repr(each.name) for each in theirs[:4])
            found = f"{offered} in the file: automatic names, numbered from another start, and another count"
            pairing.doubt(unit, "one layer of the file", found)
        return
    for left, right in shared:
        pairing.add(left, right, "name")
    left_over, open_places = _rest(theirs, ours, shared)
    _offer(
        [unit for unit in left_over if unit.name not in elsewhere[1]],
        [unit for unit in open_places if unit.name not in elsewhere[0]],
        pairing,
    )


def _counts_alike(theirs: list[Unit], ours: list[Unit]) -> bool:
    """Whether automatic names on both sides were numbered from the same start; chosen names need not be."""
    kind = ours[0].layer_class
    if not all(unit.is_automatic(kind) for unit in (*theirs, *ours)):
        return True
    return min(unit.number for unit in theirs) == min(unit.number for unit in ours)


def _rest(theirs: list[Unit], ours: list[Unit], settled: list[tuple[Unit, Unit]]) -> tuple[list[Unit], list[Unit]]:
    taken = {id(unit) for pair in settled for unit in pair}
    return [unit for unit in theirs if id(unit) not in taken], [unit for unit in ours if id(unit) not in taken]


def _offer(left_over: list[Unit], open_places: list[Unit], pairing: Pairing) -> None:
    """Layers are left on both sides, and nothing tells which belong together."""
    offered = ", ".join(repr(unit.full_name) for unit in left_over[:4])
    for unit in open_places if left_over else ():
        found = f"{offered} in the file have its shapes, and neither name nor order tells which is meant"
        pairing.doubt(unit, "one layer of the file", found)


def _doubt(in_order: list[tuple[Unit, Unit]] | None, shared: list[tuple[Unit, Unit]], pairing: Pairing) -> None:
    """Set down both readings where names and order disagree; where they agree, the pair is settled."""
    by_order = {right.full_name: left for left, right in in_order or ()}
    by_name = {right.full_name: left for left, right in shared}
    units = {right.full_name: right for _, right in [*(in_order or ()), *shared]}
    for name, unit in units.items():
        left, other = by_name.get(name), by_order.get(name)
        if left is not None and left is other:
            pairing.add(left, unit, "name")
            continue
        reading = f"{left.full_name!r} by name" if left is not None else "one layer of the file"
        order = repr(other.full_name) if other is not None else "another one"
        pairing.doubt(unit, reading, f"{order} by the writer's order")
