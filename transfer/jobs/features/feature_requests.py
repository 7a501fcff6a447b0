"""What is asked of a computation of features, by digests, and in what two such requests differ."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from transfer.errors import OutputError, Problem
from transfer.graphs.unparsing import unparse_graph
from transfer.jobs.examples.feeding import Feed
from transfer.specs import Json
from transfer.surgery.network import Network
from transfer.weights.digests import digest_json, digest_manifest
from transfer.weights.tensor_digests import digest_tensor

TOLD = {
    "network.name": "network",
    "network.at": "--at, the last layer that is kept",
    "network.graph": "network, its layers",
    "network.tensors": "network, its weights",
    "input": "how examples are brought to it, --size",
    "preprocessing": "--preprocessing",
    "batch_size": "batch size",
    "arithmetic.versions": "versions",
    "arithmetic.codecs": "decoders of pictures",
    "arithmetic.machine": "machine",
    "arithmetic.processor": "processor, by a digest",
    "arithmetic.threads": "--threads",
    "arithmetic.devices": "devices",
    "arithmetic.precision": "precision",
    "arithmetic.switches": "switches of TensorFlow",
    "data.examples": "data, how many examples",
    "data.ids": "data, the ids of the examples",
    "format": "--format",
    "shard_rows": "--shard-rows",
    "key": "what computes the features",
}
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Ends:
    """A network as it is asked for.

    Attributes:
        network: from its input to its features.
        at: the layer at which these end.
    """

    network: Network
    at: str


@dataclass(frozen=True, slots=True)
class Computing:
    """What computes, as it says of itself where it does.

    Attributes:
        key: of the piece of the network.
        batch_size: of each batch that it runs.
        arithmetic: see `training.arithmetic`.
    """

    key: str
    batch_size: int
    arithmetic: dict[str, Json]


def describe_request(
    ends: Ends,
    feed: Feed,
    computing: Computing,
    ids: tuple[str, ...],
    *,
    format: str,
    shard_rows: int,
) -> Json:
    """As plain values; where they are the same, so is every bit of every shard of the same examples."""
    arithmetic = computing.arithmetic
    return {
        **describe_ends(ends, feed),
        "batch_size": computing.batch_size,
        "arithmetic": {**arithmetic, "processor": digest_json(arithmetic["processor"])},
        "data": {"examples": len(ids), "ids": digest_json(list(ids))},
        "format": format,
        "shard_rows": shard_rows,
        "key": computing.key,
    }


def describe_ends(ends: Ends, feed: Feed) -> dict[str, Json]:
    """The part of a request that says whose features they are, wherever they are computed."""
    network, preprocessing = ends.network, feed.preprocessing
    digests = {name: digest_tensor(values) for name, values in network.tensors.items()}
    return {
        "network": {
            "name": network.graph.name,
            "at": ends.at,
            "graph": digest_json(unparse_graph(network.graph)),
            "tensors": digest_manifest(digests),
        },
        "input": feed.to_json(),
        "preprocessing": None if preprocessing is None else asdict(preprocessing),
    }


def refuse_other(folder: Path, asked: Json, there: Json) -> None:
    """Refuse to put features where those of another request are, naming what differs.

    Args:
        folder: of the features.
        asked: now.
        there: what its manifest says.

    Raises:
        OutputError: if another request is there.
    """
    now, then = settings_of(json.loads(json.dumps(asked))), settings_of(there)
    differing = [name for name in TOLD if now.get(name) != then.get(name)]
    if len(differing) > 1 and "key" in differing:  # follows from the others
        differing.remove("key")
    if not differing:
        return
    raise OutputError(
        f"{folder} holds features of another request.",
        [Problem(TOLD[name], show_setting(now.get(name)), show_setting(then.get(name))) for name in differing],
        next_step=_next_step(differing, then),
    )


def _next_step(differing: list[str], then: dict[str, Json]) -> str:
    other = "choose another folder with -o (out=…)"
    threads = then.get("arithmetic.threads")
    if differing != ["arithmetic.threads"] or not isinstance(threads, list):
        return other
    if threads[0]:
        return f"take --threads {threads[0]} to go on with what is there, or {other}"
    return f"go on there with --engine local, or {other}; --threads 1 begins what a cluster can go on with"


def settings_of(asked: Json) -> dict[str, Json]:
    """Each by the name that it is told by (see `TOLD`)."""
    found: dict[str, Json] = {}
    for name, value in asked.items():
        if name in ("network", "data", "arithmetic") and isinstance(value, dict):
            found |= {f"{name}.{key}": each for key, each in value.items()}
        else:
            found[name] = value
    return found


def show_setting(value: Json) -> str:
    """In short."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    if isinstance(value, list) and len(value) == 2 and all(isinstance(each, int) for each in value):
        return str(value[0]) if value[0] else f"all of {value[1]} processors"
    return "none" if value is None else str(value)[:_SHOWN]
