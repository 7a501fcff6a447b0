"""Configs that Keras writes become graphs and come back as configs that Keras builds the same model from."""

import copy
import json
import random
from pathlib import Path

import keras
import numpy as np
import pytest

from transfer.errors import LayerError
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.parsing import parse_config
from transfer.graphs.unparsing import unparse_graph
from transfer.graphs.variables import describe_graph
from transfer.models.building import build_model, read_model
from transfer.weights.opening import open_checkpoint

L = keras.layers
FILES = Path(__file__).parents[1] / "weights" / "files"


def branches():
    inputs = keras.Input((4,), name="x")
    left = L.Dense(3, name="left")(inputs)
    right = L.Dense(3, activation="relu", name="right")(inputs)
    return keras.Model(inputs, L.Dense(2, name="out")(L.Add(name="sum")([left, right])), name="branches")


def shared():
    one, two = keras.Input((4,), name="one"), keras.Input((4,), name="two")
    layer = L.Dense(3, name="both")
    return keras.Model([one, two], L.Concatenate(name="cat")([layer(one), layer(two)]), name="shared")


def several():
    inputs = {"a": keras.Input((4,), name="a"), "b": keras.Input((4,), name="b")}
    x = L.Concatenate(name="cat")([inputs["a"], inputs["b"]])
    return keras.Model(inputs, {"p": L.Dense(2, name="p")(x), "q": L.Dense(3, name="q")(x)}, name="several")


def nested():
    inner_in = keras.Input((4,), name="inner_in")
    inner = keras.Model(inner_in, L.Dense(3, name="inner_out")(inner_in), name="inner")
    inputs = keras.Input((4,), name="x")
    return keras.Model(inputs, L.Dense(2, name="out")(inner(inputs, training=False)), name="nested")


def keywords():
    inputs = keras.Input((4, 3), name="x")
    attended = L.MultiHeadAttention(1, 2, name="attend")(query=inputs, value=inputs, use_causal_mask=True)
    return keras.Model(inputs, keras.ops.mean(attended, axis=1) * 2.0, name="keywords")


def chain():
    return keras.Sequential([keras.Input((4,), name="x"), L.Dense(3, name="a"), L.Dropout(0.5, name="b")], name="chain")


def one_in_a_list():
    inputs = keras.Input((4,), name="x")
    return keras.Model([inputs], [L.Dense(2, name="out")(inputs)], name="listed")


MODELS = [branches, shared, several, nested, keywords, chain, one_in_a_list]


def config_of(model):
    return keras.saving.serialize_keras_object(model)


def outputs(model, seed=0):
    random = np.random.RandomState(seed)
    x = [random.rand(2, *each.shape[1:]).astype("float32") for each in model.inputs]
    inputs = dict(zip("ab", x, strict=False)) if model.name == "several" else x if len(x) > 1 else x[0]
    return keras.tree.flatten(model(inputs, training=False))


@pytest.mark.parametrize("build", MODELS)
def test_parsing_and_unparsing_and_parsing_is_parsing(build):
    graph = parse_config(config_of(build()))
    if build is nested:  # a nested model's own flag is left out, see below
        graph = parse_config(unparse_graph(graph))
    assert parse_config(unparse_graph(graph)) == graph


@pytest.mark.parametrize("build", MODELS)
def test_a_graph_survives_json(build):
    graph = parse_config(json.loads(json.dumps(unparse_graph(parse_config(config_of(build()))))))
    config = json.loads(json.dumps(unparse_graph(graph)))
    assert parse_config(config) == graph


@pytest.mark.filterwarnings("ignore:The structure of `inputs` doesn't match:UserWarning")
@pytest.mark.parametrize("build", MODELS)
def test_keras_builds_the_same_function_from_what_comes_out(build):
    model = build()
    config = unparse_graph(parse_config(config_of(model)))
    again = keras.Model.from_config(config["config"])
    kinds = [type(each).__name__ for each in again.layers]
    assert kinds[-len(model.layers) :] == [type(each).__name__ for each in model.layers]
    again.set_weights(model.get_weights())
    for ours, theirs in zip(outputs(again), outputs(model), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_layers_edges_and_ends_are_told():
    graph = parse_config(config_of(branches()))
    assert graph.name == "branches"
    assert graph.names == ("x", "left", "right", "sum", "out")
    assert graph.inputs == (Ref("x"),)
    assert graph.outputs == (Ref("out"),)
    assert graph.layer("x").calls == ()
    assert graph.layer("sum").calls[0].sources == (Ref("left"), Ref("right"))
    assert graph.layer("right").class_name == "Dense"
    assert graph.layer("right").config["units"] == 3
    assert graph.input_keys is graph.output_keys is None


def test_a_shared_layer_stands_once_with_a_call_for_each_use():
    layer = parse_config(config_of(shared())).layer("both")
    assert [call.sources for call in layer.calls] == [(Ref("one"),), (Ref("two"),)]
    assert parse_config(config_of(shared())).layer("cat").calls[0].sources == (Ref("both", 0), Ref("both", 1))


def test_named_inputs_and_outputs_keep_their_names():
    graph = parse_config(config_of(several()))
    assert (graph.input_keys, graph.output_keys) == (("a", "b"), ("p", "q"))
    assert graph.outputs == (Ref("p"), Ref("q"))


def test_a_nested_model_is_one_layer():
    graph = parse_config(config_of(nested()))
    assert graph.names == ("x", "inner", "out")
    assert graph.layer("inner").class_name == "Functional"
    assert graph.layer("inner").calls[0].kwargs["training"] is False


def test_a_sequential_model_is_a_chain():
    graph = parse_config(config_of(chain()))
    assert graph.names == ("x", "a", "b")
    assert graph.layer("b").calls[0].sources == (Ref("a"),)


def test_a_sequential_model_built_by_a_shape_gets_an_input():
    model = keras.Sequential([L.Dense(3, name="a")], name="late")
    model.build((None, 7))
    graph = parse_config(config_of(model))
    assert [layer.class_name for layer in graph] == ["InputLayer", "Dense"]
    assert graph.layer(graph.names[0]).config["batch_shape"][1:] == (7,)


def test_a_sequential_model_whose_first_layer_is_called_input_keeps_its_names_apart():
    model = keras.Sequential([L.Dense(3, name="input"), L.Dense(2, name="out")])
    model.build((None, 7))
    assert parse_config(config_of(model)).names[1:] == ("input", "out")


def test_a_sequential_model_that_was_never_built_asks_for_a_builder():
    with pytest.raises(LayerError, match="never built"):
        parse_config(config_of(keras.Sequential([L.Dense(3)], name="late")))


def test_an_empty_sequential_model_is_refused():
    with pytest.raises(LayerError):
        parse_config(config_of(keras.Sequential(name="empty")))


def test_parsing_leaves_the_config_as_it_was():
    config = config_of(nested())
    before = json.dumps(config)
    unparse_graph(parse_config(config))
    assert json.dumps(config) == before


def test_a_nested_models_own_flag_is_left_out():
    # Keras would let it overrule the flags of the layers inside.
    model = nested()
    model.get_layer("inner").trainable = False
    config = unparse_graph(parse_config(config_of(model)))
    (inner,) = [each for each in config["config"]["layers"] if each["name"] == "inner"]
    assert "trainable" not in inner["config"]
    assert inner["config"]["layers"][1]["config"]["trainable"] is False


# What is wrong


def wrong(change):
    config = json.loads(json.dumps(config_of(branches())))
    change(config)
    with pytest.raises(LayerError) as caught:
        parse_config(config)
    return caught.value


def test_an_edge_that_leads_nowhere_is_told():
    def change(config):
        tensor = config["config"]["layers"][4]["inbound_nodes"][0]["args"][0]
        tensor["config"]["keras_history"][0] = "gone"

    error = wrong(change)
    assert error.summary == "'branches' has edges that lead nowhere."
    assert [(each.where, each.found) for each in error.problems] == [("out", "gone")]
    assert error.exit_code == 5


def test_an_output_that_leads_nowhere_is_told():
    error = wrong(lambda config: config["config"].update(output_layers=[["gone", 0, 0]]))
    assert [(each.where, each.found) for each in error.problems] == [("output", "gone")]


def test_a_call_that_is_not_there_is_told():
    def change(config):
        tensor = config["config"]["layers"][4]["inbound_nodes"][0]["args"][0]
        tensor["config"]["keras_history"][1] = 3

    wrong(change)


def test_an_output_of_a_call_that_is_not_there_is_told():
    wrong(lambda config: config["config"].update(output_layers=["out", 7, 0]))


def test_a_name_that_stands_twice_is_told():
    error = wrong(lambda config: config["config"]["layers"].append(config["config"]["layers"][-1]))
    assert error.problems[0].where == "out"


def test_layers_in_a_circle_are_refused():
    def change(config):
        layers = config["config"]["layers"]
        for layer, source in ((1, "out"), (2, "out")):
            layers[layer]["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0] = source

    wrong(change)


@pytest.mark.parametrize(
    "config",
    [
        None,
        3,
        "Functional",
        [],
        {},
        {"class_name": "Functional"},
        {"class_name": "Functional", "config": None},
        {"class_name": "Functional", "config": {"name": "x", "layers": 3, "input_layers": [], "output_layers": []}},
        {"class_name": "Functional", "config": {"name": "x", "layers": [{}], "input_layers": [], "output_layers": []}},
        {"class_name": "Functional", "config": {"name": "x", "layers": [], "input_layers": [5], "output_layers": []}},
        {"class_name": "Sequential", "config": {"name": "x", "layers": []}},
        {"class_name": "Sequential", "config": {"name": "x", "layers": [{"class_name": "Dense"}]}},
        {"class_name": "Mine", "config": {}},
        {"class_name": ["Functional"], "config": {}},
    ],
)
def test_what_is_no_config_is_refused(config):
    with pytest.raises(LayerError) as caught:
        parse_config(config)
    assert len(str(caught.value)) < 2048


def test_a_config_nested_without_end_is_refused():
    config = []
    for _ in range(5000):
        config = [config]
    with pytest.raises(LayerError, match="nested too deeply"):
        parse_config({"class_name": "Functional", "config": config})


def test_a_layer_that_is_not_there_offers_the_nearest_three():
    graph = Graph("g", tuple(Layer(name, "Dense", {}) for name in ("conv_1", "conv_2", "conv_3", "dense")), (), ())
    with pytest.raises(LayerError, match="'g' has no layer 'conv1'") as caught:
        graph.layer("conv1")
    assert "'conv_1'" in caught.value.next_step
    assert caught.value.next_step.count("'") == 6


def test_redirecting_a_call_changes_tensors_and_nothing_else():
    call = Call([Ref("a"), [Ref("b"), 3]], {"mask": Ref("a"), "axis": 1})
    changed = call.redirected(lambda ref: Ref("z") if ref == Ref("a") else ref)
    assert changed == Call([Ref("z"), [Ref("b"), 3]], {"mask": Ref("z"), "axis": 1})
    assert call.sources == (Ref("a"), Ref("b"), Ref("a"))


# Configs that somebody damaged

JUNK = (None, True, 0, -1, 3.5, "x", [], {}, ["a"], {"class_name": "Dense"}, {"class_name": "Dense", "config": {}})
JUNK += ([[["x", 0, 0]]], 10**30)


def places_in(values):
    """Every place in a config, as what holds it and the key there."""
    keys = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, value in keys:
        yield values, key
        yield from places_in(value)


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_config_is_read_or_refused_and_nothing_else_happens(seed):
    files = sorted(FILES.glob("*/*__*"))
    configs = [(opened.config, opened.writer) for opened in map(open_checkpoint, files) if opened.config]
    assert len(configs) > 20
    chance = random.Random(seed)
    read = 0
    for _ in range(300):
        config, writer = chance.choice(configs)
        config = copy.deepcopy(config)
        for _ in range(chance.randint(1, 2)):
            holder, key = chance.choice(list(places_in(config)))
            if chance.random() < 0.3:
                del holder[key]
            else:
                holder[key] = copy.deepcopy(chance.choice(JUNK))
        try:
            describe_graph(parse_config(config, writer))
            read += 1
        except LayerError:
            pass
    assert 30 < read < 270


# Models that are called several times, and numbered by Keras in its own way


def twice(*, alone):
    start = keras.Input((4,))
    inner = keras.Model(start, keras.layers.Dense(4, name="in_it")(start), name="inner")
    x = keras.Input((4,), name="x")
    first = inner(x)
    second = inner(first * 2)
    return keras.Model(x, [first, second if alone else keras.layers.Dense(3, name="end")(second)], name="twice")


@pytest.mark.parametrize("alone", [True, False])
def test_calls_of_a_model_are_counted_from_zero_also_where_they_are_outputs(alone):
    model = twice(alone=alone)
    config = keras.saving.serialize_keras_object(model)
    graph = parse_config(config)
    assert graph.outputs == (Ref("inner", 0), Ref("inner", 1) if alone else Ref("end"))
    assert parse_config(unparse_graph(graph)).outputs == graph.outputs
    x = np.random.default_rng(0).random((2, 4), "float32")
    again = build_model(read_model(model))
    for ours, theirs in zip(again(x), model(x), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_outputs_of_a_nested_model_with_names_are_numbered_by_their_sorted_names():
    x = keras.Input((2,), name="x")
    inner = keras.Model(x, {"z": keras.layers.Dense(8, name="of_z")(x), "b": keras.layers.Dense(6, name="of_b")(x)})
    found = inner(x)
    ends = [keras.layers.Dense(2, name=f"after_{key}")(found[key]) for key in ("z", "b")]
    graph = read_model(keras.Model(x, ends)).graph
    specs = describe_graph(graph)
    assert specs["after_z/kernel"].shape == (8, 2)
    assert specs["after_b/kernel"].shape == (6, 2)


def test_what_get_config_gives_is_read_without_its_class():
    model = branches()
    assert parse_config(model.get_config()) == parse_config(keras.saving.serialize_keras_object(model))
    chain = keras.Sequential([keras.Input((3,)), L.Dense(2, name="only")])
    assert parse_config(chain.get_config()).names[-1] == "only"


def test_a_range_of_values_that_moves_no_pixel_is_left_out():
    """Keras 3.0 wrote it into the configs of geometric layers; no other Keras takes it there."""
    x = keras.Input((8, 8, 3), name="x")
    config = keras.Model(x, L.RandomRotation(0.1, name="turn")(x)).get_config()
    config["layers"][1]["config"]["value_range"] = [0, 255]
    assert "value_range" not in parse_config(config).layer("turn").config
    kept = keras.Model(x, L.RandomBrightness(0.1, value_range=(0, 1), name="light")(x)).get_config()
    assert list(parse_config(kept).layer("light").config["value_range"]) == [0, 1]
