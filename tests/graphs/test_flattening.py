"""Opening nested models: what is built from the flattened graph computes the same, and nothing is lost."""

import inspect
import warnings
from dataclasses import replace

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.graphs.random_graphs import computed, graphs
from transfer.errors import LayerError
from transfer.graphs.cutting import cut
from transfer.graphs.flattening import MOST_CALLS, flatten
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.keras_names import LAYERS
from transfer.graphs.layer_kinds import TRAINED_OTHERWISE
from transfer.graphs.parsing import parse_config
from transfer.graphs.shapes import infer_shapes
from transfer.graphs.unparsing import unparse_graph
from transfer.graphs.variables import describe_graph
from transfer.graphs.wrapping import is_model
from transfer.models.building import build_model, read_model
from transfer.models.variables import describe_variables
from transfer.surgery.network import Network

L = keras.layers
ops = keras.ops


def image_backbone(name="backbone", channels=4):
    inputs = keras.Input((8, 8, 3), name=f"{name}_in")
    x = L.Conv2D(channels, 3, name="conv1")(inputs)
    x = L.BatchNormalization(name="norm")(x)
    x = L.ReLU(name="relu")(x)
    y = L.Conv2D(channels, 3, padding="same", name="conv2")(x)
    return keras.Model(inputs, L.Add(name="join")([x, y]), name=name)


def encoder(name="encoder", size=3, width=4):
    """Dense layers with one of them shared inside."""
    inputs = keras.Input((width,), name=f"{name}_in")
    shared = L.Dense(width, activation="tanh", name="shared")
    x = shared(shared(inputs))
    return keras.Model(inputs, L.Dense(size, name="end")(x), name=name)


def in_functional():
    photo = keras.Input((8, 8, 3), name="photo")
    x = L.GlobalAveragePooling2D(name="pool")(image_backbone()(photo))
    return keras.Model(photo, L.Dense(2, name="label")(x))


def in_sequential():
    return keras.Sequential([image_backbone(), L.GlobalAveragePooling2D(), L.Dense(2)])


def sequential_in_functional():
    inputs = keras.Input((4,))
    inner = keras.Sequential([keras.Input((4,)), L.Dense(3, name="a"), L.Dropout(0.5), L.Dense(4, name="b")], name="s")
    return keras.Model(inputs, L.Dense(2)(inner(inputs)))


def unbuilt_sequential():
    """A Sequential model whose own config names no input."""
    inputs = keras.Input((4,))
    inner = keras.Sequential([L.Dense(3, name="a"), keras.Sequential([L.Dense(4, name="b")], name="t")], name="s")
    return keras.Model(inputs, L.Dense(2)(inner(inputs)))


def sequential_of_sequentials():
    one = keras.Sequential([keras.Input((4,)), L.Dense(3, name="same"), L.ReLU()], name="one")
    two = keras.Sequential([keras.Input((3,)), L.Dense(5, name="same"), L.ReLU()], name="two")
    return keras.Sequential([keras.Input((4,)), one, two, L.Dense(2, name="same")])


def three_deep():
    outer_in, middle_in = keras.Input((4,)), keras.Input((4,))
    x = encoder("inner")(middle_in)
    middle = keras.Model(middle_in, L.Concatenate(name="both")([x, middle_in]), name="middle")
    return keras.Model(outer_in, L.Dense(2, name="end")(middle(outer_in)))


def called_twice():
    one, two = keras.Input((4,), name="one"), keras.Input((4,), name="two")
    inner = encoder()
    return keras.Model([one, two], L.Subtract()([inner(two), inner(one)]))


def called_on_itself():
    inputs = keras.Input((4,))
    inner = encoder(size=4)
    return keras.Model(inputs, L.Dense(1)(inner(L.Dense(4)(inner(inputs)))))


def called_twice_inside_what_is_called_twice():
    middle_in, inputs = keras.Input((4,)), keras.Input((4,))
    inner = encoder("inner", size=4)
    middle = keras.Model(middle_in, L.Add()([inner(middle_in), inner(inner(middle_in))]), name="middle")
    return keras.Model(inputs, L.Dense(2)(L.Concatenate()([middle(inputs), middle(middle(inputs))])))


def several_ends(inputs, outputs):
    a, b = keras.Input((3,), name="a_in"), keras.Input((4,), name="b_in")
    x, y = L.Dense(5, name="from_a")(a), L.Dense(5, name="from_b")(b)
    both = {"z": L.Add(name="sum")([x, y]), "c": L.Multiply(name="product")([x, y])}
    given = {"b_in": b, "a_in": a} if inputs is dict else [a, b]
    return keras.Model(given, both if outputs is dict else list(both.values()), name="two_ways")


def lists_of_ends():
    a, b = keras.Input((3,)), keras.Input((4,))
    s, p = several_ends(list, list)([a, b])
    return keras.Model([a, b], [L.Dense(2)(p), L.Dense(2)(s), p])


def dictionaries_of_ends():
    a, b = keras.Input((3,), name="b"), keras.Input((4,), name="a")  # names against the order inside
    found = several_ends(dict, dict)({"a_in": a, "b_in": b})
    return keras.Model({"b": a, "a": b}, {"y": L.Dense(2)(found["z"]), "x": L.Dense(3)(found["c"])})


def a_dictionary_for_a_list():
    a, b = keras.Input((3,)), keras.Input((4,))
    found = several_ends(list, list)({"b_in": b, "a_in": a})
    return keras.Model([a, b], L.Dense(2)(found[1]))


def passing_through():
    """An output of the inner model is its input."""
    inputs, inner_in = keras.Input((4,)), keras.Input((4,))
    inner = keras.Model(inner_in, [inner_in, L.Dense(4, name="d")(inner_in)], name="inner")
    same, other = inner(L.Dense(4)(inputs))
    return keras.Model(inputs, [L.Dense(2)(same), other])


def operations():
    inputs, inner_in = keras.Input((6,)), keras.Input((6,))
    left, right = ops.split(inner_in / 2.0, 2, axis=-1)
    inner = keras.Model(inner_in, [ops.tanh(left) * right, left], name="halves")
    one, two = inner(L.Dense(6)(inputs))
    return keras.Model(inputs, ops.concatenate([one, two - 1.0, inputs[:, :2]], axis=-1))


def wrappers():
    steps, inner_in = keras.Input((5, 4)), keras.Input((5, 4))
    x = L.Bidirectional(L.LSTM(3, return_sequences=True), name="both_ways")(inner_in)
    x = L.TimeDistributed(L.Dense(4, name="inner_dense"), name="each")(x)
    x = L.MultiHeadAttention(2, 3, name="attend")(x, x)
    inner = keras.Model(inner_in, x, name="inner")
    return keras.Model(steps, L.GRU(2)(L.TimeDistributed(encoder("held"), name="held_by")(inner(steps))))


def states():
    """A Sequential model whose last layer gives three tensors."""
    steps = keras.Input((5, 4))
    inner = keras.Sequential([keras.Input((5, 4)), L.Dense(3), L.LSTM(3, return_state=True, name="lstm")], name="s")
    output, h, c = inner(steps)
    return keras.Model(steps, L.Concatenate()([c, output, h]))


def masked():
    words = keras.Input((5,), dtype="int32")
    inner_in = keras.Input((5, 4))
    inner = keras.Model(inner_in, L.LSTM(3)(L.Dense(4, activation="tanh")(inner_in)), name="inner")
    x = L.Embedding(9, 4, mask_zero=True)(words)
    return keras.Model(words, L.Dense(2)(inner(L.LayerNormalization()(x))))


def masked_by_masking():
    steps = keras.Input((5, 4))
    first = keras.Sequential([keras.Input((5, 4)), L.GRU(4, return_sequences=True)], name="first")
    second = keras.Sequential([keras.Input((5, 4)), L.Dense(3), L.LSTM(3)], name="second")
    return keras.Model(steps, second(first(L.Masking(0.5)(steps))))


def masked_inside_what_is_called_twice():
    """The embedding and the model that heeds its mask stand in a model that is called twice."""
    one, two = keras.Input((5,), dtype="int32"), keras.Input((5,), dtype="int32")
    inner_in, words = keras.Input((5, 4)), keras.Input((5,), dtype="int32")
    inner = keras.Model(inner_in, L.GRU(3)(inner_in), name="inner")
    texts = keras.Model(words, inner(L.Embedding(9, 4, mask_zero=True)(words)), name="texts")
    return keras.Model([one, two], L.Subtract()([texts(two), texts(one)]))


def whole_numbers():
    """The inner model casts what it gets, and then divides."""
    photo, inner_in = keras.Input((6,), dtype="uint8"), keras.Input((6,))
    inner = keras.Model(inner_in, L.Dense(3)(inner_in * 0.5 - 1.0), name="inner")
    return keras.Model(photo, inner(photo))


def mixed_precision():
    inputs, inner_in = keras.Input((6,)), keras.Input((6,))
    inner = keras.Model(inner_in, L.Dense(3)(inner_in * 0.3), name="inner")
    return keras.Model(inputs, inner(L.Dense(6, dtype="mixed_float16")(inputs)))


def unused_output():
    inputs, inner_in = keras.Input((4,)), keras.Input((4,))
    x = L.Dense(3, name="trunk")(inner_in)
    inner = keras.Model(inner_in, [L.Dense(2, name="used")(x), L.Dense(2, name="idle")(x)], name="inner")
    return keras.Model(inputs, L.Dense(2)(inner(inputs)[0]))


NESTINGS = [
    *(in_functional, in_sequential, sequential_in_functional, unbuilt_sequential, sequential_of_sequentials),
    *(three_deep, called_twice, called_on_itself, called_twice_inside_what_is_called_twice, lists_of_ends),
    *(dictionaries_of_ends, a_dictionary_for_a_list, passing_through, operations, wrappers, states),
    *(masked, masked_by_masking, masked_inside_what_is_called_twice, whole_numbers, mixed_precision),
]


def made(build):
    """The model, with values that tell its variables apart."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Layer .* was passed an input with a mask")  # Keras warns of what it does
        warnings.filterwarnings("ignore", "The structure of `inputs`")
        model = build()
    random = np.random.RandomState(3)
    for variable in model.weights:
        if "seed" not in variable.name:
            variable.assign(random.uniform(0.1, 1.0, variable.shape))
    return model


def flattened(model, paths=None):
    """What flattening a model gives, and the model built from it."""
    source = read_model(model)
    opened = flatten(source.graph, paths)
    tensors = {opened.rename(name): array for name, array in source.tensors.items()}
    assert len(tensors) == len(source.tensors)
    return opened, build_model(Network(opened.graph, tensors))


def examples(model):
    random = np.random.RandomState(5)

    def some(tensor):
        values = random.uniform(0, 9, (3, *tensor.shape[1:])).astype(tensor.dtype)
        return np.where(values < 4, np.asarray(0.5 if "float" in tensor.dtype else 0, values.dtype), values)

    return keras.tree.map_structure(some, model.inputs[0] if isinstance(model, keras.Sequential) else model.input)


def outputs(model, inputs, **options):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Layer .* was passed an input with a mask")
        warnings.filterwarnings("ignore", "The structure of `inputs`")
        return [keras.ops.convert_to_numpy(each) for each in keras.tree.flatten(model(inputs, **options))]


def check_equal(one, two):
    assert len(one) == len(two)
    for a, b in zip(one, two, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("build", NESTINGS, ids=lambda build: build.__name__)
def test_the_flattened_network_computes_the_same_to_the_bit(build):
    model = made(build)
    opened, built = flattened(model)
    assert not any(map(is_model, opened.graph))
    inputs = examples(model)
    check_equal(outputs(built, inputs), outputs(model, inputs))
    assert len(built.weights) == len(model.weights)


@pytest.mark.parametrize("build", NESTINGS, ids=lambda build: build.__name__)
def test_every_tensor_is_accounted_for_and_the_config_reads_back(build):
    model = made(build)
    opened, built = flattened(model)
    assert parse_config(unparse_graph(opened.graph)) == opened.graph
    assert set(opened.names.values()) == set(opened.graph.names)
    assert flatten(opened.graph).graph == opened.graph
    told = describe_graph(opened.graph)
    assert {name: spec.shape for name, spec in told.items()} == {
        name: spec.shape for name, spec in describe_variables(built).items()
    }
    assert sorted(told) == sorted(map(opened.rename, read_model(model).tensors))


@pytest.mark.parametrize("build", [in_functional, called_twice, states], ids=lambda build: build.__name__)
def test_the_source_graph_is_left_as_it_is(build):
    graph = read_model(made(build)).graph
    before = repr(graph)
    flatten(graph)
    assert repr(graph) == before


@given(graphs())
def test_any_graph_computes_the_same_when_its_models_are_opened(graph):
    opened = flatten(graph)
    before, after = computed(graph), computed(opened.graph, opened.names)
    assert [after[ref] for ref in opened.graph.outputs] == [before[ref] for ref in graph.outputs]
    assert not any(map(is_model, opened.graph))
    assert len(opened.names) == len(opened.graph.layers) == len(set(opened.graph.names))


@given(graphs(), st.data())
def test_any_graph_computes_the_same_when_some_of_its_models_are_opened(graph, data):
    models = [layer.name for layer in graph if is_model(layer)]
    opened = flatten(graph, data.draw(st.sets(st.sampled_from(models)) if models else st.just(())))
    before, after = computed(graph), computed(opened.graph, opened.names)
    assert [after[ref] for ref in opened.graph.outputs] == [before[ref] for ref in graph.outputs]


@given(graphs())
def test_what_is_unparsed_reads_back_as_the_same_graph(graph):
    flat = flatten(graph).graph
    assert parse_config(unparse_graph(flat)) == flat


# Names


def test_a_layer_keeps_its_name_where_no_other_has_it():
    opened = flatten(read_model(in_functional()).graph)
    assert opened.graph.names == ("photo", "conv1", "norm", "relu", "conv2", "join", "pool", "label")
    assert opened.names["backbone/conv1"] == "conv1"
    assert opened.names["pool"] == "pool"
    assert all(layer.config["name"] == layer.name for layer in opened.graph)


def test_names_that_come_twice_get_their_models_in_front_and_outer_ones_stay():
    opened = flatten(read_model(sequential_of_sequentials()).graph)
    inner = {path: name for path, name in opened.names.items() if "/" in path}
    assert inner["one/same"] == "one_same"
    assert inner["two/same"] == "two_same"
    assert opened.names["same"] == "same"
    assert opened.graph.layer("one_same").config["name"] == "one_same"


def test_a_name_that_is_taken_with_its_model_in_front_is_numbered():
    inputs = keras.Input((4,))
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4, name="d")], name="m")
    model = keras.Model(inputs, L.Dense(2, name="d")(L.Dense(3, name="m_d")(inner(inputs))))
    assert flatten(read_model(model).graph).names == {
        read_model(model).graph.names[0]: read_model(model).graph.names[0],
        "m/d": "m_d_1",
        "m_d": "m_d",
        "d": "d",
    }


def test_tensors_are_renamed_with_their_layers():
    opened = flatten(read_model(wrappers()).graph)
    assert opened.rename("inner/both_ways/forward_lstm/lstm_cell/kernel") == "both_ways/forward_lstm/lstm_cell/kernel"
    assert opened.rename("held_by/held/shared/kernel") == "held_by/held/shared/kernel"
    with pytest.raises(LayerError, match="belongs to no layer") as caught:
        opened.rename("inner/both_way/kernel")
    assert "'inner/both_ways'" in caught.value.next_step


# Which models are opened


def test_only_the_models_that_are_named_are_opened():
    model = made(three_deep)
    opened, built = flattened(model, ["middle"])
    assert opened.names["middle/inner"] == "inner"
    assert is_model(opened.graph.layer("inner"))
    check_equal(outputs(built, examples(model)), outputs(model, examples(model)))


def test_opening_an_inner_model_opens_those_around_it():
    graph = read_model(three_deep()).graph
    opened = flatten(graph, ["middle/inner"])
    assert opened.graph == flatten(graph).graph
    assert opened.opened == ("middle", "middle/inner")
    assert flatten(graph, ["middle"]).opened == ("middle",)
    assert flatten(graph, []).opened == ()
    assert flatten(graph, []).graph == graph


def test_a_path_that_names_no_model_is_refused():
    graph = read_model(in_functional()).graph
    with pytest.raises(LayerError, match="no layer 'backbon'") as caught:
        flatten(graph, ["backbon"])
    assert "'backbone'" in caught.value.next_step
    with pytest.raises(LayerError, match="pool is no model") as caught:
        flatten(graph, ["pool"])
    assert caught.value.problems[0].found == "GlobalAveragePooling2D"


def test_a_model_inside_a_wrapper_is_not_opened():
    opened = flatten(read_model(wrappers()).graph)
    assert opened.graph.layer("held_by").class_name == "TimeDistributed"
    with pytest.raises(LayerError, match="held_by is no model"):
        flatten(read_model(wrappers()).graph, ["held_by/held"])


def test_a_model_of_a_class_of_ones_own_may_compute_otherwise_and_is_not_opened():
    class Twice(keras.Model):
        def call(self, inputs, training=None, mask=None):
            return 2 * super().call(inputs, training=training, mask=mask)

    inner_in, inputs = keras.Input((4,)), keras.Input((4,))
    inner = Twice(inner_in, L.Dense(3)(inner_in), name="twice")
    graph = read_model(keras.Model(inputs, inner(inputs))).graph
    assert flatten(graph).graph == graph
    with pytest.raises(LayerError, match="twice is no model"):
        flatten(graph, ["twice"])


# Calls


def test_a_model_that_is_called_twice_leaves_layers_that_are_called_twice():
    graph = flatten(read_model(called_twice()).graph).graph
    assert [call.sources for call in graph.layer("shared").calls] == [
        (Ref("two"),),
        (Ref("shared", 0),),
        (Ref("one"),),
        (Ref("shared", 2),),
    ]
    assert [call.sources for call in graph.layer("end").calls] == [(Ref("shared", 1),), (Ref("shared", 3),)]
    assert graph.layers[-1].calls[0].sources == (Ref("end", 0), Ref("end", 1))


def noisy(training):
    """Dropout and batch normalization in a model that is called with the flag."""
    inputs, inner_in = keras.Input((40,)), keras.Input((40,))
    x = L.BatchNormalization(name="norm")(L.Dropout(0.5, seed=1, name="drop")(inner_in))
    inner = keras.Model(inner_in, L.Dense(40, name="dense")(x), name="inner")
    return keras.Model(inputs, L.Dense(2)(inner(inputs, training=training)))


@pytest.mark.parametrize("training", [False, True])
def test_the_flag_for_training_goes_into_the_calls_that_depend_on_it(training):
    graph = flatten(read_model(noisy(training)).graph).graph
    said = {layer.name: [dict(call.kwargs).get("training") for call in layer.calls] for layer in graph}
    assert said["norm"] == said["drop"] == [training]
    assert said["dense"] == [None]


@pytest.mark.parametrize("training", [False, True, None])
def test_the_flag_for_training_has_the_effect_that_it_had(training):
    model = made(lambda: noisy(training))
    _, built = flattened(model)
    inputs = examples(model)
    check_equal(outputs(built, inputs), outputs(model, inputs))
    check_equal(outputs(built, inputs, training=True), outputs(model, inputs, training=True))


def test_the_flag_of_the_outer_call_holds_against_that_of_an_inner_one():
    inputs, inner_in = keras.Input((40,)), keras.Input((40,))
    inner = keras.Model(inner_in, L.Dropout(0.5, name="drop")(inner_in, training=True), name="inner")
    model = keras.Model(inputs, inner(inputs, training=False))
    _, built = flattened(model)
    inputs = examples(model)
    check_equal(outputs(built, inputs), [inputs])
    check_equal(outputs(model, inputs), [inputs])


def test_the_layers_that_depend_on_training_are_those_whose_calls_in_keras_take_it():
    indifferent = {"Dense", "EinsumDense", "CenterCrop", "Resizing", "AutoContrast", "MaxNumBoundingBoxes"}
    cells = {"GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells"}
    takes = {name for name in LAYERS if "training" in inspect.signature(getattr(L, name).call).parameters}
    assert takes - indifferent - cells == TRAINED_OTHERWISE


def test_whether_a_class_of_ones_own_depends_on_training_is_not_guessed():
    class Mine(L.Layer):
        def call(self, inputs):
            return inputs

    inputs, inner_in = keras.Input((4,)), keras.Input((4,))
    inner = keras.Model(inner_in, Mine(name="mine")(inner_in), name="inner")
    with pytest.raises(LayerError, match="'inner/mine' is called with training=False"):
        flatten(read_model(keras.Model(inputs, inner(inputs, training=False))).graph)
    assert flatten(read_model(keras.Model(inputs, inner(inputs))).graph).graph.layer("mine").class_name == "Mine"


def test_each_layer_keeps_its_own_flag_whatever_its_model_says():
    model = in_functional()
    backbone = model.get_layer("backbone")
    backbone.trainable = False
    backbone.get_layer("conv2").trainable = True
    _, built = flattened(model)
    flags = {layer.name: layer.trainable for layer in built.layers if layer.weights}
    assert flags == {"conv1": False, "norm": False, "conv2": True, "label": True}


def test_a_mask_of_ones_own_is_refused():
    steps, mask, inner_in = keras.Input((5, 4)), keras.Input((5,), dtype="bool"), keras.Input((5, 4))
    inner = keras.Model(inner_in, L.LSTM(3)(inner_in), name="inner")
    model = made(lambda: keras.Model([steps, mask], inner(steps, mask=mask)))
    with pytest.raises(LayerError, match="does not bring along"):
        flatten(read_model(model).graph)


MASKED = [masked, masked_by_masking, masked_inside_what_is_called_twice]


@pytest.mark.parametrize("build", MASKED, ids=lambda build: build.__name__)
def test_a_mask_that_its_tensor_brings_along_leaves_no_operation_behind(build):
    kinds = {layer.class_name for layer in flatten(read_model(made(build)).graph).graph}
    assert not kinds & {"NotEqual", "Any"}


def test_the_mask_is_heeded_behind_an_opened_model():
    model = made(masked)
    _, built = flattened(model)
    padded = np.array([[1, 2, 3, 0, 0]], "int32")
    check_equal(outputs(built, padded), outputs(model, padded))
    shorter = outputs(built, np.array([[1, 2, 3, 0, 0]], "int32"))[0]
    assert not np.array_equal(shorter, outputs(built, np.array([[1, 2, 3, 4, 4]], "int32"))[0])


def test_an_input_that_casts_stays_as_the_cast():
    graph = flatten(read_model(whole_numbers()).graph).graph
    (cast,) = [layer for layer in graph if layer.class_name == "Cast"]
    assert cast.config["dtype"] == "float32"
    assert [layer.class_name for layer in flatten(read_model(mixed_precision()).graph).graph if not layer.calls] == [
        "InputLayer"
    ]
    assert "Identity" in {layer.class_name for layer in flatten(read_model(mixed_precision()).graph).graph}


def test_a_tensor_of_another_rank_is_refused():
    inputs, inner_in = keras.Input((5,)), keras.Input((5, 1))
    inner = keras.Model(inner_in, L.ReLU()(inner_in), name="inner")
    with pytest.raises(LayerError, match="another rank") as caught:
        flatten(read_model(keras.Model(inputs, inner(inputs))).graph)
    assert (caught.value.problems[0].expected, caught.value.problems[0].found) == ("(5, 1)", "(5,)")


# What it is for


def test_a_layer_inside_a_nested_backbone_gives_its_output():
    model = made(in_functional)
    source = read_model(model)
    opened = flatten(source.graph)
    shorter = cut(opened.graph, "relu")
    tensors = {opened.rename(name): array for name, array in source.tensors.items()}
    kept = {name: array for name, array in tensors.items() if name.split("/")[0] in shorter.names}
    backbone = model.get_layer("backbone")
    expected = keras.Model(backbone.input, backbone.get_layer("relu").output)
    check_equal(outputs(build_model(Network(shorter, kept)), examples(model)), outputs(expected, examples(model)))


def test_layers_behind_an_output_that_nothing_takes_can_still_be_cut_at():
    model = made(unused_output)
    opened, built = flattened(model)
    check_equal(outputs(built, examples(model)), outputs(model, examples(model)))
    assert cut(opened.graph, "idle").names[1:] == ("trunk", "idle")


@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNetB0", "ResNet50V2"])
def test_a_backbone_of_keras_own_is_opened_and_computes_the_same(name):
    photo = keras.Input((32, 32, 3), name="photo")
    options = {"alpha": 0.35} if name == "MobileNetV2" else {}
    backbone = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg", **options
    )
    model = keras.Model(photo, L.Dense(3, name="label")(backbone(photo, training=False)))
    opened, built = flattened(model)
    assert len(opened.graph.layers) == len(backbone.layers) + 1
    inputs = examples(model)
    check_equal(outputs(built, inputs), outputs(model, inputs))


def calling(depth, times):
    """Models within models, each of which calls the one inside it `times` times, one call after the other."""
    layer = Layer("a", "Dense", {"name": "a", "units": 3, "trainable": True, "dtype": "float32"})
    for level in range(depth + 1):
        x = Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, 3], "dtype": "float32"})
        calls = tuple(Call([Ref("x") if k == 0 else Ref(layer.name, k - 1)], {}) for k in range(times if level else 1))
        graph = Graph(f"m{level}", (x, replace(layer, calls=calls)), (Ref("x"),), (Ref(layer.name, len(calls) - 1),))
        layer = Layer(graph.name, "Functional", unparse_graph(graph)["config"], (), "keras.src.models.functional")
    return graph


def test_a_model_that_is_called_many_times_is_opened_with_all_its_calls():
    graph = flatten(calling(2, 40)).graph
    assert [len(layer.calls) for layer in graph] == [0, 1600]
    assert graph.outputs == (Ref("a", 1599),)
    assert graph.layer("a").calls[1599].sources == (Ref("a", 1598),)
    assert infer_shapes(graph)[Ref("a", 1599)] == (3,)


def test_models_whose_calls_multiply_past_all_bounds_are_refused_at_once():
    graph = calling(8, 12)
    with pytest.raises(LayerError, match="too often") as caught:
        flatten(graph)
    (problem,) = caught.value.problems
    assert str(MOST_CALLS) in problem.expected
    shorter = flatten(graph, ["m7"]).graph
    assert [len(layer.calls) for layer in shorter] == [0, 144]


def test_a_model_that_hands_its_input_on_is_opened_however_often_it_is_called():
    x = Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, 3], "dtype": "float32"})
    same = Graph("same", (x,), (Ref("x"),), (Ref("x"),))
    calls = tuple(Call([Ref("x") if k == 0 else Ref("same", k - 1)], {}) for k in range(2000))
    inner = Layer("same", "Functional", unparse_graph(same)["config"], calls, "keras.src.models.functional")
    graph = flatten(Graph("net", (x, inner), (Ref("x"),), (Ref("same", 1999),))).graph
    assert (graph.names, graph.outputs) == (("x",), (Ref("x"),))
