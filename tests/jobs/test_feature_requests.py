"""What is said where features of another request lie, and how long work in shards takes."""

import pytest

from transfer.errors import OutputError
from transfer.jobs.features.estimating_features import FeatureEstimate
from transfer.jobs.features.feature_requests import refuse_other


def asked(threads, shard_rows=1024):
    return {"arithmetic": {"threads": threads}, "shard_rows": shard_rows, "key": f"{threads}"}


@pytest.mark.parametrize(
    ("now", "then", "shown", "said"),
    [
        ([1, 1], [0, 2], ("1", "all of 2 processors"), "go on there with --engine local"),
        ([0, 16], [1, 1], ("all of 16 processors", "1"), "--threads 1 to go on"),
        ([1, 1], [4, 4], ("1", "4"), "--threads 4 to go on"),
    ],
)
def test_features_of_other_threads_are_told_with_what_goes_on_there(now, then, shown, said, tmp_path):
    with pytest.raises(OutputError) as caught:
        refuse_other(tmp_path, asked(now), asked(then))
    (problem,) = caught.value.problems
    assert (problem.where, problem.expected, problem.found) == ("--threads", *shown)
    assert said in caught.value.next_step


def test_where_more_than_threads_differ_another_folder_is_all_that_helps(tmp_path):
    with pytest.raises(OutputError) as caught:
        refuse_other(tmp_path, asked([1, 1]), asked([0, 2], 64))
    assert [each.where for each in caught.value.problems] == ["--threads", "--shard-rows"]
    assert caught.value.next_step == "choose another folder with -o (out=…)"


@pytest.mark.parametrize(
    ("shards", "workers", "seconds", "said"),
    [
        (1, 1, 300, "in 1 shard, 1e+03 ms each: 5 min with 1 worker"),
        (1, 64, 300, "with 1 worker; 64 would find work with smaller --shard-rows"),
        (5, 2, 180, "in 5 shards, 1e+03 ms each: 3 min with 2 workers"),
        (4, 4, 75, "75 s with 4 workers"),
    ],
)
def test_no_more_workers_than_shards_shorten_the_work(shards, workers, seconds, said):
    estimate = FeatureEstimate(300, shards, 1.0, workers, 0, 2**20, 2**30)
    assert estimate.seconds == seconds
    assert said in str(estimate).splitlines()[0]


def test_where_all_is_there_nothing_is_foretold():
    estimate = FeatureEstimate(0, 0, 1.0, 2, 0, 0, 2**30)
    assert estimate.seconds == 0
    assert "0 examples in 0 shards" in str(estimate)
    assert "find work" not in str(estimate)
