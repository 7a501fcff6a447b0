"""A network's layers in groups that can be looked over: as its names say, else from one bottleneck to the next."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from transfer.reports.contents import LayerRow
from transfer.reports.layer_charts import PARTS, part_of

FEW = 24  # layers that need no groups
MOST = 32  # groups
_LONG = 9  # layers of a group without a name, about
# block_3_expand, conv4_block2_1_conv, stage2_unit1_conv, encoder/layer_3/attention, block5_conv1
_NUMBERED = re.compile(r"^(.*(?:block|layer|stage|unit|cell|module|mixed|stack)s?[_/.-]?\d+[a-z]?)(?=[_/.-]|$)", re.I)


@dataclass(frozen=True, slots=True)
class Block:
    """Layers that follow one another.

    Attributes:
        name: what their names share, or the first and the last.
        rows: the layers.
    """

    name: str
    rows: tuple[LayerRow, ...]

    @property
    def part(self) -> str:
        """Theirs; of several the one that changes most."""
        return max((part_of(row) for row in self.rows), key=PARTS.index)

    @property
    def about(self) -> str:
        """The same in words."""
        held = {part_of(row) for row in self.rows if row.parameters}
        return f"in part {self.part}" if len(held) > 1 else self.part

    @property
    def parameters(self) -> int:
        """Of all of them."""
        return sum(row.parameters for row in self.rows)

    @property
    def macs(self) -> int:
        """Multiply-adds of all of them, for one example."""
        return sum(row.macs for row in self.rows)


def group_layers(rows: Sequence[LayerRow]) -> tuple[Block, ...]:
    """Groups in order; each layer by itself where they are few."""
    if len(rows) <= FEW:
        return tuple(Block(row.name, (row,)) for row in rows)
    groups = list(_split(rows))
    for across in (False, True):
        limit = 2
        while len(groups) > MOST and limit < 2 * len(rows):
            groups = _joined(groups, limit, across=across)
            limit *= 2
    return tuple(map(_named, groups))


def _split(rows: Sequence[LayerRow]) -> Iterator[tuple[LayerRow, ...]]:
    narrow = _bottlenecks(rows)
    place = 0
    # a block keeps its layers together: in one that is trained, batch norms are often frozen
    for (key, _), several in groupby(rows, lambda row: (found := _key(row.name), "" if found else part_of(row))):
        group = list(several)
        if key:
            yield tuple(group)
            place += len(group)
            continue
        start = 0
        for k in range(len(group)):
            if k + 1 - start >= _LONG and narrow[place + k] and k + 1 < len(group):
                yield tuple(group[start : k + 1])
                start = k + 1
        yield tuple(group[start:])
        place += len(group)


def _key(name: str) -> str:
    found = _NUMBERED.match(name)
    return found[1] if found else ""


def _bottlenecks(rows: Sequence[LayerRow]) -> list[bool]:
    """For each layer whether all that follows takes from the first that follows it, or from it."""
    places = {row.name: place for place, row in enumerate(rows)}
    last = list(range(len(rows)))  # that takes from it
    for place, row in enumerate(rows):
        for name in row.below:
            if name in places:
                last[places[name]] = max(last[places[name]], place)
    found, farthest = [], 0
    for place in range(len(rows)):
        found.append(farthest <= place)
        farthest = max(farthest, last[place])
    return found


def _named(rows: Sequence[LayerRow]) -> Block:
    first, last = rows[0].name, rows[-1].name
    if len(rows) == 1:
        return Block(first, tuple(rows))
    return Block(_key(first) if _key(first) == _key(last) != "" else f"{first} … {last}", tuple(rows))


def _joined(groups: Sequence[tuple[LayerRow, ...]], limit: int, *, across: bool) -> list[tuple[LayerRow, ...]]:
    """Neighbours together where they come to no more than `limit` layers; those of other parts only `across` them."""
    joined: list[list[LayerRow]] = []
    for group in groups:
        is_alike = bool(joined) and (across or part_of(joined[-1][-1]) == part_of(group[0]))
        if is_alike and len(joined[-1]) + len(group) <= limit:
            joined[-1] += group
        else:
            joined.append(list(group))
    return [tuple(each) for each in joined]
