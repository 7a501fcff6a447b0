"""What the options of a method and the pace of a run may be, said once for values, texts and errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite
from numbers import Integral, Real
from typing import Any


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of a number.

    Attributes:
        low: no less than this.
        high: no more than this.
        above: whether `low` itself is too little.
        below: whether `high` itself is too much.
        whole: whether it has no fraction.
        may_lack: whether None will do.
    """

    low: float
    high: float = inf
    above: bool = False
    below: bool = False
    whole: bool = False
    may_lack: bool = False

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        if self.high == inf:
            return f"{kind} {'above' if self.above else 'of at least'} {self.low:g}"
        return f"{kind} in {'(' if self.above else '['}{self.low:g}, {self.high:g}{')' if self.below else ']'}"

    def accept(self, value: Any) -> bool:
        """Whether a value is within them."""
        if value is None:
            return self.may_lack
        if isinstance(value, bool) or not isinstance(value, Integral if self.whole else Real):
            return False
        number = float(value)
        is_enough = number > self.low if self.above else number >= self.low
        return isfinite(number) and is_enough and (number < self.high if self.below else number <= self.high)


def check(values: Any, bounds: Mapping[str, Bounds]) -> None:
    """Look at the fields of a value when it is made.

    Raises:
        ValueError: that names everything that is out of bounds.
    """
    wrong = [
        f"{name}: expected {each}, found {getattr(values, name)!r}"
        for name, each in bounds.items()
        if not each.accept(getattr(values, name))
    ]
    if wrong:
        raise ValueError("; ".join(wrong))


CODE = Bounds(1, whole=True, may_lack=True)
