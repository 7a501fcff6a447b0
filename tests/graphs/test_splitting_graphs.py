"""Splits of graphs: the parts compose to the whole, and no cheaper boundary exists."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.errors import LayerError
from transfer.graphs.fixed_layers import why_not_fixed
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.splitting import split


def image(name="x", shape=(8, 8, 3), dtype="float32"):
    return Layer(name, "InputLayer", {"name": name, "batch_shape": [None, *shape], "dtype": dtype})


def layer(name, *sources, kind="Dense", trainable=False, **config):
    refs = [source if isinstance(source, Ref) else Ref(source) for source in sources]
    args = refs if len(refs) == 1 else [refs]
    return Layer(name, kind, {"name": name, "trainable": trainable, **config}, (Call(args, {}),))


def dense(name, *sources, units=4, **config):
    return layer(name, *sources, units=units, **config)


def graph(*layers, outputs=(), name="net"):
    inputs = tuple(Ref(each.name) for each in layers if not each.calls)
    ends = tuple(each if isinstance(each, Ref) else Ref(each) for each in outputs or (layers[-1].name,))
    return Graph(name, layers, inputs, ends)


def evaluate(net, given):
    """What a graph makes of its inputs, as text: which layer was applied to what."""
    by_name = {each.name: each for each in net}
    values = dict(zip(net.inputs, given, strict=True))

    def value(ref):
        if ref not in values:
            call = by_name[ref.layer].calls[ref.node]
            parts = ", ".join(value(source) for source in call.sources)
            values[ref] = f"{ref.layer}[{ref.tensor}]({parts})"
        return values[ref]

    return [value(ref) for ref in net.outputs]


def composed(parts, given):
    return evaluate(parts.suffix, evaluate(parts.prefix, given))


def names(parts):
    return tuple(ref.layer for ref in parts.boundary)


BACKBONE = (
    image(),
    layer("conv", "x", kind="Conv2D", filters=4, kernel_size=[3, 3]),
    layer("norm", "conv", kind="BatchNormalization"),
    layer("pool", "norm", kind="GlobalAveragePooling2D"),
    dense("label", "pool", units=2, trainable=True),
)


def test_a_frozen_backbone_ends_where_its_head_begins():
    parts = split(graph(*BACKBONE))
    assert names(parts) == ("pool",)
    assert parts.prefix.names == ("x", "conv", "norm", "pool")
    assert parts.prefix.outputs == (Ref("pool"),)
    assert parts.suffix.names == ("features", "label")
    assert parts.suffix.layer("features").config == {"name": "features", "batch_shape": [None, 4], "dtype": "float32"}
    assert parts.suffix.layer("label").calls == (Call([Ref("features")], {}),)
    assert (parts.prefix.name, parts.suffix.name) == ("net_prefix", "net_suffix")


def test_a_graph_whose_first_layer_is_trained_has_an_empty_prefix():
    net = graph(image(), dense("a", "x", trainable=True), dense("b", "a"))
    parts = split(net)
    assert parts.boundary == parts.prefix.inputs == parts.prefix.outputs == (Ref("x"),)
    assert parts.prefix.names == ("x",)
    assert parts.suffix.layers == net.layers


def test_what_cannot_be_kept_for_less_than_the_input_is_computed_anew():
    wide = layer("wide", "x", kind="Conv2D", filters=64, kernel_size=[1, 1])
    assert names(split(graph(image(), wide, dense("head", "wide", trainable=True)))) == ("x",)


def test_bytes_of_pixels_count_once_and_floats_four_times():
    net = (layer("scale", "x", kind="Rescaling", scale=1.0), dense("head", "scale", trainable=True))
    assert names(split(graph(image(dtype="uint8"), *net))) == ("x",)
    assert names(split(graph(image(), *net))) == ("scale",)


def test_types_of_half_the_size_make_a_boundary_cheaper():
    half = dense("half", "x", units=4, dtype={"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}})
    net = graph(image(shape=(3,)), half, dense("head", "half", trainable=True))
    parts = split(net)
    assert names(parts) == ("half",)
    assert parts.suffix.layer("features").config["dtype"] == "float16"


def test_among_equals_the_latest_is_chosen():
    relus = [layer(f"relu_{k}", ("conv", "relu_0", "relu_1")[k], kind="ReLU") for k in range(3)]
    net = graph(*BACKBONE[:2], *relus, layer("norm", "relu_2", kind="BatchNormalization", trainable=True))
    assert names(split(net)) == ("relu_2",)


def test_a_cheap_place_early_on_is_preferred_to_a_dear_one_later():
    net = graph(
        image(),
        layer("small", "x", kind="GlobalAveragePooling2D"),
        dense("large", "small", units=500),
        dense("head", "large", trainable=True),
    )
    assert names(split(net)) == ("small",)


@pytest.mark.parametrize(("units", "boundary"), [(192, "lstm"), (193, "x")])
def test_an_open_size_counts_as_64(units, boundary):
    lstm = layer("lstm", "x", kind="LSTM", units=units)
    assert names(split(graph(image(shape=(None, 3)), lstm, dense("head", "lstm", trainable=True)))) == (boundary,)


def test_the_latest_split_computes_nothing_twice_whatever_it_takes_to_keep():
    net = graph(
        image(),
        layer("small", "x", kind="GlobalAveragePooling2D"),
        dense("large", "small", units=500),
        dense("head", "large", trainable=True),
        dense("other", "x", trainable=True),
        outputs=("head", "other"),
    )
    assert names(split(net)) == ("x",)
    assert names(split(net, latest=True)) == ("x", "large")


def test_a_residual_connection_is_kept_once():
    net = graph(
        *BACKBONE[:3],
        layer("block", "norm", kind="Conv2D", filters=4, kernel_size=[1, 1], trainable=True),
        layer("add", "block", "norm", kind="Add"),
    )
    parts = split(net)
    assert names(parts) == ("norm",)
    assert composed(parts, ["x"]) == evaluate(net, ["x"])


def test_branches_are_cut_each_where_it_is_cheapest():
    net = graph(
        image("one", (10,)),
        image("two", (3,)),
        dense("a", "one", units=2),
        dense("b", "two", units=5),
        layer("join", "a", "b", kind="Concatenate"),
        dense("head", "join", units=1, trainable=True),
    )
    assert names(split(net)) == ("two", "a")  # 3 + 2 numbers, later 5 + 2
    net = graph(
        *net.layers[:4], dense("c", "a", trainable=True), layer("join", "b", "c", kind="Concatenate"), name="other"
    )
    parts = split(net)
    assert names(parts) == ("two", "a")
    assert parts.suffix.names == ("two", "features", "b", "c", "join")
    assert parts.prefix.names == ("one", "two", "a")


def test_new_inputs_take_names_that_are_free():
    net = graph(
        image("features", (9,)),
        dense("a", "features", units=2),
        dense("b", "features", units=3),
        dense("c", "a", trainable=True),
        dense("d", "b", trainable=True),
        outputs=("c", "d"),
    )
    parts = split(net)
    assert parts.suffix.inputs == (Ref("features_1"), Ref("features_2"))
    assert composed(parts, ["x"]) == evaluate(net, ["x"])


def test_an_output_that_is_frozen_passes_through_the_suffix():
    net = graph(*BACKBONE, outputs=("label", "pool"))
    parts = split(net)
    assert parts.suffix.outputs == (Ref("label"), Ref("features"))


def test_a_graph_without_anything_to_train_has_a_suffix_of_inputs_alone():
    parts = split(graph(*BACKBONE[:4]))
    assert parts.suffix.names == ("features",)
    assert parts.suffix.outputs == parts.suffix.inputs == (Ref("features"),)


def test_keys_of_inputs_and_outputs_stay_where_they_belong():
    net = graph(*BACKBONE)
    net = Graph(net.name, net.layers, net.inputs, net.outputs, ("image",), ("score",))
    parts = split(net)
    assert (parts.prefix.input_keys, parts.prefix.output_keys) == (("image",), None)
    assert (parts.suffix.input_keys, parts.suffix.output_keys) == (None, ("score",))


def test_an_input_that_nothing_needs_stays_an_input_of_the_prefix():
    net = graph(image("unused"), *BACKBONE)
    parts = split(net)
    assert parts.prefix.inputs == (Ref("unused"), Ref("x"))
    assert names(parts) == ("pool",)


def test_layers_that_lead_nowhere_are_left_out():
    net = graph(*BACKBONE, dense("lost", "conv", trainable=True), outputs=("label",))
    assert "lost" not in (*split(net).prefix.names, *split(net).suffix.names)


def test_a_shared_layer_stands_in_both_parts_with_the_calls_that_each_needs():
    shared = Layer(
        "shared",
        "Dense",
        {"name": "shared", "trainable": False, "units": 3},
        (Call([Ref("tuned")], {}), Call([Ref("y")], {}), Call([Ref("shared", 1)], {})),
    )
    net = graph(
        image(shape=(3,)),
        image("y", (9,)),
        dense("tuned", "x", units=3, trainable=True),
        shared,
        layer("join", "shared", Ref("shared", 2), kind="Add"),
    )
    parts = split(net)
    assert parts.boundary == (Ref("x"), Ref("shared", 2))
    assert parts.prefix.layer("shared").calls == (Call([Ref("y")], {}), Call([Ref("shared", 0)], {}))
    assert parts.prefix.outputs == (Ref("x"), Ref("shared", 1))
    assert parts.suffix.layer("shared").calls == (Call([Ref("tuned")], {}),)
    assert composed(parts, ["x", "y"]) == evaluate(net, ["x", "y"])


def test_a_shared_layer_that_is_trained_is_trained_at_each_of_its_calls():
    shared = Layer(
        "shared",
        "Dense",
        {"name": "shared", "trainable": True, "units": 3},
        (Call([Ref("x")], {}), Call([Ref("a")], {})),
    )
    net = graph(image(shape=(9,)), shared, dense("a", "shared"), outputs=(Ref("shared", 1),))
    assert names(split(net)) == ("x",)


def test_several_outputs_of_one_call_are_kept_one_by_one():
    lstm = layer("lstm", "x", kind="LSTM", units=3, return_state=True)
    net = graph(image(shape=(50, 4)), lstm, layer("add", Ref("lstm", 0, 1), Ref("lstm", 0, 2), kind="Multiply"))
    net = graph(
        *net.layers[:2],
        dense("a", Ref("lstm", 0, 2), trainable=True),
        dense("b", Ref("lstm", 0, 1), trainable=True),
        outputs=("a", "b"),
    )
    parts = split(net)
    assert parts.boundary == (Ref("lstm", 0, 1), Ref("lstm", 0, 2))


# What must not be computed once


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("Dropout", {"rate": 0.5}),
        ("SpatialDropout1D", {"rate": 0.5}),
        ("GaussianNoise", {"stddev": 0.1}),
        ("GaussianDropout", {"rate": 0.1}),
        ("AlphaDropout", {"rate": 0.1}),
        ("RandomFlip", {}),
        ("Solarization", {}),
        ("Equalization", {}),
        ("SpectralNormalization", {"layer": {"class_name": "Dense", "config": {"name": "inner", "trainable": False}}}),
        ("LSTM", {"units": 3, "dropout": 0.1}),
        ("GRU", {"units": 3, "recurrent_dropout": 0.1}),
        ("MultiHeadAttention", {"dropout": 0.1}),
        ("LSTM", {"units": 3, "stateful": True}),
        ("TimeDistributed", {"layer": {"class_name": "Dropout", "config": {"name": "inner", "rate": 0.5}}}),
        ("BatchNormalization", {"trainable": True}),
        ("Dense", {"units": 3, "trainable": True}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_layers_that_change_under_training_are_no_part_of_a_prefix(kind, config):
    moving = Layer("moving", kind, {"name": "moving", "trainable": False, **config}, (Call([Ref("x")], {}),))
    assert why_not_fixed(moving)
    assert names(split(graph(image(shape=(4, 3)), moving))) == ("x",)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("Dropout", {"rate": 0.0}),
        ("GaussianNoise", {"stddev": 0}),
        ("BatchNormalization", {}),
        ("ReLU", {"trainable": True}),
        ("Normalization", {"trainable": True}),
        ("TimeDistributed", {"trainable": True, "layer": {"class_name": "Dense", "config": {"trainable": False}}}),
        ("TimeDistributed", {"layer": {"class_name": "Dense", "config": {"trainable": True}}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_layers_that_stay_what_they_are_may_stand_in_a_prefix(kind, config):
    still = Layer("still", kind, {"name": "still", "trainable": False, **config}, (Call([Ref("x")], {}),))
    assert why_not_fixed(still) == ""


def test_frozen_dropout_may_stand_in_a_prefix_where_training_switches_it_off():
    drop = layer("drop", "pool", kind="Dropout", rate=0.5)
    net = graph(*BACKBONE[:4], drop, dense("a", "drop", units=2), dense("head", "a", trainable=True))
    assert names(split(net)) == ("pool",)
    assert names(split(net, stilled=True)) == ("a",)
    assert names(split(net, "a", stilled=True)) == ("a",)
    loose = graph(*BACKBONE[:4], drop.with_config(trainable=True), *net.layers[5:])
    assert names(split(loose, stilled=True)) == ("pool",)


def nested(trainable=False, **dropout):
    inner = [
        {"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, 9], "dtype": "float32"}},
        {"class_name": "Dense", "config": {"name": "a", "trainable": trainable, "units": 2}},
        {"class_name": "Dropout", "config": {"name": "drop", **dropout}},
    ]
    inner = [
        {"module": "keras.layers", "registered_name": None, **each, "name": each["config"]["name"]} for each in inner
    ]
    config = {"name": "backbone", "trainable": True, "layers": inner}
    return Layer("backbone", "Sequential", config, (Call([Ref("x")], {}),), "keras.src.models.sequential")


def test_a_nested_model_is_whole_on_one_side():
    head = dense("head", "backbone", trainable=True)
    assert names(split(graph(image(shape=(9,)), nested(rate=0.0), head))) == ("backbone",)
    assert names(split(graph(image(shape=(9,)), nested(rate=0.1), head))) == ("x",)
    assert names(split(graph(image(shape=(9,)), nested(trainable=True, rate=0.0), head))) == ("x",)


def test_a_class_that_is_not_known_is_computed_anew_unless_a_place_behind_it_is_named():
    custom = Layer(
        "own",
        "Own",
        {"name": "own", "trainable": False, "layers": 3, "cell": "own"},
        (Call([Ref("x")], {}),),
        "",
        "pkg>Own",
    )
    net = graph(image(shape=(9,)), custom, dense("a", "own", units=2), dense("head", "a", trainable=True))
    assert names(split(net)) == ("x",)
    assert names(split(net, "a", shapes={Ref("own"): (3,)})) == ("a",)
    with pytest.raises(LayerError, match="shape of 'a' is not known: Own 'own' has no rule"):
        split(net, "a")


def test_masks_do_not_survive_being_kept():
    tokens = image("x", (200,), "int32")
    embedding = layer("embed", "x", kind="Embedding", input_dim=9, output_dim=1, mask_zero=True, dtype="float16")
    net = (tokens, embedding, dense("a", "embed", units=1), layer("lstm", "a", kind="LSTM", units=2, trainable=True))
    parts = split(graph(*net))
    assert names(parts) == ("x",)
    with pytest.raises(LayerError, match="'a' gives cannot be kept") as caught:
        split(graph(*net), "a")
    assert caught.value.problems[0].found == "a mask"
    pooled = layer("pool", "a", kind="GlobalAveragePooling1D")
    assert names(split(graph(*net[:3], pooled, dense("head", "pool", trainable=True)))) == ("pool",)


# Places that are named


def test_a_place_that_is_named_is_taken():
    net = graph(*BACKBONE)
    assert names(split(net, "conv")) == ("conv",)
    parts = split(net, ["norm"])
    assert parts.suffix.names == ("features", "pool", "label")
    assert split(net, "x").suffix.layers == net.layers


def test_a_place_behind_what_is_trained_or_random_is_refused():
    drop = layer("drop", "conv", kind="Dropout", rate=0.5)
    trained = layer("norm", "drop", kind="BatchNormalization", trainable=True)
    net = graph(*BACKBONE[:2], drop, trained, *BACKBONE[3:])
    with pytest.raises(LayerError, match="is trained before the place") as caught:
        split(net, "pool")
    assert {each.where: each.found for each in caught.value.problems} == {
        "drop": "another output at each step of training",
        "norm": "trained",
    }


def test_a_place_that_not_everything_passes_is_refused():
    net = graph(*BACKBONE[:3], layer("add", "norm", "conv", kind="Add"), dense("head", "add", trainable=True))
    with pytest.raises(LayerError, match="does not come apart at 'norm'") as caught:
        split(net, "norm")
    assert [each.where for each in caught.value.problems] == ["x"]
    assert names(split(net, ["norm", "conv"])) == ("norm", "conv")
    assert composed(split(net, ["norm", "conv"]), ["x"]) == evaluate(net, ["x"])


def test_a_place_that_nothing_follows_is_refused():
    with pytest.raises(LayerError, match="does not come apart") as caught:
        split(graph(*BACKBONE), ["conv", "norm"])
    assert caught.value.problems[0].where == "conv"


def test_a_name_that_is_not_there_offers_the_nearest():
    with pytest.raises(LayerError, match="no layer 'pol'") as caught:
        split(graph(*BACKBONE), "pol")
    assert "'pool'" in caught.value.next_step


@pytest.mark.parametrize("at", [[], ["conv", "conv"]])
def test_no_name_and_a_name_twice_are_slips(at):
    with pytest.raises(ValueError, match=r"at least one|twice"):
        split(graph(*BACKBONE), at)


# Every split of every small graph


@st.composite
def nets(draw):
    """Layers that take one or two tensors from before, some of them called twice; random sizes, some trained."""
    layers = [image(f"in_{k}", (draw(st.integers(1, 9)),)) for k in range(draw(st.integers(1, 2)))]
    tensors = [Ref(each.name) for each in layers]
    for k in range(draw(st.integers(1, 6))):
        calls = []
        for node in range(draw(st.integers(1, 2))):
            sources = draw(st.lists(st.sampled_from(tensors), min_size=1, max_size=2))
            # Join first, so that each layer has one output of its own size whatever it takes.
            calls.append(Call(sources, {}))
            tensors.append(Ref(f"d_{k}", node))
        flags = {"trainable": draw(st.booleans()), "units": draw(st.integers(1, 9)), "name": f"d_{k}"}
        layers.append(Layer(f"d_{k}", "Dense", flags, tuple(calls)))
    outputs = draw(st.lists(st.sampled_from(tensors), min_size=1, max_size=2, unique=True))
    inputs = tuple(Ref(each.name) for each in layers if not each.calls)
    return Graph("net", tuple(layers), inputs, tuple(outputs))


def size(net, ref):
    found = net.layer(ref.layer)
    return 4 * (found.config["units"] if found.calls else found.config["batch_shape"][1])


def every_split(net):
    """(bytes, calls in the prefix) of each split that is allowed, by trying them all."""
    calls = {(each.name, k): each.calls[k] for each in net for k in range(len(each.calls))}
    ahead, needed = list(net.outputs), set()
    while ahead:
        ref = ahead.pop()
        key = (ref.layer, ref.node)
        if key in calls and key not in needed:
            needed.add(key)
            ahead += calls[key].sources
    free = [key for key in needed if not net.layer(key[0]).config["trainable"]]
    for choice in product((False, True), repeat=len(free)):
        front = {key for key, taken in zip(free, choice, strict=True) if taken}
        if any(
            (ref.layer, ref.node) not in front and net.layer(ref.layer).calls
            for key in front
            for ref in calls[key].sources
        ):
            continue
        wanted = {*net.outputs, *(ref for key in needed - front for ref in calls[key].sources)}
        crossing = {ref for ref in wanted if (ref.layer, ref.node) in front or not net.layer(ref.layer).calls}
        yield sum(size(net, ref) for ref in crossing), frozenset(front), crossing


@given(nets())
def test_the_parts_of_every_graph_compose_to_the_whole_at_the_least_cost(net):
    parts = split(net)
    given_values = [ref.layer for ref in net.inputs]
    assert composed(parts, given_values) == evaluate(net, given_values)
    trained = {each.name for each in net if each.config.get("trainable")}
    assert not trained & set(parts.prefix.names)
    splits = list(every_split(net))
    cheapest = min(cost for cost, _, _ in splits)
    assert sum(size(net, ref) for ref in parts.boundary) == cheapest
    latest = max((front for cost, front, _ in splits if cost == cheapest), key=len)
    assert set(parts.boundary) == next(crossing for _, front, crossing in splits if front == latest)


@given(nets())
def test_the_latest_split_of_every_graph_leaves_no_call_to_the_suffix_that_it_need_not(net):
    parts = split(net, latest=True)
    given_values = [ref.layer for ref in net.inputs]
    assert composed(parts, given_values) == evaluate(net, given_values)
    most, crossing = max(((front, crossing) for _, front, crossing in every_split(net)), key=lambda each: len(each[0]))
    assert set(parts.boundary) == crossing
    assert sum(len(each.calls) for each in parts.prefix) <= len(most)
