"""Features are computed once, come back to the bit from wherever they are, and are never those of something else."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transfer.data.feature_folders import trim_shards
from transfer.data.inputs import Inputs
from transfer.data.loading import ImageBatch, load_images
from transfer.errors import OutputError, Problem
from transfer.training import feature_store
from transfer.training.feature_keys import example_keys
from transfer.training.feature_store import FeatureStore

ROOT = Path(__file__).resolve().parents[2]
INPUTS = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)


class Counting:
    """A piece that gives squares in the shape (2, 3), and counts the examples that it was asked for."""

    def __init__(self, key="0" * 64):
        self.key, self.batch_size, self.examples = key, 4, 0

    def run(self, batch):
        self.examples += len(batch)
        return (batch**2).reshape(len(batch), 2, 3)


def batches_of(inputs, size=4, bad=(), asked=None):
    def batches(places):
        if asked is not None:
            asked.append(list(places))
        for start in range(0, len(places), size):
            chosen = places[start : start + size]
            failures = tuple((start + k, Problem(f"x[{p}]", found="torn")) for k, p in enumerate(chosen) if p in bad)
            yield ImageBatch(start, inputs[chosen], failures)

    return batches


def keys_of(piece, inputs, **options):
    return example_keys(piece.key, [row.tobytes().hex() for row in inputs], **options)


def compute(store, piece, inputs=INPUTS, **options):
    return store.compute(piece, keys_of(piece, inputs), batches_of(inputs, **options))


def expected(inputs):
    return (inputs**2).reshape(len(inputs), 2, 3)


budgets = pytest.mark.parametrize("memory_bytes", [0, 200, 700, 2**20])
places = pytest.mark.parametrize("kept", [True, False], ids=["folder", "memory"])


@places
@budgets
def test_rows_are_those_of_the_examples_in_any_order(kept, memory_bytes, tmp_path):
    store = FeatureStore(tmp_path if kept else None, memory_bytes=memory_bytes)
    rows = compute(store, Counting())
    assert rows.shape == (50, 2, 3)
    assert rows.failures == ()
    assert rows.values().tobytes() == expected(INPUTS).tobytes()
    order = np.random.default_rng(1).integers(0, 50, 120)
    assert np.array_equal(rows.read(order), expected(INPUTS)[order])
    assert rows.read(np.array([], np.int64)).shape == (0, 2, 3)
    half = rows.subset(np.arange(40, 10, -1))
    assert len(half) == 30
    assert np.array_equal(half.read(np.array([5, 0])), expected(INPUTS)[[35, 40]])
    with pytest.raises(IndexError):
        rows.read(np.array([50]))


@places
@budgets
def test_the_same_is_computed_once(kept, memory_bytes, tmp_path):
    store, piece, asked = FeatureStore(tmp_path if kept else None, memory_bytes=memory_bytes), Counting(), []
    compute(store, piece)
    rows = compute(store, piece, INPUTS[::-1], asked=asked)
    assert (piece.examples, asked) == (50, [])
    assert np.array_equal(rows.values(), expected(INPUTS[::-1]))


def test_equal_examples_are_computed_once():
    piece = Counting()
    rows = compute(FeatureStore(), piece, INPUTS[[3, 1, 3, 3, 1]])
    assert piece.examples == 2
    assert np.array_equal(rows.values(), expected(INPUTS[[3, 1, 3, 3, 1]]))


@budgets
def test_the_next_run_finds_what_is_there_and_computes_the_rest(memory_bytes, tmp_path):
    compute(FeatureStore(tmp_path, memory_bytes=200), Counting(), INPUTS[:30])
    piece, asked = Counting(), []
    rows = compute(FeatureStore(tmp_path, memory_bytes=memory_bytes), piece, INPUTS[::-1], asked=asked)
    assert asked == [list(range(20))]
    assert np.array_equal(rows.values(), expected(INPUTS[::-1]))


def test_another_piece_or_view_or_augmentation_is_a_miss(tmp_path):
    store, piece = FeatureStore(tmp_path), Counting()
    compute(store, piece)
    for changed in (
        keys_of(piece, INPUTS, view=1),
        keys_of(piece, INPUTS, augmentation={"flip": 1}),
        keys_of(piece, INPUTS + 1e-6),
    ):
        before = piece.examples
        store.compute(piece, changed, batches_of(INPUTS))
        assert piece.examples == before + 50
    other = Counting("1" * 64)
    compute(FeatureStore(tmp_path), other)
    assert other.examples == 50


@places
def test_examples_that_cannot_be_read_are_told_and_not_kept(kept, tmp_path):
    store, piece = FeatureStore(tmp_path if kept else None), Counting()
    inputs = INPUTS[[0, 1, 2, 3, 4, 5, 6, 7, 2]]
    rows = compute(store, piece, inputs, bad={2, 6})
    assert [place for place, _ in rows.failures] == [2, 6, 8]
    assert rows.failures[1][1] == Problem("x[6]", found="torn")
    assert np.array_equal(rows.values()[[2, 6, 8]], np.zeros((3, 2, 3)))
    good = [0, 1, 3, 4, 5, 7]
    assert np.array_equal(rows.read(np.array(good)), expected(inputs)[good])
    assert [place for place, _ in rows.subset(np.array([8, 0, 6])).failures] == [0, 2]
    mended = compute(store, piece, inputs)
    assert mended.failures == ()
    assert np.array_equal(mended.values(), expected(inputs))
    assert piece.examples == 8 + 2


def test_where_nothing_can_be_read_all_is_told():
    rows = compute(FeatureStore(), Counting(), INPUTS[:3], bad={0, 1, 2})
    assert [place for place, _ in rows.failures] == [0, 1, 2]
    assert rows.shape == (3, 2, 3)
    assert not rows.values().any()


def test_rows_feed_the_next_piece_with_their_failures():
    store, first, second = FeatureStore(), Counting(), Counting("1" * 64)
    rows = compute(store, first, bad={7})
    again = store.compute(second, example_keys(second.key, keys_of(first, INPUTS)), rows.batches(4))
    assert [(place, problem.where) for place, problem in again.failures] == [(7, "x[7]")]
    good = [place for place in range(50) if place != 7]
    assert np.array_equal(again.read(np.array(good)), expected(INPUTS**2)[good])


def test_what_is_wanted_now_stays_in_memory_and_what_was_before_goes_to_the_disk():
    store, one, two = FeatureStore(memory_bytes=2000), Counting("0" * 64), Counting("1" * 64)
    old = compute(store, one)
    assert all(each.values is not None for each in old.held)
    new = compute(store, two)
    assert all(each.values is not None for each in new.held)
    assert sum(each.size_bytes for each in (*old.held, *new.held) if each.values is not None) <= 2000
    assert np.array_equal(old.values(), expected(INPUTS))


def test_rows_outlive_the_name_of_their_store():
    rows = compute(FeatureStore(memory_bytes=0), Counting())
    folder = rows.held[0].shard.path.parent.parent
    assert np.array_equal(rows.values(), expected(INPUTS))
    del rows
    assert not folder.exists()


def test_a_damaged_shard_is_computed_anew(tmp_path):
    compute(FeatureStore(tmp_path, memory_bytes=200), Counting())
    path = sorted(tmp_path.rglob("*.h5"))[1]
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    piece = Counting()
    rows = compute(FeatureStore(tmp_path, memory_bytes=200), piece)
    assert 0 < piece.examples < 50
    assert np.array_equal(rows.values(), expected(INPUTS))


def test_what_was_computed_before_an_error_is_kept(tmp_path):
    class Failing(Counting):
        def run(self, batch):
            if self.examples >= 20:
                raise KeyboardInterrupt
            return super().run(batch)

    with pytest.raises(KeyboardInterrupt):
        compute(FeatureStore(tmp_path), Failing())
    piece = Counting()
    rows = compute(FeatureStore(tmp_path), piece)
    assert piece.examples == 30
    assert np.array_equal(rows.values(), expected(INPUTS))


@places
@budgets
def test_bytes_come_back_as_bytes(kept, memory_bytes, tmp_path):
    piece = Counting()
    piece.run = lambda batch: np.arange(len(batch) * 6, dtype=np.uint8).reshape(-1, 6) + (batch[:, :1] > 0)
    folder = tmp_path if kept else None
    values = compute(FeatureStore(folder, memory_bytes=memory_bytes), piece).values()
    assert values.dtype == np.uint8
    whole = [piece.run(INPUTS[start : start + 4]) for start in range(0, 50, 4)]
    assert np.array_equal(values, np.concatenate(whole))
    again = compute(FeatureStore(folder, memory_bytes=memory_bytes), piece).values()
    assert (again.dtype, again.tobytes()) == (np.uint8, values.tobytes())


@places
def test_what_may_not_stay_in_memory_waits_on_the_disk_and_leaves_others_where_they_are(kept, tmp_path):
    store, one, two = (
        FeatureStore(tmp_path if kept else None, memory_bytes=3000),
        Counting("0" * 64),
        Counting("1" * 64),
    )
    wanted = compute(store, one)
    for _ in range(2):
        rows = store.compute(two, keys_of(two, INPUTS), batches_of(INPUTS), in_memory=False)
        assert [each.values for each in rows.held] == [None] * len(rows.held)
        assert all(each.values is not None for each in wanted.held)
        assert np.array_equal(rows.values(), expected(INPUTS))
    assert two.examples == 50


# A folder that takes nothing


def blocked(folder):
    """A folder that cannot be made, whoever asks: a file stands in its way."""
    folder.write_text("")
    return folder / "features"


@budgets
def test_where_rows_need_not_be_kept_a_folder_that_takes_nothing_changes_no_bit(memory_bytes, tmp_path):
    store, piece = FeatureStore(blocked(tmp_path / "f"), memory_bytes=memory_bytes, is_needed=False), Counting()
    rows = compute(store, piece)
    assert rows.values().tobytes() == expected(INPUTS).tobytes()
    compute(store, piece, INPUTS[::-1])
    assert piece.examples == 50
    assert store.trouble.startswith("features are not kept for other runs: ")
    assert str(tmp_path / "f") in store.trouble


def test_where_rows_are_to_be_kept_a_folder_that_takes_nothing_is_an_error(tmp_path):
    with pytest.raises(OutputError, match=r"Features cannot be kept: .*cannot be made") as caught:
        compute(FeatureStore(blocked(tmp_path / "f")), Counting())
    assert "--cache" in caught.value.next_step


def test_a_disk_that_fills_up_on_the_way_loses_nothing(tmp_path, monkeypatch):
    store, piece, written = FeatureStore(tmp_path, memory_bytes=200, is_needed=False), Counting(), []

    def write(folder, keys, values):
        if folder.is_relative_to(tmp_path) and len(written) == 3:
            raise OutputError(f"{folder} cannot be written: No space left on device.")
        written.append(write_shard(folder, keys, values))
        return written[-1]

    write_shard = feature_store.write_shard
    monkeypatch.setattr(feature_store, "write_shard", write)
    assert compute(store, piece).values().tobytes() == expected(INPUTS).tobytes()
    assert piece.examples == 50
    assert "No space left on device" in store.trouble
    assert len(list(tmp_path.rglob("*.h5"))) == 3  # those before serve the next
    assert {each.path.is_relative_to(tmp_path) for each in written[3:]} == {False}
    piece = Counting()
    compute(FeatureStore(tmp_path), piece)
    assert 0 < piece.examples < 50


@pytest.mark.skipif(os.name == "nt", reason="no limits")
@pytest.mark.parametrize("is_needed", [True, False])
def test_a_limit_of_the_system_on_files_is_heeded(is_needed, tmp_path):
    code = f"""{WORKER}
import resource
from transfer.errors import OutputError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
store = FeatureStore(Path(FOLDER), is_needed=NEEDED)
try:
    rows = store.compute(Piece(), keys, batches).values()
    print((rows == np.arange(COUNT)[:, None]).all(), store.trouble)
except OutputError as error:
    print(error.summary)
"""
    worker = start(code, FOLDER=str(tmp_path), NEEDED=is_needed, COUNT=100, WIDTH=64, SLEEP=0)
    printed, _ = worker.communicate(timeout=60)
    assert printed.startswith("Features cannot be kept" if is_needed else "True features are not kept for other runs")
    assert "File too large" in printed
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_too_few_examples_and_none_at_all_are_refused():
    piece = Counting()
    with pytest.raises(ValueError, match="40 examples came where 50 were asked for"):
        FeatureStore().compute(piece, keys_of(piece, INPUTS), lambda wanted: batches_of(INPUTS)(wanted[:40]))
    with pytest.raises(ValueError, match="no examples"):
        FeatureStore().compute(piece, (), batches_of(INPUTS))


def test_pictures_are_read_once_and_torn_ones_told_each_time(tmp_path):
    random = np.random.default_rng(0)
    for k in range(6):
        Image.fromarray(random.integers(0, 256, (8, 9, 3), np.uint8)).save(tmp_path / f"{k}.png")
    torn = tmp_path / "3.png"
    torn.write_bytes(torn.read_bytes()[:60])
    paths = sorted(tmp_path.glob("*.png"))
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    piece = Counting()
    piece.run = lambda images: (setattr(piece, "examples", piece.examples + len(images)), images.mean((1, 2)))[1]

    def batches(places):
        chosen = [paths[place] for place in places]
        pictures = Inputs("pictures", tuple(path.name for path in chosen), tuple(chosen))
        return load_images(pictures, size=(8, 9), batch_size=4)

    for examples in (6, 7):
        rows = FeatureStore(tmp_path / "cache").compute(piece, example_keys(piece.key, digests), batches)
        assert piece.examples == examples
        assert [(place, problem.where) for place, problem in rows.failures] == [(3, "3.png")]
        for place in (0, 1, 2, 4, 5):
            pixels = np.asarray(Image.open(paths[place])).mean((0, 1))
            np.testing.assert_allclose(rows.read(np.array([place]))[0], pixels, rtol=1e-6)


# Several processes, one of which may be killed

WORKER = """
import sys, time, hashlib, numpy as np
from pathlib import Path
from transfer.data.loading import ImageBatch
from transfer.training.feature_keys import example_keys
from transfer.training.feature_store import FeatureStore

class Piece:
    key, batch_size = "0" * 64, 16
    def run(self, batch):
        time.sleep(SLEEP)
        return np.repeat(batch, WIDTH, axis=1)

def batches(places):
    for start in range(0, len(places), 16):
        yield ImageBatch(start, places[start : start + 16, None].astype(np.float32))

keys = example_keys(Piece.key, [str(k) for k in range(COUNT)])
"""


def start(code, stdin=None, **values):
    for name, value in values.items():
        code = code.replace(name, repr(value))
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=stdin, stdout=subprocess.PIPE, text=True)


def check_store(folder, count, width):
    """What a fresh store finds in a folder, with the number of examples that it had to compute."""
    piece = Counting()
    piece.run = lambda batch: (setattr(piece, "examples", piece.examples + len(batch)), np.repeat(batch, width, 1))[1]
    keys = example_keys(piece.key, [str(k) for k in range(count)])
    inputs = np.arange(count, dtype=np.float32)[:, None]
    rows = FeatureStore(folder).compute(piece, keys, batches_of(inputs))
    assert np.array_equal(rows.values(), np.repeat(inputs, width, 1))
    return piece.examples


def test_two_processes_at_once_give_one_right_store(tmp_path):
    code = f"{WORKER}\nFeatureStore(Path(FOLDER), memory_bytes=2**18).compute(Piece, keys, batches)"
    code = code.replace("compute(Piece,", "compute(Piece(),")
    both = [start(code, FOLDER=str(tmp_path), COUNT=1000, WIDTH=64, SLEEP=0.005) for _ in range(2)]
    assert [each.wait(120) for each in both] == [0, 0]
    for each in both:
        each.stdout.close()
    assert check_store(tmp_path, 1000, 64) == 0
    assert [path.name for path in tmp_path.rglob("*") if "unfinished" in path.name] == []


@pytest.mark.skipif(os.name == "nt", reason="no signals")
def test_a_killed_process_leaves_what_it_had_finished(tmp_path):
    code = f"{WORKER}\nFeatureStore(Path(FOLDER), memory_bytes=2**18).compute(Piece(), keys, batches)"
    worker = start(code, FOLDER=str(tmp_path), COUNT=4000, WIDTH=64, SLEEP=0.005)
    while len(list(tmp_path.rglob("*.h5"))) < 3 and worker.poll() is None:
        time.sleep(0.002)
    worker.kill()
    assert worker.wait(60) == -signal.SIGKILL
    worker.stdout.close()
    assert 0 < check_store(tmp_path, 4000, 64) < 4000
    assert check_store(tmp_path, 4000, 64) == 0


def test_rows_of_many_examples_stay_within_a_small_budget(tmp_path):
    code = f"""{WORKER}
import resource, tracemalloc
import tensorflow  # before anything is counted
SIZE = COUNT * WIDTH * 4
tracemalloc.start()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
store = FeatureStore(Path(FOLDER) if FOLDER else None, memory_bytes=2**22)
rows = store.compute(Piece(), keys, batches)
order = np.random.default_rng(0).permutation(COUNT)
for start in range(0, COUNT, 320):
    found = rows.read(order[start : start + 32])
    assert (found == order[start : start + 32, None]).all()
print(SIZE, tracemalloc.get_traced_memory()[1], (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""
    for folder in (str(tmp_path), ""):
        worker = start(code, FOLDER=folder, COUNT=20_000, WIDTH=1280, SLEEP=0)
        size, traced, resident = map(int, worker.stdout.read().split())
        worker.stdout.close()
        assert worker.wait() == 0
        assert size > 100_000_000
        assert traced < 20_000_000
        assert resident < 40_000_000


@pytest.mark.skipif(os.name == "nt", reason="folders cannot be locked there")
def test_nobody_takes_away_what_a_process_reads_from_the_disk(tmp_path):
    code = f"""{WORKER}
store = FeatureStore(Path(FOLDER), memory_bytes=2**14)
rows = store.compute(Piece(), keys, batches)
print("computed", flush=True)
order = np.random.default_rng(0).permutation(COUNT)
for _ in range(40):
    assert (rows.read(order) == order[:, None]).all()
    time.sleep(0.02)
print("read", flush=True)
store.close()
print("closed", flush=True)
sys.stdin.readline()
"""
    worker = start(code, stdin=subprocess.PIPE, FOLDER=str(tmp_path), COUNT=500, WIDTH=64, SLEEP=0)
    assert worker.stdout.readline() == "computed\n"
    count = len(list(tmp_path.rglob("*.h5")))
    assert count > 10
    for _ in range(20):
        trim_shards(tmp_path, 0)
        time.sleep(0.02)
    assert len(list(tmp_path.rglob("*.h5"))) == count
    assert [worker.stdout.readline() for _ in range(2)] == ["read\n", "closed\n"]
    trim_shards(tmp_path, 0)
    assert list(tmp_path.iterdir()) == []
    worker.communicate("\n", timeout=60)
    assert worker.returncode == 0


def test_several_processes_that_compute_read_and_trim_at_once_all_get_the_right_rows(tmp_path):
    code = f"""{WORKER}
from transfer.data.feature_folders import trim_shards
for turn in range(6):
    store = FeatureStore(Path(FOLDER), memory_bytes=2**14)
    rows = store.compute(Piece(), keys, batches)
    assert (rows.values() == np.arange(COUNT)[:, None]).all()
    store.close()
    trim_shards(Path(FOLDER), 2**16)
"""
    several = [start(code, FOLDER=str(tmp_path), COUNT=400, WIDTH=64, SLEEP=0.001) for _ in range(4)]
    assert [each.wait(120) for each in several] == [0, 0, 0, 0]
    for each in several:
        each.stdout.close()
    trim_shards(tmp_path, 2**16)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.h5")) <= 2**16
    assert [path.name for path in tmp_path.rglob("*") if "unfinished" in path.name] == []
