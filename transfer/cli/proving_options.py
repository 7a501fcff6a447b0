"""The options of `transfer pretrain` that hold what it gives against no pretraining."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from transfer.cli.labelling_options import labelling_options
from transfer.cli.options import Decorator, ShotsType

if TYPE_CHECKING:
    from transfer.cli.labelling_options import LabelChoice
    from transfer.data.labelled import LabelledSet

SHOTS, DIVISIONS = (1, 5, 10, 50), 5
BACKBONE = "mobilenet_v2_imagenet"
_OPTIONS: tuple[Decorator, ...] = (
    click.option(
        "--prove",
        type=click.Path(path_type=Path),
        metavar="DATA",
        help="Labelled examples on which the encoder is held against random weights, training from scratch and a "
        "shipped backbone.",
    ),
    click.option("--shots", type=ShotsType(), help="Labels a class to try with --prove.  [default: 1,5,10,50]"),
    click.option(
        "--divisions",
        type=click.IntRange(min=2),
        help="Of those examples, to learn and test.  [default: 5]",
    ),
    click.option(
        "--prove-steps",
        type=click.IntRange(min=1),
        help="That fine-tuning and training from scratch take.  [default: 500 or more, by how much is learnt from]",
    ),
    click.option("--backbone", metavar="FILE", help=f"That the encoder is held against.  [default: {BACKBONE}]"),
    click.option("--no-backbone", is_flag=True, help="Hold the encoder against none."),
)


@dataclass(frozen=True, slots=True)
class ProofChoice:
    """What is proved on.

    Attributes:
        labelled: the examples.
        shots: labels a class.
        divisions: of the examples.
        steps: of fine-tuning and of training from scratch; None for the usual ones.
        backbone: that the encoder is held against; None for none.
    """

    labelled: LabelledSet
    shots: tuple[int, ...]
    divisions: int
    steps: int | None
    backbone: str | None


def proving_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of a command that may make a proof; it is given them as `proof`, a `ProofChoice` or None."""

    @functools.wraps(command)
    def with_choice(
        *,
        prove: Path | None,
        shots: tuple[int, ...] | None,
        divisions: int | None,
        prove_steps: int | None,
        backbone: str | None,
        no_backbone: bool,
        labelled_by: LabelChoice,
        **given: Any,
    ) -> None:
        if prove is None:
            values = {"--shots": shots, "--divisions": divisions, "--prove-steps": prove_steps, "--backbone": backbone}
            _refuse_idle({**values, "--no-backbone": no_backbone or None}, labelled_by)
            command(**given, proof=None)
            return
        if no_backbone and backbone is not None:
            raise click.UsageError("Give one of --backbone and --no-backbone.")
        against = None if no_backbone else backbone or BACKBONE
        labelled, _ = labelled_by.read(prove, strict=False, skip_unreadable=True)
        chosen = ProofChoice(labelled, shots or SHOTS, divisions or DIVISIONS, prove_steps, against)
        command(**given, proof=chosen)

    decorated: Callable[..., None] = labelling_options(with_choice)
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def _refuse_idle(given: Mapping[str, object], labelled_by: LabelChoice) -> None:
    """Refuse what would have no effect without `--prove`: options that are not None."""
    idle = [name for name, value in given.items() if value is not None]
    idle += [word for word in labelled_by.words if word.startswith("--")]
    if idle:
        raise click.UsageError(f"{' and '.join(dict.fromkeys(idle))} would have no effect without --prove.")
