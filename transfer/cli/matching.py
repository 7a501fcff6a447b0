"""`transfer match`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from transfer.cli.options import (
    backend_option,
    coverage_option,
    era_option,
    file_argument,
    into_option,
    json_option,
    rule_option,
    skip_option,
)

if TYPE_CHECKING:
    from transfer.errors import MatchError
    from transfer.graphs.graph import Graph
    from transfer.specs import Restoring
    from transfer.surgery.planning import Planned
    from transfer.weights.checkpoint import Checkpoint

DRY = "not checked: nothing was restored"


@click.command("match")
@file_argument
@into_option
@rule_option
@skip_option
@era_option
@backend_option
@coverage_option
@json_option
def command(file: str, into: str | None, as_json: bool, **options: object) -> None:
    """Show which tensor of FILE would go where, and whether a restore would succeed. Nothing is written.

    \b
    transfer match pretrained_weights.h5 --into module:create_model
    transfer match pretrained_weights.h5 --into other_model.keras --skip 'head/*'
    """
    from transfer.specs import Restoring
    from transfer.weights.opening import open_checkpoint

    how = Restoring(**options)  # type: ignore[arg-type]  # click has checked them
    checkpoint = open_checkpoint(file)
    planned = _plan(checkpoint, into, how)
    error = _objection(planned, how, is_own=into is None)
    _show(planned, error, as_json=as_json)
    if error is None:
        return
    if as_json or planned.doubts:
        raise error
    raise type(error)(error.summary, next_step=error.next_step)  # the receipt has named every tensor already


def _plan(checkpoint: Checkpoint, into: str | None, how: Restoring) -> Planned:
    """The plan: from files alone where the architecture is in one, else from the model that a builder makes."""
    from transfer.errors import LayerError
    from transfer.surgery.planning import plan_into_graph, read_architecture

    graph = None if into is None else read_architecture(into)
    if into is not None and graph is None:
        return _plan_into_model(checkpoint, into, how)
    try:
        return plan_into_graph(checkpoint, graph, how)
    except LayerError:  # a layer whose variables Keras alone can tell
        return _plan_into_model(checkpoint, graph, how)


def _plan_into_model(checkpoint: Checkpoint, into: str | Graph | None, how: Restoring) -> Planned:
    from transfer.cli.quieting import import_tensorflow
    from transfer.errors import MatchError

    import_tensorflow()
    import dataclasses

    from transfer.models.restoring import prepare_restore
    from transfer.surgery.planning import Planned

    try:
        found = prepare_restore(checkpoint, into, how)
        return Planned(found.checkpoint, found.plan, (), found.notes)
    except MatchError as error:
        if how.era == "ignore":  # no doubts, but a rule that fits nothing
            raise
        found = prepare_restore(checkpoint, into, dataclasses.replace(how, era="ignore"))
        return Planned(found.checkpoint, found.plan, error.problems, found.notes)


def _objection(planned: Planned, how: Restoring, *, is_own: bool) -> MatchError | None:
    """The error that a restore would end with."""
    from transfer.errors import MatchError
    from transfer.weights.judging import check_plan, unsettled

    checkpoint = planned.checkpoint
    if planned.doubts:
        return unsettled(checkpoint.path, planned.doubts, checkpoint.writer, is_settled=how.era == "apply")
    try:
        check_plan(
            planned.plan,
            checkpoint.path,
            stored=len(checkpoint),
            min_coverage=how.min_coverage,
            is_own=is_own,
        )
    except MatchError as error:
        return error
    return None


def _show(planned: Planned, error: MatchError | None, *, as_json: bool) -> None:
    from transfer.results import Receipt

    checkpoint = planned.checkpoint
    receipt = Receipt(str(checkpoint.path), checkpoint.dialect, planned.plan, DRY, planned.notes)
    if as_json:
        from transfer.cli.showing import show_json

        show_json({"fits": error is None, **receipt.to_json()})
    else:
        click.echo(receipt)
