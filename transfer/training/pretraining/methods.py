"""The ways to pretrain, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from transfer.errors import DataError, Problem, nearest
from transfer.training.pretraining.autoencoder import Autoencoder
from transfer.training.pretraining.contrastive import Contrastive
from transfer.training.pretraining.denoising import Denoising
from transfer.training.pretraining.gan import Gan
from transfer.training.pretraining.masked import Masked
from transfer.training.pretraining.objectives import Method
from transfer.training.pretraining.rotation import Rotation
from transfer.training.pretraining.variational import Variational

METHODS: Mapping[str, type[Method]] = {
    "autoencoder": Autoencoder,
    "denoising": Denoising,
    "masked": Masked,
    "variational": Variational,
    "gan": Gan,
    "rotation": Rotation,
    "contrastive": Contrastive,
}


def named_method(name: str, options: Mapping[str, Any] | None = None) -> Method:
    """A method by its name, with options in place of its defaults.

    Args:
        name: one of `METHODS`.
        options: by name, `views.light` for one within another; numbers, `true` or `false`, or their texts.

    Raises:
        DataError: if there is no such method or option, or a value is of another kind.
    """
    if name not in METHODS:
        raise DataError(
            f"No method of pretraining goes by {name!r}.",
            next_step=f"nearest: {nearest(name, METHODS)}; all: {', '.join(METHODS)}",
        )
    found: Any = METHODS[name]()
    for option, value in (options or {}).items():
        found = _with(found, name, option.split("."), value)
    return found  # type: ignore[no-any-return]


def _listed(found: Any, inside: str = "") -> Iterator[str]:
    """Options with their values: `share=0.5`, `patch`, `views.mirror=true`."""
    for each in fields(found):
        value = getattr(found, each.name)
        if is_dataclass(value):
            yield from _listed(value, f"{inside}{each.name}.")
        else:
            yield f"{inside}{each.name}" + ("" if value is None else f"={str(value).lower()}")


def _with(found: Any, method: str, path: list[str], value: Any) -> Any:
    known = [each.name for each in fields(found)]
    first, *rest = path
    if first not in known:
        listed = ", ".join(_listed(found))
        has = f"it has {listed}" if listed else "it has none"
        raise DataError(f"The method {method} has no option {first!r}; {has}.")
    old = getattr(found, first)
    if is_dataclass(old):
        if not rest:
            raise DataError(
                f"{first} has options of its own: {', '.join(f'{first}.{each.name}' for each in fields(old))}."
            )
        return replace(found, **{first: _with(old, method, rest, value)})
    return replace(found, **{first: _within(found, method, first, _converted(method, first, old, value))})


def _within(found: Any, method: str, option: str, value: Any) -> Any:
    """The value of an option, if it is within its bounds."""
    bounds = found.BOUNDS.get(option)
    if bounds is not None and not bounds.accept(value):
        raise DataError(
            f"The option {option} of {method} is out of bounds.", [Problem(option, str(bounds), f"{value:g}")]
        )
    return value


def _converted(method: str, option: str, old: Any, value: Any) -> Any:
    """A value of the kind that an option has; whole numbers where nothing stood."""
    kind = int if old is None else type(old)
    if isinstance(value, str) and kind is bool and value in ("true", "false"):
        return value == "true"
    try:
        found = kind(value)
    except (OverflowError, TypeError, ValueError):
        found = None
    if found is None or isinstance(value, bool) != (kind is bool) or (kind is int and float(value) != found):
        expected = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
        raise DataError(
            f"The option {option} of {method} is of another kind.", [Problem(option, expected, repr(value))]
        )
    return found
