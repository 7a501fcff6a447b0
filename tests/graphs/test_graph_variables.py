"""The variables told from a graph alone are those of the model that Keras builds."""

import dataclasses
import inspect
import re

import keras
import pytest

from transfer.errors import LayerError
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.held_variables import layer_variables
from transfer.graphs.parsing import parse_config
from transfer.graphs.summarizing import summarize
from transfer.graphs.unparsing import unparse_graph
from transfer.graphs.variables import describe_graph
from transfer.graphs.weightless import WEIGHTLESS
from transfer.models.variables import describe_variables

L = keras.layers
IMAGE = (12, 12, 6)
STEPS = (7, 4)


def told_and_built(model, custom_objects=None):
    """What the graph of a model tells, and what the model built from that graph has; each spec as a tuple."""
    graph = parse_config(keras.saving.serialize_keras_object(model))
    built = keras.Model.from_config(unparse_graph(graph)["config"], custom_objects=custom_objects)
    told, found = describe_graph(graph), describe_variables(built)
    return list(map(dataclasses.astuple, told.values())), list(map(dataclasses.astuple, found.values()))


def check(model):
    told, built = told_and_built(model)
    assert told == built
    return len(told)


def through(shape, *layers, dtype="float32"):
    inputs = keras.Input(shape, dtype=dtype)
    x = inputs
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


ZOO = [
    (IMAGE, L.Dense(3)),
    (IMAGE, L.Dense(3, use_bias=False)),
    (STEPS, L.EinsumDense("abc,cd->abd", output_shape=(None, 5), bias_axes="d")),
    (STEPS, L.EinsumDense("...x,xy->...y", output_shape=5, bias_axes="y")),
    (STEPS, L.EinsumDense("abc,cde->abde", output_shape=(None, 2, 5), bias_axes="e")),
    (IMAGE, L.EinsumDense("ab...,bc->ac...", output_shape=(5,), bias_axes="c")),
    (STEPS, L.EinsumDense("abc,bd->acd", output_shape=(None, 3))),
    (IMAGE, L.Conv2D(4, 3)),
    (IMAGE, L.Conv2D(4, (3, 2), use_bias=False)),
    (IMAGE, L.Conv2D(4, 3, groups=2)),
    (IMAGE, L.Conv2DTranspose(4, 3, strides=2)),
    (STEPS, L.Conv1D(5, 3)),
    (STEPS, L.Conv1DTranspose(5, 3)),
    ((6, 6, 6, 2), L.Conv3D(3, 2)),
    ((6, 6, 6, 2), L.Conv3DTranspose(3, (2, 3, 4), use_bias=False)),
    (IMAGE, L.DepthwiseConv2D(3, depth_multiplier=2)),
    (STEPS, L.DepthwiseConv1D(3, use_bias=False)),
    (IMAGE, L.SeparableConv2D(5, (3, 2), depth_multiplier=2)),
    (STEPS, L.SeparableConv1D(5, 3, use_bias=False)),
    (IMAGE, L.BatchNormalization()),
    (IMAGE, L.BatchNormalization(scale=False)),
    (IMAGE, L.BatchNormalization(center=False, axis=1)),
    (IMAGE, L.BatchNormalization(renorm=True)),
    (IMAGE, L.BatchNormalization(trainable=False)),
    (IMAGE, L.LayerNormalization()),
    (IMAGE, L.LayerNormalization(axis=(3, 1), center=False)),
    (IMAGE, L.GroupNormalization(groups=2, scale=False)),
    (IMAGE, L.GroupNormalization(groups=-1)),
    (IMAGE, L.RMSNormalization()),
    (IMAGE, L.UnitNormalization()),
    (IMAGE, L.Normalization()),
    (IMAGE, L.Normalization(axis=(1, -1))),
    (IMAGE, L.Normalization(axis=None)),
    (IMAGE, L.Normalization(mean=0.5, variance=2.0)),
    (IMAGE, L.PReLU()),
    (IMAGE, L.PReLU(shared_axes=[1, 2])),
    (IMAGE, L.SpectralNormalization(L.Conv2D(4, 3, name="inner"))),
    (STEPS, L.LSTM(5)),
    (STEPS, L.LSTM(5, use_bias=False, return_sequences=True)),
    (STEPS, L.GRU(5)),
    (STEPS, L.GRU(5, reset_after=False)),
    (STEPS, L.SimpleRNN(5)),
    (STEPS, L.RNN(L.GRUCell(3, name="mine"))),
    (STEPS, L.RNN([L.LSTMCell(3), L.GRUCell(4), L.SimpleRNNCell(2)])),
    ((3, *IMAGE), L.ConvLSTM2D(4, 3)),
    ((3, *STEPS), L.ConvLSTM1D(4, 3, padding="same", use_bias=False)),
    (STEPS, L.Bidirectional(L.LSTM(5))),
    (STEPS, L.Bidirectional(L.GRU(5, name="forwards"), merge_mode="sum")),
    (STEPS, L.Bidirectional(L.LSTM(5), backward_layer=L.GRU(5, go_backwards=True))),
    (STEPS, L.TimeDistributed(L.Dense(3))),
    ((3, *IMAGE), L.TimeDistributed(L.TimeDistributed(L.Conv1D(3, 2)))),
    (IMAGE, L.Conv2D(4, 3, data_format="channels_first")),
    (IMAGE, L.Dense(4, dtype="mixed_float16")),
    (IMAGE, L.Dense(4, dtype="bfloat16")),
    (IMAGE, L.BatchNormalization(dtype="float16")),
    (IMAGE, L.Normalization(dtype="float16")),
    (STEPS, L.LSTM(4, dtype="mixed_bfloat16")),
    (STEPS, L.Dense(4, dtype="int8_from_float32")),
    (STEPS, L.Dense(4, lora_rank=2)),
    (IMAGE, L.Conv2D(4, 3, lora_rank=2)),
    (STEPS, L.EinsumDense("abc,cde->abde", output_shape=(None, 2, 5), lora_rank=2)),
    ((400,), L.Reshape((400, 1)), L.STFTSpectrogram(frame_length=60)),
    ((400,), L.Reshape((400, 1)), L.STFTSpectrogram(mode="real", frame_length=64, fft_length=128)),
]


@pytest.mark.parametrize(
    ("shape", *"ab"), [(*each, None)[:3] for each in ZOO], ids=lambda each: getattr(each, "name", "")
)
def test_each_layer_has_the_variables_that_keras_makes(shape, a, b):
    model = through(shape, *(each for each in (a, b) if each is not None))
    assert check(model) == len(model.weights)


@pytest.mark.parametrize(
    "layer",
    [
        L.Embedding(9, 5),
        L.Embedding(9, 5, lora_rank=2),
        L.Embedding(9, 5, dtype="int8_from_float32"),
        L.ReversibleEmbedding(9, 5, tie_weights=False),
        L.CategoryEncoding(9, output_mode="one_hot"),
    ],
    ids=str,
)
def test_layers_of_whole_numbers_have_the_variables_that_keras_makes(layer):
    model = through((7,), layer, dtype="int32")
    assert check(model) == len(model.weights)


@pytest.mark.parametrize(
    "attend",
    [
        lambda q, v: L.MultiHeadAttention(2, 3)(q, v),
        lambda q, v: L.MultiHeadAttention(2, 3, value_dim=5, output_shape=7, use_bias=False)(query=q, value=v, key=v),
        lambda q, v: L.MultiHeadAttention(2, 3)(q, key=v, value=v),
        lambda q, v: L.MultiHeadAttention(2, 3, use_gate=True)(q, v, v),
        lambda q, v: L.GroupQueryAttention(3, 4, 2)(L.Dense(4)(q), v),
        lambda q, v: L.Dense(2)(L.MultiHeadAttention(2, 3, output_shape=(2, 3))(q, v)),
    ],
)
def test_attention_has_the_variables_that_keras_makes(attend):
    query, value = keras.Input((5, 8)), keras.Input((6, 4))
    assert check(keras.Model([query, value], attend(query, value))) >= 4


@pytest.mark.parametrize(
    ("layer", "variables"),
    [
        (L.Attention(), 0),
        (L.Attention(use_scale=True, score_mode="concat"), 2),
        (L.AdditiveAttention(), 1),
        (L.AdditiveAttention(use_scale=False), 0),
    ],
)
def test_attention_over_a_list_has_the_variables_that_keras_makes(layer, variables):
    query, value = keras.Input((5, 8)), keras.Input((6, 8))
    model = keras.Model([query, value], L.Dense(2, name="end")(layer([query, value])))
    assert check(model) == variables + 2


def test_nested_models_however_deep_and_of_either_kind():
    inner = keras.Sequential([keras.Input((8, 8, 3)), L.Conv2D(4, 3, name="conv"), L.BatchNormalization(name="norm")])
    middle = through((8, 8, 3), L.Rescaling(1 / 255), inner, L.Flatten())
    outer = keras.Sequential([keras.Input((8, 8, 3)), middle, L.Dense(2)])
    assert check(outer) == 8


def test_a_model_inside_a_wrapper():
    inner = keras.Sequential([keras.Input((12, 6)), L.Conv1D(3, 2, name="conv"), L.LSTM(2, name="lstm")], name="net")
    assert check(through((5, 12, 6), L.TimeDistributed(inner))) == 5


def test_a_shared_layer_counts_once_and_is_of_its_first_call():
    one, two = keras.Input((3,)), keras.Input((3,))
    layer = L.Dense(2)
    assert check(keras.Model([one, two], L.Dense(1)(L.Concatenate()([layer(one), layer(two)])))) == 4


def test_a_model_of_open_size():
    assert check(through((None, None, 3), L.Conv2D(4, 3), L.GlobalAveragePooling2D(), L.Dense(2))) == 4


def test_states_that_a_recurrent_layer_returns_go_on():
    inputs = keras.Input(STEPS)
    sequence, hidden, cell = L.LSTM(3, return_sequences=True, return_state=True)(inputs)
    both = L.Concatenate()([L.Dense(2)(hidden), L.Dense(4)(cell)])
    decoded = L.LSTM(3)(sequence, initial_state=[hidden, cell])
    assert check(keras.Model(inputs, L.Dense(2)(L.Concatenate()([both, decoded])))) == 12


def test_functions_of_keras_between_layers():
    inputs = keras.Input((5, 8))
    x = keras.ops.mean(L.Dense(4)(inputs) * 2.0 + 1.0, axis=1)
    x = keras.ops.reshape(keras.ops.expand_dims(x, -1), (-1, 2, 2))
    x = keras.ops.concatenate([x, keras.ops.transpose(x, (0, 2, 1))], axis=-1)
    assert check(keras.Model(inputs, L.Dense(3)(keras.ops.relu(x)))) == 4


def test_augmentation_before_a_network():
    augment = keras.Sequential([L.RandomFlip(), L.RandomRotation(0.1), L.RandomZoom(0.1), L.RandomContrast(0.1)])
    model = through((16, 16, 3), augment, L.RandomCrop(12, 12), L.CenterCrop(8, 8), L.Flatten(), L.Dense(2))
    assert check(model) == 2


# Wrappers of other frameworks, classes to build upon, and what is no layer.
ELSEWHERE = {"TFSMLayer", "FlaxLayer", "JaxLayer", "TorchModuleWrapper", "Wrapper", "Layer", "InputSpec"}


def makes_variables(kind):
    own = [each for each in kind.__mro__ if each.__module__.startswith("keras.src.layers")]
    sources = [inspect.getsource(each) for each in own if each.__name__ != "Layer"]
    return any("self.add_weight(" in text or "backend.Variable(" in text for text in sources)


KINDS = {kind.__name__: kind for kind in vars(L).values() if inspect.isclass(kind)}


@pytest.mark.parametrize("name", sorted(set(KINDS) - ELSEWHERE))
def test_every_layer_of_keras_is_known_and_one_without_variables_makes_none(name):
    if name in WEIGHTLESS:
        assert not makes_variables(KINDS[name]) or issubclass(KINDS[name], (L.StringLookup, L.IntegerLookup))
        return
    told = any(name == type(each).__name__ for _, *layers in ZOO for each in layers)
    assert told or name in TOLD_ELSEWHERE


TOLD_ELSEWHERE = {
    "Embedding",
    "ReversibleEmbedding",
    "MultiHeadAttention",
    "GroupedQueryAttention",
    "Attention",
    "AdditiveAttention",
    "StackedRNNCells",
    "LSTMCell",
    "GRUCell",
    "SimpleRNNCell",
    "ConvLSTM3D",  # as ConvLSTM2D
}


def chain(*layers):
    """A graph of layers one after the other."""
    found = [Layer("x", "InputLayer", {"batch_shape": [None, 4]})]
    for layer in layers:
        found.append(dataclasses.replace(layer, calls=(Call([Ref(found[-1].name)], {}),)))
    return Graph("net", tuple(found), (Ref("x"),), (Ref(found[-1].name),))


def test_a_class_that_is_not_known_is_named():
    with pytest.raises(LayerError, match="Mine 'mine'") as caught:
        describe_graph(chain(Layer("mine", "Mine", {})))
    assert caught.value.problems[0].where == "mine"


def test_a_class_of_somebody_else_with_a_name_of_keras_is_not_known():
    mine = Layer("mine", "Dense", {"units": 2}, module="my_layers", registered_name="my_layers>Dense")
    with pytest.raises(LayerError, match="Dense 'mine'"):
        describe_graph(chain(mine))


def test_a_shape_that_is_not_known_names_the_layer_that_hides_it():
    with pytest.raises(LayerError, match="Lambda 'hidden'"):
        describe_graph(chain(Layer("hidden", "Lambda", {}), Layer("end", "Dense", {"units": 2})))


def test_a_layer_without_variables_needs_no_shape():
    assert describe_graph(chain(Layer("hidden", "Lambda", {}), Layer("end", "ReLU", {}))) == {}


def test_an_open_size_that_a_variable_depends_on_is_an_error():
    source = Layer("x", "InputLayer", {"batch_shape": [None, None]})
    graph = Graph("net", (source, Layer("d", "Dense", {"units": 2}, (Call([Ref("x")], {}),))), (Ref("x"),), (Ref("d"),))
    with pytest.raises(LayerError, match=r"Dense .* open"):
        describe_graph(graph)


def test_options_of_another_era_are_an_error_that_names_the_layer():
    with pytest.raises(LayerError, match="Dense 'd'"):
        describe_graph(chain(Layer("d", "Dense", {"output_dim": 2})))


def test_a_quantization_that_is_not_known_is_an_error():
    with pytest.raises(LayerError, match="quantized"):
        describe_graph(chain(Layer("d", "Dense", {"units": 2, "name": "d", "dtype": "int4_from_float32"})))


def test_a_policy_that_is_not_known_is_an_error():
    with pytest.raises(LayerError, match="policy"):
        describe_graph(chain(Layer("d", "Dense", {"units": 2, "name": "d", "dtype": {"class_name": "Odd"}})))


def test_the_class_of_a_layer_decides_whether_there_is_a_rule():
    assert layer_variables(Layer("d", "Mine", {}), Call([], {}), ()) is None


APPLICATIONS = sorted(name for name, each in vars(keras.applications).items() if callable(each) and name[0].isupper())


def without_counter(specs):
    """ConvNeXt gives its scales no name; Keras then counts all variables of the process."""
    return [tuple(re.sub(r"\bvariable_\d+$", "variable", str(field)) for field in each) for each in specs]


@pytest.mark.slow
@pytest.mark.parametrize("name", APPLICATIONS)
def test_every_variable_of_an_application_is_told(name):
    from keras.src.applications import convnext, inception_resnet_v2

    own = (convnext.LayerScale, convnext.StochasticDepth, inception_resnet_v2.CustomScaleLayer)
    model = getattr(keras.applications, name)(weights=None)
    told, built = told_and_built(model, {each.__name__: each for each in own})
    assert without_counter(told) == without_counter(built)
    assert len(told) == len(model.weights)


@pytest.mark.parametrize("name", ["MobileNetV3Small", "EfficientNetB0"])
def test_every_variable_of_a_small_application_is_told(name):
    assert check(getattr(keras.applications, name)(weights=None)) > 100


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("Dense", {"units": 10**4000}),
        ("Dense", {"units": 2**62}),
        ("BatchNormalization", {"axis": [1, 2, 3]}),
    ],
)
def test_a_variable_larger_than_any_array_is_refused_and_left_out_of_a_summary(kind, options):
    x = Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, *([2**31] * 3)]})
    wide = Layer("wide", kind, {"name": "wide", **options}, (Call([Ref("x")], {}),))
    graph = Graph("net", (x, wide), (Ref("x"),), (Ref("wide"),))
    with pytest.raises(LayerError, match="larger than any array") as caught:
        describe_graph(graph)
    assert caught.value.problems[0].where.startswith("wide/")
    assert summarize(graph)[-1].parameters is None


def test_an_option_that_is_no_number_is_an_error_that_names_the_layer():
    x = Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, 3]})
    wide = Layer("wide", "Dense", {"name": "wide", "units": "many"}, (Call([Ref("x")], {}),))
    with pytest.raises(LayerError, match="Dense 'wide'"):
        describe_graph(Graph("net", (x, wide), (Ref("x"),), (Ref("wide"),)))
