"""Recurrent layers of cuDNN: matrices and biases as an LSTM and a GRU of today have them."""

import h5py
import numpy as np
import pytest

from transfer.weights.dialects.cudnn import reorder
from transfer.weights.opening import open_checkpoint


def write(path, gates, units=3, features=5):
    """As Keras 2.2 lays such a layer down; gives its arrays back."""
    chance = np.random.default_rng(gates)
    arrays = {
        "kernel": chance.normal(size=(features, gates * units)).astype("float32"),
        "recurrent_kernel": chance.normal(size=(units, gates * units)).astype("float32"),
        "bias": chance.normal(size=2 * gates * units).astype("float32"),
    }
    with h5py.File(path, "w") as file:
        file.attrs.update({"layer_names": [b"rnn"], "backend": b"tensorflow", "keras_version": b"2.2.4"})
        group = file.create_group("rnn")
        group.attrs["weight_names"] = [f"rnn/{role}:0".encode() for role in arrays]
        for role, values in arrays.items():
            group[f"rnn/{role}:0"] = values
    return arrays


def by_loops(matrix, gates):
    """CuDNN multiplies each gate's flat memory as a (units, features) matrix with the input."""
    features, units = matrix.shape[0], matrix.shape[1] // gates
    out = np.empty_like(matrix)
    for gate in range(gates):
        flat = [matrix[i, gate * units + j] for i in range(features) for j in range(units)]
        for unit in range(units):
            for feature in range(features):
                out[feature, gate * units + unit] = flat[unit * features + feature]
    return out


@pytest.mark.parametrize("gates", [3, 4])
def test_matrices_are_read_as_cudnn_reads_them(tmp_path, gates):
    arrays = write(tmp_path / "a.h5", gates)
    checkpoint = open_checkpoint(tmp_path / "a.h5")
    for role in ("kernel", "recurrent_kernel"):
        np.testing.assert_array_equal(checkpoint[f"rnn/{role}"], by_loops(arrays[role], gates))
        assert checkpoint.specs[f"rnn/{role}"].converted == "taken out of cuDNN's order"


def test_an_lstm_adds_its_two_biases_and_a_gru_keeps_them(tmp_path):
    lstm, gru = write(tmp_path / "lstm.h5", 4)["bias"], write(tmp_path / "gru.h5", 3)["bias"]
    np.testing.assert_array_equal(open_checkpoint(tmp_path / "lstm.h5")["rnn/bias"], lstm[:12] + lstm[12:])
    stacked = open_checkpoint(tmp_path / "gru.h5")["rnn/bias"]
    np.testing.assert_array_equal(stacked, [gru[:9], gru[9:]])


def test_the_order_of_one_gate():
    np.testing.assert_array_equal(reorder(np.array([[0, 1], [2, 3], [4, 5]])), [[0, 3], [1, 4], [2, 5]])


def test_an_ordinary_lstm_is_left_alone(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs.update({"layer_names": [b"rnn"], "backend": b"tensorflow", "keras_version": b"2.2.4"})
        group = file.create_group("rnn")
        shapes = {"kernel": (5, 12), "recurrent_kernel": (3, 12), "bias": (12,)}
        group.attrs["weight_names"] = [f"rnn/{role}:0".encode() for role in shapes]
        for role, shape in shapes.items():
            group[f"rnn/{role}:0"] = np.ones(shape, "float32")
    assert {spec.converted for spec in open_checkpoint(tmp_path / "a.h5").specs.values()} == {""}


def test_a_layer_of_cudnn_restores_into_an_lstm_of_today_without_a_doubt(tmp_path):
    """Keras 2.2's other LSTM took `hard_sigmoid`; cuDNN never did."""
    import keras

    from transfer.models.restoring import restore

    write(tmp_path / "a.h5", 4)
    model = keras.Sequential([keras.Input((7, 5)), keras.layers.LSTM(3, name="rnn")])
    restored = restore(tmp_path / "a.h5", model)
    assert restored.model.get_layer("rnn").recurrent_activation is keras.activations.sigmoid
    assert [pair.converted for pair in restored.receipt.plan.pairs] == ["taken out of cuDNN's order"] * 3
