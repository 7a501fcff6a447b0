"""Shapes whose every size is known."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import TypeAlias, cast

from transfer.graphs.wrapping import Shape

Sizes: TypeAlias = tuple[int, ...]  # without the batch axis


def count(sizes: Sizes) -> int:
    """How many values an array of that shape holds."""
    return prod(sizes)


def closed(shapes: Iterable[Shape]) -> tuple[Sizes, ...] | None:
    """The shapes, if none has an open size."""
    found = tuple(shapes)
    return None if any(None in shape for shape in found) else cast("tuple[Sizes, ...]", found)
