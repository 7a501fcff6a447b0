"""What was asked of a pretraining, with one digest over all that decides its outcome."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import keras

from transfer.graphs.unparsing import unparse_graph
from transfer.jobs.examples.feeding import Feed
from transfer.jobs.examples.spooling_unlabelled import UnlabelledRows
from transfer.jobs.pretraining.preparing_encoders import PreparedEncoder
from transfer.jobs.runs.describing import versions_here
from transfer.jobs.students.clock import TimeLimit
from transfer.specs import Json
from transfer.training.pretraining.fitting import Pace, digest_variables
from transfer.training.pretraining.methods import METHODS
from transfer.training.pretraining.objectives import Method
from transfer.weights.digests import digest_json, digest_manifest
from transfer.weights.tensor_digests import digest_tensor


@dataclass(frozen=True, slots=True, eq=False)
class PretrainingRequest:
    """All that decides what comes of it.

    Attributes:
        prepared: the encoder as it starts.
        feed: how examples go in.
        rows: of the examples.
        method: with its options.
        pace: how long and how fast.
        seed: of all that is drawn.
        limit: of time; None for none.
    """

    prepared: PreparedEncoder
    feed: Feed
    rows: UnlabelledRows
    method: Method
    pace: Pace
    seed: int
    limit: TimeLimit | None = None

    @property
    def batch_size(self) -> int:
        """Examples of a step: as many as there are, if these are fewer than was asked for."""
        return min(self.pace.batch_size, len(self.rows))

    def describe(self, decoder: keras.Model | None = None) -> Json:
        """As plain values, with their digest.

        Args:
            decoder: of the caller's own, as it starts; None for one that mirrors the encoder.
        """
        graph, tensors = self.prepared.network.graph, self.prepared.network.tensors
        asked = {
            "method": method_name(self.method),
            "options": asdict(self.method),  # type: ignore[call-overload]
            "pace": asdict(self.pace),
            "seed": self.seed,
            **({"time_limit": self.limit.seconds} if self.limit else {}),
            "input": self.feed.to_json(),
            "preprocessing": asdict(self.feed.preprocessing) if self.feed.preprocessing else None,
            "network": {
                "graph": digest_json(unparse_graph(graph)),
                "name": graph.name,
                "tensors": digest_manifest({name: digest_tensor(values) for name, values in tensors.items()}),
            },
            "data": {"source": self.rows.source, "examples": len(self.rows), "digest": self.rows.digest},
            **({"decoder": _described(decoder)} if decoder is not None else {}),
            "versions": versions_here(),
        }
        decisive = {**asked, "data": {**asked["data"], "source": ""}}
        return {**asked, "digest": digest_json(decisive)}


def _described(decoder: keras.Model) -> Json:
    """Digests of what a decoder is made of, and of the weights it starts with."""
    try:
        made: Any = json.loads(decoder.to_json())
    except (NotImplementedError, TypeError, ValueError):  # a class of the caller's that does not say it
        made = type(decoder).__name__
    return {"layers": digest_json(made), "tensors": digest_variables(decoder)}


def method_name(method: Method) -> str:
    """What a method is called."""
    return next((name for name, kind in METHODS.items() if type(method) is kind), type(method).__name__)
