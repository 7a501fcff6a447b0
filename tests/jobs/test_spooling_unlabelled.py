"""Examples without labels come back at any places as the network takes them, within bounded memory."""

import hashlib
import json
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest
from PIL import Image

import transfer
from transfer.data.images import read_image
from transfer.data.inputs import Inputs
from transfer.errors import DataError
from transfer.jobs.examples import spooling_unlabelled
from transfer.jobs.examples.feeding import make_feed
from transfer.jobs.examples.reading_unlabelled import read_unlabelled
from transfer.jobs.examples.spooling_unlabelled import spool_rows
from transfer.models.building import read_model
from transfer.specs import PREPROCESSINGS

L = keras.layers
PLACES = np.array([5, 0, 5, 19])


def network(*shape):
    inputs = keras.Input(shape, name="pixels")
    return read_model(keras.Model(inputs, L.Dense(2, name="out")(L.Flatten(name="flat")(inputs)), name="small"))


def spool(net, data, preprocessing=None, in_memory_bytes=2**26, **options):
    inputs = read_unlabelled(data, in_memory_bytes=in_memory_bytes)
    return spool_rows(make_feed(net, inputs, preprocessing=preprocessing, **options), inputs)


def all_of(rows):
    return rows.read(np.arange(len(rows)))


@pytest.fixture
def photos(tmp_path):
    """Twenty pictures of several sizes."""
    random = np.random.default_rng(2)
    (tmp_path / "photos").mkdir()
    for place in range(20):
        values = random.integers(0, 256, (6 + place % 5, 9 - place % 4, 3), np.uint8)
        Image.fromarray(values).save(tmp_path / "photos" / f"{place:02}.png")
    return tmp_path / "photos"


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(spooling_unlabelled, "BLOCK_BYTES", 200)
    monkeypatch.setattr(spooling_unlabelled, "_BATCH", 3)


@pytest.mark.usefixtures("small_blocks")
def test_pictures_of_several_sizes_are_fitted_and_wait_on_the_disk(photos):
    told = []
    inputs = read_unlabelled(photos)
    rows = spool_rows(
        make_feed(network(8, 8, 3), inputs, preprocessing="unit"), inputs, lambda *each: told.append(each)
    )
    expected = np.stack([read_image(path, size=(8, 8)) for path in sorted(photos.iterdir())])
    assert (rows.shape, rows.dtype, len(rows), rows.failures) == ((8, 8, 3), np.uint8, 20, ())
    assert rows.read(PLACES).tolist() == expected[PLACES].tolist()
    digests = "".join(hashlib.sha256(path.read_bytes()).hexdigest()[:32] for path in sorted(photos.iterdir()))
    assert rows.digest == hashlib.sha256(digests.encode()).hexdigest()
    assert told[-1][1:] == (20, 20)


@pytest.mark.usefixtures("small_blocks")
def test_pictures_that_cannot_be_read_are_left_out_and_listed(photos):
    expected = all_of(spool(network(8, 8, 3), photos, "unit"))
    for name in ("00.png", "07.png", "19.png"):
        (photos / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    (photos / "notes.txt").write_text("so")
    rows = spool(network(8, 8, 3), photos, "unit")
    assert [each.where.rsplit("/")[-1] for each in rows.failures] == ["notes.txt", "00.png", "07.png", "19.png"]
    assert all_of(rows).tolist() == np.delete(expected, [0, 7, 19], axis=0).tolist()
    with pytest.raises(ValueError, match="not written"):
        rows.read(np.array([17]))


def test_fewer_than_two_that_can_be_read_are_an_error_that_lists_the_others(photos):
    for path in sorted(photos.iterdir())[1:]:
        path.write_bytes(b"no picture")
    with pytest.raises(DataError, match="too few") as caught:
        spool(network(8, 8, 3), photos, "unit")
    assert caught.value.problems[0].found == "1 that can be read"
    assert len(caught.value.problems) == 20


def images(*shape, dtype=np.uint8):
    return np.random.default_rng(1).integers(2, 256, shape).astype(dtype)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("in_memory_bytes", [0, 2**26])
@pytest.mark.parametrize(
    ("x", "size"),
    [
        (images(20, 8, 8), (8, 8, 1)),
        (images(20, 8, 8, 1), (8, 8, 1)),
        (images(20, 64), (8, 8, 1)),
        (images(20, 8, 8, 3), (8, 8, 1)),
        (images(20, 8, 8, 3), (8, 8, 3)),
        (images(20, 8, 8, 4), (8, 8, 3)),
        (images(20, 6, 9), (8, 8, 1)),
        (images(20, 8, 8, dtype=np.float32), (8, 8, 1)),
        (images(20, 8, 8, dtype=">f4"), (8, 8, 1)),
    ],
)
def test_arrays_of_images_are_what_the_feed_makes_of_them_whether_copied_or_not(tmp_path, x, size, in_memory_bytes):
    np.savez(tmp_path / "a.npz", x=x)
    net = network(*size)
    rows = spool(net, tmp_path / "a.npz", PREPROCESSINGS["unit"], in_memory_bytes)
    expected = make_feed(net, Inputs.of_array(x), preprocessing="unit").load(Inputs.of_array(x), 7)
    assert rows.shape == size
    assert rows.dtype == expected.dtype == np.uint8
    assert all_of(rows).tolist() == expected.tolist()
    assert rows.read(PLACES).tolist() == expected[PLACES].tolist()
    same = transfer.from_arrays(x, np.arange(20) % 2)
    assert rows.digest == hashlib.sha256("".join(same.digests()).encode()).hexdigest()


def test_an_array_in_memory_that_is_taken_as_it_is_is_not_copied():
    x = np.random.default_rng(0).normal(size=(20, 3, 4)).astype(np.float32)
    for net, given in ((network(3, 4), x), (network(12), x), (network(3, 4, 1), x)):
        rows = spool(net, given)
        assert np.shares_memory(rows.rows.values, x)
        assert rows.read(PLACES).ravel().tolist() == x[PLACES].ravel().tolist()
    pixels = images(20, 8, 8)
    assert np.shares_memory(spool(network(8, 8, 1), pixels, "unit").rows.values, pixels)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("in_memory_bytes", [0, 2**26])
def test_several_inputs_are_rows_of_all_of_them(tmp_path, in_memory_bytes):
    a, b = keras.Input((3,), name="a"), keras.Input((2, 2), name="b")
    joined = L.Concatenate(name="join")([a, L.Flatten(name="flat")(b)])
    net = read_model(keras.Model([a, b], L.Dense(2, name="out")(joined)))
    random = np.random.default_rng(0)
    x_a, x_b = random.normal(size=(20, 3)), random.integers(0, 9, (20, 2, 2))
    np.savez(tmp_path / "a.npz", x_b=x_b, x_a=x_a)
    rows = spool(net, tmp_path / "a.npz", None, in_memory_bytes)
    expected = np.concatenate([x_a, x_b.reshape(20, 4)], axis=1).astype(np.float32)
    assert rows.dtype == np.float32
    assert all_of(rows).tolist() == expected.tolist()


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_told_with_their_row(tmp_path, value):
    x = np.zeros((20, 12), np.float32)
    x[17, 3] = value
    np.savez(tmp_path / "a.npz", x=x)
    for data in (x, tmp_path / "a.npz"):
        with pytest.raises(DataError) as caught:
            spool(network(12), data)
        assert caught.value.problems[0].found == "NaN or infinite, first in row 17"
        assert caught.value.next_step


def test_numbers_beyond_single_precision_are_told_with_their_row():
    rows = np.ones((30, 4))
    rows[21, 2] = 1e39
    with pytest.raises(DataError, match="cannot be learnt from") as caught:
        spool(network(4), rows)
    assert caught.value.problems[0].found == "beyond 3.4e38, first in row 21"


def test_arrays_that_do_not_fit_are_the_feeds_error(photos):
    with pytest.raises(DataError, match="does not fit"):
        spool(network(12), np.zeros((20, 13)))
    with pytest.raises(DataError, match="pictures"):
        spool(network(12), photos)


def test_notes_go_along():
    rows = spool(network(12), (np.zeros((20, 12)), np.zeros(20)))
    assert rows.notes == ("labels are not used: 20 of an array are taken as examples alone",)


MEASURE = """
import json, sys
from pathlib import Path
import keras
import numpy as np
from transfer.jobs.examples.feeding import make_feed
from transfer.jobs.examples.reading_unlabelled import read_unlabelled
from transfer.jobs.examples.spooling_unlabelled import spool_rows
from transfer.models.building import read_model

def spool(data, net, preprocessing):
    inputs = read_unlabelled(data)
    return spool_rows(make_feed(net, inputs, preprocessing=preprocessing), inputs)

def resident(key):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1024

for path, shape, own, preprocessing in json.loads(sys.argv[1]):
    inputs = keras.Input(tuple(shape), name="pixels")
    net = read_model(keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs))))
    spool(np.ones((70, *own), np.uint8), net, preprocessing)  # what the first call alone takes
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak
    before = resident("VmRSS")
    rows = spool(path, net, preprocessing)
    random = np.random.default_rng(0)
    total = sum(int(rows.read(random.integers(0, len(rows), 256)).sum()) for _ in range(20))
    print(json.dumps({"added": resident("VmHWM") - before, "count": len(rows), "total": total}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_array_of_400_megabytes_takes_less_than_150(tmp_path):
    row = (np.arange(100_000) % 251).astype(np.uint8)
    x = np.broadcast_to(row, (4000, 100_000))
    np.savez(tmp_path / "rows.npz", x=x)
    np.savez_compressed(tmp_path / "images.npz", x=x.reshape(-1, 250, 400))
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file.create_dataset("x", data=x, chunks=(100, 1000), compression="lzf")
    jobs = [[str(tmp_path / name), [100_000], [100_000], None] for name in ("rows.npz", "rows.h5")]
    jobs.append([str(tmp_path / "images.npz"), [25, 40, 1], [250, 400], "unit"])
    command = [sys.executable, "-c", MEASURE, json.dumps(jobs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (tmp_path / "rows.npz").unlink()
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()[-3:]]
    assert [each["count"] for each in found] == [4000] * 3
    assert [each["total"] for each in found[:2]] == [20 * 256 * int(row.sum(dtype=int))] * 2
    added = [each["added"] for each in found]
    assert max(added) < 150, f"megabytes: {added}"
