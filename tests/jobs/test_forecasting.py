"""What a dry run tells is what the run costs."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import transfer
from transfer.analysis.estimates import Estimate
from transfer.errors import DataError
from transfer.jobs.finetuning.forecasting import forecast_file
from transfer.jobs.finetuning.learning import Learning, learn_file
from transfer.jobs.students.clock import TimeLimit
from transfer.models.architectures import build_named
from transfer.specs import PREPROCESSINGS

PROBE = transfer.Recipe(transfer.Stage("probe"))
HALVING = """
import keras


class Halving(keras.layers.Layer):
    def call(self, x):
        return x[:, ::2]


def create():
    inputs = keras.Input((8,))
    x = keras.layers.Dense(6, name="low")(Halving(name="half")(inputs))
    return keras.Model(inputs, keras.layers.Dense(3, name="kind")(x))
"""


@pytest.fixture
def digits():
    rng = np.random.default_rng(0)
    return transfer.from_arrays(rng.integers(0, 256, (40, 784)).astype(np.float32), np.arange(40) % 4)


def test_the_probe_runs_the_frozen_part_once_over_all_examples(digits):
    found = forecast_file("digits_mlp", digits, Learning(shots=6, recipe=PROBE))
    (probe,) = found.stages
    assert (found.train_examples, found.test_examples) == (24, 16)
    assert (probe.kind, probe.first, probe.examples, probe.read) == ("probe", "label", 24, 40)
    assert probe.cost.trainable == 64 * 4 + 4
    assert probe.frozen == 784 * 64 + 64 + 64 * 64 + 64
    assert probe.once == probe.total == 40 * (784 * 64 + 64 * 64)
    assert probe.kept_bytes == 40 * 64 * 4
    assert "in all" in str(found)
    assert "without kept features" not in str(found)


def test_tuning_runs_the_whole_network_in_each_epoch_and_less_with_kept_features(digits):
    recipe = transfer.Recipe((transfer.Stage("probe"), transfer.Stage("tune", unfreeze_from="dense_2", epochs=5)))
    found = forecast_file("digits_mlp", digits, Learning(shots=6, recipe=recipe))
    tune = found.stages[1]
    prefix, second, head = 784 * 64, 64 * 64, 64 * 4
    assert tune.cost.forward == prefix + second + head
    assert tune.cost.backward == second + head + head  # the kernels', and the gradient that reaches dense_2
    assert tune.per_epoch == 24 * (prefix + 2 * second + 3 * head)
    assert tune.per_epoch_kept == tune.per_epoch - 24 * prefix
    assert tune.tried == 20  # of 24, one of each class is held out to see how far to go
    assert tune.total == 5 * (24 + 20) * tune.cost.step
    assert tune.training == 5 * (24 + 20) * (2 * second + 3 * head)
    assert found.total == 40 * (prefix + second) + tune.training
    assert "without kept features" in str(found)
    values = found.to_json()
    assert values["total_flops"] == 2 * values["total_macs"] == 2 * found.total
    assert [each["trainable_parameters"] + each["frozen_parameters"] for each in values["stages"]] == [
        784 * 64 + 64 + 64 * 64 + 64 + 64 * 4 + 4
    ] * 2


def test_inputs_that_look_wrong_are_told_before_anything_is_learnt():
    rows = np.random.default_rng(0).integers(0, 256, (40, 784)).astype(np.float32)
    data = transfer.from_arrays(rows, np.arange(40) % 4)
    assert forecast_file("digits_mlp", data).warnings == ()
    (warning,) = forecast_file(
        "digits_mlp", data, Learning(preprocessing=PREPROCESSINGS["raw"], size=(28, 28))
    ).warnings
    assert "0 to 255" in warning


def test_a_time_limit_is_held_against_the_estimate(digits, monkeypatch):
    parts = {"starting": 5.0, "features": 10.0, "baselines": 1.0, "solving": 2.0, "tuning": 30.0, "saving": 9.0}
    monkeypatch.setattr("transfer.jobs.finetuning.forecasting.estimate_run", lambda *_: Estimate(parts, {}))
    found = [forecast_file("digits_mlp", digits, time_limit=TimeLimit(each)) for each in (20.0, 40.0, 60.0)]
    assert [each.time_check.outcome for each in found] == ["no run", "cut short", "whole"]
    size = 4 * (784 * 64 + 64 + 64 * 64 + 64 + 64 * 4 + 4)
    assert found[0].to_json()["time_limit"] == {
        "limit_seconds": 20.0,
        "learning_seconds": pytest.approx(20 - 4 - 2 - size / 50e6),
        "ready_seconds": 16.0,
        "trained_seconds": 48.0,
        "outcome": "no run",
    }
    assert "the time limit of 40 s cuts training short" in str(found[1])
    assert forecast_file("digits_mlp", digits).to_json()["time_limit"] is None


def test_a_test_set_of_its_own_is_counted(digits):
    others = transfer.from_arrays(np.asarray(digits.inputs)[:8] / 2, np.arange(8) % 4)
    found = forecast_file("digits_mlp", digits, Learning(test=others))
    assert (found.train_examples, found.test_examples, found.stages[0].examples) == (40, 8, 40)


def test_what_is_told_is_what_the_run_does(digits):
    found = forecast_file("digits_mlp", digits, Learning(shots=6))
    run = learn_file("digits_mlp", digits, None, Learning(shots=6))
    assert (found.train_examples, found.test_examples) == (run.result.train_examples, run.result.test_examples)
    head = run.model.get_layer(found.stages[0].first)
    assert found.stages[0].cost.trainable == head.count_params()
    assert set(found.notes) <= set(run.result.notes)


def test_a_size_that_the_network_leaves_open_is_that_of_the_data(tmp_path):
    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.LSTM(4, name="read")(keras.layers.Embedding(9, 3)(inputs))
    path = tmp_path / "words.keras"
    keras.Model(inputs, keras.layers.Dense(3, name="kind")(x)).save(path)
    words = transfer.from_arrays(np.random.default_rng(0).integers(0, 9, (40, 11)), np.arange(40) % 4)
    found = forecast_file(str(path), words)
    assert found.stages[0].cost.forward == 11 * 4 * (4 * 3 + 4 * 4) + 4 * 4


def test_what_a_run_would_refuse_is_refused(digits):
    with pytest.raises(DataError):
        forecast_file("digits_mlp", digits, Learning(shots=10))
    with pytest.raises(DataError, match="also learnt from"):
        forecast_file("digits_mlp", digits, Learning(test=digits.subset(np.arange(8))))


def test_a_network_with_layers_of_the_callers_own_is_forecast(tmp_path):
    builder = tmp_path / "halving.py"
    builder.write_text(HALVING)
    rows = transfer.from_arrays(np.random.default_rng(0).random((40, 8), np.float32), np.arange(40) % 4)
    path = tmp_path / "own.weights.h5"
    build_named(f"{builder}:create").save_weights(path)
    found = forecast_file(str(path), rows, Learning(into=f"{builder}:create", drop_last=1))
    assert found.stages[0].cost.forward == 4 * 6 + 6 * 4
    assert "not counted: half" in str(found)
