"""What was asked of a pretraining, with one digest over all that decides its outcome."""

from __future__ import annotations

from dataclasses import asdict

from transfer.graphs.unparsing import unparse_graph
from transfer.jobs.clock import TimeLimit
from transfer.jobs.describing import versions_here
from transfer.jobs.feeding import Feed
from transfer.jobs.preparing_encoders import PreparedEncoder
from transfer.jobs.spooling_unlabelled import UnlabelledRows
from transfer.specs import Json
from transfer.training.pretraining.fitting import Pace
from transfer.training.pretraining.methods import METHODS
from transfer.training.pretraining.objectives import Method
from transfer.weights.digests import digest_json, digest_manifest
from transfer.weights.tensor_digests import digest_tensor


def method_name(method: Method) -> str:
    """What a method is called."""
    return next((name for name, kind in METHODS.items() if type(method) is kind), type(method).__name__)


def describe_pretraining(
    prepared: PreparedEncoder,
    feed: Feed,
    rows: UnlabelledRows,
    method: Method,
    pace: Pace,
    seed: int,
    limit: TimeLimit | None,
) -> Json:
    """All that decides the outcome, as plain values.

    Args:
        prepared: the encoder as it starts.
        feed: how examples go in.
        rows: of the examples.
        method: with its options.
        pace: how long and how fast.
        seed: of all that is drawn.
        limit: of time; None for none.
    """
    tensors = prepared.network.tensors
    asked = {
        "method": method_name(method),
        "options": asdict(method),  # type: ignore[call-overload]
        "pace": asdict(pace),
        "seed": seed,
        **({"time_limit": limit.seconds} if limit else {}),
        "input": feed.to_json(),
        "preprocessing": asdict(feed.preprocessing) if feed.preprocessing else None,
        "network": {
            "graph": digest_json(unparse_graph(prepared.network.graph)),
            "name": prepared.network.graph.name,
            "tensors": digest_manifest({name: digest_tensor(values) for name, values in tensors.items()}),
        },
        "data": {"source": rows.source, "examples": len(rows), "digest": rows.digest},
        "versions": versions_here(),
    }
    decisive = {**asked, "data": {**asked["data"], "source": ""}}
    return {**asked, "digest": digest_json(decisive)}
