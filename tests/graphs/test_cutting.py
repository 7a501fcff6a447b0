"""Where a network ends: cut at one layer or several, drop the last ones."""

import contextlib
import itertools

import keras
import numpy as np
import pytest
from hypothesis import given

from tests.graphs.random_graphs import computed, graphs
from transfer.errors import LayerError
from transfer.graphs.cutting import cut, drop_last, sources_of
from transfer.graphs.flattening import flatten
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.parsing import parse_config
from transfer.graphs.unparsing import unparse_graph
from transfer.models.building import build_model, read_model
from transfer.surgery.network import Network

L = keras.layers


def graph_of(*described, outputs=None, inputs=("x",)):
    """`(name, class, sources)` for each layer; the last one is the output unless told otherwise."""
    layers = [
        Layer(name, kind, {"name": name}, (Call([Ref(each) for each in sources], {}),) if sources else ())
        for name, kind, *sources in described
    ]
    ends = outputs or (layers[-1].name,)
    return Graph("net", tuple(layers), tuple(map(Ref, inputs)), tuple(map(Ref, ends)))


CHAIN = graph_of(
    ("x", "InputLayer"),
    ("dense_1", "Dense", "x"),
    ("relu_1", "ReLU", "dense_1"),
    ("drop_1", "Dropout", "relu_1"),
    ("dense_2", "Dense", "drop_1"),
    ("relu_2", "Activation", "dense_2"),
    ("logits", "Dense", "relu_2"),
    ("softmax", "Softmax", "logits"),
)


def test_cutting_keeps_what_the_layer_needs():
    shorter = cut(CHAIN, "relu_1")
    assert shorter.names == ("x", "dense_1", "relu_1")
    assert shorter.outputs == (Ref("relu_1"),)
    assert len(CHAIN.layers) == 8


def test_cutting_at_the_output_changes_nothing():
    assert cut(CHAIN, "softmax") == CHAIN


def test_cutting_drops_a_branch_that_the_layer_does_not_need():
    forked = graph_of(
        ("x", "InputLayer"), ("a", "Dense", "x"), ("b", "Dense", "x"), ("sum", "Add", "a", "b"), ("out", "Dense", "sum")
    )
    assert cut(forked, "b").names == ("x", "b")
    assert cut(forked, "sum").names == ("x", "a", "b", "sum")


def test_cutting_at_an_input_is_refused():
    with pytest.raises(LayerError, match="leaves no layer"):
        cut(CHAIN, "x")


def test_cutting_at_a_layer_that_is_not_there_offers_the_nearest():
    with pytest.raises(LayerError, match="no layer 'relu2'") as caught:
        cut(CHAIN, "relu2")
    assert "'relu_2'" in caught.value.next_step


def test_cutting_off_an_input_is_refused_and_names_it():
    two = graph_of(
        ("x", "InputLayer"), ("y", "InputLayer"), ("a", "Dense", "x"), ("sum", "Add", "a", "y"), inputs=("x", "y")
    )
    with pytest.raises(LayerError, match="cuts off an input") as caught:
        cut(two, "a")
    assert [each.where for each in caught.value.problems] == ["y"]


def test_cutting_one_use_of_a_shared_layer_renumbers_what_is_left():
    shared = Layer("both", "Dense", {}, (Call([Ref("x")], {}), Call([Ref("mid")], {})))
    graph = Graph(
        "net",
        (
            Layer("x", "InputLayer", {}),
            Layer("mid", "Dense", {}, (Call([Ref("x")], {}),)),
            shared,
            Layer("end", "Dense", {}, (Call([Ref("both", 1)], {}),)),
        ),
        (Ref("x"),),
        (Ref("end"),),
    )
    shorter = cut(graph, "end")
    assert [call.sources for call in shorter.layer("both").calls] == [(Ref("mid"),)]
    assert shorter.layer("end").calls[0].sources == (Ref("both", 0),)
    at_the_shared = cut(graph, "both")
    assert at_the_shared.outputs == (Ref("both", 0),)
    assert at_the_shared.names == ("x", "mid", "both")


def test_cutting_one_of_several_outputs_leaves_one():
    two = graph_of(
        ("x", "InputLayer"), ("t", "Dense", "x"), ("p", "Dense", "t"), ("q", "Dense", "t"), outputs=("p", "q")
    )
    shorter = cut(two, "t")
    assert shorter.outputs == (Ref("t"),)
    assert shorter.names == ("x", "t")


# Cutting at several layers


def test_several_ends_are_outputs_in_the_order_given():
    shorter = cut(CHAIN, ["relu_2", "relu_1"])
    assert shorter.outputs == (Ref("relu_2"), Ref("relu_1"))
    assert shorter.names == ("x", "dense_1", "relu_1", "drop_1", "dense_2", "relu_2")
    assert cut(CHAIN, ("relu_1",)) == cut(CHAIN, "relu_1")


def test_several_ends_keep_all_that_any_of_them_needs():
    two = graph_of(
        *(("x", "InputLayer"), ("y", "InputLayer"), ("a", "Dense", "x"), ("b", "Dense", "y"), ("c", "Dense", "y")),
        ("sum", "Add", "a", "b", "c"),
        inputs=("x", "y"),
    )
    assert cut(two, ["a", "b"]).names == ("x", "y", "a", "b")
    with pytest.raises(LayerError, match="at 'c' and 'b' cuts off an input") as caught:
        cut(two, ["c", "b"])
    assert [each.where for each in caught.value.problems] == ["x"]


@pytest.mark.parametrize("at", [[], ["relu_1", "relu_1"]])
def test_no_end_and_one_that_comes_twice_are_slips(at):
    with pytest.raises(ValueError, match="each once"):
        cut(CHAIN, at)


def test_one_wrong_name_among_several_is_refused():
    with pytest.raises(LayerError, match="no layer 'relu_9'"):
        cut(CHAIN, ["relu_1", "relu_9"])
    with pytest.raises(LayerError, match="leaves no layer"):
        cut(CHAIN, ["relu_1", "x"])


def made(inputs, outputs):
    model = keras.Model(inputs, outputs)
    random = np.random.RandomState(1)
    for variable in model.weights:
        variable.assign(random.uniform(-1, 1, variable.shape))
    return model


def built(graph, network):
    kept = {name: array for name, array in network.tensors.items() if name.split("/")[0] in graph.names}
    return build_model(Network(graph, kept))


def check_cut(model, at, expected, count):
    """What the model cut at layers gives is what Keras gives for these tensors."""
    network = read_model(model)
    shorter = cut(network.graph, at)
    assert len(shorter.outputs) == count
    values = np.random.RandomState(2).rand(2, *model.inputs[0].shape[1:]).astype("float32")
    wanted = keras.tree.flatten(keras.Model(model.inputs[0], expected)(values))
    found = keras.tree.flatten(built(shorter, network)(values))
    for one, two in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, two)


def test_features_of_several_scales_are_those_that_keras_computes():
    image = keras.Input((8, 8, 3))
    one = L.Conv2D(4, 3, strides=2, name="one")(image)
    two = L.Conv2D(5, 3, name="two")(one)
    end = L.Dense(2)(L.Flatten()(two))
    check_cut(made(image, end), ["two", "one"], [two, one], 2)


def test_a_nested_model_with_several_outputs_gives_them_all():
    inputs, inner_in = keras.Input((4,)), keras.Input((4,))
    inner = keras.Model(inner_in, {"z": L.Dense(2)(inner_in), "b": L.Dense(3)(inner_in)}, name="inner")
    found = inner(inputs)
    check_cut(made(inputs, L.Dense(2)(found["z"])), "inner", [found["b"], found["z"]], 2)


def test_a_sequential_model_that_ends_in_states_gives_them_all():
    steps = keras.Input((5, 4))
    inner = keras.Sequential([keras.Input((5, 4)), L.LSTM(3, return_state=True)], name="inner")
    found = inner(steps)
    check_cut(made(steps, L.Dense(2)(found[0])), "inner", found, 3)


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda x: keras.ops.split(x, 3, axis=1), 3),
        (lambda x: keras.ops.split(x, [2], axis=1), 2),
        (lambda x: keras.ops.unstack(x, 6, axis=1), 6),
        (lambda x: keras.ops.top_k(x, 2), 2),
        (lambda x: keras.ops.moments(x, [1]), 2),
        (lambda x: L.GRU(3, return_state=True)(x), 2),
        (lambda x: L.RNN([L.LSTMCell(3), L.GRUCell(2)], return_state=True)(x), 4),
        (lambda x: L.Bidirectional(L.LSTM(3, return_state=True))(x), 5),
        (lambda x: L.Bidirectional(L.LSTM(3), merge_mode=None)(x), 2),
        (lambda x: L.MultiHeadAttention(2, 3)(x, x, return_attention_scores=True), 2),
        (lambda x: L.MultiHeadAttention(2, 3)(x, x), 1),
        (lambda x: L.Dense(3)(x), 1),
    ],
)
def test_a_layer_gives_all_its_outputs(make, count):
    steps = keras.Input((6, 4))
    found = keras.tree.flatten(make(steps))
    layer = found[0]._keras_history[0]
    check_cut(made(steps, L.Dense(2)(L.Flatten()(found[0]))), layer.name, found, count)


def test_a_path_into_a_nested_model_says_that_it_has_to_be_opened():
    inputs, inner_in = keras.Input((4,)), keras.Input((4,))
    inner = keras.Model(inner_in, L.Dense(3, name="d")(L.ReLU(name="r")(inner_in)), name="inner")
    graph = read_model(keras.Model(inputs, L.Dense(2)(inner(inputs)))).graph
    with pytest.raises(LayerError, match="'inner/r' stands inside the nested model 'inner'") as caught:
        cut(graph, "inner/r")
    assert "flatten(graph, ['inner'])" in caught.value.next_step
    opened = flatten(graph)
    assert cut(opened.graph, opened.names["inner/r"]).names[1:] == ("r",)
    with pytest.raises(LayerError, match="no layer 'iner/r'"):
        cut(graph, "iner/r")


# Any graph


def cuts(graph):
    """The graph cut at each layer at which it can be cut."""
    found = {}
    for layer in graph:
        with contextlib.suppress(LayerError):
            found[layer.name] = cut(graph, layer.name)
    return found


@given(graphs())
def test_any_cut_gives_what_the_last_call_of_the_layer_gave(graph):
    before = computed(graph)
    for name, shorter in cuts(graph).items():
        node = len(graph.layer(name).calls) - 1
        after = computed(shorter)
        assert [after[ref] for ref in shorter.outputs] == [
            before[Ref(name, node, place)] for place in range(len(shorter.outputs))
        ]
        assert parse_config(unparse_graph(shorter)) == shorter


@given(graphs())
def test_cutting_twice_is_cutting_at_the_earlier_layer(graph):
    for shorter in cuts(graph).values():
        for name, shortest in cuts(shorter).items():
            if len(shorter.layer(name).calls) == len(graph.layer(name).calls):
                assert shortest == cut(graph, name)


@given(graphs())
def test_cutting_at_two_layers_gives_what_cutting_at_each_gives(graph):
    before = computed(graph)
    for one, two in itertools.combinations(cuts(graph), 2):
        shorter = cut(graph, [two, one])
        after = computed(shorter)
        ends = [*cut(graph, two).outputs, *cut(graph, one).outputs]
        wanted = [before[Ref(end.layer, len(graph.layer(end.layer).calls) - 1, end.tensor)] for end in ends]
        assert [after[ref] for ref in shorter.outputs] == wanted


# Dropping the last layers


@pytest.mark.parametrize(
    ("count", "end", "dropped"),
    [
        (1, "relu_2", ("logits", "softmax")),
        (2, "drop_1", ("dense_2", "relu_2", "logits", "softmax")),
    ],
)
def test_an_activation_goes_with_the_layer_that_it_follows_and_is_not_counted(count, end, dropped):
    shorter, gone = drop_last(CHAIN, count)
    assert shorter.outputs == (Ref(end),)
    assert gone == dropped


def test_dropping_everything_is_refused_and_counts_what_there_is():
    with pytest.raises(LayerError, match="leaves nothing") as caught:
        drop_last(CHAIN, 3)
    assert (caught.value.problems[0].expected, caught.value.problems[0].found) == ("more than 3", "3")


@pytest.mark.parametrize("count", [0, -1])
def test_dropping_less_than_one_layer_is_a_slip(count):
    with pytest.raises(ValueError, match="at least 1"):
        drop_last(CHAIN, count)


def test_dropping_from_several_outputs_is_refused_and_names_them():
    two = graph_of(("x", "InputLayer"), ("p", "Dense", "x"), ("q", "Dense", "x"), outputs=("p", "q"))
    with pytest.raises(LayerError, match="2 outputs") as caught:
        drop_last(two, 1)
    assert [each.where for each in caught.value.problems] == ["p", "q"]
    assert "--at" in caught.value.next_step


def test_dropping_a_layer_with_several_inputs_is_refused_and_names_them():
    joined = graph_of(("x", "InputLayer"), ("a", "Dense", "x"), ("b", "Dense", "x"), ("sum", "Add", "a", "b"))
    with pytest.raises(LayerError, match="'sum' has 2 inputs") as caught:
        drop_last(joined, 1)
    assert [each.where for each in caught.value.problems] == ["a", "b"]


def test_a_nested_model_at_the_end_is_dropped_as_one_layer():
    inner = keras.Sequential([keras.Input((3,)), L.Dense(3), L.Dense(2)], name="inner")
    graph = read_model(keras.Sequential([keras.Input((4,)), L.Dense(3, name="first"), inner])).graph
    shorter, gone = drop_last(graph, 1)
    assert gone == ("inner",)
    assert shorter.names[1:] == ("first",)


def test_dropping_the_one_nested_model_says_that_it_can_be_opened():
    inner = keras.Sequential([keras.Input((3,)), L.Dense(3), L.Dense(2)], name="inner")
    graph = read_model(keras.Sequential([keras.Input((3,)), inner])).graph
    with pytest.raises(LayerError, match="leaves nothing") as caught:
        drop_last(graph, 1)
    assert "'inner' is a nested model: open it first" in caught.value.next_step
    assert len(drop_last(flatten(graph).graph, 1)[0].layers) == 2


def test_dropping_ends_at_the_one_output_that_the_dropped_layer_took():
    steps = keras.Input((5, 4))
    _, state, _ = L.LSTM(3, return_state=True, name="lstm")(steps)
    graph = read_model(keras.Model(steps, L.Dense(2)(state))).graph
    assert drop_last(graph, 1)[0].outputs == (Ref("lstm", 0, 1),)


def test_a_mask_is_no_input_that_keeps_a_layer_from_being_dropped():
    words = keras.Input((5,), dtype="int32")
    x = L.LSTM(3, return_sequences=True, name="first")(L.Embedding(9, 4, mask_zero=True, name="embed")(words))
    graph = read_model(keras.Model(words, L.Dense(2, name="end")(L.LSTM(3, name="second")(x)))).graph
    assert drop_last(graph, 2)[0].outputs == (Ref("first"),)
    assert drop_last(graph, 3)[1] == tuple(name for name in graph.names if name not in (*graph.names[:1], "embed"))


def test_attention_of_a_tensor_to_itself_has_one_input_whatever_masks_it_heeds():
    inputs, allowed = keras.Input((5, 4), name="x"), keras.Input((5, 5), dtype="bool", name="allowed")
    y = L.Dense(4, name="before")(inputs)
    y = L.MultiHeadAttention(1, 2, name="attend")(y, y, attention_mask=allowed)
    graph = parse_config(keras.Model([inputs, allowed], L.Dense(3, name="out")(y)).get_config())
    assert sources_of(graph, Ref("attend")) == (Ref("before"),)
    alone = L.MultiHeadAttention(1, 2, name="attend")(y := L.Dense(4, name="before")(inputs), y)
    graph = parse_config(keras.Model(inputs, L.Dense(3, name="out")(alone)).get_config())
    shorter, dropped = drop_last(graph, 2)
    assert (shorter.outputs, dropped) == ((Ref("before"),), ("attend", "out"))
