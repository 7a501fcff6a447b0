"""What an entry of a config calls an activation."""

from __future__ import annotations

from collections.abc import Mapping

from transfer.graphs.hard_sigmoid import is_old_hard_sigmoid
from transfer.specs import Json, snake_case

_PLAIN = (None, "builtins")  # modules of functions that Keras names


def activation_name(entry: Json) -> str:
    """The name that an entry gives an activation: Keras's own, `relu`, or that of a class in snake case, `re_lu`.

    `linear` where there is none.

    Args:
        entry: a name, an object with `class_name` and `config`, or None.
    """
    if is_old_hard_sigmoid(entry):
        return "hard_sigmoid"
    if isinstance(entry, Mapping):
        inner = entry.get("config")
        entry = inner if isinstance(inner, str) else entry.get("class_name")
    return snake_case(str(entry or "linear"))


def function_name(entry: Json) -> str:
    """As `activation_name`, for what is certainly a function of Keras's; empty for the caller's own and for layers."""
    is_own = isinstance(entry, Mapping) and (
        not isinstance(entry.get("config"), str) or entry.get("module") not in _PLAIN
    )
    return "" if is_own or ">" in (name := activation_name(entry)) else name
