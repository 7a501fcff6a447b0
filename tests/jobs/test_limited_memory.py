"""Features that are larger than memory: the same bits as with all of them in memory, a few rows at a time."""

from dataclasses import dataclass
from math import prod
from pathlib import Path

import keras
import numpy as np
import pytest

import transfer
from transfer.data.feature_shards import Shard
from transfer.training import pacing
from transfer.training.feature_rows import Rows
from transfer.training.prefixing import BATCH

L = keras.layers
EXAMPLES, SIZE = 60, 16
BOUNDARY = (4, 4, 6)  # of an example, where the last two blocks begin
ROW_BYTES = 4 * prod(BOUNDARY)
FILES = ("answers.json", "history.jsonl", "model.keras", "predictions.npz", "report.json", "result.json", "run.json")
TUNED = {"unfreeze_last": 2, "epochs": 3, "batch_size": 8, "rate": 1e-3}
RECIPES = {
    "by default": transfer.Recipe(seed=3),
    "mixed, to be stopped early": transfer.Recipe(
        (transfer.Stage("probe"), transfer.Stage(**TUNED, mixup=0.3, patience=1)), seed=3
    ),
    "several views, at a rate that is found": transfer.Recipe(
        (transfer.Stage("probe"), transfer.Stage(**{**TUNED, "rate": "auto"}, augment=("flip", "shift"), views=2)),
        seed=3,
    ),
    "two stages without a trial": transfer.Recipe(
        (transfer.Stage("probe"), transfer.Stage(**{**TUNED, "unfreeze_last": 1}), transfer.Stage(**TUNED, ema=0.5)),
        seed=3,
        validation=0,
    ),
}


@pytest.fixture(scope="module")
def small() -> keras.Model:
    """Three blocks on pictures (16, 16, 3) and a head of two."""
    keras.utils.set_random_seed(5)
    x = inputs = keras.Input((SIZE, SIZE, 3), name="pixels")
    for place, channels in enumerate((6, 6, 8), 1):
        strides = 4 if place == 1 else 1
        x = L.Conv2D(channels, 3, strides=strides, padding="same", name=f"block_{place}_conv")(x)
        x = L.ReLU(name=f"block_{place}_relu")(L.BatchNormalization(name=f"block_{place}_norm")(x))
    x = L.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(inputs, L.Dense(3, name="old_classes")(x), name="small")
    return transfer.extract(model, drop_last=1, freeze="backbone", heads=[transfer.Head("label", 2)])


@pytest.fixture(scope="module")
def pictures() -> transfer.LabelledSet:
    random = np.random.default_rng(8)
    labels = np.arange(EXAMPLES) % 2
    tints = np.array([[140, 70, 60], [60, 90, 150]])[labels][:, None, None]
    values = np.clip(tints + random.normal(0, 90, (EXAMPLES, SIZE, SIZE, 3)), 0, 255)
    return transfer.from_arrays(values.astype(np.uint8), labels)


@dataclass
class Reads:
    """What was read of features as they are where the last two blocks begin.

    Attributes:
        most: rows at once.
        from_disk: rows that lay on the disk alone.
        held_bytes: of the rows of one set that were in memory, at the most.
    """

    most: int = 0
    from_disk: int = 0
    held_bytes: int = 0


@pytest.fixture
def reads(monkeypatch) -> Reads:
    monkeypatch.setattr(pacing, "_MOST_BYTES", 1)  # a call takes one step
    noted, read_rows, read_shard = Reads(), Rows.read, Shard.read

    def rows(self: Rows, places: np.ndarray) -> np.ndarray:
        if self.row_shape == BOUNDARY:
            noted.most = max(noted.most, len(places))
            held = sum(each.values.nbytes for each in self.held if each.values is not None)
            noted.held_bytes = max(noted.held_bytes, held)
        return read_rows(self, places)

    def shard(self: Shard, places: np.ndarray) -> np.ndarray:
        noted.from_disk += len(places) if self.shape[1:] == BOUNDARY else 0
        return read_shard(self, places)

    monkeypatch.setattr(Rows, "read", rows)
    monkeypatch.setattr(Shard, "read", shard)
    return noted


def learn(student: keras.Model, data: transfer.LabelledSet, recipe: transfer.Recipe, folder: Path, **options) -> Path:
    """The run's folder."""
    transfer.finetune(student, data, recipe=recipe, preprocessing="unit", out=folder, **options)
    return folder


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_run_with_half_the_memory_reads_from_the_disk_and_has_the_same_bytes(name, small, pictures, reads, tmp_path):
    recipe = RECIPES[name]
    expected = learn(small, pictures, recipe, tmp_path / "all in memory")
    assert reads.from_disk == 0
    reads.held_bytes = 0
    half = EXAMPLES * ROW_BYTES // 2
    found = learn(small, pictures, recipe, tmp_path / "half", memory_bytes=half)
    assert reads.from_disk > EXAMPLES / 2
    assert [(found / file).read_bytes() for file in FILES] == [(expected / file).read_bytes() for file in FILES]
    assert 0 < reads.held_bytes <= half
    assert reads.most <= max(BATCH, *(stage.batch_size for stage in recipe.stages))


def test_a_run_without_memory_goes_on_from_a_cache_to_the_same_bytes(small, pictures, reads, tmp_path):
    recipe, cache = RECIPES["by default"], tmp_path / "cache"
    expected = learn(small, pictures, recipe, tmp_path / "all in memory")
    learn(small, pictures, recipe, tmp_path / "first", cache=cache)
    reads.from_disk = reads.held_bytes = 0
    found = learn(small, pictures, recipe, tmp_path / "again", cache=cache, memory_bytes=1)
    assert reads.held_bytes == 0
    assert reads.from_disk > recipe.stages[1].epochs * EXAMPLES / 2
    assert [(found / file).read_bytes() for file in FILES] == [(expected / file).read_bytes() for file in FILES]
