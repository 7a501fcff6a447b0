"""Configs in the form of Keras 2, standalone and inside TensorFlow, compute what it computed."""

import numpy as np
import pytest

from transfer.errors import LayerError
from transfer.graphs.graph import Ref
from transfer.graphs.hard_sigmoid import is_old_hard_sigmoid
from transfer.graphs.parsing import parse_config
from transfer.models.building import build_graph
from transfer.specs import Writer

OLD, TF_1, TF_2 = Writer("2.2.4"), Writer("2.2.4-tf", "tensorflow"), Writer("2.11.0", "tensorflow")


def layer(kind, name, *nodes, **options):
    return {"class_name": kind, "name": name, "config": {"name": name, **options}, "inbound_nodes": list(nodes)}


def entrance(name, *shape, dtype="float32"):
    return layer("InputLayer", name, batch_input_shape=[None, *shape], dtype=dtype, sparse=False, ragged=False)


def net(*layers, inputs=("x",), outputs=("out",), name="net"):
    ends = [[each, 0, 0] if isinstance(each, str) else each for each in outputs]
    starts = [[each, 0, 0] for each in inputs]
    return {"name": name, "layers": list(layers), "input_layers": starts, "output_layers": ends}


def functional(*layers, **ends):
    return {"class_name": "Functional", "config": net(*layers, **ends)}


def dense(name, source, units=2, node=0, **options):
    return layer("Dense", name, [[source, node, 0, {}]], units=units, **options)


def built(config, writer=TF_2):
    return build_graph(parse_config(config, writer))


def test_calls_as_lists_with_tensors_among_the_named_arguments():
    attend = layer("MultiHeadAttention", "out", [["x", 0, 0, {"value": ["y", 0, 0]}]], num_heads=1, key_dim=2,
                   query_shape=[None, 3, 4], key_shape=[None, 5, 4], value_shape=[None, 5, 4])  # fmt: skip
    config = functional(entrance("x", 3, 4), entrance("y", 5, 4), attend, inputs=("x", "y"))
    graph = parse_config(config, TF_2)
    (call,) = graph.layer("out").calls
    assert (call.args, call.kwargs) == ([Ref("x")], {"value": Ref("y")})
    assert build_graph(graph).output.shape == (None, 3, 4)


def test_first_states_stand_behind_the_input_of_a_recurrent_layer():
    states = layer("LSTM", "enc", [["x", 0, 0, {}]], units=3, return_state=True, time_major=False, implementation=2)
    out = layer("LSTM", "out", [["y", 0, 0, {}], ["enc", 0, 1, {}], ["enc", 0, 2, {}]], units=3)
    config = functional(entrance("x", 4, 2), entrance("y", 5, 2), states, out, inputs=("x", "y"))
    (call,) = parse_config(config, TF_2).layer("out").calls
    assert call.args == [Ref("y")]
    assert call.kwargs == {"initial_state": [Ref("enc", 0, 1), Ref("enc", 0, 2)]}
    model = built(config)
    x, y = np.random.RandomState(0).rand(2, 3, 5, 2).astype("float32")
    assert not np.allclose(model([x[:, :4], y]), model([2 * x[:, :4], y])), "the states of the first reach the second"


def test_calls_of_a_model_inside_a_model_are_counted_from_zero():
    inner = net(entrance("in", 4), dense("d", "in", 4), inputs=("in",), outputs=("d",), name="inner")
    twice = {"class_name": "Model", "name": "inner", "config": inner,
             "inbound_nodes": [[["x", 0, 0, {}]], [["inner", 1, 0, {}]]]}  # fmt: skip
    config = functional(entrance("x", 4), twice, dense("out", "inner", node=2))
    graph = parse_config(config, TF_2)
    assert [call.sources for call in graph.layer("inner").calls] == [(Ref("x"),), (Ref("inner", 0),)]
    assert graph.layer("out").calls[0].sources == (Ref("inner", 1),)
    model = build_graph(graph)
    kernel, bias, head, offset = (np.random.RandomState(0).randn(*each.shape) for each in model.get_weights())
    model.set_weights([kernel, bias, head, offset])
    x = np.random.RandomState(1).randn(3, 4)
    expected = ((x @ kernel + bias) @ kernel + bias) @ head + offset
    np.testing.assert_allclose(model(x.astype("float32")), expected, rtol=1e-4, atol=1e-5)


def test_models_inside_models_inside_models_are_counted_too():
    deepest = net(entrance("a", 4), dense("d", "a", 4), inputs=("a",), outputs=("d",), name="deepest")
    middle = net(entrance("b", 4), {**layer("Model", "deepest", [["b", 0, 0, {}]]), "config": deepest},
                 dense("e", "deepest", 3, node=1), inputs=("b",), outputs=("e",), name="middle")  # fmt: skip
    config = functional(
        entrance("x", 4),
        {**layer("Model", "middle", [["x", 0, 0, {}]]), "config": middle},
        dense("out", "middle", node=1),
    )
    assert built(config).count_params() == 4 * 4 + 4 + 4 * 3 + 3 + 3 * 2 + 2


@pytest.mark.parametrize("form", [list, dict])
def test_a_sequential_model_says_its_input_in_its_first_layer(form):
    layers = [
        {
            "class_name": "Dense",
            "config": {"name": "a", "units": 3, "batch_input_shape": [None, 4], "dtype": "float32"},
        },
        {"class_name": "Dense", "config": {"name": "b", "units": 2}},
    ]
    inner = layers if form is list else {"name": "chain", "layers": layers}
    graph = parse_config({"class_name": "Sequential", "config": inner}, OLD)
    assert graph.names == ("a_input", "a", "b")
    assert build_graph(graph).input.shape == (None, 4)


def test_a_sequential_model_takes_the_input_of_the_model_it_begins_with():
    inner = {
        "class_name": "Model",
        "config": net(entrance("in", 4), dense("d", "in", 3), inputs=("in",), outputs=("d",), name="inner"),
    }
    head = {"class_name": "Dense", "config": {"name": "head", "units": 2}}
    graph = parse_config({"class_name": "Sequential", "config": {"name": "s", "layers": [inner, head]}}, OLD)
    assert graph.names == ("inner_input", "inner", "head")
    assert build_graph(graph).count_params() == 4 * 3 + 3 + 3 * 2 + 2


@pytest.mark.parametrize(
    ("writer", "is_hard", "resets_after"),
    [
        (Writer("2.0.5"), True, False),
        (Writer("2.2.4"), True, False),
        (Writer("2.3.1"), False, False),
        (Writer("2.1.6-tf"), True, False),
        (TF_1, True, False),
        (Writer("2.3.0-tf"), False, None),
        (Writer("2.4.0"), False, None),
        (TF_2, False, None),
        (Writer(), True, False),
    ],
    ids=str,
)
def test_options_that_are_not_written_are_those_of_the_writers_era(writer, is_hard, resets_after):
    config = functional(entrance("x", 4, 2), layer("GRU", "out", [["x", 0, 0, {}]], units=3))
    options = parse_config(config, writer).layer("out").config
    assert is_old_hard_sigmoid(options.get("recurrent_activation")) is is_hard
    assert options.get("reset_after") is resets_after


@pytest.mark.parametrize("kind", ["ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"])
def test_convolutional_recurrent_layers_took_the_old_hard_sigmoid_until_keras_3(kind):
    config = functional(entrance("x", 4, 5, 5, 2), layer(kind, "out", [["x", 0, 0, {}]], filters=3, kernel_size=3))
    assert is_old_hard_sigmoid(parse_config(config, TF_2).layer("out").config["recurrent_activation"])


def test_what_is_written_stands():
    options = {"units": 3, "recurrent_activation": "sigmoid", "reset_after": True}
    config = functional(entrance("x", 4, 2), layer("GRU", "out", [["x", 0, 0, {}]], **options))
    parsed = parse_config(config, OLD).layer("out").config
    assert {key: parsed[key] for key in options} == options


def test_numbers_that_numpy_wrote_and_options_by_another_name():
    config = functional(
        entrance("x", 3),
        layer("LeakyReLU", "leaky", [["x", 0, 0, {}]], alpha={"type": "ndarray", "value": 0.25}),
        layer("ThresholdedReLU", "out", [["leaky", 0, 0, {}]], theta=0.5),
    )
    np.testing.assert_allclose(built(config)(np.array([[-4.0, 0.5, 2.0]])), [[0, 0, 2]])
    assert built(config).get_layer("leaky").negative_slope == 0.25


def test_axes_in_lists_and_policies_of_types():
    policy = {"class_name": "Policy", "config": {"name": "mixed_float16"}, "module": "keras.mixed_precision"}
    config = functional(
        entrance("x", 4, 4, 3),
        layer("BatchNormalization", "bn", [["x", 0, 0, {}]], axis=[3], epsilon=0.01, fused=True, dtype=policy),
        layer("Normalization", "out", [["bn", 0, 0, {}]], axis=[], mean=0.5, variance=4.0),
    )
    graph = parse_config(config, TF_2)
    assert (graph.layer("bn").config["axis"], graph.layer("out").config["axis"]) == (3, None)
    assert build_graph(graph).get_layer("bn").dtype_policy.name == "mixed_float16"


def test_cudnn_layers_are_layers_with_the_options_that_cudnn_has():
    config = functional(
        entrance("x", 4, 2),
        layer("CuDNNLSTM", "lstm", [["x", 0, 0, {}]], units=3, return_sequences=True),
        layer("CuDNNGRU", "out", [["lstm", 0, 0, {}]], units=3),
    )
    graph = parse_config(config, OLD)
    assert [graph.layer(name).class_name for name in ("lstm", "out")] == ["LSTM", "GRU"]
    assert [graph.layer(name).config["recurrent_activation"] for name in ("lstm", "out")] == ["sigmoid", "sigmoid"]
    assert graph.layer("out").config["reset_after"] is True


@pytest.mark.parametrize("options", [{"time_major": True}, {"renorm": True}], ids=str)
def test_an_option_that_keras_3_has_not_is_refused_by_name(options):
    config = functional(entrance("x", 4, 2), layer("LSTM", "out", [["x", 0, 0, {}]], units=3, **options))
    with pytest.raises(LayerError) as caught:
        parse_config(config, TF_2)
    assert (caught.value.problems[0].where, caught.value.problems[0].found) == ("out", f"{next(iter(options))}=True")


def test_a_class_of_the_users_keeps_its_words_and_loses_its_package():
    options = {"units": 3, "alpha": 2, "filters": 5, "batch_input_shape": [None, 4]}
    config = functional(entrance("x", 4), layer("mine>Block", "out", [["x", 0, 0, {}]], **options))
    block = parse_config(config, TF_2).layer("out")
    assert (block.class_name, block.registered_name, block.module) == ("Block", "mine>Block", "")
    assert block.config == {"name": "out", "units": 3, "alpha": 2, "filters": 5}


def test_a_config_without_a_writer_is_read_by_its_form():
    old = functional(entrance("x", 4), dense("out", "x", activation="hard_sigmoid"))
    assert is_old_hard_sigmoid(parse_config(old).layer("out").config["activation"])
    assert is_old_hard_sigmoid(parse_config(old, Writer("2.12+")).layer("out").config["activation"])


# Functions of TensorFlow


def applied(function, named, *, values=(("x", 0, 0),), kind="TFOpLambda"):
    nodes = [[*each, named] for each in values]
    shape = (2, 3)
    op = layer(kind, "out", nodes[0] if len(nodes) == 1 else nodes, function=function, trainable=True)
    inputs = tuple(dict.fromkeys(each[0] for each in values if each[0] != "_CONSTANT_VALUE")) or ("x",)
    return built(functional(*(entrance(each, *shape) for each in inputs), op, inputs=inputs))


X = np.random.RandomState(0).rand(4, 2, 3).astype("float32") + 0.1


@pytest.mark.parametrize(
    ("function", "named", "expected"),
    [
        ("__operators__.add", {"y": 2.0, "name": None}, X + 2),
        ("math.subtract", {"y": 2.0}, X - 2),
        ("math.truediv", {"y": 4.0, "name": None}, X / 4),
        ("math.pow", {"y": 2.0}, X**2),
        ("math.negative", {}, -X),
        ("math.log", {}, np.log(X)),
        ("math.rsqrt", {}, 1 / np.sqrt(X)),
        ("math.reduce_mean", {"axis": 1, "keepdims": True}, X.mean(1, keepdims=True)),
        ("math.reduce_sum", {"axis": [1, 2]}, X.sum((1, 2))),
        ("math.reduce_max", {"axis": -1}, X.max(-1)),
        ("compat.v1.transpose", {"perm": [0, 2, 1]}, X.transpose(0, 2, 1)),
        ("reshape", {"shape": [-1, 6]}, X.reshape(-1, 6)),
        ("expand_dims", {"axis": 1}, X[:, None]),
        ("tile", {"multiples": [1, 2, 1]}, np.tile(X, (1, 2, 1))),
        ("reverse", {"axis": [1]}, X[:, ::-1]),
        ("cast", {"dtype": "float32"}, X),
        ("clip_by_value", {"clip_value_min": 0.3, "clip_value_max": 0.6}, X.clip(0.3, 0.6)),
        ("nn.relu", {}, X),
        ("nn.leaky_relu", {}, X),
        ("math.tanh", {}, np.tanh(X)),
        ("math.sigmoid", {}, 1 / (1 + np.exp(-X))),
        ("nn.softmax", {"axis": -1}, np.exp(X) / np.exp(X).sum(-1, keepdims=True)),
        ("math.argmax", {"axis": 2, "output_type": "int64"}, X.argmax(2)),
    ],
)
def test_a_function_of_tensorflow_is_an_operation_of_keras_3(function, named, expected):
    np.testing.assert_allclose(applied(function, named)(X), expected, rtol=1e-5, atol=1e-6)


def test_a_number_may_come_first():
    model = applied("math.subtract", {"y": ["x", 0, 0]}, values=(("_CONSTANT_VALUE", -1, 1.0),))
    np.testing.assert_allclose(model(X), 1 - X)


def test_lists_of_tensors_are_joined():
    np.testing.assert_array_equal(
        applied("concat", {"axis": -1}, values=(("x", 0, 0), ("y", 0, 0)))([X, 2 * X]), np.concatenate([X, 2 * X], -1)
    )
    np.testing.assert_array_equal(
        applied("stack", {"axis": 1}, values=(("x", 0, 0), ("y", 0, 0)))([X, 2 * X]), np.stack([X, 2 * X], 1)
    )


def test_brackets_take_slices_numbers_ellipses_and_new_axes():
    part = [{"start": None, "stop": None, "step": None}, 1, None, {"start": 0, "stop": 3, "step": 2}]
    model = applied("__operators__.getitem", {"slice_spec": part}, kind="SlicingOpLambda")
    np.testing.assert_array_equal(model(X), X[:, 1, None, 0:3:2])
    model = applied(
        "__operators__.getitem", {"slice_spec": [{"class_name": "__ellipsis__"}, 0]}, kind="SlicingOpLambda"
    )
    np.testing.assert_array_equal(model(X), X[..., 0])


@pytest.mark.parametrize(
    ("function", "named"),
    [("io.read_file", {}), ("linalg.matmul", {"b": ["x", 0, 0], "transpose_b": True}), ("py_function", {"func": "f"})],
)
def test_a_function_without_a_counterpart_is_refused_by_name(function, named):
    with pytest.raises(LayerError) as caught:
        applied(function, named)
    assert caught.value.problems[0].where == "out"
    assert function in caught.value.problems[0].found


def node(op, constants=None, *, sources=("x",), **attributes):
    config = {"name": "out", "dtype": None, "constants": constants or {},
              "node_def": {"name": "op", "op": op, "input": [], "attr": attributes}}  # fmt: skip
    nodes = [[each, 0, 0, {}] for each in sources]
    inputs = tuple(dict.fromkeys(sources))
    described = {"class_name": "TensorFlowOpLayer", "name": "out", "config": config, "inbound_nodes": [nodes]}
    return built(functional(*(entrance(each, 2, 3) for each in inputs), described, inputs=inputs), TF_1)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (lambda: node("Mul", {"1": 2.0}), 2 * X),
        (lambda: node("Sub", {"0": 1.0}), 1 - X),
        (lambda: node("Mean", {"1": [1, 2]}, keep_dims={"b": True}), X.mean((1, 2), keepdims=True)),
        (lambda: node("Reshape", {"1": [-1, 6]}), X.reshape(-1, 6)),
        (lambda: node("Transpose", {"1": [0, 2, 1]}), X.transpose(0, 2, 1)),
        (lambda: node("Relu6"), X),
        (lambda: node("LeakyRelu", alpha={"f": 0.5}), X),
        (lambda: node("Cast", SrcT={"type": "DT_FLOAT"}, DstT={"type": "DT_INT32"}), X.astype("int32")),
    ],
)
def test_a_node_of_tensorflow_is_an_operation_of_keras_3(model, expected):
    np.testing.assert_allclose(model()(X), expected, rtol=1e-6)


def test_a_node_slices_by_its_masks():
    # x[..., 1:] as TensorFlow 1.15 wrote it
    masks = {"ellipsis_mask": {"i": "1"}, "end_mask": {"i": "2"}, "begin_mask": {"i": "0"}}
    model = node("StridedSlice", {"1": [0, 1], "2": [0, 0], "3": [1, 1]}, **masks)
    np.testing.assert_array_equal(model(X), X[..., 1:])
    model = node("StridedSlice", {"1": [0, 1], "2": [0, 2], "3": [1, 1]}, shrink_axis_mask={"i": "2"},
                 begin_mask={"i": "1"}, end_mask={"i": "1"})  # fmt: skip
    np.testing.assert_array_equal(model(X), X[:, 1])


def test_nodes_join_lists():
    model = node("ConcatV2", {"2": -1}, sources=("x", "y"), N={"i": "2"})
    np.testing.assert_array_equal(model([X, X]), np.concatenate([X, X], -1))
    model = node("Pack", sources=("x", "y"), N={"i": "2"}, axis={"i": "1"})
    np.testing.assert_array_equal(model([X, X]), np.stack([X, X], 1))
