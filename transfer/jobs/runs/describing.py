"""What was asked of a run, as `run.json` holds it: enough to tell two requests apart, and to repeat one."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version

import numpy as np

from transfer.data.labelled import LabelledSet
from transfer.graphs.graph import Graph
from transfer.graphs.unparsing import unparse_graph
from transfer.jobs.examples.feeding import Feed
from transfer.labellings import Labelling
from transfer.recipes import Recipe
from transfer.specs import Json
from transfer.surgery.network import Network
from transfer.training.solving_outputs import SolvedOutput
from transfer.weights.digests import digest_manifest
from transfer.weights.tensor_digests import digest_tensor


def describe_request(
    recipe: Recipe,
    network: Network,
    whole: Graph,
    feed: Feed,
    data: LabelledSet,
    test: LabelledSet | None,
    *,
    shots: int | None,
    test_share: float,
    time_limit: float | None = None,
    baselines: str = "cheap",
    benchmark: Json = None,
    features: Json = None,
    devices: int = 1,
    workers: int = 0,
) -> Json:
    """All that decides the outcome, with one digest over it.

    Names of layers are part of it, also those that Keras made up: they stand in `model.keras`, and random draws go by
    them.

    Args:
        recipe: what is done.
        network: of the student.
        whole: its graph with the preprocessing in front.
        feed: how examples go in.
        data: to learn from.
        test: to test on; None where that comes from `data`.
        shots: examples a class to learn from.
        test_share: share to test on otherwise.
        time_limit: in seconds.
        baselines: `cheap` or `all`.
        benchmark: what the result is held against, with a digest of its answers; None for nothing.
        features: that are there already, and how the head is solved on them; None where they are computed.
        devices: that share each batch, or that each worker has.
        workers: of a cluster that share each batch; 0 without one.
    """
    heads = tuple(f"{ref.layer}/" for ref in network.graph.outputs)
    tensors = {name: digest_tensor(values) for name, values in network.tensors.items() if not name.startswith(heads)}
    asked = {
        "recipe": asdict(recipe),
        "shots": shots,
        "test_share": None if shots or test else test_share,
        **({"time_limit": time_limit} if time_limit is not None else {}),
        **({"baselines": baselines} if baselines != "cheap" else {}),
        **({"benchmark": benchmark} if benchmark else {}),
        **({"features": features} if features else {}),
        **({"devices": devices} if devices > 1 else {}),
        **({"workers": workers} if workers else {}),
        "input": feed.to_json(),
        "preprocessing": asdict(feed.preprocessing) if feed.preprocessing else None,
        "network": {
            "graph": hashlib.sha256(json.dumps(unparse_graph(whole), sort_keys=True).encode()).hexdigest(),
            "name": network.graph.name,
            "layers": len(network.graph.layers),
            "tensors": digest_manifest(tensors),
        },
        **describe_sets(data, test),
        "versions": versions_here(),
    }
    # What a recipe is called changes nothing, nor does validation where there is nothing to choose.
    told = {**asked["recipe"], "name": "", **({"validation": 0} if len(recipe.stages) == 1 else {})}
    decisive = json.dumps({**asked, "recipe": told}, sort_keys=True)
    return {**asked, "digest": hashlib.sha256(decisive.encode()).hexdigest()}


def versions_here() -> dict[str, str]:
    """Of what settles the bits of a result on this machine."""
    packages = ("keras", "tensorflow", "numpy", "scikit-learn", "pillow")
    found = {name: version(name) for name in packages}
    return {"transfer": version("h5transfer"), **found, "python": platform.python_version()}


def describe_sets(data: LabelledSet, test: LabelledSet | None) -> dict[str, Json]:
    """What is learnt from, and what is tested on: None where that comes from the former."""
    return {"data": _describe_data(data), "test": _describe_data(test) if test else None}


def _describe_data(data: LabelledSet) -> Json:
    lines = {
        name: f"{digest} {label}" for name, digest, label in zip(data.names, data.digests(), _said(data), strict=True)
    }
    return {
        "source": data.source,
        "examples": len(data),
        **({"classes": list(data.classes)} if data.labelling.is_single else {}),
        **({} if data.labelling.is_plain else {"labelling": data.labelling.to_json()}),
        "digest": digest_manifest(lines),
    }


def _said(data: LabelledSet) -> Iterator[str]:
    """What is said of each example, and of what group it is."""
    if data.labelling.is_single and data.groups is None:
        yield from map(str, data.labels)
        return
    columns = [*data.targets, *([data.groups] if data.groups is not None else [])]
    for row in zip(*columns, strict=True):
        yield " ".join(np.array2string(np.asarray(each), threshold=sys.maxsize, floatmode="unique") for each in row)


def describe_probe(solved: Sequence[SolvedOutput], labelling: Labelling) -> Json:
    """What the cross-validation of each head chose and saw; of several by the names of the outputs."""
    if labelling.is_single:
        return solved[0].to_json()[""]
    return {name: each.to_json() for name, each in zip(labelling.names, solved, strict=True)}
