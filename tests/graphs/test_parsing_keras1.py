"""Configs in the words of Keras 0 and 1, as those versions wrote them, compute what they computed."""

import numpy as np
import pytest

from transfer.errors import LayerError
from transfer.graphs.hard_sigmoid import is_old_hard_sigmoid
from transfer.graphs.parsing import parse_config
from transfer.models.building import build_graph
from transfer.specs import Writer

KERAS_1 = Writer("1.2.2")


def layer(kind, name, **options):
    return {"class_name": kind, "config": {"name": name, "trainable": True, **options}}


def chain(*layers):
    """A Sequential model of Keras 1: a bare list."""
    return {"class_name": "Sequential", "config": list(layers)}


def convolution(name, **options):
    known = {"nb_filter": 4, "nb_row": 3, "nb_col": 3, "border_mode": "valid", "subsample": [1, 1], "bias": True}
    return layer("Convolution2D", name, **{**known, "dim_ordering": "tf", "init": "glorot_uniform", **options})


def parsed(*layers):
    return parse_config(chain(*layers), KERAS_1)


def sigmoid_of_old(x):
    return np.clip(0.2 * x + 0.5, 0, 1)


def test_arguments_of_a_convolution_get_their_names_of_today():
    regularizer = {"name": "L1L2Regularizer", "l1": 0.0, "l2": 0.25}
    graph = parsed(
        convolution("conv", batch_input_shape=[None, 8, 8, 3], subsample=[2, 1], activation="relu",
                    W_regularizer=regularizer, b_constraint={"name": "MaxNorm", "m": 2, "axis": 0})
    )  # fmt: skip
    config = graph.layer("conv").config
    assert graph.layer("conv").class_name == "Conv2D"
    assert graph.layer("conv_input").config["batch_shape"] == [None, 8, 8, 3]
    assert (config["filters"], config["kernel_size"], config["strides"]) == (4, [3, 3], [2, 1])
    assert (config["padding"], config["data_format"], config["use_bias"]) == ("valid", "channels_last", True)
    assert config["kernel_regularizer"]["class_name"] == "L1L2"
    assert config["kernel_regularizer"]["config"] == {"l1": 0.0, "l2": 0.25}
    assert config["bias_constraint"]["config"] == {"max_value": 2, "axis": 0}
    built = build_graph(graph).get_layer("conv")
    assert built.kernel.shape == (3, 3, 3, 4)
    assert float(built.kernel_regularizer(np.ones((2, 2), "float32"))) == 0.25 * 4


def test_an_lstm_computes_its_gates_with_the_old_hard_sigmoid():
    lstm = layer("LSTM", "lstm", output_dim=3, inner_activation="hard_sigmoid", activation="tanh", dropout_W=0.0,
                 dropout_U=0.0, inner_init="orthogonal", forget_bias_init="one", consume_less="cpu", input_dim=2,
                 input_length=None, batch_input_shape=[None, 5, 2])  # fmt: skip
    model = build_graph(parsed(lstm))
    random = np.random.RandomState(0)
    kernel, recurrent, bias = (random.randn(*shape) for shape in ((2, 12), (3, 12), (12,)))
    model.set_weights([kernel, recurrent, bias])
    x = random.randn(4, 5, 2) * 3
    h = c = np.zeros((4, 3))
    for step in range(5):
        i, f, g, o = np.split(x[:, step] @ kernel + h @ recurrent + bias, 4, axis=-1)
        c = sigmoid_of_old(f) * c + sigmoid_of_old(i) * np.tanh(g)
        h = sigmoid_of_old(o) * np.tanh(c)
    np.testing.assert_allclose(model(x.astype("float32")), h, atol=1e-5)


def test_a_gru_resets_before_its_recurrent_kernel():
    gru = layer("GRU", "gru", output_dim=3, inner_activation="hard_sigmoid", activation="tanh",
                batch_input_shape=[None, 4, 2])  # fmt: skip
    model = build_graph(parsed(gru))
    random = np.random.RandomState(1)
    kernel, recurrent, bias = (random.randn(*shape) for shape in ((2, 9), (3, 9), (9,)))
    model.set_weights([kernel, recurrent, bias])
    x = random.randn(5, 4, 2)
    h = np.zeros((5, 3))
    for step in range(4):
        z, r, g = np.split(x[:, step] @ kernel + bias, 3, axis=-1)
        of_z, of_r, of_g = np.split(recurrent, 3, axis=-1)
        z, r = sigmoid_of_old(z + h @ of_z), sigmoid_of_old(r + h @ of_r)
        h = z * h + (1 - z) * np.tanh(g + (r * h) @ of_g)
    np.testing.assert_allclose(model(x.astype("float32")), h, atol=1e-5)


def test_options_that_a_gru_leaves_out_are_those_of_its_era():
    config = parsed(layer("GRU", "gru", output_dim=3, batch_input_shape=[None, 4, 2])).layer("gru").config
    assert is_old_hard_sigmoid(config["recurrent_activation"])
    assert config["reset_after"] is False


@pytest.mark.parametrize(("version", "epsilon"), [("1.0.7", 1e-6), ("1.0.8", 1e-5), ("1.1.2", 1e-5), ("1.2.0", None)])
def test_batch_norm_without_an_epsilon_has_that_of_its_version(version, epsilon):
    config = chain(layer("BatchNormalization", "bn", mode=0, axis=-1, batch_input_shape=[None, 4]))
    assert parse_config(config, Writer(version)).layer("bn").config.get("epsilon") == epsilon


def merge(mode, **options):
    config = {"name": "m", "mode": mode, "mode_type": "raw", "concat_axis": -1, "dot_axes": -1, **options}
    return {"class_name": "Merge", "name": "m", "config": config, "inbound_nodes": [[["a", 0, 0], ["b", 0, 0]]]}


def merged(described):
    inputs = [
        {"class_name": "InputLayer", "name": name, "inbound_nodes": [],
         "config": {"name": name, "batch_input_shape": [None, 3], "input_dtype": "float32", "sparse": False}}
        for name in "ab"
    ]  # fmt: skip
    ends = {"input_layers": [["a", 0, 0], ["b", 0, 0]], "output_layers": [["m", 0, 0]]}
    return {"class_name": "Model", "config": {"name": "net", "layers": [*inputs, described], **ends}}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("sum", lambda a, b: a + b),
        ("mul", lambda a, b: a * b),
        ("ave", lambda a, b: (a + b) / 2),
        ("max", np.maximum),
        ("concat", lambda a, b: np.concatenate([a, b], axis=-1)),
        ("dot", lambda a, b: (a * b).sum(axis=-1, keepdims=True)),
    ],
)
def test_merges_compute_what_their_mode_says(mode, expected):
    model = build_graph(parse_config(merged(merge(mode)), KERAS_1))
    a, b = np.random.RandomState(0).randn(2, 4, 3).astype("float32")
    np.testing.assert_allclose(model([a, b]), expected(a, b), rtol=1e-6)


@pytest.mark.parametrize("described", [merge("cos"), merge("join"), merge("sum", mode_type="lambda")])
def test_a_merge_that_no_layer_does_is_refused_by_name(described):
    with pytest.raises(LayerError) as caught:
        parse_config(merged(described), KERAS_1)
    assert caught.value.problems[0].where == "m"


def test_a_sequential_model_that_begins_by_merging_has_an_input_for_each_branch():
    branches = [chain(layer("Dense", f"d{k}", output_dim=2, batch_input_shape=[None, 3])) for k in (1, 2)]
    first = {"class_name": "Merge", "config": {"name": "m", "mode": "sum", "mode_type": "raw", "layers": branches}}
    graph = parse_config(chain(first, layer("Dense", "out", output_dim=1)), KERAS_1)
    assert graph.names == ("d1_input", "d1", "d2_input", "d2", "m", "out")
    model = build_graph(graph)
    model.set_weights([np.full(each.shape, 1.0) for each in model.get_weights()])
    np.testing.assert_allclose(model([np.ones((1, 3)), np.full((1, 3), 2.0)]), [[2 * (4 + 7) + 1]])


def test_batch_norm_by_sample_is_refused_by_name():
    with pytest.raises(LayerError) as caught:
        parsed(layer("BatchNormalization", "bn", mode=1, axis=-1, batch_input_shape=[None, 4]))
    assert caught.value.problems[0].where == "bn"


@pytest.mark.parametrize("kind", ["Highway", "MaxoutDense", "LocallyConnected2D", "SReLU"])
def test_layers_that_are_gone_are_refused_by_name(kind):
    graph = parsed(layer(kind, "gone", output_dim=3, batch_input_shape=[None, 4]))
    with pytest.raises(LayerError) as caught:
        build_graph(graph)
    assert (caught.value.problems[0].where, caught.value.problems[0].found) == ("gone", kind)


def test_images_of_theano_keep_their_channels_first_and_flatten_as_they_lie():
    graph = parsed(
        convolution("conv", dim_ordering="th", batch_input_shape=[None, 3, 8, 8]),
        layer("MaxPooling2D", "pool", pool_size=[2, 2], strides=[2, 2], border_mode="valid", dim_ordering="th"),
        layer("Flatten", "flat"),
        layer("Dense", "out", output_dim=2),
    )
    assert [graph.layer(name).config["data_format"] for name in ("conv", "pool", "flat")] == [
        "channels_first", "channels_first", "channels_last",
    ]  # fmt: skip
    assert build_graph(graph).get_layer("pool").output.shape == (None, 4, 3, 3)


def test_layers_of_one_dimension_and_small_renamings():
    graph = parsed(
        layer("Embedding", "emb", input_dim=9, output_dim=4, init="uniform", input_length=6, dropout=0.0,
              mask_zero=False, batch_input_shape=[None, 6], input_dtype="int32"),
        layer("Convolution1D", "conv", nb_filter=5, filter_length=3, subsample_length=1, border_mode="same"),
        layer("MaxPooling1D", "pool", pool_length=2, stride=2, border_mode="valid"),
        layer("UpSampling1D", "up", length=2),
        layer("Dropout", "drop", p=0.25),
        layer("GaussianNoise", "noise", sigma=0.5),
        layer("TimeDistributedDense", "dense", output_dim=2, init="normal"),
    )  # fmt: skip
    model = build_graph(graph)
    assert model.output.shape == (None, 6, 2)
    assert model.input.dtype == "int32"
    assert model.get_layer("drop").rate == 0.25
    assert model.get_layer("noise").stddev == 0.5


def test_a_config_of_keras_0_is_a_chain():
    config = {
        "name": "Sequential",
        "layers": [
            {"name": "Dense", "custom_name": "dense", "input_shape": [4], "output_dim": 3, "activation": "relu",
             "cache_enabled": True, "input_dim": None},
            {"name": "Dropout", "custom_name": "dropout", "p": 0.5},
            {"name": "Dense", "custom_name": "dense", "output_dim": 2, "activation": "softmax"},
        ],
        "loss": "mse",
        "optimizer": {"name": "SGD"},
    }  # fmt: skip
    graph = parse_config(config, Writer("0.3.3"))
    assert graph.names == ("dense_1_input", "dense_1", "dropout_1", "dense_2")
    assert build_graph(graph).count_params() == 4 * 3 + 3 + 3 * 2 + 2
    with pytest.raises(LayerError, match="Graph"):
        parse_config({"name": "Graph", "layers": []}, Writer("0.3.3"))
