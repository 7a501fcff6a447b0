"""Decoders made from encoders: shapes, sizes and seeds; and that one of them learns to reconstruct."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from transfer.errors import LayerError
from transfer.graphs.cutting import cut
from transfer.graphs.feature_layers import feature_layer
from transfer.graphs.flattening import flatten
from transfer.graphs.input_shapes import with_input_shapes
from transfer.graphs.mirroring import mirror
from transfer.models.building import read_model
from transfer.models.mirrored_decoders import checked_decoder, mirrored_decoder
from transfer.surgery.network import Network
from transfer.surgery.planning import own_graph
from transfer.weights.opening import open_checkpoint

L = keras.layers


def in_row(shape, *layers):
    return keras.Sequential([keras.Input(shape), *layers])


def conv(filters, strides=2, size=3, padding="same"):
    return L.Conv2D(filters, size, strides, padding, activation="relu")


def mlp():
    return in_row((784,), L.Dense(512, "relu"), L.Dense(128))


def lenet():
    maps = conv(6, 1, 5, "valid"), L.MaxPooling2D(), conv(16, 1, 5, "valid"), L.MaxPooling2D()
    return in_row((28, 28, 1), L.Rescaling(1 / 255), *maps, L.Flatten(), L.Dense(120, "relu"), L.Dense(84))


def strided(shape, *rest):
    return in_row(shape, conv(32), L.BatchNormalization(), conv(64), L.BatchNormalization(), conv(128), *rest)


def valid(shape):
    return in_row(shape, conv(16, 3, 3, "valid"), conv(32, 2), conv(64))


def sequence():
    maps = L.Conv1D(32, 5, 2, "same", activation="relu"), L.Conv1D(64, 5, 3, "valid", activation="relu")
    return in_row((100, 6), *maps, L.GlobalMaxPooling1D())


def mobilenet(pooling=None):
    return keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(96, 96, 3), pooling=pooling)


# Encoder, length of the code, parameters of the encoder and of the decoder.
SIZES = {
    "mlp": (mlp, 128, 467_584, 469_776),  # exact: the biases and normalizations of the wider ends are the difference
    "lenet": (lenet, 84, 43_576, 30_091),
    "28 x 28": (lambda: strided((28, 28, 1)), 64, 93_056, 70_433),
    "32 x 32, pooled": (lambda: strided((32, 32, 3), L.GlobalAveragePooling2D()), 128, 93_632, 61_731),
    "32 x 32, flat": (lambda: strided((32, 32, 3), L.Flatten(), L.Dense(64)), 64, 224_768, 224_995),
    "45 x 31": (lambda: valid((45, 31, 3)), 32, 23_584, 16_819),
    "sequence": (sequence, 64, 11_296, 10_214),
    "mobilenet": (mobilenet, 128, 2_257_984, 306_899),
    "mobilenet, pooled": (lambda: mobilenet("avg"), 128, 2_257_984, 306_899),
}


@pytest.mark.parametrize("case", SIZES)
def test_a_decoder_leads_from_the_code_to_the_input_with_about_as_many_parameters_at_most(case):
    build, code, encoder_size, decoder_size = SIZES[case]
    encoder = build()
    network = read_model(encoder)
    decoder = mirrored_decoder(network, code=code, seed=1)
    assert decoder.input_shape == (None, code)
    assert decoder(np.zeros((2, code), "float32")).shape == (2, *encoder.input_shape[1:])
    assert (encoder.count_params(), decoder.count_params()) == (encoder_size, decoder_size)
    assert sum(step.parameters for step in mirror(flatten(network.graph).graph, code=code)) == decoder_size
    assert decoder_size <= (1.005 if case == "mlp" else 1.002) * encoder_size


def test_the_shipped_digits_network_is_mirrored():
    graph = own_graph(open_checkpoint("digits_mlp"))
    features = cut(graph, feature_layer(graph))
    decoder = mirrored_decoder(Network(features, {}), code=32, seed=1)
    assert decoder.output_shape == (None, 784)
    assert decoder.count_params() == 53_264  # 32, 64, 784; the features of 784, 64, 64 hold 54,400


def test_equal_seeds_give_equal_values_and_others_give_others():
    network = read_model(lenet())
    first, again, other = (mirrored_decoder(network, code=84, seed=seed).get_weights() for seed in (3, 3, 4))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, again, strict=True))
    kernels = [(a, b) for a, b in zip(first, other, strict=True) if a.ndim > 1]
    assert len(kernels) == 6
    assert not any(np.array_equal(a, b) for a, b in kernels)
    assert len({float(np.ravel(a)[0]) for a, _ in kernels}) == 6  # nor do steps share what they draw


def test_inner_steps_are_normalized_and_rectified_and_the_last_is_linear():
    decoder = mirrored_decoder(read_model(strided((28, 28, 1))), code=64, seed=1)
    kinds = [type(layer).__name__ for layer in decoder.layers]
    assert kinds.count("BatchNormalization") == kinds.count("ReLU") == 3
    assert kinds[-1] == "Conv2D"
    assert decoder.layers[-1].activation is keras.activations.linear
    assert "Conv2DTranspose" not in kinds
    assert np.min(decoder(np.random.default_rng(1).normal(size=(8, 64)))) < 0


def test_open_sizes_are_set_by_the_caller():
    network = read_model(in_row((None, None, 3), conv(8), conv(16), L.GlobalAveragePooling2D()))
    with pytest.raises(LayerError, match="any size") as caught:
        mirrored_decoder(network, code=16, seed=1)
    assert caught.value.problems[0].found == "(open, open, 3)"
    sized = Network(with_input_shapes(network.graph, (20, 24, 3)), network.tensors)
    assert mirrored_decoder(sized, code=16, seed=1).output_shape == (None, 20, 24, 3)


def test_a_layer_that_cannot_be_turned_round_is_named():
    network = read_model(in_row((12, 5), L.LSTM(8, name="memory"), L.Dense(4)))
    with pytest.raises(LayerError) as caught:
        mirrored_decoder(network, code=4, seed=1)
    assert [(each.where, each.found) for each in caught.value.problems] == [("memory", "LSTM")]
    assert "--decoder module:function" in caught.value.next_step


def test_an_autoencoder_of_digits_reconstructs_better_than_few_principal_components():
    """A code of eight beats half as many linear components, held-out digits included, after 480 steps."""
    digits = (load_digits().images[:512, ..., None] / 16).astype("float32")
    train, held_out = digits[:256], digits[256:]
    encoder = in_row((8, 8, 1), conv(16), conv(32), L.Flatten(), L.Dense(8))
    decoder = mirrored_decoder(read_model(encoder), code=8, seed=1)
    model = keras.Model(encoder.inputs[0], decoder(encoder.outputs[0]))
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    model.fit(train, train, batch_size=32, epochs=60, verbose=0, shuffle=False)
    flat = [each.reshape(256, -1) for each in (train, held_out)]
    for images, rows in zip((train, held_out), flat, strict=True):
        error = float(np.mean((np.asarray(model(images)) - images) ** 2))
        mean = float(np.mean((rows - flat[0].mean(axis=0)) ** 2))
        components = PCA(4).fit(flat[0])
        linear = float(np.mean((components.inverse_transform(components.transform(rows)) - rows) ** 2))
        assert error < linear < mean


def own(*layers, code=8):
    return keras.Sequential([keras.Input((code,)), *layers])


def test_a_decoder_of_ones_own_is_taken_where_its_shapes_fit():
    fits = own(L.Dense(784), L.Reshape((28, 28, 1)))
    assert checked_decoder(fits, code=8, shape=(28, 28, 1)) is fits
    waiting = keras.Sequential([L.Dense(784), L.Reshape((28, 28, 1))])
    assert checked_decoder(waiting, code=8, shape=(28, 28, 1)).input_shape == (None, 8)


def test_a_decoder_of_other_shapes_is_refused():
    with pytest.raises(LayerError) as caught:
        checked_decoder(own(L.Dense(12), code=9), code=8, shape=(28, 28, 1))
    assert [(each.expected, each.found) for each in caught.value.problems] == [
        ("(b, 8)", "(b, 9)"),
        ("(b, 28, 28, 1)", "(b, 12)"),
    ]


@pytest.mark.parametrize("given", [None, L.Dense(3), "model"], ids=["nothing", "layer", "text"])
def test_a_decoder_that_is_no_model_is_refused(given):
    with pytest.raises(LayerError) as caught:
        checked_decoder(given, code=8, shape=(4,))
    assert caught.value.problems[0].found == type(given).__name__


def test_a_decoder_of_two_inputs_and_one_that_cannot_be_called_are_refused():
    one, two = keras.Input((8,)), keras.Input((2,))
    with pytest.raises(LayerError) as caught:
        checked_decoder(keras.Model([one, two], L.Concatenate()([one, two])), code=8, shape=(10,))
    assert [each.found for each in caught.value.problems] == ["(b, 8) and (b, 2)"]
    with pytest.raises(LayerError, match="cannot be called"):
        checked_decoder(keras.Sequential([L.Reshape((3, 3)), L.Dense(4)]), code=8, shape=(4,))
