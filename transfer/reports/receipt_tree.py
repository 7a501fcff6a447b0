"""How each tensor of a file came into the network, as a tree that opens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from transfer.reports.shown_text import shown, told
from transfer.specs import Json

_MOST = 2000  # leaves that are written out
_HOW = {"order": "by the writer's order", "shape": "by shape", "rule": "by a rule", "name": ""}


@dataclass(frozen=True, slots=True)
class Branch:
    """What opens.

    Attributes:
        name: what it is.
        count: how many tensors, and what more there is to say.
        leaves: lines in it.
        branches: what opens in it.
        is_open: at first.
        tone: `good`, `note` or `bad`.
    """

    name: str
    count: str
    leaves: tuple[str, ...] = ()
    branches: tuple[Branch, ...] = ()
    is_open: bool = False
    tone: str = "good"


@dataclass(frozen=True, slots=True)
class ReceiptTree:
    """A receipt.

    Attributes:
        source: the file.
        dialect: its layout.
        summary: in one line.
        fingerprint: how the recorded outputs compared.
        notes: what a reader should know.
        branches: of the tree.
    """

    source: str
    dialect: str
    summary: str
    fingerprint: str
    notes: tuple[str, ...]
    branches: tuple[Branch, ...]


def grow_tree(receipt: Json) -> ReceiptTree | None:
    """The tree of a receipt as `run.json` has it; None of none."""
    if not receipt or not isinstance(receipt.get("plan"), dict):
        return None
    plan = receipt["plan"]
    pairs = plan.get("pairs") or []
    matched, wanted = len(pairs), plan.get("wanted_tensors", 0)
    filled = sum(each.get("parameters", 0) for each in pairs)
    summary = (
        f"{matched:,} of {wanted:,} tensors matched; {filled:,} of {plan.get('wanted_parameters', 0):,} parameters"
    )
    return ReceiptTree(
        shown(receipt.get("source", "")),
        shown(receipt.get("dialect", "")),
        summary,
        shown(receipt.get("fingerprint", "")),
        tuple(map(told, receipt.get("notes") or ())),
        tuple(_branches(plan, pairs)),
    )


def _branches(plan: Json, pairs: Sequence[Json]) -> Iterator[Branch]:
    for how in ("name", "order", "shape", "rule"):
        found = [each for each in pairs if each.get("how") == how]
        if found:
            said = f"Matched {_HOW[how] or 'by name'}"
            yield Branch(said, _tensors(len(found)), branches=_layers(found), tone="good" if how == "name" else "note")
    converted = [each for each in pairs if each.get("converted")]
    if converted:
        ways = groupby(sorted(converted, key=lambda each: str(each["converted"])), lambda each: str(each["converted"]))
        kinds = [(way, list(several)) for way, several in ways]
        inside = tuple(Branch(shown(way), _tensors(len(found)), leaves=_names_of_layers(found)) for way, found in kinds)
        yield Branch("Converted on the way (of those matched)", _tensors(len(converted)), branches=inside, tone="note")
    for name, what in (
        ("missing", "Missing in the file"),
        ("unexpected", "Unexpected, went nowhere"),
        ("skipped", "Left out by request"),
    ):
        names = plan.get(name) or []
        tone = "bad" if name == "missing" and names else "note"
        yield Branch(what, _tensors(len(names)), leaves=_cut([shown(each) for each in names]), tone=tone)
    for name, what in (("misshapen", "Of another shape"), ("surplus", "Surplus"), ("ambiguous", "Ambiguous")):
        found = plan.get(name) or []
        lines = [_problem(each) for each in found]
        if lines:
            yield Branch(what, f"{len(lines)}", leaves=_cut(lines), tone="bad")


def _problem(problem: Json) -> str:
    where, expected, found = (shown(problem.get(each, "")) for each in ("where", "expected", "found"))
    return f"{where}: expected {expected}, found {found}"


def _layers(pairs: Sequence[Json]) -> tuple[Branch, ...]:
    """Tensors by the layer of the network, in the model's order."""
    found = []
    for layer, several in groupby(pairs[:_MOST], lambda each: str(each.get("wanted", "")).rpartition("/")[0]):
        tensors = list(several)
        parameters = sum(each.get("parameters", 0) for each in tensors)
        count = f"{_tensors(len(tensors))}, {parameters:,} parameter{'' if parameters == 1 else 's'}"
        found.append(Branch(shown(layer or "tensors"), count, leaves=tuple(map(_leaf, tensors))))
    if len(pairs) > _MOST:
        found.append(Branch("…", f"{len(pairs) - _MOST:,} more"))
    return tuple(found)


def _names_of_layers(pairs: Sequence[Json]) -> tuple[str, ...]:
    """Where tensors went that stand in the tree already, a line for each layer."""
    layers = Counter(str(each.get("wanted", "")).rpartition("/")[0] for each in pairs)
    return _cut([f"{shown(layer or 'tensors')} ({_tensors(count)})" for layer, count in layers.items()])


def _leaf(pair: Json) -> str:
    stored, wanted = str(pair.get("stored", "")), str(pair.get("wanted", ""))
    name = shown(wanted) if stored == wanted else f"{shown(stored)} → {shown(wanted)}"
    notes = [f"{pair.get('parameters', 0):,}", _HOW.get(str(pair.get("how")), ""), shown(pair.get("converted", ""))]
    return f"{name} ({', '.join(each for each in notes if each)})"


def _cut(lines: Sequence[str]) -> tuple[str, ...]:
    more = (f"… and {len(lines) - _MOST:,} more",) if len(lines) > _MOST else ()
    return (*lines[:_MOST], *more)


def _tensors(count: int) -> str:
    return "none" if not count else f"{count:,} tensor{'s' if count > 1 else ''}"
