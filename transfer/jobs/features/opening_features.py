"""Computed features as a folder holds them, and whether they are those of a network."""

from __future__ import annotations

import json
from pathlib import Path

from transfer.data.feature_records import MANIFEST, ShardRecord, read_manifest
from transfer.errors import DataError, LayerError, Problem, nearest
from transfer.jobs.examples.feeding import Feed
from transfer.jobs.features.computed_features import ComputedFeatures
from transfer.jobs.features.feature_requests import TOLD, Ends, describe_ends, settings_of, show_setting
from transfer.models.extracting import extract_from_model
from transfer.models.restoring import Restored
from transfer.specs import Extraction
from transfer.surgery.network import Network

_AGAIN = "compute them: the same 'transfer features' goes on with what is missing"


def open_features(folder: Path) -> ComputedFeatures:
    """What `transfer features` has left in a folder; of its shards nothing is read.

    Raises:
        OutputError: if the folder holds something else.
        DataError: if there is none, or features are missing.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        found = Problem(str(folder), f"a folder with {MANIFEST}", "an empty one" if folder.exists() else "none")
        raise DataError(f"{folder} holds no features.", [found], "compute them first: transfer features FILE DATA -o …")
    if manifest.get("finished") is not True:
        found = Problem(MANIFEST, "features of all examples", "a job that is not finished")
        raise DataError(f"The features in {folder} are not complete.", [found], _AGAIN)
    try:
        records = tuple(map(ShardRecord.from_json, manifest["shards"]))
    except (KeyError, TypeError, ValueError) as error:
        found = Problem(str(folder / MANIFEST), "what each shard holds", f"{type(error).__name__}: {error}"[:200])
        raise DataError(f"{folder} does not say what its shards hold.", [found], _AGAIN) from error
    failed = tuple(Problem(name, found=reason) for record in records for name, reason in record.failed)
    found_rows = ComputedFeatures(folder, str(folder), manifest["asked"], records, failed, 0)
    if not found_rows.rows:
        raise DataError(f"{folder} holds features of no example.", next_step=_AGAIN)
    return found_rows


def layer_of(features: ComputedFeatures) -> str:
    """The layer at which the network ends whose features they are."""
    return str(features.asked["network"]["at"])


def refuse_other_network(features: ComputedFeatures, restored: Restored, feed: Feed, network: Network) -> None:
    """Refuse features that another network gave, or the same of examples that were prepared otherwise.

    What computed them, and on which machine, may differ: they are taken as they are.

    Args:
        features: of the folder.
        restored: the network whose features they should be.
        feed: how examples go into it.
        network: a student of it, for its name.

    Raises:
        DataError: with what differs.
    """
    at = layer_of(features)
    try:
        ends = Ends(extract_from_model(restored, Extraction(at=(at,))).network, at)
    except LayerError as error:
        found = Problem("--at", at, f"no such layer; nearest: {nearest(at, network.graph.names) or 'none'}")
        raise _other(features, network, [found]) from error
    here, there = settings_of(json.loads(json.dumps(describe_ends(ends, feed)))), settings_of(features.asked)
    problems = [
        Problem(TOLD[name], f"{show_setting(there.get(name))} of the features", show_setting(value))
        for name, value in here.items()
        if name != "network.name" and value != there.get(name)
    ]
    if problems:
        raise _other(features, network, problems)


def _other(features: ComputedFeatures, network: Network, problems: list[Problem]) -> DataError:
    return DataError(
        f"The features in {features.folder} are not those of {network.graph.name!r} as it is given.",
        problems,
        "give the file, --size and --preprocessing that they were computed with, or compute them again",
    )
