"""Changed bytes in files of every dialect: out comes what the file holds or an error that tells, nothing else."""

import random
import time
from pathlib import Path

import h5py
import pytest

from transfer.errors import CheckpointError
from transfer.weights.opening import open_checkpoint

FILES = Path(__file__).parent / "files"
ONE_OF_EACH = (
    "keras-0.3.3-theano/b_cnn_th__weights.h5",
    "keras-1.2.2-tf/d_rnn__full.h5",
    "keras-2.2.4/e_multi__weights.h5",
    "tf.keras-2.12/c_nested_func__wh5.weights.h5",
    "tf.keras-2.14/d_rnn__wh5.weights.h5",
    "keras-3.0.5/c_nested__keras.keras",
    "keras-3.15.1/j_mha__wh5.weights.h5",
    "keras-3.15.1/p_shard__shard_00000.weights.h5",
)
SLOWEST = 20  # seconds for one file; a hang would go on


def structure_of(path):
    """Places of the bytes that are no values: there libhdf5 can be led astray."""
    if path.suffix == ".keras":
        return range(path.stat().st_size)
    taken = set()
    with h5py.File(path) as file:

        def note(_, each):
            if isinstance(each, h5py.Dataset) and each.id.get_offset() is not None:
                taken.update(range(each.id.get_offset(), each.id.get_offset() + each.nbytes))

        file.visititems(note)
    return [place for place in range(path.stat().st_size) if place not in taken]


def change(content, places, chance):
    """One to four bytes of the structure, changed."""
    changed = bytearray(content)
    for place in chance.sample(places, chance.randint(1, 4)):
        changed[place] = chance.choice((0, 0xFF, changed[place] ^ (1 << chance.randrange(8)), chance.randrange(256)))
    return bytes(changed)


def try_one(path):
    """Open and read everything; counts what comes out. Anything but a `CheckpointError` fails the test."""
    start, told = time.perf_counter(), ""
    try:
        checkpoint = open_checkpoint(path)
        shapes = {name: values.shape for name, values in checkpoint.stream()}
        assert shapes == {name: spec.shape for name, spec in checkpoint.specs.items()}
    except CheckpointError as error:
        told = str(error)
    assert not told or str(path) in told
    assert len(told.encode()) <= 2048
    assert time.perf_counter() - start < SLOWEST
    return "refused" if told else "read"


def fuzz(name, folder, count, seed):
    source, chance = FILES / name, random.Random(seed)
    content, places = source.read_bytes(), list(structure_of(source))
    path = folder / source.name
    outcomes = {"read": 0, "refused": 0}
    for _ in range(count):
        path.write_bytes(change(content, places, chance))
        outcomes[try_one(path)] += 1
    return outcomes


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_changed_bytes_are_read_or_refused(name, tmp_path):
    outcomes = fuzz(name, tmp_path, count=5, seed=1)
    assert sum(outcomes.values()) == 5


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_many_changed_bytes_are_read_or_refused(name, tmp_path):
    outcomes = fuzz(name, tmp_path, count=30, seed=2)
    assert sum(outcomes.values()) == 30
    assert outcomes["refused"] > 0
