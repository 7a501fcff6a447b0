"""Networks for other images: what Keras computes with the changed kernels, what is read, and what the card says."""

import keras
import numpy as np
import pytest

from tests.surgery.networks import nested, with_values
from transfer.errors import LayerError
from transfer.graphs.parsing import parse_config
from transfer.graphs.variables import describe_graph
from transfer.models.building import build_model, read_model
from transfer.specs import Preprocessing
from transfer.surgery.adapting_inputs import adapt_input, adapt_kernel
from transfer.surgery.network import Network, dtype_of, pieces_of
from transfer.weights.cards import Card, Fingerprint

L = keras.layers


def two_on_the_image():
    x = keras.Input((16, 16, 3), name="image")
    y = L.Rescaling(1 / 127.5, -1.0, name="scale")(x)
    one = L.Conv2D(4, 3, padding="same", name="one")(L.ZeroPadding2D(1, name="pad")(y))
    two = L.Conv2D(4, 3, padding="same", dilation_rate=2, name="two")(y)
    joined = L.Concatenate(name="join")([L.Cropping2D(1, name="crop")(one), two])
    return keras.Model(x, L.Dense(3, name="label")(L.GlobalMaxPooling2D(name="pool")(L.ReLU()(joined))), name="two")


def mobile():
    whole = keras.applications.MobileNetV2(weights=None, input_shape=(64, 64, 3), alpha=0.35)
    return keras.Model(whole.input, whole.get_layer("block_4_add").output, name="mobile")


def resnet():
    return keras.applications.ResNet50(weights=None, input_shape=(48, 48, 3), classes=7)


def half():
    x = keras.Input((8, 8, 3), name="image")
    return keras.Model(x, L.GlobalMaxPooling2D()(L.Conv2D(4, 3, dtype="float16", name="conv")(x)), name="half")


def run(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False)).astype(np.float64)


def drawn(model, seed=0):
    """The model with kernels of both signs, so that nothing saturates."""
    random = np.random.RandomState(seed)
    model.set_weights(
        [
            each if each.ndim == 1 else (random.randn(*each.shape) * each.std()).astype(each.dtype)
            for each in model.get_weights()
        ]
    )
    return model


def grey(size, seed=1):
    return (np.random.RandomState(seed).rand(3, *size, 1) * 255).astype("float32")


@pytest.mark.parametrize("build", [two_on_the_image, nested, mobile, resnet], ids=lambda each: each.__name__)
def test_a_grey_image_gives_what_it_gave_in_all_three_channels(build):
    model = drawn(build())
    x = grey(model.input_shape[1:3]) / 255
    before = run(model, np.repeat(x, 3, -1))
    after = run(build_model(adapt_input(read_model(model), channels=1)), x)
    differences = np.ptp(before, axis=0).max()  # between images
    assert differences > 1e-3 * np.abs(before).max() > 0
    assert np.abs(after - before).max() <= 1e-5 * np.abs(before).max()


def test_a_network_for_grey_images_gives_the_same_for_them_in_three_channels():
    x = keras.Input((12, 12, 1), name="image")
    model = drawn(keras.Model(x, L.GlobalMaxPooling2D()(L.Conv2D(4, 3, name="conv")(x)), name="grey"))
    image = grey((12, 12)) / 255
    for channels in (2, 3, 5):
        student = build_model(adapt_input(read_model(model), channels=channels))
        np.testing.assert_allclose(run(student, np.repeat(image, channels, -1)), run(model, image), atol=1e-5)


def test_multiples_of_the_channels_keep_what_equal_channels_give():
    model = drawn(two_on_the_image())
    x = grey((16, 16))
    student = build_model(adapt_input(read_model(model), channels=6))
    np.testing.assert_allclose(run(student, np.repeat(x, 6, -1)), run(model, np.repeat(x, 3, -1)), atol=1e-5)


def test_another_size_changes_no_tensor_and_computes_what_keras_computes_at_that_size():
    model = with_values(nested())
    network = read_model(model)
    student = build_model(adapt_input(network, size=(12, 16)))
    assert adapt_input(network, size=(12, 16)).tensors is network.tensors
    x = np.random.RandomState(0).rand(2, 12, 16, 3).astype("float32")
    backbone = model.get_layer("backbone")
    y = x
    for layer in backbone.layers[1:]:
        y = layer(y)
    np.testing.assert_allclose(run(student, x), run(model.get_layer("label"), y), rtol=1e-5)


def test_size_and_channels_change_together():
    student = build_model(adapt_input(read_model(two_on_the_image()), channels=4, size=(24, 20)))
    assert student.input_shape == (None, 24, 20, 4)
    assert student(np.zeros((1, 24, 20, 4), "float32")).shape == (1, 3)


def test_what_does_not_fit_is_refused_before_a_tensor_is_read():
    x = keras.Input((8, 8, 3), name="image")
    source = network(keras.Model(x, L.DepthwiseConv2D(3, name="deep")(x), name="net"))
    with pytest.raises(LayerError) as caught:
        adapt_input(source, channels=1)
    assert [each.where for each in caught.value.problems] == ["deep"]
    assert source.tensors.read == []


# The kernel


def test_for_one_channel_a_kernel_is_summed():
    kernel = np.arange(24, dtype="float32").reshape(2, 2, 3, 2)
    np.testing.assert_array_equal(adapt_kernel(kernel, 1), kernel.sum(2, keepdims=True))


@pytest.mark.parametrize(
    ("channels", "taken"), [(2, [0, 1]), (4, [0, 1, 2, 0]), (6, [0, 1, 2, 0, 1, 2]), (7, [0, 1, 2, 0, 1, 2, 0])]
)
def test_for_other_numbers_of_channels_its_own_come_in_turn_and_are_scaled(channels, taken):
    kernel = np.random.RandomState(0).randn(3, 3, 3, 5).astype("float32")
    adapted = adapt_kernel(kernel, channels)
    assert adapted.shape == (3, 3, channels, 5)
    for place, source in enumerate(taken):
        np.testing.assert_allclose(adapted[:, :, place], kernel[:, :, source] * 3 / channels, rtol=1e-6)


def test_the_same_number_of_channels_changes_nothing_and_one_becomes_many_equal_ones():
    kernel = np.random.RandomState(0).randn(3, 3, 1, 5).astype("float32")
    assert adapt_kernel(kernel, 1) is kernel
    np.testing.assert_allclose(adapt_kernel(kernel, 3), np.repeat(kernel, 3, 2) / 3, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_types_are_kept(dtype):
    kernel = np.full((3, 3, 3, 2), 1 / 3, dtype)
    assert adapt_kernel(kernel, 1).dtype == adapt_kernel(kernel, 5).dtype == dtype


def test_half_precision_is_summed_in_single():
    model = drawn(half())
    kernel = model.get_layer("conv").get_weights()[0]
    adapted = adapt_input(read_model(model), channels=1).tensors["conv/kernel"]
    np.testing.assert_array_equal(adapted, kernel.astype("float32").sum(2, keepdims=True).astype("float16"))


# What is read


class Noted(dict):
    """Tensors that note which are read."""

    def __init__(self, *args):
        super().__init__(*args)
        self.read = []

    def __getitem__(self, name):
        self.read.append(name)
        return super().__getitem__(name)


def network(model, card=None):
    graph = parse_config(keras.saving.serialize_keras_object(model))
    return Network(graph, Noted(dict(read_model(model).tensors)), card)


def test_tensors_are_read_when_asked_for_and_only_kernels_on_the_image_are_changed():
    source = network(two_on_the_image())
    student = adapt_input(source, channels=1)
    assert list(student.tensors) == list(source.tensors)
    assert len(student.tensors) == 6
    assert "one/kernel" in student.tensors
    assert "three/kernel" not in student.tensors
    assert source.tensors.read == []
    assert student.tensors["one/kernel"].shape == (3, 3, 1, 4)
    assert source.tensors.read == ["one/kernel"]
    assert student.tensors["label/kernel"] is source.tensors["label/kernel"]
    assert source.graph.layer("image").config["batch_shape"][-1] == 3


def test_pieces_and_types_come_from_the_source():
    source = network(two_on_the_image())
    student = adapt_input(source, channels=1)
    pieces = dict(pieces_of(student.tensors, ["label/bias", "two/kernel", "one/kernel"]))
    assert {name: piece.shape for name, piece in pieces.items()} == {
        "label/bias": (3,),
        "two/kernel": (3, 3, 1, 4),
        "one/kernel": (3, 3, 1, 4),
    }
    assert dtype_of(student.tensors, "one/kernel") == "float32"
    assert describe_graph(student.graph)["two/kernel"].shape == (3, 3, 1, 4)


def test_adapting_twice_is_adapting_twice():
    source = network(two_on_the_image())
    kernel = adapt_input(adapt_input(source, channels=1), channels=3).tensors["one/kernel"]
    summed = source.tensors["one/kernel"].sum(2, keepdims=True)
    np.testing.assert_allclose(kernel, np.repeat(summed, 3, 2) / 3, rtol=1e-5)


# The card


def card(preprocessing=None):
    proof = Fingerprint(1, ((2, 16, 16, 3),), ("float32",), ((0.5,),))
    return Card("net", {}, preprocessing, ("a", "b", "c"), fingerprint=proof, digests={"a": "0"}, history=("trained",))


def test_a_card_says_what_was_done_and_drops_the_proof():
    found = adapt_input(network(two_on_the_image(), card()), channels=1, size=(24, 20)).card
    assert found.history == ("trained", "input adapted from 3 to 1 channels", "input adapted to 24 x 20")
    assert (found.architecture, found.fingerprint, found.digests) == (None, None, {})
    assert found.classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("before", "channels", "after"),
    [
        (Preprocessing((16, 16), scale=1 / 255), 1, Preprocessing((16, 16), "grey", 1 / 255)),
        (
            Preprocessing(None, "bgr", mean=(5.0,) * 3, std=(2.0,) * 3),
            1,
            Preprocessing(None, "grey", 1.0, (5.0,), (2.0,)),
        ),
        (Preprocessing(None, mean=(1.0, 2.0, 3.0)), 1, None),
        (Preprocessing(None, std=(1.0, 2.0, 3.0)), 1, None),
        (Preprocessing(None), 4, None),
    ],
)
def test_preprocessing_is_adapted_where_its_meaning_is_plain_and_else_dropped_with_a_word(before, channels, after):
    found = adapt_input(network(two_on_the_image(), card(before)), channels=channels).card
    assert found.preprocessing == after
    assert ("preprocessing dropped" in found.history[-1]) == (after is None)


def test_preprocessing_follows_the_size():
    look = Preprocessing((16, 16), mean=(1.0, 2.0, 3.0))
    found = adapt_input(network(two_on_the_image(), card(look)), size=(24, 20)).card
    assert found.preprocessing == Preprocessing((24, 20), mean=(1.0, 2.0, 3.0))


def test_grey_preprocessing_becomes_that_of_colours():
    x = keras.Input((12, 12, 1), name="image")
    source = network(keras.Model(x, L.Conv2D(4, 3, name="conv")(x)), card(Preprocessing((12, 12), "grey", 0.5, (2.0,))))
    assert adapt_input(source, channels=3).card.preprocessing == Preprocessing((12, 12), "rgb", 0.5, (2.0,))


def test_what_is_asked_for_already_leaves_the_proof_in_force():
    source = network(two_on_the_image(), card())
    assert adapt_input(source, channels=3, size=(16, 16)) is source


def test_no_card_stays_no_card():
    assert adapt_input(network(two_on_the_image()), channels=1).card is None
