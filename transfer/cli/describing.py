"""A checkpoint in words and numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from transfer.cli.outlining import in_model_order, outline_rows
from transfer.cli.showing import show_table

if TYPE_CHECKING:
    from transfer.specs import Json, Preprocessing, TensorSpec
    from transfer.weights.cards import Card
    from transfer.weights.checkpoint import Checkpoint
    from transfer.weights.health import Health
    from transfer.weights.identifying import Known

LONG = 120  # tensors; a file of more is shown with a row a layer
COLUMNS = ("tensor", "shape", "dtype", "parameters", "bytes")


def describe_checkpoint(
    checkpoint: Checkpoint, known: Known | None = None, health: Mapping[str, Health] | None = None
) -> Json:
    """As plain values, in the form of `schemas/inspect.json`.

    Returns:
        A dictionary with the keys

        `path`, `dialect`: the file, and the layout in which it is written.
        `writer`, `backend`: version of Keras and what it computed with; empty where the file does not say.
        `parameters`, `size_bytes`: of all tensors.
        `has_architecture`: whether the file or its card holds the model's config.
        `known`: null, or the network of keras.applications that it holds: `names`, `top`, `classes`, `is_part`,
        `preprocessing` (`size`, `color`, `scale`, `mean`, `std`, …), `preprocessing_name`, and `text`, all in words.
        `guarded`: whether the memory of the process that read the structure was bounded.
        `doubts`: what the file leaves open: `where`, `expected`, `found`.
        `tensors`: in the file's order: `name`, `shape`, `dtype`, `layer`, `role`, `layer_class`, `position`, `owner`,
        `converted`, `parameters`, `size_bytes`, and with --health `health`: `nan`, `infinite`, `denormal`, `constant`,
        `remark`.
        `health`: null without --health; else `broken`, names of tensors that hold NaN or infinities, and `odd`, names
        of others of one value throughout that they were not made with.
        `extras`: places of arrays that are no weights.
        `card`: null, or `name`, `origin`, `licence`, `classes`, `preprocessing`, `history`, `fingerprint`, `digests`.
    """
    specs = list(checkpoint.specs.values())
    card = checkpoint.card
    return {
        "path": str(checkpoint.path),
        "dialect": checkpoint.dialect,
        "writer": str(checkpoint.writer),
        "backend": checkpoint.writer.backend,
        "parameters": sum(spec.parameters for spec in specs),
        "size_bytes": sum(spec.size_bytes for spec in specs),
        "has_architecture": checkpoint.architecture is not None,
        "known": None if known is None else {**dataclasses.asdict(known), "text": str(known)},
        "guarded": checkpoint.guarded,
        "doubts": [dataclasses.asdict(each) for each in checkpoint.doubts],
        "tensors": [_describe_tensor(spec, health) for spec in specs],
        "health": None if health is None else _summarise(health),
        "extras": list(checkpoint.extras),
        "card": describe_card(card) if card is not None else None,
    }


def _describe_tensor(spec: TensorSpec, health: Mapping[str, Health] | None) -> Json:
    fields = {each: getattr(spec, each) for each in type(spec).__slots__}
    described = {**fields, "parameters": spec.parameters, "size_bytes": spec.size_bytes}
    if health is not None:
        found = health[spec.name]
        described["health"] = {each: getattr(found, each) for each in type(found).__slots__ if each != "name"}
    return described


def _summarise(health: Mapping[str, Health]) -> Json:
    broken = [each.name for each in health.values() if each.is_broken]
    return {"broken": broken, "odd": [each.name for each in health.values() if each.is_odd and not each.is_broken]}


def describe_card(card: Card) -> Json:
    """A card without what only programs read."""
    return {
        "name": card.name,
        "origin": card.origin,
        "licence": card.licence,
        "classes": list(card.classes),
        "preprocessing": dataclasses.asdict(card.preprocessing) if card.preprocessing else None,
        "history": list(card.history),
        "fingerprint": card.fingerprint is not None,
        "digests": len(card.digests),
    }


def show_checkpoint(
    checkpoint: Checkpoint,
    known: Known | None = None,
    health: Mapping[str, Health] | None = None,
    *,
    every_tensor: bool = False,
) -> None:
    """As a table, a tree where models are nested, with what else is known above it."""
    writer = f", written by Keras {checkpoint.writer}" if str(checkpoint.writer) else ""
    backend = f" on {checkpoint.writer.backend}" if writer and checkpoint.writer.backend else ""
    click.echo(f"{checkpoint.path}: {checkpoint.dialect}{writer}{backend}")
    for key, value in _facts(checkpoint, known, health):
        if value:
            click.echo(f"  {key:8} {value}")
    _show_tensors(checkpoint, health, every_tensor=every_tensor)
    if checkpoint.extras:
        click.echo(
            f"beside them {len(checkpoint.extras)} arrays that are no weights: {', '.join(checkpoint.extras[:3])}…"
        )


def _facts(checkpoint: Checkpoint, known: Known | None, health: Mapping[str, Health] | None) -> list[tuple[str, str]]:
    card = checkpoint.card
    facts = [("name", card.name), ("origin", card.origin), ("licence", card.licence)] if card is not None else []
    if card is not None:
        facts.append(("classes", ", ".join(card.classes)))
    if known is not None:
        facts.append(("known", f"{known}, by its shapes"))
    preprocessing = card.preprocessing if card is not None else None
    if preprocessing is not None:
        facts.append(("images", _preprocessing(preprocessing)))
    elif known is not None and known.preprocessing is not None:
        name = f" (--preprocessing {known.preprocessing_name})"
        facts.append(("images", _preprocessing(known.preprocessing) + name))
    held = "weights alone, no architecture" if checkpoint.architecture is None else "weights and architecture"
    facts.append(("holds", held))
    facts += [("open", f"{each.where}: {each.expected}; {each.found}") for each in checkpoint.doubts]
    if not checkpoint.guarded:
        facts.append(("guard", "the process that read the structure could not be bounded on this platform"))
    if health is not None:
        facts.append(("health", _health_summary(health)))
    return facts


def _preprocessing(each: Preprocessing) -> str:
    size = f"{each.size[0]} x {each.size[1]} pixels" if each.size else "any size"
    values = [f"x {each.scale:.6g}"] if each.scale != 1 else []
    values += [f"minus {_numbers(each.mean)}"] if any(each.mean) else []
    values += [f"over {_numbers(each.std)}"] if any(part != 1 for part in each.std) else []
    return f"{size}, {each.color}, {', '.join(values) or '0 to 255 as they are'}"


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in values)


def _health_summary(health: Mapping[str, Health]) -> str:
    broken = [each.name for each in health.values() if each.is_broken]
    odd = [each.name for each in health.values() if each.is_odd and not each.is_broken]
    as_made = sum(bool(each.remark) for each in health.values())
    told = [
        f"{len(names)} {what} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
        for names, what in ((broken, "with NaN or infinities"), (odd, "of one value throughout"))
        if names
    ]
    told += [f"{as_made} as they were made"] if as_made else []
    return f"{len(health)} tensors read: {', '.join(told) or 'nothing stands out'}"


def _show_tensors(checkpoint: Checkpoint, health: Mapping[str, Health] | None, *, every_tensor: bool) -> None:
    specs = in_model_order(list(checkpoint.specs.values()), checkpoint.architecture)
    by_layer = len(specs) > LONG and not every_tensor
    parameters, size_bytes = sum(spec.parameters for spec in specs), sum(spec.size_bytes for spec in specs)
    last = (f"{len(specs)} tensors", "", "", f"{parameters:,}", f"{size_bytes:,}")
    found = [*outline_rows(specs, by_layer=by_layer), (last, ())]
    if health is None:
        show_table(COLUMNS, [row for row, _ in found], numbers=("parameters", "bytes"))
        return
    rows = [(*row, _health_of(names, health, by_layer=by_layer)) for row, names in found]
    show_table((*COLUMNS, "stands out"), rows, numbers=("parameters", "bytes"))


def _health_of(names: tuple[str, ...], health: Mapping[str, Health], *, by_layer: bool) -> str:
    told = [(name.rpartition("/")[2], str(health[name])) for name in names]
    return "; ".join(f"{role} {text}" if by_layer else text for role, text in told if text)
