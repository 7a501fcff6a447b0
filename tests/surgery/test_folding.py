"""Batch norms folded into the layers before them: Keras computes the same with and without."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from transfer.graphs.folding import fold as fold_graph
from transfer.graphs.freezing import freeze, freeze_all
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.variables import describe_graph
from transfer.graphs.walking import change, walk
from transfer.models.building import build_model, read_model
from transfer.models.variables import describe_variables
from transfer.specs import Preprocessing, Restoring
from transfer.surgery.folding import fold
from transfer.surgery.network import Network, dtype_of
from transfer.surgery.opening import open_network
from transfer.surgery.writing import write_network
from transfer.weights.cards import Card, Fingerprint
from transfer.weights.lazy_tensors import LazyTensors
from transfer.weights.opening import open_checkpoint
from transfer.weights.spans import Span

L = keras.layers


def with_statistics(model, seed=0):
    """The model with batch norms that do something, their statistics near those of its activations."""
    random = np.random.default_rng(seed)
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, L.BatchNormalization)]
    for layer in norms:
        size = layer.moving_mean.shape
        for name, value in {"gamma": 0.5 + random.random(size), "beta": random.normal(size=size) * 0.3}.items():
            if getattr(layer, name) is not None:
                getattr(layer, name).assign(value)
        layer.momentum = 0.0
    values = [random.normal(size=(4, *each.shape[1:])).astype("float32") for each in model.inputs]
    model(values if len(values) > 1 else values[0], training=True)
    for layer in norms:
        layer.momentum = 0.99
        mean, variance = map(keras.ops.convert_to_numpy, (layer.moving_mean, layer.moving_variance))
        layer.moving_mean.assign(mean + np.sqrt(variance) * random.normal(size=mean.shape) * 0.2)
        layer.moving_variance.assign(0.01 + variance * (0.5 + random.random(mean.shape)))
    for layer in model._flatten_layers():
        if (hasattr(layer, "kernel_size") or isinstance(layer, L.Dense)) and getattr(layer, "bias", None) is not None:
            layer.bias.assign(random.normal(size=layer.bias.shape) * 0.1)
    return model


def frozen(model):
    network = read_model(with_statistics(model))
    return Network(freeze_all(network.graph), network.tensors)


def outputs(network, seed=5):
    model = build_model(network)
    random = np.random.default_rng(seed)
    values = [random.normal(size=(2, *each.shape[1:])).astype(each.dtype) for each in model.inputs]
    found = model(values if len(values) > 1 else values[0], training=False)
    return [keras.ops.convert_to_numpy(each) for each in keras.tree.flatten(found)]


def difference(one, two):
    """The largest difference of the outputs of two networks, relative to the largest output."""
    pairs = zip(outputs(one), outputs(two), strict=True)
    return max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in pairs)


def check(network, gone, *, force=False):
    """Fold, compare, and hold the tensors against those that the graph tells and those that Keras makes."""
    folded = fold(network, force=force)
    assert list(folded.folded) == gone
    assert difference(network, folded.network) < 1e-6
    told = describe_graph(folded.network.graph)
    assert list(folded.network.tensors) == list(told)
    assert {name: array.shape for name, array in folded.network.tensors.items()} == {
        name: spec.shape for name, spec in told.items()
    }
    assert {each.where for each in folded.left} == {
        place.name for place in walk(folded.network.graph) if place.kind == "BatchNormalization"
    }
    return folded


def in_double_precision(network):
    """The network with the same values, computed in float64."""

    def doubled(place):
        return {**place.config, "dtype": "float64"} if "dtype" in place.config else place.config

    tensors = {name: np.asarray(array, "float64") for name, array in network.tensors.items()}
    return Network(change(network.graph, doubled), tensors)


def chain(*layers, shape=(8, 8, 4)):
    return keras.Sequential([keras.Input(shape, name="x"), *layers], name="chain")


CASES = {
    "Conv1D": ((9, 4), lambda **o: L.Conv1D(6, 3, **o)),
    "Conv2D": ((8, 8, 4), lambda **o: L.Conv2D(6, 3, strides=2, padding="same", **o)),
    "Conv3D": ((5, 5, 5, 2), lambda **o: L.Conv3D(4, 2, **o)),
    "causal": ((9, 4), lambda **o: L.Conv1D(6, 3, padding="causal", dilation_rate=2, **o)),
    "grouped": ((8, 8, 4), lambda **o: L.Conv2D(6, 3, groups=2, **o)),
    "DepthwiseConv1D": ((9, 4), lambda **o: L.DepthwiseConv1D(3, depth_multiplier=2, **o)),
    "DepthwiseConv2D": ((8, 8, 4), lambda **o: L.DepthwiseConv2D(3, depth_multiplier=3, **o)),
    "SeparableConv1D": ((9, 4), lambda **o: L.SeparableConv1D(5, 3, **o)),
    "SeparableConv2D": ((8, 8, 4), lambda **o: L.SeparableConv2D(5, 3, depth_multiplier=2, **o)),
    "Conv1DTranspose": ((9, 4), lambda **o: L.Conv1DTranspose(6, 3, strides=2, **o)),
    "Conv2DTranspose": ((5, 5, 4), lambda **o: L.Conv2DTranspose(6, 3, strides=2, padding="same", **o)),
    "Conv3DTranspose": ((3, 3, 3, 2), lambda **o: L.Conv3DTranspose(4, 2, **o)),
    "Dense": ((7,), lambda **o: L.Dense(6, **o)),
    "Dense on steps": ((5, 7), lambda **o: L.Dense(6, **o)),
}


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_every_layer_with_a_kernel_takes_in_the_batch_norm_after_it(case, use_bias):
    shape, make = CASES[case]
    layer = make(use_bias=use_bias, name="kernel")
    model = chain(layer, L.BatchNormalization(name="norm", epsilon=0.01), L.ReLU(), shape=shape)
    folded = check(frozen(model), ["norm"])
    assert folded.left == ()
    assert folded.network.graph.layer("kernel").config["use_bias"] is True


@pytest.mark.parametrize(("scale", "center"), [(True, False), (False, True), (False, False)])
def test_scale_and_centre_may_be_off(scale, center):
    model = chain(L.Conv2D(3, 3, name="conv"), L.BatchNormalization(name="norm", scale=scale, center=center))
    check(frozen(model), ["norm"])


@pytest.mark.parametrize(("shape", "axis"), [((8, 8, 4), 3), ((8, 8, 4), -1)])
def test_the_axis_of_channels_may_be_counted_from_either_end(shape, axis):
    check(frozen(chain(L.Conv2D(3, 3), L.BatchNormalization(name="norm", axis=axis), shape=shape)), ["norm"])


def test_the_axis_of_channels_may_be_the_first():
    model = chain(
        L.DepthwiseConv2D(3, data_format="channels_first", name="deep"), L.BatchNormalization(name="norm", axis=1)
    )
    random = np.random.default_rng(0)  # the CPU runs no such convolution, so only the tensors are compared
    network = read_model(model)
    tensors = {name: random.random(array.shape).astype(array.dtype) for name, array in network.tensors.items()}
    found = fold(Network(freeze_all(network.graph), tensors))
    assert found.folded == ("norm",)
    scale = tensors["norm/gamma"] / np.sqrt(tensors["norm/moving_variance"] + 1e-3)
    expected = tensors["deep/kernel"] * scale[None, None, :, None]
    np.testing.assert_allclose(found.network.tensors["deep/kernel"], expected, rtol=1e-6)


def test_several_norms_in_a_row_go_into_one_layer():
    model = chain(
        L.Dense(5, name="dense", use_bias=False), L.BatchNormalization(name="one"), L.BatchNormalization(name="two")
    )
    check(frozen(model), ["one", "two"])


def test_padding_before_the_convolution_does_not_matter():
    model = chain(L.ZeroPadding2D(1), L.Conv2D(3, 3, strides=2, name="conv"), L.BatchNormalization(name="norm"))
    check(frozen(model), ["norm"])


def test_values_are_computed_in_double_precision_and_kept_in_the_type_of_the_tensor():
    network = frozen(chain(L.Conv2D(3, 3, name="conv", use_bias=False), L.BatchNormalization(name="norm")))
    tensors = fold(network).network.tensors
    norm = {role: network.tensors[f"norm/{role}"].astype("float64") for role in ("gamma", "beta", "moving_variance")}
    scale = norm["gamma"] / np.sqrt(norm["moving_variance"] + 1e-3)
    kernel = network.tensors["conv/kernel"].astype("float64") * scale
    np.testing.assert_array_equal(tensors["conv/kernel"], kernel.astype("float32"))
    bias = norm["beta"] - scale * network.tensors["norm/moving_mean"].astype("float64")
    np.testing.assert_allclose(tensors["conv/bias"], bias, rtol=1e-7)
    assert {array.dtype.name for array in tensors.values()} == {"float32"}


# What is left, and why


def reasons(network, **options):
    found = fold(network, **options)
    assert difference(network, found.network) < 1e-6
    return {each.where: (each.expected, each.found) for each in found.left}


def test_a_norm_after_anything_else_is_left():
    inputs = keras.Input((8, 8, 4), name="x")
    x = L.BatchNormalization(name="first")(inputs)
    y = L.BatchNormalization(name="added")(L.Add(name="add")([x, inputs]))
    z = L.BatchNormalization(name="after_relu")(L.Conv2D(3, 3, activation="relu", name="conv")(y))
    model = keras.Model(inputs, z)
    assert reasons(frozen(model)) == {
        "first": ("a convolution or a Dense layer before it", "InputLayer 'x'"),
        "added": ("a convolution or a Dense layer before it", "Add 'add'"),
        "after_relu": ("no activation in 'conv'", "relu"),
    }


def test_a_layer_whose_output_is_used_elsewhere_keeps_its_norm():
    inputs = keras.Input((8, 8, 4), name="x")
    one, two = L.Conv2D(3, 3, name="one")(inputs), L.Conv2D(3, 3, name="two")(inputs)
    norms = [L.BatchNormalization(name=f"norm_{k}")(end) for k, end in enumerate((one, two))]
    model = keras.Model(inputs, [L.Add(name="add")([norms[0], one]), two, norms[1]])
    assert reasons(frozen(model)) == {
        "norm_0": ("nothing else that takes the output of 'one'", "add"),
        "norm_1": ("nothing else that takes the output of 'two'", "an output"),
    }


def test_layers_that_are_called_several_times_are_left():
    inputs, other = keras.Input((7,), name="x"), keras.Input((7,), name="y")
    twice, norm = L.Dense(3, name="twice"), L.BatchNormalization(name="norm")
    model = keras.Model(
        [inputs, other],
        [
            norm(L.Dense(3, name="a")(inputs)),
            norm(L.Dense(3, name="b")(other)),
            L.BatchNormalization(name="own")(twice(inputs)),
            twice(other),
        ],
    )
    found = reasons(frozen(model))
    assert found["norm"] == ("one call", "2 calls")
    assert found["own"][0] == "nothing else that takes the output of 'twice'"


def test_a_norm_over_another_axis_is_left():
    model = chain(L.Conv2D(3, 3), L.BatchNormalization(name="norm", axis=1))
    assert reasons(frozen(model)) == {"norm": ("the axis of channels, -1", "axis 1")}
    model = chain(L.Dense(3), L.BatchNormalization(name="norm", axis=1), shape=(5, 7))
    assert reasons(frozen(model)) == {"norm": ("the axis of channels, -1", "axis 1")}


def test_what_is_trained_is_left_unless_it_is_forced():
    model = chain(L.Conv2D(3, 3, name="conv"), L.BatchNormalization(name="norm"))
    network = read_model(with_statistics(model))
    assert reasons(network) == {"norm": ("frozen layers", "trained: conv, norm")}
    half = Network(freeze(network.graph, "norm"), network.tensors)
    assert reasons(half) == {"norm": ("frozen layers", "trained: conv")}
    check(network, ["norm"], force=True)


def test_wrappers_keep_theirs():
    model = chain(
        L.TimeDistributed(L.Conv1D(3, 3), name="each"), L.TimeDistributed(L.BatchNormalization(), name="norms")
    )
    assert reasons(frozen(model)) == {"norms": ("a layer of a model", "stands inside a wrapper")}


def test_layers_of_other_types_are_left():
    model = chain(L.Conv2D(3, 3, name="conv", dtype="mixed_bfloat16"), L.BatchNormalization(name="norm"))
    found = fold(frozen(model))
    assert [each.where for each in found.left] == ["norm"]


@pytest.mark.parametrize("options", [{"lora_rank": 2}, {"dtype": "int8_from_float32"}])
def test_kernels_with_adapters_or_in_whole_numbers_are_left(options):
    layers = (
        Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, 4], "dtype": "float32"}),
        Layer("a", "Dense", {"units": 3, "trainable": False, **options}, (Call([Ref("x")], {}),)),
        Layer("norm", "BatchNormalization", {"trainable": False}, (Call([Ref("a")], {}),)),
    )
    found = fold_graph(Graph("net", layers, (Ref("x"),), (Ref("norm"),)))
    assert [each.where for each in found.left] == ["norm"]


def test_a_class_of_somebody_else_is_left_whatever_its_name():
    network = frozen(chain(L.Conv2D(3, 3, name="conv"), L.BatchNormalization(name="norm")))
    layers = [replace(each, module="own") if each.name == "norm" else each for each in network.graph]
    found = fold_graph(replace(network.graph, layers=tuple(layers)))
    assert found.left[0].expected == "the class of Keras"


def test_new_layers_and_layers_without_tensors_are_left():
    network = frozen(chain(L.Conv2D(3, 3, name="conv"), L.BatchNormalization(name="norm")))
    new = Network(network.graph, network.tensors, None, frozenset({"conv"}))
    assert fold(new).left[0].found == "none for conv"
    held = {name: array for name, array in network.tensors.items() if not name.startswith("norm")}
    assert fold(Network(network.graph, held)).left[0].found == "none for norm"


def test_a_network_without_anything_to_fold_is_the_one_that_was_given():
    network = frozen(chain(L.Conv2D(3, 3)))
    assert fold(network).network is network


# Nesting


def inner(name="backbone"):
    inputs = keras.Input((8, 8, 4), name="inner_in")
    x = L.BatchNormalization(name="norm")(L.Conv2D(3, 3, name="conv", use_bias=False)(inputs))
    y = L.BatchNormalization(name="norm_2")(L.DepthwiseConv2D(3, name="deep")(L.ReLU()(x)))
    return keras.Model(inputs, {"small": L.GlobalAveragePooling2D(name="pool")(y), "large": x}, name=name)


def test_nested_models_are_folded_inside():
    inputs, other = keras.Input((8, 8, 4), name="x"), keras.Input((8, 8, 4), name="y")
    model = inner()
    one, two = model(inputs), model(other)
    joined = L.Concatenate(name="join")([one["small"], two["small"]])
    outer = keras.Model([inputs, other], [L.BatchNormalization(name="last")(L.Dense(3)(joined)), one["large"]])
    check(frozen(outer), ["backbone/norm", "backbone/norm_2", "last"])


def test_a_nested_sequential_model_keeps_its_name_and_its_calls():
    block = keras.Sequential([L.Conv2D(3, 3, name="conv"), L.BatchNormalization(name="norm"), L.ReLU()], name="block")
    deep = keras.Sequential([block, L.Flatten(), L.Dense(2, name="end"), L.BatchNormalization(name="out")], name="deep")
    folded = check(frozen(chain(deep, L.Dense(2, name="label"))), ["deep/block/norm", "deep/out"])
    assert folded.network.graph.names == ("x", "deep", "label")


def test_a_norm_of_which_the_path_is_the_same_as_a_layers_is_told_apart():
    model = chain(inner_chain(), L.Conv2D(3, 1, name="conv"), L.BatchNormalization(name="norm"))
    check(frozen(model), ["inner/norm", "norm"])


def inner_chain():
    return keras.Sequential([L.Conv2D(4, 1, name="conv"), L.BatchNormalization(name="norm")], name="inner")


def test_folding_twice_finds_nothing_more():
    network = frozen(inner())
    once = fold(network)
    assert fold(once.network).network is once.network


# Tensors and cards


class Counted(dict):
    reads = 0

    def __getitem__(self, name):
        type(self).reads += 1
        return super().__getitem__(name)


def test_no_tensor_is_read_until_it_is_asked_for():
    network = frozen(chain(L.Conv2D(3, 3, name="conv"), L.BatchNormalization(name="norm"), L.Flatten(), L.Dense(2)))
    held = Network(network.graph, Counted(network.tensors))
    Counted.reads = 0
    folded = fold(held).network
    assert len(folded.tensors) == len(network.tensors) - 4
    assert Counted.reads == 0
    assert "norm/gamma" not in folded.tensors
    with pytest.raises(KeyError):
        folded.tensors["norm/gamma"]


class Noted(LazyTensors):
    """Tensors of a file that note which of them are read as arrays, and which are given as places in the file."""

    def __init__(self, tensors):
        self.tensors, self.read, self.placed = tensors, [], []

    def __getitem__(self, name):
        self.read.append(name)
        return self.tensors[name]

    def _listed(self):
        return self.tensors

    def dtype_of(self, name):
        return self.tensors.dtype_of(name)

    def pieces(self, names):
        for name, piece in self.tensors.pieces(names):
            (self.placed if isinstance(piece, Span) else self.read).append(name)
            yield name, piece


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("name", ["folded.keras", "folded.h5", "folded.weights.h5"])
def test_writing_copies_what_is_not_folded_and_reads_a_folded_kernel_once(name, use_bias, tmp_path):
    model = chain(
        L.Conv2D(3, 3, name="conv", use_bias=use_bias),
        L.BatchNormalization(name="norm"),
        L.Flatten(),
        L.Dense(2, name="end"),
    )
    with_statistics(model).save(tmp_path / "source.keras")
    opened = open_network(open_checkpoint(tmp_path / "source.keras"), None, Restoring()).network
    noted = Noted(opened.tensors)
    folded = fold(Network(freeze_all(opened.graph), noted)).network
    assert dtype_of(folded.tensors, "conv/bias") == "float32"
    assert describe_graph(folded.graph)["conv/bias"].shape == (3,)
    assert noted.read == []
    write_network(folded, tmp_path / name)
    assert noted.placed == ["end/kernel", "end/bias"]
    assert [each for each in noted.read if "conv" in each] == ["conv/kernel", *(["conv/bias"] if use_bias else [])]
    if name != "folded.weights.h5":
        given = np.random.default_rng(1).normal(size=(2, 8, 8, 4)).astype("float32")
        found, wanted = (each.predict(given, verbose=0) for each in (keras.models.load_model(tmp_path / name), model))
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_card_says_what_was_folded_and_keeps_what_still_holds():
    network = frozen(chain(L.Conv2D(3, 3, name="conv"), L.BatchNormalization(name="norm")))
    look, proof = Preprocessing(size=(8, 8)), Fingerprint(1, ((2, 4),), ("float32",), ((0.5,),))
    card = Card("net", {}, look, ("a", "b"), fingerprint=proof, history=("made",))
    found = fold(Network(network.graph, network.tensors, card)).network.card
    assert (found.preprocessing, found.classes, found.fingerprint, found.architecture) == (look, ("a", "b"), None, None)
    assert found.history == ("made", "folded 1 batch norms")


def test_keras_names_the_variables_as_the_folded_tensors_are_named():
    folded = fold(frozen(inner())).network
    assert list(describe_variables(build_model(folded))) == list(folded.tensors)


# Networks of keras.applications, with statistics that do something


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "left"),
    [
        ("MobileNetV2", 64, 0),
        ("ResNet50", 64, 0),
        ("DenseNet121", 64, 62),
        ("EfficientNetB0", 64, 0),
        ("Xception", 96, 0),
        ("InceptionV3", 96, 0),
    ],
)
def test_applications_compute_the_same(name, size, left):
    keras.utils.set_random_seed(1)  # with some random kernels EfficientNet turns any rounding into noise
    model = getattr(keras.applications, name)(
        weights=None, include_top=False, pooling="avg", input_shape=(size, size, 3)
    )
    network = frozen(model)
    folded = fold(network)
    norms = sum(layer.class_name == "BatchNormalization" for layer in network.graph)
    assert (len(folded.left), len(folded.folded)) == (left, norms - left)
    exact = in_double_precision(network)
    assert difference(exact, fold(exact).network) < 1e-12
    # In single precision the networks round themselves, EfficientNet with random kernels by some 3e-5.
    (truth,), (ours,), (theirs,) = outputs(exact), outputs(folded.network), outputs(network)
    largest = np.abs(truth).max()
    assert np.abs(ours - truth).max() < max(1e-5 * largest, 2 * np.abs(theirs - truth).max())
    assert np.abs(truth[0] - truth[1]).max() > 0.01 * largest  # or the test would show nothing
