"""Looking up what is kept leaves it as it is."""

import numpy as np

from transfer.data.feature_shards import KEY, write_shard
from transfer.data.kept_keys import read_kept_keys


def test_keys_of_all_shards_are_read_and_nothing_is_touched(tmp_path):
    first, second = (np.array([f"{n:032x}" for n in numbers], KEY) for numbers in ((1, 2), (2, 3, 4)))
    shards = [write_shard(tmp_path, keys, np.zeros((len(keys), 2), np.float32)) for keys in (first, second)]
    (tmp_path / "damaged.h5").write_bytes(b"no shard")
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert read_kept_keys(tmp_path) == {f"{n:032x}" for n in (1, 2, 3, 4)}
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    assert all(shard.path.name in before for shard in shards)


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert read_kept_keys(tmp_path / "none") == frozenset()
