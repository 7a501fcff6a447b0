"""The command line called in this process, and small things for it to work on."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest
from json_forms import check_form
from PIL import Image
from sklearn.datasets import load_digits

from transfer.cli.group import main

BUILDER = """
import keras


def create_functional_model():
    inputs = keras.Input(shape=(784,))
    x = keras.layers.Dense(64, activation="relu", name="dense_1")(inputs)
    x = keras.layers.Dense(64, activation="relu", name="dense_2")(x)
    outputs = keras.layers.Dense(10, activation="softmax", name="predictions")(x)
    return keras.Model(inputs=inputs, outputs=outputs, name="3_layer_mlp")


def create_narrow_model():
    inputs = keras.Input(shape=(784,))
    x = keras.layers.Dense(32, activation="relu", name="dense_1")(inputs)
    return keras.Model(inputs, keras.layers.Dense(10, name="predictions")(x))
"""


@dataclass(frozen=True)
class Ended:
    """How a call ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self):
        return check_form(json.loads(self.stdout))

    @property
    def error(self):
        return check_form(json.loads(self.stderr))


@pytest.fixture
def call(monkeypatch, capsys):
    """A function that calls `transfer` with these arguments, as the console script does."""

    def run(*arguments: str | Path) -> Ended:
        monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
        monkeypatch.setattr(sys, "argv", ["transfer", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        printed = capsys.readouterr()
        return Ended(code, printed.out, printed.err)

    return run


def write_digits(folder: Path, first: int, count: int) -> Path:
    """Handwritten 0, 1 and 2 as PNG files, `count` a class, a folder a class."""
    found = load_digits(n_class=3)
    for label in range(3):
        for place in np.flatnonzero(found.target == label)[first : first + count]:
            image = np.pad(np.rint(np.kron(found.images[place], np.ones((3, 3))) * 255 / 16), 2)
            target = folder / f"digit_{label}" / f"{place:03}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.astype(np.uint8)).save(target)
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    return write_digits(tmp_path_factory.mktemp("cli") / "pictures", 0, 8)


@pytest.fixture(scope="session")
def more_pictures(tmp_path_factory) -> Path:
    return write_digits(tmp_path_factory.mktemp("cli") / "more", 8, 3)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The current folder: a module with builders and a file with weights of one of them, as the task begins."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "functional_models", raising=False)
    (tmp_path / "functional_models.py").write_text(BUILDER)
    names: dict[str, object] = {}
    exec(BUILDER, names)  # noqa: S102
    keras.utils.set_random_seed(1)
    names["create_functional_model"]().save_weights(tmp_path / "pretrained.weights.h5")
    return tmp_path
