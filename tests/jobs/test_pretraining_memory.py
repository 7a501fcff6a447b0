"""Pretraining on more than there shall be in memory: 147 MB of images in a few megabytes, from whatever holds them."""

import subprocess
import sys

import h5py
import numpy as np
import pytest
from PIL import Image

COUNT, SIZE = 3000, 128
MOST_MB = 60
PROGRAM = """
import resource, sys
import numpy as np
import keras
from keras import layers as L
import transfer

def build():
    return keras.Sequential([keras.Input((128, 128, 3)), L.Conv2D(8, 8, strides=8), L.ReLU(), L.GlobalMaxPooling2D()])

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

pace = transfer.Pace(epochs=1, batch_size=16)
few = np.random.default_rng(0).integers(0, 256, (64, 128, 128, 3), np.uint8)
transfer.pretrain(build, few, method=sys.argv[2], pace=pace)
before = peak()
found = transfer.pretrain(build, sys.argv[1], method=sys.argv[2], pace=pace)
print(found.examples, peak() - before)
"""


@pytest.fixture(scope="module")
def images():
    small = np.random.default_rng(1).integers(0, 256, (COUNT, SIZE // 16, SIZE // 16, 3), np.uint8)
    return small.repeat(16, axis=1).repeat(16, axis=2)


@pytest.fixture(scope="module", params=["pictures", "npz", "hdf5"])
def source(request, images, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "pictures":
        for place, each in enumerate(images):
            Image.fromarray(each).save(folder / f"{place}.png", compress_level=1)
        return folder
    if request.param == "npz":
        np.savez_compressed(folder / "x.npz", x=images)
        return folder / "x.npz"
    with h5py.File(folder / "x.h5", "w") as file:
        file.create_dataset("x", data=images, chunks=(16, SIZE, SIZE, 3), compression="gzip", compression_opts=1)
    return folder / "x.h5"


@pytest.mark.slow
def test_what_is_larger_than_memory_is_learnt_from_within_it(source):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(source), "contrastive"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    examples, taken = done.stdout.split()
    assert int(examples) == COUNT
    assert float(taken) < MOST_MB, f"{taken} MB above what a small set takes"
