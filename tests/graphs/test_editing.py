"""Layers put in, taken out, replaced and renamed, on graphs alone."""

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.errors import LayerError
from transfer.graphs.editing import insert, remove, rename, replace_layer
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.parsing import parse_config
from transfer.graphs.unparsing import unparse_graph

L = keras.layers
LINEAR = Layer("linear", "Activation", {"name": "linear", "activation": "linear"})


def layer(name, *sources, kind="Dense", calls=()):
    """A layer called on one tensor, or on a list of them; `calls` for several calls."""
    found = calls or ([sources] if sources else [])
    made = tuple(Call([refs[0] if len(refs) == 1 else list(refs)], {}) for refs in map(_refs, found))
    return Layer(name, kind, {"name": name}, made)


def _refs(sources):
    return [each if isinstance(each, Ref) else Ref(each) for each in sources]


def graph_of(*layers, outputs=None, **keys):
    inputs = tuple(Ref(each.name) for each in layers if not each.calls)
    return Graph("net", layers, inputs, tuple(_refs(outputs or [layers[-1].name])), **keys)


def sources(graph, name):
    return [call.sources for call in graph.layer(name).calls]


X = layer("x", kind="InputLayer")
CHAIN = graph_of(X, layer("a", "x"), layer("b", "a"), layer("c", "b"))
FORKED = graph_of(
    X, layer("a", "x"), layer("b", "a"), layer("c", "a"), layer("sum", "b", "c", kind="Add"), outputs=["sum", "a"]
)
SHARED = graph_of(
    X,
    layer("mid", "x"),
    layer("both", calls=[["x"], ["mid"]]),
    layer("sum", "both", Ref("both", 1), kind="Add"),
)
SPLIT = graph_of(X, layer("split", "x", kind="Split"), layer("p", "split"), layer("q", Ref("split", 0, 1)),
                 layer("sum", "p", "q", kind="Add"))  # fmt: skip
CHAINED = graph_of(X, layer("twice", calls=[["x"], ["twice"]]), layer("end", Ref("twice", 1)))
GRAPHS = [CHAIN, FORKED, SHARED, SPLIT, CHAINED]


# Inserting


def test_a_layer_put_after_another_feeds_whatever_that_one_fed():
    edited = insert(FORKED, LINEAR, after="a")
    assert edited.names == ("x", "a", "linear", "b", "c", "sum")
    assert sources(edited, "linear") == [(Ref("a"),)]
    assert sources(edited, "b") == sources(edited, "c") == [(Ref("linear"),)]
    assert edited.outputs == (Ref("sum"), Ref("linear"))
    assert FORKED.names == ("x", "a", "b", "c", "sum")


def test_a_layer_put_after_an_input_leaves_the_input_an_input():
    edited = insert(CHAIN, LINEAR, after="x")
    assert edited.inputs == (Ref("x"),)
    assert sources(edited, "linear") == [(Ref("x"),)]
    assert sources(edited, "a") == [(Ref("linear"),)]


def test_a_layer_put_after_the_last_one_is_the_output():
    edited = insert(CHAIN, LINEAR, after="c")
    assert edited.outputs == (Ref("linear"),)
    assert edited.names[-1] == "linear"


def test_a_layer_put_after_a_shared_one_is_called_as_often():
    edited = insert(SHARED, LINEAR, after="both")
    assert sources(edited, "linear") == [(Ref("both", 0),), (Ref("both", 1),)]
    assert sources(edited, "sum") == [(Ref("linear", 0), Ref("linear", 1))]


def test_a_layer_put_after_one_that_feeds_itself_stands_between_its_calls():
    edited = insert(CHAINED, LINEAR, after="twice")
    assert sources(edited, "twice") == [(Ref("x"),), (Ref("linear", 0),)]
    assert sources(edited, "end") == [(Ref("linear", 1),)]


def test_a_layer_put_after_one_with_several_outputs_is_called_on_each():
    edited = insert(SPLIT, LINEAR, after="split")
    assert sources(edited, "linear") == [(Ref("split", 0, 0),), (Ref("split", 0, 1),)]
    assert sources(edited, "p") == [(Ref("linear", 0),)]
    assert sources(edited, "q") == [(Ref("linear", 1),)]


def test_a_layer_put_before_another_leaves_the_others_alone():
    edited = insert(FORKED, LINEAR, before="b")
    assert edited.names == ("x", "a", "linear", "b", "c", "sum")
    assert sources(edited, "b") == [(Ref("linear"),)]
    assert sources(edited, "c") == [(Ref("a"),)]
    assert edited.outputs == FORKED.outputs


def test_a_layer_put_before_one_with_several_inputs_is_shared_by_them():
    edited = insert(FORKED, LINEAR, before="sum")
    assert sources(edited, "linear") == [(Ref("b"),), (Ref("c"),)]
    assert sources(edited, "sum") == [(Ref("linear", 0), Ref("linear", 1))]


def test_a_layer_put_before_a_shared_one_is_called_for_each_of_its_calls():
    edited = insert(SHARED, LINEAR, before="both")
    assert sources(edited, "linear") == [(Ref("x"),), (Ref("mid"),)]
    assert sources(edited, "both") == [(Ref("linear", 0),), (Ref("linear", 1),)]


def test_masks_go_past_a_layer_that_is_put_before_another():
    masked = Layer("rnn", "GRU", {}, (Call([Ref("a")], {"mask": Ref("m"), "training": False}),))
    edited = insert(
        graph_of(layer("a", kind="InputLayer"), layer("m", kind="InputLayer"), masked), LINEAR, before="rnn"
    )
    assert edited.layer("rnn").calls == (Call([Ref("linear")], {"mask": Ref("m"), "training": False}),)
    assert sources(edited, "linear") == [(Ref("a"),)]
    assert sources(remove(edited, "rnn"), "linear") == [(Ref("a"),)]


def test_the_config_takes_the_name():
    assert insert(CHAIN, Layer("act", "ReLU", {}), after="a").layer("act").config == {"name": "act"}


def test_after_and_before_are_a_choice():
    for places in ({}, {"after": "a", "before": "b"}):
        with pytest.raises(ValueError, match="after or before"):
            insert(CHAIN, LINEAR, **places)


@pytest.mark.parametrize("where", ["after", "before"])
def test_a_neighbour_that_is_not_there_offers_the_nearest(where):
    with pytest.raises(LayerError, match="no layer 'bb'") as caught:
        insert(CHAIN, LINEAR, **{where: "bb"})
    assert "'b'" in caught.value.next_step


def test_a_layer_with_inputs_of_its_own_is_refused_and_they_are_named():
    with pytest.raises(LayerError, match="inputs of its own") as caught:
        insert(CHAIN, layer("again", "c"), after="a")
    assert [(each.where, each.found) for each in caught.value.problems] == [("again", "c")]
    with pytest.raises(LayerError, match="inputs of its own"):
        replace_layer(CHAIN, "a", layer("a", "c"))


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(LayerError, match="several layers of one name") as caught:
        insert(CHAIN, Layer("b", "ReLU", {}), after="a")
    assert [each.where for each in caught.value.problems] == ["b"]


@pytest.mark.parametrize("name", ["", "a/b"])
def test_a_name_that_keras_does_not_take_is_refused(name):
    with pytest.raises(LayerError, match="cannot be a name"):
        insert(CHAIN, Layer(name, "ReLU", {}), after="a")
    with pytest.raises(LayerError, match="cannot be a name"):
        rename(CHAIN, {"a": name})
    with pytest.raises(LayerError, match="cannot be a name"):
        rename(CHAIN, {}, model=name)


def test_nothing_stands_before_an_input_or_after_a_loose_end():
    with pytest.raises(LayerError, match="takes nothing") as caught:
        insert(CHAIN, LINEAR, before="x")
    assert caught.value.next_step == "put it after 'x'"
    loose = graph_of(X, layer("a", "x"), layer("b", "x"))
    with pytest.raises(LayerError, match="nothing takes"):
        insert(loose, LINEAR, after="a")


def test_an_input_does_not_go_between_layers():
    with pytest.raises(LayerError, match="nothing can go into it"):
        insert(CHAIN, layer("y", kind="InputLayer"), after="a")


# Taking out


def test_what_a_layer_fed_takes_what_it_took():
    edited = remove(FORKED, "a")
    assert edited.names == ("x", "b", "c", "sum")
    assert sources(edited, "b") == sources(edited, "c") == [(Ref("x"),)]
    assert edited.outputs == (Ref("sum"), Ref("x"))


def test_a_shared_layer_is_taken_out_call_by_call():
    assert sources(remove(SHARED, "both"), "sum") == [(Ref("x"), Ref("mid"))]
    assert sources(remove(CHAINED, "twice"), "end") == [(Ref("x"),)]


def test_a_layer_that_takes_one_tensor_twice_has_one_input():
    doubled = graph_of(X, layer("a", "x"), layer("square", "a", "a", kind="Multiply"), layer("end", "square"))
    assert sources(remove(doubled, "square"), "end") == [(Ref("a"),)]


def test_a_layer_with_several_inputs_is_not_taken_out_and_they_are_named():
    with pytest.raises(LayerError, match="'sum' has 2 inputs") as caught:
        remove(FORKED, "sum")
    assert [each.where for each in caught.value.problems] == ["b", "c"]
    assert caught.value.next_step


def test_a_layer_whose_other_outputs_are_taken_is_not_taken_out():
    with pytest.raises(LayerError, match="several outputs") as caught:
        remove(SPLIT, "split")
    assert [(each.where, each.found) for each in caught.value.problems] == [("q", "takes output 1 of 'split'")]


def test_an_input_and_the_last_layer_are_not_taken_out():
    with pytest.raises(LayerError, match="is an input"):
        remove(CHAIN, "x")
    with pytest.raises(LayerError, match="the only layer"):
        remove(graph_of(X, layer("a", "x")), "a")


# Replacing


def test_a_layer_takes_the_place_of_another():
    edited = replace_layer(SHARED, "both", Layer("conv", "Conv1D", {"filters": 3}))
    assert edited.names == ("x", "mid", "conv", "sum")
    assert edited.layer("conv") == Layer("conv", "Conv1D", {"filters": 3, "name": "conv"}, SHARED.layer("both").calls)
    assert sources(edited, "sum") == [(Ref("conv"), Ref("conv", 1))]


def test_the_output_may_be_replaced_under_its_own_name():
    edited = replace_layer(CHAIN, "c", Layer("c", "Dense", {"units": 2}))
    assert edited.outputs == (Ref("c"),)
    assert edited.layer("c").config["units"] == 2


def test_an_input_is_replaced_by_an_input_alone():
    edited = replace_layer(CHAIN, "x", Layer("photo", "InputLayer", {"batch_shape": [None, 3]}))
    assert edited.inputs == (Ref("photo"),)
    assert sources(edited, "a") == [(Ref("photo"),)]
    with pytest.raises(LayerError, match="cannot take the place"):
        replace_layer(CHAIN, "x", LINEAR)
    with pytest.raises(LayerError, match="cannot take the place"):
        replace_layer(CHAIN, "a", Layer("photo", "InputLayer", {}))


def test_a_replacement_does_not_take_the_name_of_a_third():
    with pytest.raises(LayerError, match="several layers of one name"):
        replace_layer(CHAIN, "a", Layer("b", "Dense", {}))


# Renaming


def test_names_change_in_layers_edges_ends_and_configs():
    edited = rename(CHAIN, {"x": "photo", "c": "label"}, model="student")
    assert (edited.name, edited.names) == ("student", ("photo", "a", "b", "label"))
    assert [each.config["name"] for each in edited] == list(edited.names)
    assert (edited.inputs, edited.outputs) == ((Ref("photo"),), (Ref("label"),))
    assert sources(edited, "a") == [(Ref("photo"),)]


def test_two_layers_change_places():
    edited = rename(CHAIN, {"a": "b", "b": "a"})
    assert edited.names == ("x", "b", "a", "c")
    assert sources(edited, "c") == [(Ref("a"),)]
    assert sources(edited, "a") == [(Ref("b"),)]


def test_keys_of_inputs_follow_their_layers_and_keys_of_outputs_stay():
    graph = graph_of(
        X,
        layer("y", kind="InputLayer"),
        layer("sum", "x", "y", kind="Add"),
        input_keys=("x", "other"),
        output_keys=("x",),
    )
    edited = rename(graph, {"x": "photo", "y": "meta"})
    assert (edited.input_keys, edited.output_keys) == (("photo", "other"), ("x",))


def test_a_new_name_that_is_taken_is_refused_and_all_of_them_are_told():
    with pytest.raises(LayerError, match="several layers of one name") as caught:
        rename(FORKED, {"a": "b", "c": "sum"})
    assert {each.where for each in caught.value.problems} == {"b", "sum"}


def test_old_names_that_are_not_there_are_told_all_at_once():
    with pytest.raises(LayerError, match="no layer 'bb'") as caught:
        rename(CHAIN, {"bb": "d"})
    assert "'b'" in caught.value.next_step
    with pytest.raises(LayerError, match="no layers of these names") as caught:
        rename(CHAIN, {"bb": "d", "cc": "e"})
    assert [each.where for each in caught.value.problems] == ["bb", "cc"]
    assert "'b'" in caught.value.problems[0].expected


# Nested models are one layer


def nested():
    inner = keras.Sequential([keras.Input((4,)), L.Dense(3, name="conv1")], name="backbone")
    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, L.Dense(2, name="end")(inner(inputs)), name="outer")
    return parse_config(keras.saving.serialize_keras_object(model))


@pytest.mark.parametrize(
    "edit",
    [
        lambda graph: insert(graph, LINEAR, after="backbone/conv1"),
        lambda graph: insert(graph, LINEAR, before="backbone/conv1"),
        lambda graph: remove(graph, "backbone/conv1"),
        lambda graph: replace_layer(graph, "backbone/conv1", LINEAR),
        lambda graph: rename(graph, {"backbone/conv1": "first"}),
    ],
)
def test_a_layer_inside_a_nested_model_says_to_open_the_model(edit):
    with pytest.raises(LayerError, match="inside the nested model 'backbone'") as caught:
        edit(nested())
    assert "open the nested model 'backbone' first" in caught.value.next_step


def test_a_path_into_what_is_no_model_is_a_name_that_is_not_there():
    with pytest.raises(LayerError, match="no layer 'end/kernel'"):
        remove(nested(), "end/kernel")


def test_a_nested_model_is_edited_as_a_layer():
    edited = insert(rename(nested(), {"backbone": "trunk"}), LINEAR, after="trunk")
    assert edited.layer("trunk").config["name"] == "trunk"
    assert sources(edited, "linear") == [(Ref("trunk"),)]
    assert parse_config(unparse_graph(edited)).outputs == edited.outputs
    assert remove(edited, "trunk").names == ("x", "linear", "end")


# Properties


@st.composite
def graphs(draw):
    """Chains and branches, layers that are called again later, several inputs and outputs."""
    layers = [layer(f"x{k}", kind="InputLayer") for k in range(draw(st.integers(1, 2)))]
    known = [Ref(each.name) for each in layers]
    for k in range(draw(st.integers(2, 7))):
        shared = [place for place, each in enumerate(layers) if each.calls]
        taken = draw(st.lists(st.sampled_from(known), min_size=1, max_size=2))
        call = Call([taken if len(taken) > 1 else taken[0]], draw(st.sampled_from([{}, {"training": False}])))
        if shared and draw(st.integers(0, 3)) == 0:
            place = draw(st.sampled_from(shared))
            old = layers[place]
            layers[place] = Layer(old.name, old.class_name, old.config, (*old.calls, call))
            known.append(Ref(old.name, len(old.calls)))
        else:
            layers.append(Layer(f"layer{k}", "Dense", {"name": f"layer{k}", "units": 3}, (call,)))
            known.append(Ref(f"layer{k}"))
    outputs = draw(st.lists(st.sampled_from(known[1:]), min_size=1, max_size=2))
    return Graph("net", tuple(layers), tuple(Ref(each.name) for each in layers if not each.calls), tuple(outputs))


def is_used(graph, name):
    return any(ref.layer == name for each in graph for call in each.calls for ref in call.sources) or any(
        ref.layer == name for ref in graph.outputs
    )


@given(graphs(), st.data())
def test_taking_out_what_was_put_in_gives_the_graph_back(graph, data):
    after = data.draw(st.booleans())
    fit = [each.name for each in graph if (is_used(graph, each.name) if after else each.calls)]
    name = data.draw(st.sampled_from(fit))
    edited = insert(graph, LINEAR, **{"after" if after else "before": name})
    assert remove(edited, "linear") == graph
    assert parse_config(unparse_graph(edited)).names == edited.names  # edges lead somewhere, and in no circle


@given(graphs(), st.data())
def test_renaming_there_and_back_gives_the_graph_back(graph, data):
    new = data.draw(st.permutations([*graph.names, "one", "two"]))
    names = dict(zip(graph.names, new, strict=False))
    edited = rename(graph, names)
    assert edited.names == tuple(names.values())
    assert rename(edited, {new: old for old, new in names.items()}) == graph


@given(graphs(), st.data())
def test_replacing_there_and_back_gives_the_graph_back(graph, data):
    old = data.draw(st.sampled_from([each for each in graph if each.calls]))
    edited = replace_layer(graph, old.name, LINEAR)
    assert replace_layer(edited, "linear", Layer(old.name, old.class_name, old.config)) == graph
