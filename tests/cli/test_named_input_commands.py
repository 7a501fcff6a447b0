"""`finetune`, `predict` and `evaluate` with networks of several inputs."""

import keras
import numpy as np
import pytest

import transfer

L = keras.layers


@pytest.fixture
def pair(here):
    """In the working folder: `pair.h5`, on numbers and token ids, and `pair.npz` with both."""
    a, b = keras.Input((6,), name="a", dtype="int32"), keras.Input((3,), name="b")
    told = L.LSTM(5, name="lstm")(L.Embedding(9, 4, name="embed")(a))
    joined = L.Dense(6, activation="relu", name="mixed")(L.Concatenate(name="joined")([told, b]))
    keras.Model([a, b], L.Dense(4, activation="softmax", name="old")(joined), name="pair").save(here / "pair.h5")
    random = np.random.default_rng(7)
    ids, numbers = random.integers(0, 9, (40, 6)), random.normal(size=(40, 3)).astype(np.float32)
    np.savez(here / "pair.npz", x_a=ids, x_b=numbers, y=(numbers[:, 0] > np.median(numbers[:, 0])).astype(int))
    return ids, numbers


def test_a_run_with_several_inputs_from_a_file_of_arrays(call, pair):
    ended = call("finetune", "pair.h5", "pair.npz", "-o", "run", "--epochs", "2")
    assert ended.code == 0, ended.stderr
    assert "arrays are taken as they are, one for each of the inputs a, b" in ended.stdout
    told = transfer.load_run("run").model.predict({"a": pair[0], "b": pair[1]}, verbose=0)
    answers = call("predict", "run", "pair.npz", "--json").json["answers"]
    np.testing.assert_allclose([list(each["probabilities"].values()) for each in answers], told, atol=1e-6)
    assert call("evaluate", "run", "pair.npz", "--json").json["seen"] == 30


@pytest.mark.usefixtures("pair")
def test_a_dry_run_writes_nothing(call, here):
    before = sorted(here.iterdir())
    ended = call("finetune", "pair.h5", "pair.npz", "--dry-run")
    assert ended.code == 0, ended.stderr
    assert "would learn 2 classes from 30 examples and test on 10; nothing was written" in ended.stdout
    assert sorted(here.iterdir()) == before


def test_arrays_of_other_names_are_an_error_of_data(call, here, pair):
    np.savez("other.npz", x_a=pair[0], x_c=pair[1], y=np.arange(40) % 2)
    ended = call("finetune", "pair.h5", "other.npz", "-o", "run", "--json")
    assert ended.code == 6
    assert [each["where"] for each in ended.error["problems"]] == ["x_b", "x_c"]
    assert not (here / "run").exists()
