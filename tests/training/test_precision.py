"""Layers that compute in bfloat16 while they are trained, with weights of single precision."""

import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from suffixes import FEATURES, LABELS, VALIDATION, VALIDATION_LABELS, bits, suffix

from transfer.recipes import Stage
from transfer.training.fitting import fit
from transfer.training.precision import in_precision, settled_precision


def rounded(values: np.ndarray) -> np.ndarray:
    return np.asarray(values).astype(ml_dtypes.bfloat16).astype(np.float32)


def test_hidden_layers_compute_on_rounded_values_and_the_last_one_in_single_precision():
    model = suffix()
    a, bias_a, b, bias_b = model.get_weights()
    with in_precision(model, "mixed_bfloat16"):
        hidden, logits = keras.Model(model.inputs[0], [model.get_layer("block1_dense").output, model.outputs[0]])(
            FEATURES
        )
    assert (hidden.dtype, logits.dtype) == ("bfloat16", "float32")
    expected = np.tanh(rounded(FEATURES) @ rounded(a) + rounded(bias_a))
    hidden = np.asarray(tf.cast(hidden, tf.float32))
    np.testing.assert_allclose(hidden, expected, rtol=0.02, atol=0.02)
    np.testing.assert_allclose(np.asarray(logits), hidden @ b + bias_b, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(np.asarray(model(FEATURES)), np.tanh(FEATURES @ a + bias_a) @ b + bias_b, rtol=1e-4)


@pytest.mark.parametrize("options", [{}, {"optimizer": "sgd", "ema": 0.9, "l2_sp": 0.1, "layer_decay": 0.5}])
def test_training_goes_on_as_in_single_precision_and_leaves_everything_of_that(options, tmp_path):
    found, models = {}, {}
    for precision in ("float32", "mixed_bfloat16"):
        models[precision] = suffix(norm=True)
        one = Stage("tune", unfreeze=("*",), epochs=15, batch_size=8, precision=precision, **{"rate": 0.05, **options})
        validation = (VALIDATION, VALIDATION_LABELS)
        found[precision] = [
            each.loss for each in fit(models[precision], FEATURES, LABELS, one, seed=7, validation=validation).history
        ]
    losses = found["mixed_bfloat16"]
    assert losses[-1] < 0.7 * losses[0]
    assert losses != found["float32"]
    assert losses == pytest.approx(found["float32"], rel=0.1)
    model = models["mixed_bfloat16"]
    assert {each.dtype for each in model.weights} == {"float32"}
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert {each.dtype_policy.name for each in again._flatten_layers()} == {"float32"}
    assert bits(again) == bits(model)


def test_runs_in_bfloat16_repeat_to_the_bit_and_layers_of_another_type_keep_it():
    one = Stage("tune", unfreeze=("*",), batch_size=8, rate=0.05, epochs=3, precision="mixed_bfloat16")
    models = [suffix(dropout=0.3) for _ in range(2)]
    for model in models:
        model.layers[2].dtype_policy = "float64"
        fit(model, FEATURES, LABELS, one, seed=7)
    assert bits(models[0]) == bits(models[1])
    assert [each.dtype_policy.name for each in models[0].layers] == ["float32", "float32", "float64", "float32"]


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [([], "float32"), ([(7, 5)], "float32"), ([(8, 0)], "mixed_bfloat16"), ([(9, 0), (7, 0)], "float32")],
)
def test_auto_takes_bfloat16_where_every_gpu_has_units_for_it(capabilities, expected, monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda _: [*range(len(capabilities))])
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda each: {"compute_capability": capabilities[each]}
    )
    assert settled_precision("auto") == expected
    assert settled_precision("mixed_bfloat16") == "mixed_bfloat16"
