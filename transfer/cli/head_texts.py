"""What stands behind `--head`: `label:5`, `tags:7:sigmoid`, `food:softmax`, `label:5,hidden=256+64,dropout=0.3`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from transfer.labellings import Kind, Labelling
    from transfer.specs import Head

_KINDS = ("softmax", "sigmoid", "regression")


@dataclass(frozen=True, slots=True)
class AskedHead:
    """A head as it is asked for.

    Attributes:
        name: of the head, and of the output that it learns.
        classes: how many; None where a labelling or the data say it.
        kind: None likewise.
        options: `hidden`, `dropout`, `pool`.
    """

    name: str
    classes: int | None = None
    kind: Kind | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """As it is typed, without options."""
        return ":".join([self.name, *([] if self.classes is None else [f"{self.classes}"]), *filter(None, [self.kind])])


class HeadType(click.ParamType[Any]):
    """A text as an `AskedHead`."""

    name = "NAME[:CLASSES][:KIND]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> AskedHead:
        first, *options = str(value).split(",")
        try:
            name, classes, kind = _parts(first)
            given: dict[str, Any] = {}
            for key, text in (
                (key.strip(), text.strip()) for key, _, text in (each.partition("=") for each in options)
            ):
                if key in given:
                    raise ValueError(f"{key} is given twice")
                given[key] = _option(key, text)
            kind = given.pop("kind", None) or kind
            return AskedHead(name, classes, kind, given)
        except ValueError as error:
            form = "NAME:CLASSES, such as label:5, tags:7:sigmoid or tags:7,kind=sigmoid,hidden=256+64,dropout=0.3"
            self.fail(f"{value!r} is not {form} ({error})", param, ctx)


def made_heads(asked: Sequence[AskedHead], labelling: Labelling | None) -> tuple[Head, ...]:
    """Heads as they are attached: those that are asked for, or all of a labelling.

    Raises:
        click.UsageError: if one lacks a number of classes, or differs from the labelling.
    """
    from transfer.specs import Head

    if labelling is not None and not asked:
        asked = [AskedHead(name) for name in labelling.names]
    heads = []
    for each in asked:
        classes, kind = each.classes, each.kind
        if labelling is not None:
            check_head(each, labelling)
            output = labelling[each.name]
            classes, kind = len(output.classes), output.kind
        if classes is None:
            raise click.UsageError(
                f"--head {each.name}: say how many classes, {each.name}:5, or give a --labelling that says it."
            )
        try:
            heads.append(Head(each.name, classes, kind or "softmax", **each.options))
        except ValueError as error:
            raise click.UsageError(f"--head {each.name}: {error}") from error
    return tuple(heads)


def check_head(asked: AskedHead, labelling: Labelling) -> None:
    """Refuse a head that is not one of a labelling.

    Raises:
        click.UsageError: if there is no such output, or it has another kind or number of classes.
    """
    from transfer.errors import near_names

    if asked.name not in labelling.names:
        raise click.UsageError(
            f"--head {asked.name}: there is no such output{near_names(asked.name, labelling.names, lead='; ')}."
        )
    output = labelling[asked.name]
    if asked.kind not in (None, output.kind):
        raise click.UsageError(f"--head {asked.name}: it is {output.kind} there, not {asked.kind}.")
    if asked.classes not in (None, len(output.classes)):
        raise click.UsageError(
            f"--head {asked.name}: it has {len(output.classes)} classes there, not {asked.classes}; "
            f"'--head {asked.name}' takes them all."
        )


def _parts(text: str) -> tuple[str, int | None, Any]:
    """Name, number of classes and kind, as far as they are given."""
    name, *rest = text.split(":")
    if not name or len(rest) > 2 or not all(rest):
        raise ValueError("a name, ':' and the number of classes, ':' and the kind")
    classes = [each for each in rest if each.isdecimal()]
    kinds = [each for each in rest if not each.isdecimal()]
    if len(classes) > 1 or len(kinds) > 1 or (len(rest) == 2 and rest[0] in kinds):
        raise ValueError("a name, ':' and the number of classes, ':' and the kind")
    if kinds and kinds[0] not in _KINDS:
        raise ValueError(f"a kind is softmax, sigmoid or regression, not {kinds[0]!r}")
    return name, int(classes[0]) if classes else None, kinds[0] if kinds else None


def _option(key: str, text: str) -> Any:
    if key == "hidden":
        if not all(units.isdecimal() for units in text.split("+")):
            raise ValueError(f"hidden is units joined by '+', 256+64, not {text!r}")
        return tuple(int(units) for units in text.split("+"))
    if key == "dropout":
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"dropout is a share in [0, 1), not {text!r}") from None
    if key == "kind" and text not in _KINDS:
        raise ValueError(f"a kind is softmax, sigmoid or regression, not {text!r}")
    if key in ("kind", "pool"):
        return text
    raise ValueError(f"a head has kind, hidden, dropout and pool, not {key!r}")
