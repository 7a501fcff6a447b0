"""Scores with their intervals, beside their baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from transfer.cli.showing import show_table

if TYPE_CHECKING:
    from transfer.results import Evaluation, Run, Score


def show_run(run: Run) -> None:
    """The receipt, what was done, the scores, and where it lies."""
    result = run.result
    if run.reused:
        click.echo(f"{run.folder} holds this very run already; nothing was computed.")
    if run.receipt:
        click.echo(f"restored  {run.receipt['source']} ({run.receipt['dialect']}): {_counts(run.receipt)}")
    for note in result.notes:
        click.echo(f"          {note}")
    counts = f"{result.train_examples} examples to learn from, {result.test_examples} to test on"
    click.echo(f"data      {len(result.classes)} classes, {counts}")
    rows = [_row(score) for score in (*reversed(result.stages), *result.baselines)]
    show_table(("on the test examples", "accuracy", "95 % interval", "right"), rows, numbers=("accuracy", "right"))
    if run.folder is not None:
        click.echo(f"wrote     {run.folder}/model.keras (raw input in, probabilities out), result.json, run.json")


def show_evaluation(evaluation: Evaluation) -> None:
    """The score as a whole, then class by class."""
    show_table(
        ("examples", "accuracy", "95 % interval", "right"), [_row(evaluation.score)], numbers=("accuracy", "right")
    )
    rows = [(name, f"{right / count:.3f}", f"{right}/{count}") for name, right, count in evaluation.per_class]
    show_table(("class", "accuracy", "right"), rows, numbers=("accuracy", "right"))


def _counts(receipt: dict[str, object]) -> str:
    plan = receipt["plan"]
    if not isinstance(plan, dict):
        return ""
    pairs = len(plan["pairs"])
    rest = "".join(f", {len(plan[kind])} {kind}" for kind in ("skipped", "missing", "unexpected") if plan[kind])
    return f"{pairs} tensors matched{rest}, {plan['wanted_parameters']:,} parameters; outputs {receipt['fingerprint']}"


def _row(score: Score) -> tuple[str, str, str, str]:
    interval = score.accuracy
    return (
        score.name,
        f"{interval.value:.3f}",
        f"{interval.low:.3f} to {interval.high:.3f}",
        f"{score.correct}/{score.examples}",
    )
