"""Layers of a live model put in, taken out, replaced and renamed: what stays computes what it did."""

import keras
import numpy as np
import pytest

import transfer
from transfer.errors import LayerError

L = keras.layers
X = np.random.default_rng(0).random((3, 6), "float32")


def mlp():
    keras.utils.set_random_seed(4)
    inputs = keras.Input((6,), name="x")
    hidden = L.Dense(5, activation="relu", name="hidden")(inputs)
    return keras.Model(inputs, L.Dense(3, name="out")(L.Dropout(0.5, name="drop")(hidden)), name="mlp")


def run(model):
    return keras.ops.convert_to_numpy(model(X, training=False))


def test_a_normalisation_that_was_forgotten_is_put_in_and_changes_no_other_weight():
    source = mlp()
    edited = transfer.insert_layer(source, L.BatchNormalization(epsilon=0.0, name="norm"), after="hidden")
    assert [layer.name for layer in edited.model.layers] == ["x", "hidden", "norm", "drop", "out"]
    assert (edited.changed, edited.dropped) == ((), ())
    np.testing.assert_allclose(run(edited.model), run(source), rtol=1e-6)  # fresh statistics: 0 and 1
    assert edited.model.get_layer("hidden") is not source.get_layer("hidden")


def test_a_layer_is_put_before_another_one():
    edited = transfer.insert_layer(mlp(), L.Rescaling(2.0, name="twice"), before="hidden")
    kernel, bias = mlp().get_layer("hidden").get_weights()
    hidden = np.maximum(2 * X @ kernel + bias, 0)
    out, last = mlp().get_layer("out").get_weights()
    np.testing.assert_allclose(run(edited.model), hidden @ out + last, rtol=1e-5)


def test_a_layer_is_taken_out():
    edited = transfer.remove_layer(mlp(), "drop")
    assert [layer.name for layer in edited.model.layers] == ["x", "hidden", "out"]
    np.testing.assert_array_equal(run(edited.model), run(mlp()))


def test_what_no_longer_fits_is_named_and_starts_anew_and_the_rest_keeps_its_bits():
    source = mlp()
    edited = transfer.replace_layer(source, "hidden", L.Dense(8, activation="relu", name="hidden"), seed=1)
    assert [each.where for each in edited.changed] == ["hidden/kernel", "hidden/bias", "out/kernel"]
    assert (edited.changed[2].expected, edited.changed[2].found) == ("(8, 3) in the new graph", "(5, 3) before")
    assert edited.dropped == ()
    np.testing.assert_array_equal(edited.model.get_layer("out").bias, source.get_layer("out").bias)
    assert edited.model.get_layer("out").kernel.shape == (8, 3)
    with pytest.raises(LayerError, match="fit no more"):
        transfer.replace_layer(source, "hidden", L.Dense(8, name="hidden"), strict=True)


def test_layers_change_names_and_keep_their_values():
    edited = transfer.rename_layers(mlp(), {"hidden": "out", "out": "hidden"}, model="other")
    assert [layer.name for layer in edited.model.layers] == ["x", "out", "drop", "hidden"]
    assert edited.model.name == "other"
    np.testing.assert_array_equal(run(edited.model), run(mlp()))


def test_what_restore_gave_serves_as_source(tmp_path):
    transfer.save_weights(mlp(), tmp_path / "mlp.h5")
    edited = transfer.remove_layer(transfer.restore(tmp_path / "mlp.h5"), "drop")
    np.testing.assert_array_equal(run(edited.model), run(mlp()))


def test_a_layer_that_has_weights_would_lose_them():
    used = L.Dense(5, name="used")
    used.build((None, 5))
    with pytest.raises(LayerError, match="has weights already"):
        transfer.insert_layer(mlp(), used, after="hidden")
    with pytest.raises(LayerError, match="no Keras layer"):
        transfer.insert_layer(mlp(), "relu", after="hidden")


def test_a_layer_that_is_not_there_offers_the_nearest():
    with pytest.raises(LayerError, match="no layer 'hiden'") as caught:
        transfer.remove_layer(mlp(), "hiden")
    assert "'hidden'" in caught.value.next_step
