"""Where a network looked: against networks of which the answer is known in closed form."""

import keras
import numpy as np
import pytest

from transfer.models.attention_maps import map_attention


def network(*, pooled=True, head="softmax", classes=3):
    """Two convolutions, then a linear head on the mean over the positions."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((12, 10, 3), name="pixels")
    x = keras.layers.Rescaling(1 / 255, name="unit")(inputs)
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="conv_1")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Conv2D(5, 3, padding="same", name="conv_2")(x)
    x = keras.layers.ReLU(name="relu")(x)
    flat = keras.layers.GlobalAveragePooling2D(name="pool") if pooled else keras.layers.Flatten(name="flat")
    logits = keras.layers.Dense(classes, name="label", bias_initializer="random_normal")(flat(x))
    answer = keras.layers.Softmax(name="probabilities") if head == "softmax" else keras.layers.Activation("sigmoid")
    return keras.Model(inputs, answer(logits))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(4).integers(0, 256, (6, 12, 10, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def pooled():
    return network()


def activations(model, images):
    return keras.Model(model.inputs, model.get_layer("relu").output).predict(images.astype(np.float32), verbose=0)


def test_with_a_linear_head_on_the_mean_it_is_the_class_activation_map(pooled, images):
    classes = np.array([0, 1, 2, 0, 1, 2])
    found = map_attention(pooled, images, classes)
    kernel = pooled.get_layer("label").get_weights()[0]
    maps = activations(pooled, images)
    expected = np.maximum(0, np.einsum("nhwc,cn->nhw", maps, kernel[:, classes])) / maps[0, ..., 0].size
    assert found.shape == (6, 6, 5)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
    assert (found > 0).any()
    assert (found == 0).any()


def test_with_a_head_on_each_position_weights_are_the_means_of_its_kernel(images):
    model, classes = network(pooled=False), np.array([2, 1, 0, 2, 1, 0])
    found = map_attention(model, images, classes)
    maps = activations(model, images)
    kernel = model.get_layer("label").get_weights()[0].reshape(*maps.shape[1:], 3)
    weights = kernel.mean((0, 1))[:, classes]
    np.testing.assert_allclose(found, np.maximum(0, np.einsum("nhwc,cn->nhw", maps, weights)), rtol=1e-4, atol=1e-7)


def test_a_branch_around_the_last_layer_with_positions_changes_nothing_of_it(images):
    keras.utils.set_random_seed(5)
    inputs = keras.Input((12, 10, 3))
    early = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    late = keras.layers.Conv2D(5, 3, padding="same", name="relu", activation="relu")(early)
    both = [keras.layers.GlobalAveragePooling2D()(each) for each in (early, late)]
    logits = keras.layers.Dense(3, name="label")(keras.layers.Concatenate()(both))
    model, classes = keras.Model(inputs, keras.layers.Softmax()(logits)), np.zeros(6, np.int64)
    kernel = model.get_layer("label").get_weights()[0][4:, 0]
    expected = np.maximum(0, activations(model, images) @ kernel) / 120
    np.testing.assert_allclose(map_attention(model, images, classes), expected, rtol=1e-4, atol=1e-4)


def test_the_model_and_its_frozen_layers_are_left_as_they_are(pooled, images):
    pooled.get_layer("conv_1").trainable = False
    before = [each.copy() for each in pooled.get_weights()]
    map_attention(pooled, images, np.zeros(6, np.int64))
    assert all((one == other).all() for one, other in zip(before, pooled.get_weights(), strict=True))
    assert not pooled.get_layer("conv_1").trainable


def test_a_model_inside_counts_as_one_layer(images):
    inner = keras.Sequential([keras.Input((12, 10, 3)), keras.layers.Conv2D(4, 3, activation="relu")])
    inputs = keras.Input((12, 10, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inner(inputs))
    model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Dense(2)(pooled)))
    assert map_attention(model, images, np.zeros(6, np.int64)).shape == (6, 10, 8)


def test_images_of_any_size_are_taken_where_the_network_takes_them():
    inputs = keras.Input((None, None, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, activation="relu")(inputs))
    model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Dense(2)(x)))
    assert map_attention(model, np.ones((1, 8, 9, 3)), np.array([1])).shape == (1, 6, 7)


def without_convolution():
    inputs = keras.Input((12, 10, 3))
    return keras.Model(inputs, keras.layers.Softmax()(keras.layers.Dense(3)(keras.layers.Flatten()(inputs))))


def on_sequences():
    inputs = keras.Input((12, 10))
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Conv1D(3, 3)(inputs))
    return keras.Model(inputs, keras.layers.Softmax()(x))


def with_two_outputs():
    one = network()
    return keras.Model(one.inputs, [one.output, one.get_layer("label").output])


@pytest.mark.parametrize("make", [without_convolution, on_sequences, with_two_outputs, lambda: network(head="sigmoid")])
def test_other_networks_have_none(make, images):
    assert map_attention(make(), images, np.zeros(6, np.int64)) is None


def test_no_image_has_none(pooled, images):
    assert map_attention(pooled, images[:0], np.zeros(0, np.int64)) is None
