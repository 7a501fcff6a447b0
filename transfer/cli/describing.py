"""A checkpoint in words and numbers."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from transfer.cli.showing import show_table

if TYPE_CHECKING:
    from transfer.specs import Json, TensorSpec
    from transfer.weights.cards import Card
    from transfer.weights.opening import Checkpoint

SCHEMA = 1


def describe_checkpoint(checkpoint: Checkpoint) -> Json:
    """As plain values."""
    specs = list(checkpoint.specs.values())
    card = checkpoint.card
    return {
        "schema": SCHEMA,
        "path": str(checkpoint.path),
        "dialect": checkpoint.dialect,
        "writer": checkpoint.writer,
        "parameters": sum(spec.parameters for spec in specs),
        "size_bytes": sum(spec.size_bytes for spec in specs),
        "has_architecture": checkpoint.architecture is not None,
        "tensors": [
            {**dataclasses.asdict(spec), "parameters": spec.parameters, "size_bytes": spec.size_bytes} for spec in specs
        ],
        "extras": list(checkpoint.extras),
        "card": describe_card(card) if card is not None else None,
    }


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


def show_checkpoint(checkpoint: Checkpoint) -> None:
    """As a table, with what the card says above it."""
    specs = list(checkpoint.specs.values())
    writer = f", written by Keras {checkpoint.writer}" if checkpoint.writer else ""
    click.echo(f"{checkpoint.path}: {checkpoint.dialect}{writer}")
    card = checkpoint.card
    if card is not None:
        facts = (
            ("name", card.name),
            ("origin", card.origin),
            ("licence", card.licence),
            ("classes", ", ".join(card.classes)),
        )
        for key, value in facts:
            if value:
                click.echo(f"  {key:8} {value}")
    held = "weights alone, no architecture" if checkpoint.architecture is None else "weights and architecture"
    click.echo(f"  {'holds':8} {held}")
    rows = [_row(spec) for spec in specs]
    rows.append(
        (
            f"{len(specs)} tensors",
            "",
            "",
            f"{sum(s.parameters for s in specs):,}",
            f"{sum(s.size_bytes for s in specs):,}",
        )
    )
    show_table(("tensor", "shape", "dtype", "parameters", "bytes"), rows, numbers=("parameters", "bytes"))
    if checkpoint.extras:
        click.echo(
            f"beside them {len(checkpoint.extras)} arrays that are no weights: {', '.join(checkpoint.extras[:3])}…"
        )


def _row(spec: TensorSpec) -> tuple[str, str, str, str, str]:
    return (
        spec.name,
        " x ".join(map(str, spec.shape)) or "scalar",
        spec.dtype,
        f"{spec.parameters:,}",
        f"{spec.size_bytes:,}",
    )
