"""Rows of features a block at a time: each once, from the disk, in bounded memory."""

from itertools import pairwise

import numpy as np
import pytest

from transfer.data.feature_shards import write_shard
from transfer.errors import DataError
from transfer.training.feature_rows import Held, Rows
from transfer.training.streaming import Stream

N, D = 103, 5


@pytest.fixture
def stored(tmp_path):
    """Rows whose first feature is their number, in three shards, and a way to get at these."""
    x = np.random.default_rng(0).normal(size=(N, D)).astype(np.float32)
    x[:, 0] = np.arange(N)
    order = np.random.default_rng(1).permutation(N)  # where each lies
    keys = np.array([f"{place:032x}" for place in range(N)], "S32")
    ends = [0, 40, 41, N]
    shards = [write_shard(tmp_path, keys[a:b], x[order[a:b]]) for a, b in pairwise(ends)]
    place = np.argsort(order)
    part = np.searchsorted(ends, place, side="right").astype(np.int32) - 1
    held = tuple(Held("p", each.keys, None, each) for each in shards)
    return x, Rows(held, part, place - np.array(ends)[part], (D,)), shards


@pytest.mark.parametrize("memory", [1, 2000, 2**20])
def test_each_row_comes_once_with_its_number(stored, memory):
    x, rows, _ = stored
    places = np.random.default_rng(2).permutation(N)[:60]
    stream = Stream.of(rows, places, memory_bytes=memory)
    blocks = list(stream.blocks())
    assert sorted(np.concatenate([which for which, _ in blocks])) == list(range(60))
    for which, block in blocks:
        np.testing.assert_array_equal(block, x[places[which]])


def test_few_rows_of_many_are_read_for_themselves(stored):
    rows = stored[1]
    places = np.array([99, 3])
    found = np.concatenate([block for _, block in Stream.of(rows, places).blocks()])
    np.testing.assert_array_equal(np.sort(found[:, 0]), [3, 99])


def test_a_shard_that_was_cut_meanwhile_is_an_error(stored):
    _, rows, shards = stored
    shards[2].path.write_bytes(shards[2].path.read_bytes()[:-8])
    with pytest.raises(DataError, match="have changed"):
        list(Stream.of(rows, np.arange(N)).blocks())
