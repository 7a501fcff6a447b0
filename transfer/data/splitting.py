"""Dividing examples into some to train on and some to test with, class by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from transfer.data.spelling import misspellings
from transfer.errors import DataError, Problem
from transfer.tabulating import shorten

_EXAMPLES = 3  # of a class; so few are named
_SHOWN = 8  # small classes, the smallest first; the others are counted


def split_stratified(
    labels: NDArray[np.integer],
    *,
    seed: int,
    test_share: float = 0.25,
    shots: int | None = None,
    classes: Sequence[str] = (),
    names: Sequence[str] = (),
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices to train on and indices to test with, the same share of each class.

    What happens to a class depends on the seed, its label and its own number of examples alone.

    Args:
        labels: (n,).
        seed: zero or above.
        test_share: above 0 and below 1; at least one example of each class stands on either side.
        shots: that many of each class to train on, all others to test with; `test_share` then counts for nothing.
        classes: names for messages; a class that is named and has no example is an error.
        names: of the examples, for messages.

    Returns:
        Two arrays of indices, each sorted; together every example once.

    Raises:
        DataError: if a class has too few examples.
        ValueError: if `labels` is not (n,), or a number lies outside its range.
    """
    if labels.ndim != 1:
        raise ValueError(f"labels are (n,), not {labels.shape}")
    if not 0 < test_share < 1 or (shots is not None and shots < 1):
        raise ValueError(f"test_share lies between 0 and 1 and shots is at least 1: {test_share}, {shots}")
    members = {label: np.flatnonzero(labels == label) for label in _all_labels(labels, len(classes))}
    named = {_name(label, classes): rows for label, rows in members.items()}
    examples = {
        name: [names[row] for row in rows.tolist()] for name, rows in named.items() if names and len(rows) <= _EXAMPLES
    }
    refuse_small({name: len(rows) for name, rows in named.items()}, shots or 1, examples=examples)
    train, test = [], []
    for label, rows in members.items():
        count = len(rows)
        share = shots or count - min(max(int(count * test_share + 0.5), 1), count - 1)
        order = rows[np.random.default_rng([seed, label]).permutation(count)]
        train.append(order[:share])
        test.append(order[share:])
    return _sorted(train), _sorted(test)


def _all_labels(labels: NDArray[np.integer], named: int) -> list[int]:
    return sorted({*np.unique(labels).tolist(), *range(named)})


def _sorted(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def _name(label: int, classes: Sequence[str]) -> str:
    return f"class {classes[label]!r}" if 0 <= label < len(classes) else f"class {label}"


def refuse_small(
    counts: Mapping[str, int], to_train: int, *, examples: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Refuse classes that have no more examples than `to_train`.

    Args:
        counts: number of examples by a class's name for messages.
        to_train: examples of each to learn from.
        examples: names of them, likewise by class, where they are to be told.

    Raises:
        DataError: in that case, or where there is no class.
    """
    if not counts:
        raise DataError("There is no example to split.")
    small = sorted(((name, count) for name, count in counts.items() if count <= to_train), key=itemgetter(1))
    if not small:
        return
    near = {each.name: f"; looks like {each.near} ({each.near_count})" for each in misspellings([*counts.items()])}
    shown = {name: f" ({shorten(several)})" for name, several in (examples or {}).items() if several}
    problems = [
        Problem(name, found=f"{count}{shown.get(name, '')}{near.get(name, '')}") for name, count in small[:_SHOWN]
    ]
    if len(small) > _SHOWN:
        problems.append(Problem(f"{len(small) - _SHOWN} more", found=f"{small[_SHOWN][1]} to {small[-1][1]}"))
    least = small[0][1]
    fewer = f"use fewer shots (--shots {least - 1}, shots={least - 1}), " if to_train > 1 and least > 1 else ""
    raise DataError(
        f"{len(small)} of {len(counts)} classes have fewer than {to_train + 1} examples: {to_train} to learn from and "
        "1 to test on.",
        problems,
        f"{fewer}add examples, or leave such a class out",
    )
