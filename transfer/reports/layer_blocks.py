"""A network's layers in groups that can be looked over: as its names say, else from one bottleneck to the next."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from transfer.reports.contents import LayerRow
from transfer.reports.layer_charts import part_of

FEW = 24  # layers that need no groups
MOST = 32  # groups
_LONG = 9  # layers of a group without a name, about
# block_3_expand, conv4_block2_1_conv, stage2_unit1_conv, encoder/layer_3/attention, block5_conv1
_NUMBERED = re.compile(r"^(.*?(?:block|layer|stage|unit|cell|module|mixed|stack)s?[_/.-]?\d+[a-z]?)(?=[_/.-]|$)", re.I)


@dataclass(frozen=True, slots=True)
class Block:
    """Layers that follow one another and are of one part.

    Attributes:
        name: what their names share, or the first and the last.
        rows: the layers.
    """

    name: str
    rows: tuple[LayerRow, ...]

    @property
    def part(self) -> str:
        """Theirs; that of those with weights where it has others too."""
        return max((part_of(row) for row in self.rows), key=("input", "frozen", "trained", "new").index)

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
    blocks = [_named(each) for each in _split(rows)]
    while len(blocks) > MOST:
        blocks = _joined(blocks)
    return tuple(blocks)


def _split(rows: Sequence[LayerRow]) -> Iterator[tuple[LayerRow, ...]]:
    narrow = _bottlenecks(rows)
    place = 0
    for (key, _), several in groupby(rows, lambda row: (_key(row.name), part_of(row))):
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
    key = _key(rows[0].name)
    if len(rows) == 1:
        return Block(rows[0].name, tuple(rows))
    return Block(key or f"{rows[0].name} … {rows[-1].name}", tuple(rows))


def _joined(blocks: Sequence[Block]) -> list[Block]:
    """One block fewer: the two neighbours of one part with the fewest layers, of any part where there are no others."""
    pairs = [k for k in range(len(blocks) - 1) if blocks[k].part == blocks[k + 1].part] or list(range(len(blocks) - 1))
    at = min(pairs, key=lambda k: len(blocks[k].rows) + len(blocks[k + 1].rows))
    rows = blocks[at].rows + blocks[at + 1].rows
    return [*blocks[:at], Block(f"{rows[0].name} … {rows[-1].name}", rows), *blocks[at + 2 :]]
