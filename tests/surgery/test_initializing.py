"""Initial values of the variables of layers: which initialiser, which fans, and independence of each other."""

import keras
import numpy as np
import pytest

from tests.surgery.networks import BUILDERS, attending, recurrent, shared, stacked
from transfer.errors import LayerError
from transfer.graphs.attaching import attach
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.parsing import parse_config
from transfer.graphs.variables import describe_graph
from transfer.models.variables import name_variables
from transfer.specs import Head
from transfer.surgery.initializing import draw_lazily, initial_tensors
from transfer.surgery.network import Chosen, dtype_of, pieces_of

L, I = keras.layers, keras.initializers  # noqa: E741


def graph_of(model):
    return parse_config(keras.saving.serialize_keras_object(model))


def values(variable):
    return keras.ops.convert_to_numpy(variable)


def with_heads():
    x = keras.Input((6,), name="x")
    return attach(graph_of(keras.Model(x, L.Dense(8, name="dense")(x))), [Head("a", 300, hidden=(200,)), Head("b", 4)])


def test_only_the_variables_of_the_named_layers_are_drawn():
    drawn = initial_tensors(with_heads(), ["b", "a_hidden_1"], 0)
    assert {name: (each.shape, each.dtype.name) for name, each in drawn.items()} == {
        "a_hidden_1/kernel": ((8, 200), "float32"),
        "a_hidden_1/bias": ((200,), "float32"),
        "b/kernel": ((8, 4), "float32"),
        "b/bias": ((4,), "float32"),
    }
    assert not drawn["b/bias"].any()


def test_values_depend_on_the_seed_and_the_name_alone():
    graph = with_heads()
    all_at_once = initial_tensors(graph, ["a", "b", "a_hidden_1"], 7)
    alone = initial_tensors(graph, ["b"], 7)
    np.testing.assert_array_equal(alone["b/kernel"], all_at_once["b/kernel"])
    x = Graph("other", (Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, 8]}),), (Ref("x"),), (Ref("x"),))
    elsewhere = initial_tensors(attach(x, [Head("b", 4)], seed=99), ["b"], 7)
    np.testing.assert_array_equal(alone["b/kernel"], elsewhere["b/kernel"])
    assert np.abs(alone["b/kernel"] - initial_tensors(graph, ["b"], 8)["b/kernel"]).max() > 0.1


def test_values_are_the_same_on_every_machine():
    drawn = initial_tensors(with_heads(), ["b"], 7)["b/kernel"]
    assert drawn[0].tolist() == pytest.approx([0.4094902, 0.3478423, -0.2920904, 0.122755], abs=1e-6)


def test_equal_layers_start_from_different_values():
    x = keras.Input((6,), name="x")
    y = L.Dense(6, name="two")(L.Dense(6, name="one")(x))
    drawn = initial_tensors(graph_of(keras.Model(x, y)), ["one", "two"], 0)
    assert np.abs(drawn["one/kernel"] - drawn["two/kernel"]).max() > 0.1


@pytest.mark.parametrize("build", [*BUILDERS, stacked], ids=lambda each: each.__name__)
def test_every_variable_of_every_layer_has_initial_values_like_those_of_keras(build):
    model = build()
    graph = graph_of(model)
    drawn = initial_tensors(graph, graph.names, 0)
    theirs = {name: values(each) for name, each in name_variables(model).items()}
    assert list(drawn) == list(theirs)
    for name, each in theirs.items():
        assert (drawn[name].shape, drawn[name].dtype) == (each.shape, each.dtype), name
        if not np.ptp(each) or np.isin(each, (0, 1)).all():  # the bias of an LSTM is 0 but for one gate
            np.testing.assert_array_equal(drawn[name], each, err_msg=name)


def wide(kind):
    """Layers of many units, so that the spread of their kernels tells the fans."""
    if kind == "attention":
        x = keras.Input((5, 60), name="x")
        return keras.Model(x, L.MultiHeadAttention(4, 30, name="layer")(x, x))
    if kind == "grouped":
        x = keras.Input((5, 64), name="x")
        return keras.Model(x, L.GroupQueryAttention(16, 8, 2, name="layer")(x, x))
    if kind == "einsum":
        x = keras.Input((5, 60), name="x")
        return keras.Model(x, L.EinsumDense("abc,cde->abde", output_shape=(None, 20, 30), name="layer")(x))
    if kind == "depthwise":
        x = keras.Input((8, 8, 300), name="x")
        return keras.Model(x, L.DepthwiseConv2D(3, depthwise_initializer="he_normal", name="layer")(x))
    if kind == "separable":
        x = keras.Input((8, 8, 300), name="x")
        return keras.Model(x, L.SeparableConv2D(90, 3, pointwise_initializer="he_uniform", name="layer")(x))
    if kind == "lstm":
        x = keras.Input((5, 60), name="x")
        return keras.Model(x, L.Bidirectional(L.LSTM(90, kernel_initializer="he_normal"), name="layer")(x))
    if kind == "conv_lstm":
        x = keras.Input((4, 8, 8, 20), name="x")
        return keras.Model(x, L.ConvLSTM2D(30, 3, name="layer")(x))
    if kind == "embedding":
        x = keras.Input((4,), name="x")
        return keras.Model(x, L.Embedding(500, 40, name="layer")(x))
    x = keras.Input((4, 8, 8, 20), name="x")
    inner = keras.Sequential([L.Conv2D(60, 3, kernel_initializer="lecun_normal", name="conv")], name="inner")
    return keras.Model(x, L.TimeDistributed(inner, name="layer")(x))


@pytest.mark.parametrize(
    "kind",
    ["attention", "grouped", "einsum", "depthwise", "separable", "lstm", "conv_lstm", "embedding", "wrapped"],
)
def test_the_spread_of_every_kernel_is_that_of_keras(kind):
    model = wide(kind)
    drawn = initial_tensors(graph_of(model), ["layer"], 0)
    theirs = {name: values(each) for name, each in name_variables(model).items()}
    assert set(drawn) == set(theirs)
    for name, each in theirs.items():
        assert drawn[name].std() == pytest.approx(each.std(), rel=0.08), name


def test_the_gate_that_forgets_starts_open_where_it_is_asked_for():
    x = keras.Input((5, 6), name="x")
    open_gate, plain = L.LSTM(3, name="open"), L.LSTM(3, name="plain", unit_forget_bias=False)
    drawn = initial_tensors(graph_of(keras.Model(x, [open_gate(x), plain(x)])), ["open", "plain"], 0)
    assert drawn["open/lstm_cell/bias"].tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert not drawn["plain/lstm_cell/bias"].any()


def test_options_of_a_normalisation_are_heeded():
    x = keras.Input((6,), name="x")
    norm = L.BatchNormalization(
        gamma_initializer="zeros",
        beta_initializer=I.Constant(2.0),
        moving_variance_initializer=I.Constant(4.0),
        name="n",
    )
    drawn = initial_tensors(graph_of(keras.Model(x, norm(x))), ["n"], 0)
    assert {name: each[0] for name, each in drawn.items()} == {
        "n/gamma": 0.0,
        "n/beta": 2.0,
        "n/moving_mean": 0.0,
        "n/moving_variance": 4.0,
    }


def test_a_layer_inside_a_nested_model_is_named_by_its_path_and_the_model_by_its_own():
    graph = graph_of(BUILDERS[0]())
    assert list(initial_tensors(graph, ["backbone/backbone_conv"], 0)) == ["backbone/backbone_conv/kernel"]
    assert len(initial_tensors(graph, ["backbone"], 0)) == 10
    np.testing.assert_array_equal(
        initial_tensors(graph, ["backbone/backbone_conv"], 0)["backbone/backbone_conv/kernel"],
        initial_tensors(graph, ["backbone"], 0)["backbone/backbone_conv/kernel"],
    )


def test_layers_that_are_shared_or_come_after_operations_are_described_by_their_first_call():
    drawn = initial_tensors(graph_of(shared()), ["shared", "left"], 0)
    assert drawn["shared/kernel"].shape == (6, 4)
    assert drawn["left/kernel"].shape == (11, 2)


def test_a_layer_of_an_unknown_class_does_not_matter_unless_its_shape_does():
    strange = Layer("strange", "Strange", {"name": "strange"}, (Call([Ref("x")], {}),), "somewhere")
    x = Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, 6]})
    dense = Layer("dense", "Dense", {"name": "dense", "units": 3}, (Call([Ref("x")], {}),))
    behind = Layer("behind", "Dense", {"name": "behind", "units": 3}, (Call([Ref("strange")], {}),))
    graph = Graph("net", (x, strange, dense, behind), (Ref("x"),), (Ref("dense"), Ref("behind")))
    assert initial_tensors(graph, ["dense"], 0)["dense/kernel"].shape == (6, 3)
    with pytest.raises(LayerError, match="Strange 'strange'"):
        initial_tensors(graph, ["behind"], 0)


def test_a_layer_that_is_not_there_offers_the_nearest():
    with pytest.raises(LayerError, match="no layer 'backbone/conv'") as caught:
        initial_tensors(graph_of(BUILDERS[0]()), ["backbone/conv"], 0)
    assert "'backbone/backbone_conv'" in caught.value.next_step


def test_what_has_no_rule_is_refused():
    x = keras.Input((5, 6), name="x")
    graph = graph_of(keras.Model(x, L.Dense(3, name="low", kernel_initializer="glorot_uniform")(x)))
    low = graph.layer("low").with_config(lora_rank=2)
    graph = Graph("net", (graph.layers[0], low), graph.inputs, graph.outputs)
    with pytest.raises(LayerError, match="initial values of 'low'"):
        initial_tensors(graph, ["low"], 0)
    for wrong in ({"class_name": "Constant", "config": 3}, "orthogonal_initializer"):
        low = graph.layer("low").with_config(lora_rank=None, bias_initializer=wrong)
        with pytest.raises(LayerError, match="'low/bias' cannot be drawn"):
            initial_tensors(Graph("net", (graph.layers[0], low), graph.inputs, graph.outputs), ["low"], 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"class_name": "Constant", "config": {"value": 10**400}},
        {"class_name": "VarianceScaling", "config": {"input_axes": [9], "output_axes": [0]}},
        {"class_name": "RandomUniform", "config": {"minval": -1e308, "maxval": 1e308}},
        {"class_name": "RandomNormal", "config": {"stddev": "wide"}},
        {"class_name": "VarianceScaling", "config": {"scale": -1.0}},
    ],
    ids=lambda each: each["class_name"],
)
def test_options_of_an_initialiser_that_make_no_sense_are_refused_before_anything_is_drawn(wrong):
    x = keras.Input((5, 6), name="x")
    graph = graph_of(keras.Model(x, L.Dense(3, name="low")(x)))
    low = graph.layer("low").with_config(kernel_initializer=wrong)
    with pytest.raises(LayerError, match="'low/kernel' cannot be drawn"):
        draw_lazily(Graph("net", (graph.layers[0], low), graph.inputs, graph.outputs), ["low"], 0)


@pytest.mark.parametrize("build", [*BUILDERS, stacked], ids=lambda each: each.__name__)
def test_values_that_are_drawn_when_asked_for_are_those_that_are_drawn_at_once(build):
    graph = graph_of(build())
    described = describe_graph(graph)
    lazily, at_once = draw_lazily(graph, graph.names, 3), initial_tensors(graph, graph.names, 3)
    assert list(lazily) == list(at_once)
    for name in reversed(list(at_once)):
        assert lazily.dtype_of(name) == at_once[name].dtype.name
        assert described[name].shape == at_once[name].shape
        np.testing.assert_array_equal(lazily[name], at_once[name])
        assert lazily[name] is lazily[name]


def enormous(units=10**10):
    x = Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, 64]})
    low = Layer("low", "Dense", {"name": "low", "units": units}, (Call([Ref("x")], {}),))
    return Graph("net", (x, low), (Ref("x"),), (Ref("low"),))


def test_what_is_never_asked_for_takes_no_memory():
    drawn = draw_lazily(enormous(), ["low"], 0)
    chosen = Chosen({}, {}, Chosen(drawn, {"a/kernel": "low/kernel", "a/bias": "low/bias"}))
    assert list(chosen) == ["a/kernel", "a/bias"]
    assert "a/kernel" in chosen
    assert dtype_of(chosen, "a/kernel") == "float32"
    assert describe_graph(enormous())["low/kernel"].size_bytes == 64 * 10**10 * 4
    assert list(pieces_of(chosen, [])) == []


@pytest.mark.parametrize("units", [10**12, 2**56])
def test_what_does_not_fit_into_memory_is_named_with_its_size(units):
    drawn = draw_lazily(enormous(units), ["low"], 0)
    with pytest.raises(LayerError, match="'low/kernel' take more memory") as caught:
        drawn["low/kernel"]
    assert caught.value.problems[0].found == f"float32 of (64, {units}): {64 * units * 4:,} bytes"


def test_half_precision_is_kept():
    x = keras.Input((6,), name="x")
    for dtype in ("float16", "bfloat16"):
        graph = graph_of(keras.Model(x, L.Dense(3, name="half", dtype=dtype)(x)))
        assert {each.dtype.name for each in initial_tensors(graph, ["half"], 0).values()} == {dtype}


def test_layers_without_variables_give_nothing():
    assert initial_tensors(graph_of(attending()), ["flat"], 0) == {}
    assert initial_tensors(graph_of(recurrent()), [], 0) == {}
