"""Keras 0 and 1: names, gates, kernels in either order of axes. Values against what today's layers hold."""

import h5py
import numpy as np
import pytest

from transfer.weights.dialects.keras1 import split_name
from transfer.weights.dialects.kernels import find_axes, flip, with_channels_last
from transfer.weights.opening import open_checkpoint


def write(path, layers):
    """As Keras 1 lays layers down: `LAYER_ROLE`, no version, no backend."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for layer, tensors in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}_{role}".encode() for role in tensors]
            for role, values in tensors.items():
                group[f"{layer}_{role}"] = values
    return path


def random(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("dense_1_W", ("dense_1", "W")),
        ("bb_conv1_W_4:0", ("bb_conv1", "W")),
        ("batchnormalization_2_running_std", ("batchnormalization_2", "running_std")),
        ("lstm_W_i:0", ("lstm", "W_i")),
        ("forward_gru_1_U_h", ("forward_gru_1", "U_h")),
        ("dense_1/kernel:0", None),
        ("kernel", None),
    ],
)
def test_a_name_tells_layer_and_role(name, found):
    assert split_name(name) == found


def test_kernels_with_outputs_first_are_told_by_their_biases_and_moved(tmp_path):
    kernel = random(8, 3, 5, 5)
    path = write(tmp_path / "a.h5", {"conv": {"W": kernel, "b": random(8)}})
    checkpoint = open_checkpoint(path)
    assert checkpoint.specs["conv/kernel"].shape == (5, 5, 3, 8)
    np.testing.assert_array_equal(checkpoint["conv/kernel"], np.einsum("oihw->hwio", kernel))
    assert "channels moved last" in checkpoint.specs["conv/kernel"].converted
    turned = checkpoint.written_on("theano")["conv/kernel"]
    np.testing.assert_array_equal(turned, np.einsum("oihw->hwio", kernel)[::-1, ::-1])


def test_one_kernel_that_tells_its_order_tells_that_of_the_whole_file(tmp_path):
    square = random(3, 3, 3, 3)
    path = write(
        tmp_path / "a.h5", {"a": {"W": square, "b": random(3)}, "b": {"W": random(8, 3, 5, 5), "b": random(8)}}
    )
    np.testing.assert_array_equal(open_checkpoint(path)["a/kernel"], np.einsum("oihw->hwio", square))


def test_an_order_that_nothing_tells_is_a_doubt(tmp_path):
    path = write(tmp_path / "a.h5", {"a": {"W": random(3, 3, 3, 3), "b": random(3)}})
    checkpoint = open_checkpoint(path).written_on("tensorflow")
    assert [each.expected for each in checkpoint.doubts] == ["(h, w, in, out) or (out, in, h, w)"]


def test_a_file_without_convolutions_has_no_doubts(tmp_path):
    path = write(tmp_path / "a.h5", {"dense_1": {"W": random(4, 5), "b": random(5)}})
    assert open_checkpoint(path).doubts == ()


def test_the_gates_of_an_lstm_are_joined_in_todays_order(tmp_path):
    parts = {
        f"{part}_{gate}": random(*shape, 3) for gate in "icfo" for part, shape in (("W", (5,)), ("U", (3,)), ("b", ()))
    }
    checkpoint = open_checkpoint(write(tmp_path / "a.h5", {"lstm_1": parts}))
    for role, part in (("kernel", "W"), ("recurrent_kernel", "U"), ("bias", "b")):
        np.testing.assert_array_equal(
            checkpoint[f"lstm_1/{role}"], np.concatenate([parts[f"{part}_{gate}"] for gate in "ifco"], axis=-1)
        )


def test_the_gates_of_a_gru_are_joined_in_todays_order(tmp_path):
    parts = {
        f"{part}_{gate}": random(*shape, 2) for gate in "zrh" for part, shape in (("W", (4,)), ("U", (2,)), ("b", ()))
    }
    checkpoint = open_checkpoint(write(tmp_path / "a.h5", {"gru_1": parts}))
    np.testing.assert_array_equal(checkpoint["gru_1/bias"], np.concatenate([parts[f"b_{gate}"] for gate in "zrh"]))
    assert checkpoint.specs["gru_1/kernel"].converted == "3 gates joined"


def test_a_one_dimensional_convolution_loses_the_axis_that_keras_1_gave_it(tmp_path):
    kernel = random(5, 1, 3, 7)
    path = write(tmp_path / "a.h5", {"convolution1d_1": {"W": kernel, "b": random(7)}})
    checkpoint = open_checkpoint(path).written_on("tensorflow")
    np.testing.assert_array_equal(checkpoint["convolution1d_1/kernel"], kernel[:, 0])


def test_keras_0_tells_roles_by_number_and_shape(tmp_path):
    deviation = np.abs(random(6)) + 0.5
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["nb_layers"] = 3
        layers = [[random(4, 6), random(6)], [], [random(6), random(6), random(6), deviation]]
        for number, arrays in enumerate(layers):
            group = file.create_group(f"layer_{number}")
            group.attrs["nb_params"] = len(arrays)
            for place, values in enumerate(arrays):
                group[f"param_{place}"] = values
    checkpoint = open_checkpoint(tmp_path / "a.h5")
    assert list(checkpoint) == [
        "layer_0/kernel",
        "layer_0/bias",
        "layer_2/gamma",
        "layer_2/beta",
        "layer_2/moving_mean",
        "layer_2/moving_variance",
    ]
    np.testing.assert_allclose(checkpoint["layer_2/moving_variance"], (deviation + 1e-6) ** 2, rtol=1e-6)


def test_turning_and_moving_are_what_scipy_makes_of_them():
    """A convolution with a kernel is the correlation with the turned one."""
    from scipy.signal import convolve2d, correlate2d

    image, kernel = random(6, 7), random(3, 3)
    np.testing.assert_allclose(
        correlate2d(image, flip(kernel[:, :, None, None])[:, :, 0, 0], "valid"),
        convolve2d(image, kernel, "valid"),
        rtol=1e-5,
    )
    assert with_channels_last(random(8, 3, 5, 4)).shape == (5, 4, 3, 8)


@pytest.mark.parametrize(
    ("kernels", "axes"),
    [
        ([((3, 3, 3, 64), 64)], "tf"),
        ([((64, 3, 3, 3), 64)], "th"),
        ([((3, 3, 3, 3), 3)], None),
        ([((3, 3, 16, 32), None)], "tf"),
        ([((32, 16, 3, 3), None)], "th"),
        ([], None),
    ],
)
def test_the_order_of_axes(kernels, axes):
    assert find_axes(kernels) == axes
