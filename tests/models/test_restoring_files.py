"""Files that real Keras versions wrote, restored into their architecture: the outputs are those of the writer."""

from pathlib import Path

import keras
import numpy as np
import pytest

from transfer.models.restoring import restore

FILES = Path(__file__).parents[1] / "weights" / "files"


def attention():
    inputs = keras.Input((5, 8), name="seq")
    x = keras.layers.MultiHeadAttention(2, 4, name="mha")(inputs, inputs)
    x = keras.layers.GlobalAveragePooling1D(name="gap")(keras.layers.LayerNormalization(name="ln")(x))
    return keras.Model(inputs, keras.layers.Dense(2, name="out")(x), name="attn")


def cnn():
    """No layer has a name of its own: in this session they are called otherwise than in the file."""
    layers = keras.layers
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(inputs)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    x = layers.Conv2D(8, 3, padding="same")(x)
    x = layers.Conv2D(8, 3, padding="same")(x)
    x = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(x))
    return keras.Model(inputs, layers.Dense(5, activation="softmax")(x))


def lstm():
    inputs = keras.Input((7,), dtype="int32", name="tok")
    x = keras.layers.LSTM(6, name="lstm")(keras.layers.Embedding(50, 8, name="emb")(inputs))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="cls")(x), name="lstmclf")


def same_width():
    inner_in = keras.Input((8,), name="bi")
    x = keras.layers.BatchNormalization(name="b1")(keras.layers.Dense(8, use_bias=False, name="d")(inner_in))
    inner = keras.Model(
        inner_in, keras.layers.BatchNormalization(name="b2")(keras.layers.ReLU(name="r")(x)), name="bnb"
    )
    inputs = keras.Input((8,), name="in")
    return keras.Model(inputs, keras.layers.Dense(2, name="head")(inner(inputs)), name="same")


def mixed():
    inputs = keras.Input((16,), name="f")
    x = keras.layers.Dense(8, activation="relu", name="d1", dtype="mixed_float16")(inputs)
    return keras.Model(inputs, keras.layers.Dense(2, name="d2", dtype="mixed_float16")(x), name="lowp")


def compare(restored, name, atol=1e-5, rtol=1e-4):
    path = FILES / name
    with np.load(path.with_name(f"{path.name.split('__')[0]}.npz")) as truth:
        inputs = [truth[key] for key in sorted(truth.files) if key[0] == "x"]
        expected = [truth[key] for key in sorted(truth.files) if key[0] == "y"]
    found = keras.tree.flatten(restored.model(inputs if len(inputs) > 1 else inputs[0], training=False))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(ours), theirs, atol=atol, rtol=rtol)


@pytest.mark.parametrize(
    "name",
    [
        "keras-3.15.1/c_nested_bnfrozen__full.h5",
        "keras-3.15.1/d_lstm__keras.keras",
        "keras-3.15.1/e_multi__keras.keras",
        "keras-3.15.1/g_shared__full.h5",
        "keras-3.15.1/s_samewidth_frozen__full.h5",
    ],
)
def test_a_whole_model_restores_from_its_own_architecture(name):
    compare(restore(FILES / name), name)


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("keras-3.15.1/b_cnn__wh5.weights.h5", cnn),
        ("keras-3.15.1/d_lstm__keras.keras", lstm),
        ("keras-3.15.1/j_mha__wh5.weights.h5", attention),
        ("keras-3.15.1/s_samewidth_frozen__full.h5", same_width),
        ("tf.keras-2.11/d_lstm__full.h5", lstm),
    ],
)
def test_weights_restore_into_the_builders_model(name, build):
    compare(restore(FILES / name, build), name)


def test_weights_of_mixed_precision_restore():
    name = "tf.keras-2.11/o_mixed_float16__weights.h5"
    compare(restore(FILES / name, mixed), name, atol=2e-2, rtol=2e-2)


def test_equal_shapes_that_freezing_permuted_are_told_apart_by_name_where_keras_takes_them_by_place():
    name = "keras-3.15.1/s_samewidth_frozen__full.h5"
    by_name = restore(FILES / name, same_width).model
    by_place = same_width()
    by_place.load_weights(FILES / name)
    norm, wrong = (model.get_layer("bnb").get_layer("b1").get_weights() for model in (by_name, by_place))
    assert not all(np.array_equal(*pair) for pair in zip(norm, wrong, strict=True))
