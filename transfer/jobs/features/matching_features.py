"""Which row of computed features is which labelled example: by paths below the folder, or by numbers of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from transfer.data.addresses import is_address
from transfer.data.feature_shards import KEY, open_shard
from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, Problem
from transfer.jobs.features.computed_features import ComputedFeatures, place_of
from transfer.specs import Progress, silent
from transfer.training.feature_rows import Held, Rows

_SHOWN = 5  # names of examples that are told
_AGAIN = "compute the features of all of them, or leave out what has no match: --skip-unreadable (skip_unreadable=True)"


@dataclass(frozen=True, slots=True, eq=False)
class MatchedFeatures:
    """Labelled examples of which features are there.

    Attributes:
        data: to learn from, with digests.
        test: to test on; None where that comes from `data`.
        rows: of both, in their order, on the disk.
        notes: what was left out, in a sentence each.
    """

    data: LabelledSet
    test: LabelledSet | None
    rows: Rows = field(repr=False)
    notes: tuple[str, ...] = ()


def match_features(
    features: ComputedFeatures,
    data: LabelledSet,
    test: LabelledSet | None = None,
    *,
    skip_unreadable: bool = False,
    progress: Progress = silent,
) -> MatchedFeatures:
    """Find the features of labelled examples. Each shard is read once, to see that it is whole.

    Args:
        features: of a folder.
        data: to learn from.
        test: to test on.
        skip_unreadable: whether examples without features, and features without a label, are left out.
        progress: told how many shards were looked at.

    Raises:
        DataError: if there are such and they are not left out, or a shard has gone or is damaged.
    """
    if features.asked["format"] != "hdf5":
        found = Problem(str(features.folder), "features of --format hdf5", str(features.asked["format"]))
        raise DataError("Features in Parquet files are for other programs.", [found], "compute them as HDF5")
    ids, parts, places, digests = _listed(features)
    number = {name: place for place, name in enumerate(ids)}
    sets = [each for each in (data, test) if each is not None]
    wanted = [[number.get(each, -1) for each in _ids(one)] for one in sets]
    missing = [
        name
        for one, found in zip(sets, wanted, strict=True)
        for name, place in zip(one.names, found, strict=True)
        if place < 0
    ]
    labelled = np.zeros(len(ids), np.bool_)
    for several in wanted:
        labelled[[place for place in several if place >= 0]] = True
    notes = _left_out(features, missing, [ids[place] for place in np.flatnonzero(~labelled)], skip=skip_unreadable)
    kept = [_kept(one, np.array(found, np.int64), digests) for one, found in zip(sets, wanted, strict=True)]
    rows = np.concatenate([np.array([place for place in found if place >= 0], np.int64) for found in wanted])
    held = tuple(_held(features, progress))
    matched = Rows(held, parts[rows], places[rows], held[0].shape[1:], (), None)
    return MatchedFeatures(kept[0], kept[1] if test is not None else None, matched, notes)


def _listed(features: ComputedFeatures) -> tuple[list[str], NDArray[np.int32], NDArray[np.int64], list[str]]:
    """Ids, shard and place there of each row; digest of each example."""
    records = [each for each in features.records if each.ids]
    ids = [name for each in records for name in each.ids]
    parts = np.repeat(np.arange(len(records), dtype=np.int32), [len(each.ids) for each in records])
    places = np.concatenate([np.arange(len(each.ids)) for each in records])
    return ids, parts, places, [digest for each in records for digest in each.digests]


def _ids(data: LabelledSet) -> Sequence[str]:
    """By which its examples are known among features."""
    if isinstance(data.inputs, tuple):
        return [name if is_address(name) else PurePosixPath(name).as_posix() for name in data.names]
    return [name.removeprefix("x[").removesuffix("]") for name in data.names]


def _kept(data: LabelledSet, found: NDArray[np.int64], digests: Sequence[str]) -> LabelledSet:
    there = np.flatnonzero(found >= 0)
    known = tuple(digests[place] for place in found[there])
    lost = tuple(Problem(data.names[place], found="it has no features") for place in np.flatnonzero(found < 0))
    kept = replace(data.subset(there), digested=known, problems=(*data.problems, *lost))
    if not len(kept):
        raise DataError(f"None of the {len(data):,} examples of {data.source} has features.", lost, _AGAIN)
    return kept


def _left_out(features: ComputedFeatures, missing: list[str], extra: list[str], *, skip: bool) -> tuple[str, ...]:
    told = []
    if missing:
        told.append(f"{len(missing):,} labelled example{'s have' if len(missing) > 1 else ' has'} no features")
    if extra:
        told.append(f"{len(extra):,} row{'s of features have' if len(extra) > 1 else ' of features has'} no label")
    if told and not skip:
        reasons = {problem.where: problem.found for problem in features.failed}
        problems = [Problem(name, "features", reasons.get(name, "none")) for name in missing[:_SHOWN]]
        problems += [Problem(name, "a label", "none") for name in extra[:_SHOWN]]
        more = len(missing) + len(extra) - len(problems)
        problems += [Problem(f"{more:,} more", found="likewise")] if more else []
        raise DataError(f"{' and '.join(told)} in {features.folder}.", problems, _AGAIN)
    return tuple(f"{each}: left out" for each in told)


def _held(features: ComputedFeatures, progress: Progress) -> list[Held]:
    """All shards, looked at."""
    piece = str(features.asked["key"])
    records = [each for each in features.records if each.ids]
    held: list[Held] = []
    lost: list[Problem] = []
    for done, record in enumerate(records):
        path = place_of(features.folder, piece, record, "hdf5")
        shard = open_shard(path)
        if shard is None or shard.shape != (len(record.ids), *record.shape):
            lost.append(Problem(str(path), "the file that was written", "none, or other bytes"))
        else:
            none = np.empty(0, KEY)  # of the millions of keys none is needed
            held.append(Held(piece, none, None, replace(shard, keys=none)))
        progress("looking at shards", done + 1, len(records))
    if lost:
        count = "1 shard" if len(lost) == 1 else f"{len(lost):,} shards"
        step = "compute them again: the same 'transfer features' makes what is missing anew"
        raise DataError(f"{count} of the features in {features.folder} went missing or changed.", lost[:_SHOWN], step)
    return held
