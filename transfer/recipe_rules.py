"""What each field of a recipe may hold, said once for values, texts and errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from numbers import Integral, Real
from typing import Any, NamedTuple

from transfer.errors import Problem

AUGMENTATIONS = ("flip", "shift", "zoom", "rotate", "brightness", "contrast")


class Rule(NamedTuple):
    """What a field may hold.

    Attributes:
        expected: in words.
        accepts: whether a value is such.
        settled: the value as it is kept: 1 as 1.0 where it is a float, a list as a tuple.
    """

    expected: str
    accepts: Callable[[Any], bool]
    settled: Callable[[Any], Any]


def refused(values: Mapping[str, Any], rules: Mapping[str, Rule]) -> tuple[Problem, ...]:
    """Each value that its rule does not accept; fields that are not given are left out."""
    return tuple(
        Problem(name, rule.expected, repr(values[name]))
        for name, rule in rules.items()
        if name in values and not rule.accepts(values[name])
    )


def _integer(low: int, high: int | None = None) -> Rule:
    expected = f"an integer of at least {low}" if high is None else f"an integer in {low} … {high}"
    return Rule(expected, lambda value: _is_integer(value) and low <= value and (high is None or value <= high), int)


def _number(expected: str, accepts: Callable[[float], bool]) -> Rule:
    return Rule(f"a number {expected}", lambda value: _is_number(value) and accepts(value), float)


def _choice(*names: str) -> Rule:
    return Rule(" or ".join(map(repr, names)), lambda value: isinstance(value, str) and value in names, str)


def _is_integer(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Integral)


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and isfinite(value)


def _is_list(value: object, accepts: Callable[[str], bool]) -> bool:
    """Whether it is a text or a list of texts, each of them right and none twice."""
    if not isinstance(value, str | list | tuple):
        return False
    found = _several(value)
    return all(isinstance(each, str) and accepts(each) for each in found) and len(set(found)) == len(found)


def _several(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


STAGE_RULES: dict[str, Rule] = {
    "kind": _choice("probe", "tune"),
    "unfreeze_from": Rule("a layer's name", lambda value: isinstance(value, str), str),
    "unfreeze_last": Rule(
        "an integer of at least 0",
        lambda value: value is None or (_is_integer(value) and value >= 0),
        lambda value: None if value is None else int(value),
    ),
    "unfreeze": Rule("names and patterns of layers, each once", lambda value: _is_list(value, bool), _several),
    "batch_norm": _choice("frozen", "adapt", "train"),
    "fresh": Rule("true or false", lambda value: isinstance(value, bool), bool),
    "lora_rank": _integer(0),
    "epochs": _integer(1),
    "steps": _integer(0),
    "batch_size": _integer(1),
    "optimizer": _choice("adam", "adamw", "sgd"),
    "momentum": _number("in [0, 1)", lambda value: 0 <= value < 1),
    "rate": Rule(
        "a number above 0, or 'auto'",
        lambda value: value == "auto" or (_is_number(value) and value > 0),
        lambda value: value if value == "auto" else float(value),
    ),
    "layer_decay": _number("in (0, 1]", lambda value: 0 < value <= 1),
    "schedule": _choice("constant", "linear", "cosine", "steps"),
    "warmup": _number("in [0, 1)", lambda value: 0 <= value < 1),
    "weight_decay": _number("of at least 0", lambda value: value >= 0),
    "l2_sp": _number("of at least 0", lambda value: value >= 0),
    "label_smoothing": _number("in [0, 1)", lambda value: 0 <= value < 1),
    "class_weights": _choice("none", "balanced"),
    "balance": _choice("fixed", "uncertainty"),
    "mixup": _number("of at least 0", lambda value: value >= 0),
    "augment": Rule(
        f"of {', '.join(AUGMENTATIONS)}, each once", lambda value: _is_list(value, AUGMENTATIONS.__contains__), _several
    ),
    "views": _integer(1),
    "patience": _integer(0),
    "ema": _number("in [0, 1)", lambda value: 0 <= value < 1),
    "precision": _choice("float32", "mixed_bfloat16", "auto"),
}
RECIPE_RULES: dict[str, Rule] = {
    "seed": _integer(0, 2**32 - 1),
    "validation": _number("in [0, 1)", lambda value: 0 <= value < 1),
    "name": Rule(
        "one line of text",
        lambda value: isinstance(value, str) and re.fullmatch(r"[^\x00-\x1f\x7f]+", value) is not None,
        str,
    ),
}
