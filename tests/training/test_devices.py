"""Training on two devices is training on one, up to rounding. Processors divided in two stand for GPUs here."""

import os
import subprocess
import sys

import keras
import pytest

from transfer.training.devices import scope, strategy_of

CHILD = """
import sys
from contextlib import nullcontext
sys.path.insert(0, "tests/training")
import numpy as np
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
from suffixes import FEATURES, LABELS, suffix
from transfer.errors import TrainingError
from transfer.models.building import build_model, read_model
from transfer.recipes import Stage
from transfer.training.devices import strategy_of
from transfer.training.fitting import fit

both = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def trained(where, features=FEATURES, norm="frozen", **options):
    network = read_model(suffix(norm=norm != "none", freeze_norm=norm == "frozen"))
    with where:
        model = build_model(network)
    fields = {"batch_size": 7, "rate": 0.05, "optimizer": "adam", "steps": 5, **options}
    try:
        fit(model, features, LABELS, Stage("tune", unfreeze=("*",), **fields), seed=7)
    except TrainingError as error:
        print("stopped", error.problems[0].where)
    assert (strategy_of(model.variables) is both) == (where is not one)
    for each in model.variables if where is not one else ():
        first, second = (part.numpy() for part in both.experimental_local_results(each.value))
        assert first.tobytes() == second.tobytes(), each.path
    return model.get_weights()


one = nullcontext()


def compare(tolerance, **how):
    alone, together = trained(one, **how), trained(both.scope(), **how)
    assert any(np.abs(a - b).max() > 0.01 for a, b in zip(alone, suffix(norm=len(alone) > 4).get_weights()))
    gaps = [np.abs(a - b).max() / max(1, np.abs(a).max()) for a, b in zip(alone, together, strict=True)]
    assert max(gaps) < tolerance, (how, gaps)


"""


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CHILD + code],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_two_devices_end_where_one_does():
    run("""
compare(1e-5)
compare(1e-5, optimizer="sgd", batch_size=8)
compare(1e-5, optimizer="adamw", weight_decay=0.1, ema=0.9, l2_sp=0.3, mixup=0.3, layer_decay=0.5)
compare(1e-5, norm="trained", batch_size=6)  # which sees the whole batch on both
compare(1e-5, rate=1e4, optimizer="sgd", momentum=0.0, steps=1)
""")


@pytest.mark.slow
def test_two_devices_stop_where_one_does_with_the_last_finite_weights():
    found = run("""
features = FEATURES.copy()
features[np.random.default_rng((7, 1)).permutation(30)[17]] = np.nan
for where in (one, both.scope()):
    weights = trained(where, features, norm="trained", batch_size=6)
    assert all(np.isfinite(each).all() for each in weights)
    expected = trained(where if where is one else both.scope(), norm="trained", batch_size=6, steps=2)
    assert [each.tobytes() for each in weights] == [each.tobytes() for each in expected]
""")
    assert found.splitlines() == ["stopped step 3 of epoch 1"] * 2


def test_with_one_device_models_are_built_as_ever():
    with scope():
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    assert strategy_of(model.variables) is None
    assert strategy_of([]) is None
