"""Small sets and students that the jobs work on."""

import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import transfer

CLASSES = 3
EACH = 10


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Ten images (28, 28) each of the handwritten 0, 1 and 2, with their labels."""
    found = load_digits(n_class=CLASSES)
    chosen = np.concatenate([np.flatnonzero(found.target == k)[:EACH] for k in range(CLASSES)])
    large = np.kron(found.images[chosen], np.ones((1, 3, 3))) * 255 / 16
    return np.pad(np.rint(large).astype(np.uint8), ((0, 0), (2, 2), (2, 2))), found.target[chosen]


@pytest.fixture(scope="session")
def write_pictures():
    """A function that writes images as PNG files, a folder a label."""

    def write(folder: Path, images: np.ndarray, labels: np.ndarray) -> Path:
        for place, (image, label) in enumerate(zip(images, labels, strict=True)):
            target = folder / f"digit_{label}" / f"{place:02}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(target)
        return folder

    return write


@pytest.fixture
def truncate():
    """A function that writes a JPEG and cuts it off, so that only decoding finds the damage."""

    def write(path: Path) -> Path:
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(noise).save(path)
        path.write_bytes(path.read_bytes()[:1500])
        return path

    return write


@pytest.fixture(scope="session")
def digits_folder(digits, write_pictures, tmp_path_factory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("digits") / "pictures", *digits)


@pytest.fixture(scope="session")
def restored() -> object:
    return transfer.restore("digits_mlp")


@pytest.fixture(scope="session")
def student(restored) -> keras.Model:
    """The shipped network on digits with a new head for three of them."""
    return transfer.extract(restored, drop_last=1, freeze="backbone", heads=[transfer.Head("label", CLASSES)])


@pytest.fixture(scope="session")
def digits_run(student, restored, digits_folder, tmp_path_factory) -> transfer.Run:
    return transfer.finetune(
        student,
        transfer.read_labelled(digits_folder),
        recipe=transfer.Recipe(transfer.Stage("probe"), seed=7),
        receipt=restored.receipt,
        out=tmp_path_factory.mktemp("runs") / "digits",
    )


@pytest.fixture(scope="session")
def convolutional() -> keras.Model:
    """A small network on colour images (24, 24, 3) with batch norm and four old classes; it has no card."""
    keras.utils.set_random_seed(5)
    inputs = keras.Input((24, 24, 3), name="pixels")
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="conv_1")(inputs)
    x = keras.layers.ReLU(name="relu_1")(keras.layers.BatchNormalization(name="norm_1")(x))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="conv_2")(x)
    x = keras.layers.ReLU(name="relu_2")(keras.layers.BatchNormalization(name="norm_2")(x))
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(inputs, keras.layers.Dense(4, name="old_classes")(x), name="small")
    random = np.random.default_rng(6)
    for name in ("norm_1", "norm_2"):
        layer = model.get_layer(name)
        layer.set_weights([random.uniform(0.5, 2, each.shape) for each in layer.get_weights()])
    return model


@pytest.fixture(scope="session")
def colour_student(convolutional) -> keras.Model:
    return transfer.extract(convolutional, drop_last=1, freeze="backbone", heads=[transfer.Head("label", 2)])


@pytest.fixture(scope="session")
def colours() -> tuple[np.ndarray, np.ndarray]:
    """Sixteen noisy images (24, 24, 3) in two tints, with their labels."""
    random = np.random.default_rng(8)
    labels = np.arange(16) % 2
    tints = np.array([[150, 60, 30], [40, 90, 170]])
    return np.clip(tints[labels][:, None, None] + random.normal(0, 60, (16, 24, 24, 3)), 0, 255).astype(
        np.uint8
    ), labels


@pytest.fixture
def snapshot():
    """A function from a folder to what lies below it: path, bytes, time of the last change."""

    def take(folder: Path) -> dict[str, tuple[bytes, int]]:
        return {
            str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return take


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def leave_room():
    """A function that fills a disk up to so many bytes, by a file."""

    def fill(disk: Path, size: int) -> Path:
        filler = disk / "filler"
        filler.write_bytes(bytes(shutil.disk_usage(disk).free - size))
        return filler

    return fill
