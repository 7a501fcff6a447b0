"""The commands take IDX images, with their labels beside them."""

import gzip
import struct

import numpy as np


def write(path, values):
    sizes = b"".join(struct.pack(">I", size) for size in values.shape)
    path.write_bytes(gzip.compress(bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()))


def test_a_network_on_digits_learns_from_images_of_the_mnist_family_and_is_asked_about_them(call, here):
    labels = np.arange(40, dtype=np.uint8) % 2
    images = np.random.default_rng(0).integers(0, 60, (40, 28, 28), np.uint8)
    images[labels == 1, 4:12] = 250
    write(here / "train-images-idx3-ubyte.gz", images)
    ended = call("finetune", "digits_mlp", "train-images-idx3-ubyte.gz", "-o", "run", "--recipe", "probe", "--json")
    assert ended.code == 6
    assert "train-labels-idx1-ubyte" in ended.error["problems"][0]["expected"]
    write(here / "train-labels-idx1-ubyte.gz", labels)
    ended = call("finetune", "digits_mlp", "train-images-idx3-ubyte.gz", "-o", "run", "--recipe", "probe")
    assert ended.code == 0, ended.stderr
    assert "images are fitted to 28 x 28" in ended.stdout
    answers = call("predict", "run", "train-images-idx3-ubyte.gz", "--json").json["answers"]
    found = [max(each["probabilities"], key=each["probabilities"].get) for each in answers]
    assert found == list(map(str, labels))
    assert call("evaluate", "run", "train-images-idx3-ubyte.gz", "--json").code == 0
