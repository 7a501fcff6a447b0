"""Shapes from the graph alone are those that Keras computes."""

from dataclasses import replace

import keras
import pytest

from transfer.errors import LayerError
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.parsing import parse_config
from transfer.graphs.shapes import infer_shapes, shape_of
from transfer.graphs.tensor_types import infer_types
from transfer.graphs.unparsing import unparse_graph
from transfer.graphs.variables import describe_graph

L = keras.layers
IMAGE = (17, 12, 3)
STEPS = (11, 4)
VOLUME = (9, 8, 7, 2)


def check(model):
    """Every tensor of a model has the shape that the rules give; returns how many there are."""
    shapes = infer_shapes(parse_config(keras.saving.serialize_keras_object(model)))
    for layer in model.layers:
        for node in range(len(layer._inbound_nodes)):
            for place, output in enumerate(layer._inbound_nodes[node].outputs):
                assert shapes[Ref(layer.name, node, place)] == tuple(output.shape)[1:], layer.name
    return len(shapes)


def through(shape, *layers, dtype="float32"):
    inputs = keras.Input(shape, dtype=dtype)
    x = inputs
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


ZOO = [
    (IMAGE, L.Conv2D(5, 3)),
    (IMAGE, L.Conv2D(5, (3, 2), strides=(2, 3), padding="same")),
    (IMAGE, L.Conv2D(5, 4, strides=2)),
    (IMAGE, L.Conv2D(5, 3, dilation_rate=2)),
    (IMAGE, L.Conv2D(5, 3, dilation_rate=(2, 1), padding="same")),
    (IMAGE, L.Conv2D(5, 20, padding="same")),
    (IMAGE, L.DepthwiseConv2D(3, depth_multiplier=2)),
    (IMAGE, L.DepthwiseConv2D(3, strides=2, padding="same")),
    (IMAGE, L.SeparableConv2D(5, 3, strides=2)),
    (IMAGE, L.MaxPooling2D()),
    (IMAGE, L.MaxPooling2D(3, strides=2, padding="same")),
    (IMAGE, L.AveragePooling2D((2, 3), strides=1)),
    (IMAGE, L.MaxPooling2D(data_format="channels_first")),
    (IMAGE, L.GlobalAveragePooling2D()),
    (IMAGE, L.GlobalAveragePooling2D(keepdims=True)),
    (IMAGE, L.GlobalMaxPooling2D(data_format="channels_first", keepdims=True)),
    (IMAGE, L.ZeroPadding2D(2)),
    (IMAGE, L.ZeroPadding2D((1, 2))),
    (IMAGE, L.ZeroPadding2D(((0, 1), (2, 3)))),
    (IMAGE, L.Resizing(32, 24)),
    (IMAGE, L.Rescaling(1 / 255)),
    (IMAGE, L.BatchNormalization()),
    (IMAGE, L.LayerNormalization()),
    (IMAGE, L.Normalization(mean=0.0, variance=1.0)),
    (IMAGE, L.ReLU(6.0)),
    (IMAGE, L.PReLU(shared_axes=[1, 2])),
    (IMAGE, L.SpatialDropout2D(0.1)),
    (IMAGE, L.Flatten()),
    (IMAGE, L.Reshape((17, -1))),
    (IMAGE, L.Dense(7)),
    (STEPS, L.Conv1D(5, 3, strides=2)),
    (STEPS, L.Conv1D(5, 3, padding="causal")),
    (STEPS, L.Conv1D(5, 3, strides=2, padding="causal")),
    (STEPS, L.SeparableConv1D(5, 3)),
    (STEPS, L.DepthwiseConv1D(3)),
    (STEPS, L.MaxPooling1D(3)),
    (STEPS, L.AveragePooling1D(2, padding="same")),
    (STEPS, L.GlobalMaxPooling1D()),
    (STEPS, L.ZeroPadding1D(2)),
    (STEPS, L.ZeroPadding1D((1, 3))),
    (STEPS, L.LSTM(6)),
    (STEPS, L.GRU(6, return_sequences=True)),
    (STEPS, L.SimpleRNN(6)),
    (STEPS, L.Masking()),
    (STEPS, L.Softmax()),
    (STEPS, L.Identity()),
    (VOLUME, L.Conv3D(5, 2, strides=(1, 2, 3))),
    (VOLUME, L.MaxPooling3D()),
    (VOLUME, L.GlobalAveragePooling3D()),
    (VOLUME, L.ZeroPadding3D((1, 2, 3))),
    ((6,), L.Dense(3)),
    ((6,), L.Activation("relu")),
    ((None, None, 3), L.Conv2D(5, 3, strides=2)),
    ((None, 12, 3), L.MaxPooling2D()),
    ((None, None, 3), L.Flatten()),
    ((None, None, 3), L.GlobalAveragePooling2D()),
    ((None, 4), L.LSTM(6, return_sequences=True)),
    ((None, None, 3), L.ZeroPadding2D()),
    ((None, None, 3), L.Resizing(8, 9)),
    ((4, 4), L.Reshape((2, 8))),
]


@pytest.mark.parametrize(
    ("shape", "layer"), ZOO, ids=[f"{type(layer).__name__}-{place}" for place, (_, layer) in enumerate(ZOO)]
)
def test_a_layer_gives_the_shape_that_keras_gives(shape, layer):
    assert check(through(shape, layer)) == 2


MORE = [
    *[
        (IMAGE, L.Conv2DTranspose(5, kernel, strides=strides, padding=padding, output_padding=extra))
        for kernel, strides, extra in ((3, 2, None), (3, 2, 1), (2, 3, None), ((5, 2), (1, 2), None), (4, 2, 0))
        for padding in ("same", "valid")
    ],
    (IMAGE, L.Conv2DTranspose(5, 3, dilation_rate=2)),
    (STEPS, L.Conv1DTranspose(5, 3, strides=2)),
    (VOLUME, L.Conv3DTranspose(5, 2, strides=2)),
    ((None, 12, 3), L.Conv2DTranspose(5, 3, strides=2)),
    (IMAGE, L.Cropping2D(((1, 2), (0, 3)))),
    (IMAGE, L.Cropping2D(2)),
    (STEPS, L.Cropping1D((1, 2))),
    (VOLUME, L.Cropping3D(1)),
    (IMAGE, L.UpSampling2D((2, 3))),
    (IMAGE, L.UpSampling2D(data_format="channels_first")),
    (STEPS, L.UpSampling1D(3)),
    (VOLUME, L.UpSampling3D()),
    (IMAGE, L.AdaptiveAveragePooling2D((4, 5))),
    (STEPS, L.AdaptiveMaxPooling1D(4)),
    (IMAGE, L.RandomFlip()),
    (IMAGE, L.RandomCrop(8, 9)),
    (IMAGE, L.CenterCrop(8, 9)),
    (IMAGE, L.Permute((3, 1, 2))),
    (IMAGE, L.RMSNormalization()),
    (IMAGE, L.SpectralNormalization(L.Conv2D(4, 3))),
    (IMAGE, L.EinsumDense("abcd,de->abce", output_shape=(17, 12, 7))),
    (STEPS, L.EinsumDense("...c,cde->...de", output_shape=(2, 7))),
    (IMAGE, L.EinsumDense("ab...,bc->ac...", output_shape=7)),
    (STEPS, L.Bidirectional(L.LSTM(6))),
    (STEPS, L.Bidirectional(L.LSTM(6, return_sequences=True), merge_mode="sum")),
    (STEPS, L.Bidirectional(L.GRU(6, return_state=True))),
    (STEPS, L.Bidirectional(L.SimpleRNN(6), merge_mode=None)),
    (STEPS, L.TimeDistributed(L.Dense(6))),
    ((5, *IMAGE), L.TimeDistributed(L.Conv2D(4, 3))),
    ((6,), L.RepeatVector(3)),
    (STEPS, L.LSTM(6, return_state=True)),
    (STEPS, L.GRU(6, return_state=True, return_sequences=True)),
    (STEPS, L.RNN(L.GRUCell(5), return_state=True)),
    (STEPS, L.RNN([L.LSTMCell(3), L.GRUCell(5)], return_sequences=True)),
    ((5, *IMAGE), L.ConvLSTM2D(4, 3)),
    ((5, *IMAGE), L.ConvLSTM2D(4, (3, 2), strides=2, padding="same", return_sequences=True, return_state=True)),
    ((5, *STEPS), L.ConvLSTM1D(4, 3, return_sequences=True)),
]


@pytest.mark.parametrize(
    ("shape", "layer"), MORE, ids=[f"{type(layer).__name__}-{place}" for place, (_, layer) in enumerate(MORE)]
)
def test_every_output_of_a_layer_has_the_shape_that_keras_gives(shape, layer):
    model = through(shape, layer)
    assert check(model) == 1 + len(model.outputs)


@pytest.mark.parametrize(
    ("axes", "shapes"),
    [(-1, [(4, 3), (5, 3)]), (1, [(3, 4), (3, 5)]), ((2, 1), [(4, 3), (3, 5)]), (1, [(3,), (3,)])],
)
def test_a_dot_product_gives_the_shape_that_keras_gives(axes, shapes):
    inputs = [keras.Input(shape) for shape in shapes]
    assert check(keras.Model(inputs, L.Dot(axes)(inputs))) == 3


@pytest.mark.parametrize(
    "attend",
    [
        lambda q, v: L.MultiHeadAttention(2, 3)(q, v),
        lambda q, v: L.MultiHeadAttention(2, 3, output_shape=7)(key=v, value=v, query=q),
        lambda q, v: L.MultiHeadAttention(2, 3, output_shape=(2, 7))(q, v),
        lambda q, v: L.GroupQueryAttention(3, 4, 2)(q, v),
        lambda q, v: L.Attention()([q, v]),
        lambda q, v: L.AdditiveAttention()([q, v, v]),
    ],
)
def test_attention_gives_the_shape_that_keras_gives(attend):
    query, value = keras.Input((5, 8)), keras.Input((6, 8))
    assert check(keras.Model([query, value], attend(query, value))) == 3


OPERATIONS = [
    lambda x: x * 2.0 + 1.0,
    lambda x: 1.0 - x / 3.0,
    lambda x: keras.ops.relu(x),
    lambda x: keras.ops.mean(x, axis=1),
    lambda x: keras.ops.max(x, axis=(1, -1), keepdims=True),
    lambda x: keras.ops.concatenate([x, x], axis=1),
    lambda x: keras.ops.reshape(x, (-1, 6, 2)),
    lambda x: keras.ops.transpose(x, (0, 2, 1)),
    lambda x: keras.ops.expand_dims(x, 1),
    lambda x: keras.ops.expand_dims(x, axis=-1),
    lambda x: keras.ops.squeeze(keras.ops.expand_dims(x, 1), 1),
    lambda x: keras.ops.matmul(x, keras.ops.transpose(x, (0, 2, 1))),
    lambda x: keras.ops.softmax(x),
    lambda x: keras.ops.where(x > 0, x, 0.0),
    lambda x: keras.ops.clip(x, 0, 1),
    lambda x: keras.ops.sum(x, axis=-1) + keras.ops.var(x, axis=2),
    lambda x: x - keras.ops.mean(x, axis=1, keepdims=True),
    lambda x: x[:, 0],
    lambda x: x[..., -1],
    lambda x: x[:, 1:-1, ::2],
    lambda x: x[:, None, 1:],
    lambda x: x[:, -2:, None, 0],
    lambda x: x[..., :1],
    lambda x: x[:, :, None],
]


@pytest.mark.parametrize("compute", OPERATIONS)
def test_functions_of_keras_give_the_shape_that_keras_gives(compute):
    inputs = keras.Input((4, 3))
    model = keras.Model(inputs, compute(inputs))
    shapes = infer_shapes(parse_config(keras.saving.serialize_keras_object(model)))
    for operation in model.operations:
        assert shapes[Ref(operation.name)] == tuple(operation.output.shape)[1:], operation.name


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: keras.ops.sum(x),
        lambda x: keras.ops.concatenate([x, x], axis=0),
        lambda x: keras.ops.reshape(x, (6, -1)),
        lambda x: keras.ops.transpose(x),
        lambda x: x[0],
        lambda x: x[::2, 1],
        lambda x: x[None, :, 1],
        lambda x: keras.ops.cumprod(x, axis=1),
    ],
)
def test_a_function_that_moves_the_batch_or_has_no_rule_is_left_out(compute):
    inputs = keras.Input((4, 3), name="x")
    model = keras.Model(inputs, compute(inputs))
    shapes = infer_shapes(parse_config(keras.saving.serialize_keras_object(model)))
    assert shapes == {Ref("x"): (4, 3)}


def test_options_of_another_form_leave_a_layer_out():
    source = Layer("x", "InputLayer", {"batch_shape": [None, 4]})
    odd = Layer("odd", "Dense", {"output_dim": 3}, (Call([Ref("x")], {}),))
    assert infer_shapes(Graph("net", (source, odd), (Ref("x"),), (Ref("odd"),))) == {Ref("x"): (4,)}


def test_an_embedding_adds_an_axis():
    assert check(through((7,), L.Embedding(10, 4), dtype="int32")) == 2


@pytest.mark.parametrize(
    ("merge", "shapes"),
    [
        (L.Add(), [(4, 3), (4, 3)]),
        (L.Multiply(), [(4, 5, 3), (1, 1, 3)]),
        (L.Multiply(), [(1, 1, 3), (4, 5, 3)]),
        (L.Maximum(), [(None, 3), (4, 3)]),
        (L.Add(), [(None, 3), (1, 3)]),
        (L.Concatenate(), [(4, 3), (4, 5)]),
        (L.Concatenate(axis=1), [(4, 3), (2, 3)]),
        (L.Concatenate(axis=-2), [(4, 3), (2, 3)]),
        (L.Concatenate(), [(4, None), (4, 5)]),
        (L.Concatenate(), [(None, 3), (4, 5)]),
        (L.Concatenate(axis=2), [(4, 5, 3), (4, 1, 3)]),
        (L.Average(), [(3,), (3,), (3,)]),
    ],
)
def test_merging_gives_the_shape_that_keras_gives(merge, shapes):
    inputs = [keras.Input(shape) for shape in shapes]
    assert check(keras.Model(inputs, merge(inputs))) == len(shapes) + 1


def test_a_shared_layer_has_a_shape_for_each_call():
    one, two = keras.Input((8, 8, 3)), keras.Input((6, 6, 3))
    conv = L.Conv2D(4, 3)
    pool = L.GlobalAveragePooling2D()
    model = keras.Model([one, two], L.Add()([pool(conv(one)), pool(conv(two))]))
    assert check(model) == 7


def test_a_nested_model_has_the_shape_of_its_output():
    inner = through((8, 8, 3), L.Conv2D(4, 3), L.MaxPooling2D())
    check(through((8, 8, 3), inner, L.GlobalAveragePooling2D()))


def test_a_nested_sequential_model_has_the_shape_of_its_output():
    inner = keras.Sequential([keras.Input((8, 8, 3)), L.Conv2D(4, 3), L.Flatten()])
    check(through((8, 8, 3), inner, L.Dense(2)))


def test_a_nested_model_of_open_size_takes_the_size_of_its_input():
    inner = through((None, None, 3), L.Conv2D(4, 3))
    check(through((8, 8, 3), inner))


@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNetV3Small"])
def test_every_tensor_of_keras_own_networks_has_the_shape_that_keras_gives(name):
    check(getattr(keras.applications, name)(weights=None, input_shape=(64, 64, 3)))


def unknown():
    source = Layer("x", "InputLayer", {"batch_shape": [None, 4]})
    mine = Layer("mine", "Mine", {}, (Call([Ref("x")], {}),))
    end = Layer("end", "Dense", {"units": 2}, (Call([Ref("mine")], {}),))
    return Graph("net", (source, mine, end), (Ref("x"),), (Ref("end"),))


def test_what_follows_a_layer_of_unknown_kind_is_left_out():
    assert infer_shapes(unknown()) == {Ref("x"): (4,)}


def test_asking_for_an_unknown_shape_names_the_layer_that_is_not_known():
    with pytest.raises(LayerError, match="Mine 'mine'"):
        shape_of(unknown(), Ref("end"))
    assert shape_of(unknown(), Ref("x")) == (4,)


def test_layers_in_another_order_are_walked_all_the_same():
    graph = parse_config(keras.saving.serialize_keras_object(through((8, 8, 3), L.Conv2D(4, 3), L.Flatten())))
    turned = Graph(graph.name, graph.layers[::-1], graph.inputs, graph.outputs)
    assert infer_shapes(turned) == infer_shapes(graph)


def padding(depth):
    """Models within models, each of which calls the one inside it twice: every call gets another length."""
    layer = Layer("pad", "ZeroPadding1D", {"name": "pad", "padding": 1, "data_format": "channels_last"})
    for level in range(depth):
        x = Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, None if level < depth - 1 else 1, 2]})
        called = replace(layer, calls=(Call([Ref("x")], {}), Call([Ref(layer.name)], {})))
        graph = Graph(f"m{level}", (x, called), (Ref("x"),), (Ref(layer.name, 1),))
        layer = Layer(graph.name, "Functional", unparse_graph(graph)["config"], (), "keras.src.models.functional")
    return graph


def test_models_that_call_each_other_are_followed_through_each_call():
    graph = padding(6)
    assert shape_of(graph, graph.outputs[0]) == (1 + 2 * 2**6, 2)


def test_models_whose_calls_multiply_past_all_bounds_have_no_known_shape():
    assert set(infer_shapes(padding(20))) == {Ref("x")}


def test_calls_with_one_shape_are_looked_into_once_however_they_multiply():
    x = Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, 3]})
    layer = Layer("a", "Dense", {"name": "a", "units": 3})
    for level in range(12):
        calls = tuple(Call([Ref("x")], {}) for _ in range(12))
        graph = Graph(f"m{level}", (x, replace(layer, calls=calls)), (Ref("x"),), (Ref(layer.name, 11),))
        layer = Layer(graph.name, "Functional", unparse_graph(graph)["config"], (), "keras.src.models.functional")
    assert shape_of(graph, graph.outputs[0]) == (3,)
    assert infer_types(graph, {})[graph.outputs[0]] == "float32"
    assert set(describe_graph(graph)) == {"/".join([*(f"m{k}" for k in range(10, -1, -1)), "a", role])
                                          for role in ("kernel", "bias")}  # fmt: skip


def test_a_size_past_what_any_array_holds_is_not_known():
    wide = Layer("wide", "Dense", {"name": "wide", "units": 2**63}, (Call([Ref("x")], {}),))
    x = Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, 3]})
    assert set(infer_shapes(Graph("net", (x, wide), (Ref("x"),), (Ref("wide"),)))) == {Ref("x")}
