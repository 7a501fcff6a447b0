"""Fine-tuning sequences to several outputs: padding stays masked behind frozen layers, and scores are the model's."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

import transfer
from transfer.data.labelled import LabelledSet
from transfer.labellings import Labelling, Output
from transfer.recipes import Recipe, Stage

LABELLING = Labelling(
    (
        Output("topic", classes=("a", "b", "c")),
        Output("tags", "sigmoid", ("late", "rare")),
        Output("length", "regression"),
    )
)


@pytest.fixture(scope="module")
def texts() -> LabelledSet:
    """96 sequences of 12 ids, 0 behind their ends; some labels are not known."""
    random = np.random.default_rng(0)
    ids = random.integers(1, 30, (96, 12))
    lengths = random.integers(4, 12, 96)
    ids[np.arange(12) >= lengths[:, None]] = 0
    tags = np.stack([ids[:, 1] > 15, (ids == 3).any(1)], 1).astype(float)
    tags[::7, 0] = np.nan
    topic = np.where(np.arange(96) % 11 == 0, -1, ids[:, 0] % 3)
    return transfer.from_arrays(ids, {"topic": topic, "tags": tags, "length": lengths}, labelling=LABELLING)


def recurrent(x: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.Bidirectional(keras.layers.LSTM(12), name="tuned")(x)


def attention(x: keras.KerasTensor) -> keras.KerasTensor:
    seen = keras.layers.MultiHeadAttention(2, 8, name="tuned")(x, x)
    return keras.layers.GlobalAveragePooling1D(name="pool")(keras.layers.Add(name="add")([x, seen]))


@pytest.mark.parametrize("body", [recurrent, attention])
def test_a_mask_reaches_trained_layers_behind_frozen_ones(body, texts: LabelledSet, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((12,), name="ids")
    x = body(keras.layers.Embedding(30, 16, mask_zero=True, name="embedding")(inputs))
    source = keras.Model(inputs, keras.layers.Dense(4, name="old")(x))
    heads = [transfer.Head(each.name, classes=len(each.classes), kind=each.kind) for each in LABELLING]
    student = transfer.extract(source, drop_last=1, freeze="backbone", heads=heads)
    train, test = texts.subset(np.arange(0, 96, 2)), texts.subset(np.arange(1, 96, 2))
    recipe = Recipe((Stage("tune", unfreeze_from="tuned", epochs=6, rate=1e-2),), seed=3)
    run = transfer.finetune(student, train, test=test, recipe=recipe, out=tmp_path / "run")
    assert "the weights before it were kept" not in str(run)

    loaded = keras.models.load_model(tmp_path / "run" / "model.keras")
    answers = loaded.predict(test.inputs, verbose=0)
    topics, lengths = answers["topic"], answers["length"]
    topic, tag, length = test.targets
    scores = {score.name: score for score in run.result.outputs[0].outputs}
    right = topics.argmax(1)[topic >= 0] == topic[topic >= 0]
    assert scores["topic"]["accuracy"].value == pytest.approx(right.mean())
    assert scores["length"]["mean absolute error"].value == pytest.approx(np.abs(lengths - length).mean(), rel=1e-5)
    assert scores["tags"].examples == (tag != -1).any(1).sum()

    stock = keras.Model(inputs, keras.layers.Dense(3, name="topic")(x))
    for name in ("embedding", "tuned", "topic"):
        stock.get_layer(name).set_weights(loaded.get_layer(name).get_weights())
    np.testing.assert_array_equal(stock.predict(test.inputs, verbose=0).argmax(1), topics.argmax(1))
