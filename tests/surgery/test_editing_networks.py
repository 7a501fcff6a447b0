"""Layers of networks put in, taken out, replaced and renamed: kept tensors keep their bits, lost ones are named."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import BUILDERS, nested, outputs, recurrent, shared, with_values

from transfer.errors import LayerError
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.variables import describe_graph
from transfer.models.building import build_model, read_model
from transfer.surgery.editing import insert, remove, rename, replace_layer
from transfer.surgery.network import Network
from transfer.weights.cards import Card, Fingerprint

L = keras.layers
LINEAR = Layer("linear", "Activation", {"name": "linear", "activation": "linear"})


def dense(name, units, **config):
    return Layer(name, "Dense", {"name": name, "trainable": True, "units": units, "activation": "linear", **config})


def chain(card=None):
    """784 → 64 → 64 → 10, without Keras; its tensors count how often one is read."""
    layers = [Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, 784]})]
    for name, units in (("a", 64), ("b", 64), ("logits", 10)):
        layers.append(replace(dense(name, units), calls=(Call([Ref(layers[-1].name)], {}),)))
    graph = Graph("net", tuple(layers), (Ref("x"),), (Ref("logits"),))
    random = np.random.RandomState(0)
    tensors = {name: random.rand(*spec.shape).astype("float32") for name, spec in describe_graph(graph).items()}
    return Network(graph, Counted(tensors), card)


class Counted(dict):
    """Tensors that count how often one is read."""

    reads = 0

    def __getitem__(self, name):
        self.reads += 1
        return super().__getitem__(name)

    def __contains__(self, name):
        self.reads += 1  # as a mapping answers that has nothing but `__getitem__`
        return super().__contains__(name)


def told(problems):
    return [(each.where, each.expected, each.found) for each in problems]


def assert_kept(network, source, *names):
    for name in names:
        kept = network.tensors[name]
        assert kept.dtype == source.tensors[name].dtype
        assert kept.tobytes() == source.tensors[name].tobytes()


# What fits no more


def test_a_smaller_layer_is_named_with_the_one_behind_it():
    source = chain()
    edited = replace_layer(source, "a", dense("a", 32))
    assert told(edited.changed) == [
        ("a/kernel", "(784, 32) in the new graph", "(784, 64) before"),
        ("a/bias", "(32,) in the new graph", "(64,) before"),
        ("b/kernel", "(32, 64) in the new graph", "(64, 64) before"),
    ]
    assert edited.dropped == ()
    assert edited.network.new == {"a"}
    assert source.tensors.reads == 0
    assert_kept(edited.network, source, "b/bias", "logits/kernel", "logits/bias")
    assert {name: array.shape for name, array in edited.network.tensors.items()} == {
        name: spec.shape for name, spec in describe_graph(edited.network.graph).items()
    }


def test_initial_values_go_by_the_seed():
    first, same, other = (replace_layer(chain(), "a", dense("a", 32), seed=seed).network.tensors for seed in (1, 1, 2))
    np.testing.assert_array_equal(first["b/kernel"], same["b/kernel"])
    assert not np.array_equal(first["b/kernel"], other["b/kernel"])
    assert np.abs(first["b/kernel"]).max() <= np.sqrt(6 / 96)  # Glorot uniform
    np.testing.assert_array_equal(first["a/bias"], np.zeros(32, "float32"))


def test_strictly_nothing_that_fits_no_more_is_started_anew():
    with pytest.raises(LayerError, match="would fit no more") as caught:
        replace_layer(chain(), "a", dense("a", 32), strict=True)
    assert [each.where for each in caught.value.problems] == ["a/kernel", "a/bias", "b/kernel"]
    with pytest.raises(LayerError, match="would fit no more"):
        remove(chain(), "a", strict=True)
    with pytest.raises(LayerError, match="would fit no more"):
        insert(chain(), dense("wide", 70), after="a", strict=True)
    assert insert(chain(), dense("same", 64), after="a", strict=True).changed == ()
    assert remove(chain(), "b", strict=True).dropped == ("b/kernel", "b/bias")


def test_a_layer_of_the_same_class_and_sizes_keeps_its_tensors():
    source = chain()
    edited = replace_layer(source, "a", dense("a", 64, activation="relu"), strict=True)
    assert (edited.changed, edited.dropped, edited.network.new) == ((), (), frozenset())
    assert_kept(edited.network, source, *source.tensors)
    assert edited.network.graph.layer("a").config["activation"] == "relu"


def test_a_layer_of_another_class_does_not_inherit_what_has_the_same_name_and_shape():
    model = keras.Sequential([keras.Input((6,)), L.BatchNormalization(name="norm"), L.Dense(2, name="end")])
    source = read_model(with_values(model))
    edited = replace_layer(source, "norm", Layer("norm", "LayerNormalization", {"name": "norm"}))
    assert edited.network.new == {"norm"}
    assert edited.changed == ()
    assert set(edited.dropped) == {f"norm/{role}" for role in ("gamma", "beta", "moving_mean", "moving_variance")}
    np.testing.assert_array_equal(edited.network.tensors["norm/gamma"], np.ones(6))


def test_a_layer_that_is_put_in_is_new_and_has_initial_values():
    source = chain()
    edited = insert(source, dense("extra", 64), after="a")
    assert (edited.changed, edited.dropped, edited.network.new) == ((), (), {"extra"})
    assert edited.network.tensors["extra/kernel"].shape == (64, 64)
    assert len(edited.network.tensors) == 8
    assert_kept(edited.network, source, *source.tensors)
    assert insert(source, LINEAR, after="a").network.new == {"linear"}  # it holds nothing, and was not there


def test_what_was_new_stays_new_and_nothing_is_made_up_for_it():
    source = replace(chain(), new=frozenset({"logits"}))
    source = replace(source, tensors={n: a for n, a in source.tensors.items() if not n.startswith("logits/")})
    edited = insert(source, LINEAR, after="b")
    assert edited.network.new == {"linear", "logits"}
    assert "logits/kernel" not in edited.network.tensors
    assert rename(source, {"logits": "label"}).network.new == {"label"}
    assert remove(source, "logits").network.new == frozenset()


def test_a_tensor_that_was_missing_is_not_made_up():
    source = chain()
    del source.tensors["b/bias"]
    edited = insert(source, LINEAR, after="a").network
    assert edited.new == {"linear"}
    with pytest.raises(LayerError, match="do not fit") as caught:
        build_model(edited)
    assert [each.where for each in caught.value.problems] == ["b/bias"]


def test_a_nested_model_keeps_what_fits_and_is_not_new_as_a_whole():
    source = read_model(with_values(nested()))
    filters = Layer("mix", "Conv2D", {"name": "mix", "filters": 5, "kernel_size": [1, 1], "padding": "same"})
    old = source.graph.layer("backbone")
    layers = [{**each, "config": dict(each["config"])} for each in old.config["layers"]]
    assert layers[0]["class_name"] == "InputLayer"
    layers[0]["config"]["batch_shape"] = [None, 8, 8, 5]
    opened = replace_layer(source, "backbone", replace(old, calls=()).with_config(layers=layers))
    assert told(opened.changed) == [
        ("backbone/backbone_conv/kernel", "(3, 3, 5, 4) in the new graph", "(3, 3, 3, 4) before")
    ]
    edited = insert(opened.network, filters, after="photo")
    assert edited.changed == ()
    assert edited.network.new == {"mix"}
    assert_kept(edited.network, source, "backbone/backbone_conv_2/kernel", "backbone/backbone_norm/moving_mean")
    assert edited.network.tensors["backbone/backbone_conv/kernel"].shape == (3, 3, 5, 4)
    assert build_model(edited.network).count_params() > 0


# What the card says

CARD = Card(
    name="net",
    architecture={"class_name": "Functional"},
    classes=tuple("0123456789"),
    fingerprint=Fingerprint(1, ((2, 4),), ("float32",), ((0.5,),)),
    digests={"a/kernel": "00"},
    history=("trained",),
)


@pytest.mark.parametrize(
    ("edit", "said", "keeps_classes"),
    [
        (lambda network: insert(network, LINEAR, after="a"), "inserted linear after a", True),
        (lambda network: insert(network, LINEAR, before="a"), "inserted linear before a", True),
        (lambda network: insert(network, LINEAR, after="logits"), "inserted linear after logits", True),
        (lambda network: insert(network, dense("more", 10), after="logits"), "inserted more after logits", False),
        (lambda network: remove(network, "b"), "removed b", True),
        (lambda network: remove(network, "logits"), "removed logits", False),
        (lambda network: replace_layer(network, "a", dense("a", 5)), "replaced a by Dense a", True),
        (lambda network: replace_layer(network, "logits", dense("end", 10)), "replaced logits by Dense end", False),
        (
            lambda network: rename(network, {"a": "b", "b": "a"}, model="student"),
            "renamed a to b, b to a, the network to student",
            True,
        ),
    ],
)
def test_the_card_says_what_was_done_and_drops_what_no_longer_holds(edit, said, keeps_classes):
    card = edit(chain(CARD)).network.card
    assert card.history == ("trained", said)
    assert (card.architecture, card.fingerprint, card.digests) == (None, None, {})
    assert card.classes == (CARD.classes if keeps_classes else ())
    assert card.name == "net"


def test_no_card_stays_no_card_and_renaming_nothing_changes_nothing():
    assert insert(chain(), LINEAR, after="a").network.card is None
    source = chain(CARD)
    assert rename(source, {}).network is source


# Renaming


def test_renamed_tensors_are_read_when_asked_for():
    source = chain()
    edited = rename(source, {"a": "b", "b": "a", "logits": "label"})
    assert list(edited.network.tensors) == [f"{n}/{role}" for n in ("b", "a", "label") for role in ("kernel", "bias")]
    assert source.tensors.reads == 0
    assert edited.network.tensors["a/kernel"].tobytes() == source.tensors["b/kernel"].tobytes()
    assert (edited.changed, edited.dropped) == ((), ())


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_keras_computes_the_same_under_other_names(build):
    source = read_model(with_values(build()))
    names = {name: f"layer_{k}" for k, name in enumerate(reversed(source.graph.names))}
    edited = rename(source, names, model="other").network
    model = build_model(edited)
    assert model.name == "other"
    assert {layer.name for layer in model.layers} <= set(names.values())
    for expected, found in zip(outputs(build_model(source)), outputs(model), strict=True):
        np.testing.assert_array_equal(found, expected)
    back = rename(edited, {new: old for old, new in names.items()}, model=source.graph.name).network
    assert back.graph == source.graph
    assert_kept(back, source, *source.tensors)
    assert list(back.tensors) == list(source.tensors)


def test_inputs_in_a_dictionary_are_fed_by_their_new_names():
    one, two = keras.Input((3,), name="one"), keras.Input((3,), name="two")
    model = keras.Model({"one": one, "two": two}, {"sum": L.Dense(2, name="end")(L.Add(name="add")([one, two]))})
    source = read_model(with_values(model))
    edited = build_model(rename(source, {"one": "photo", "end": "label"}).network)
    values = np.ones((2, 3), "float32")
    found = edited({"photo": values, "two": 2 * values})
    np.testing.assert_array_equal(found["sum"], model({"one": values, "two": 2 * values})["sum"])


# What Keras makes of it


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_a_linear_activation_changes_no_output_wherever_it_stands(build):
    source = read_model(with_values(build()))
    expected = outputs(build_model(source))
    for layer in source.graph:
        for where in ("after", "before")[: 2 if layer.calls else 1]:
            edited = insert(source, LINEAR, **{where: layer.name}, strict=True)
            assert (edited.changed, edited.dropped) == ((), ())
            for wanted, found in zip(expected, outputs(build_model(edited.network)), strict=True):
                np.testing.assert_array_equal(found, wanted, err_msg=f"{where} {layer.name}")
            assert remove(edited.network, "linear").network.graph == source.graph


def test_a_layer_that_does_something_does_it_on_every_call():
    source = read_model(with_values(shared()))
    twice = Layer("twice", "Rescaling", {"name": "twice", "scale": 2.0, "offset": 1.0})
    model = build_model(insert(source, twice, after="shared").network)
    random = np.random.RandomState(3)
    values = [random.rand(2, 6).astype("float32") for _ in range(2)]
    weights = {name: source.tensors[name] for name in source.tensors}

    def apply(name, x):
        return x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]

    first, second = (2 * apply("shared", value) + 1 for value in values)
    joined = np.concatenate([second, apply("own", values[0]), first], axis=1)
    left, right = model(values)
    np.testing.assert_allclose(left, apply("left", joined), rtol=1e-5)
    np.testing.assert_allclose(right, apply("right", 2 * joined), rtol=1e-5)


def test_taking_a_layer_out_gives_what_keras_gives_without_it():
    source = with_values(recurrent())
    model = build_model(remove(read_model(source), "both_again", strict=False).network)
    assert [layer.name for layer in model.layers] == ["steps", "both_ways", "each", "plain", "last"]
    x = np.random.RandomState(1).rand(2, 5, 6).astype("float32")
    passed = keras.ops.convert_to_numpy(source.get_layer("both_ways")(x))
    np.testing.assert_array_equal(model.get_layer("both_ways")(x), passed)
    assert model.get_layer("each").layer.kernel.shape == (6, 4)


def test_a_dropout_leaves_without_a_trace():
    source = with_values(nested())
    edited = remove(read_model(source), "drop", strict=True)
    for expected, found in zip(outputs(source), outputs(build_model(edited.network)), strict=True):
        np.testing.assert_array_equal(found, expected)


# Properties


def draw_edit(data, network, step):
    names = [each.name for each in network.graph if each.calls]
    name, units = data.draw(st.sampled_from(names)), data.draw(st.sampled_from([10, 64]))
    kind = data.draw(st.sampled_from(["after", "before", "replace", "remove"]))
    if kind == "after":
        return insert(network, dense(f"more_{step}", units), after=name)
    if kind == "before":
        return insert(network, replace(LINEAR, name=f"linear_{step}"), before=name)
    if kind == "replace":
        return replace_layer(network, name, dense(name, units))
    return remove(network, name) if len(names) > 1 else rename(network, {})


@settings(max_examples=25)
@given(st.data())
def test_whatever_is_edited_kept_tensors_keep_their_bits_and_all_are_accounted_for(data):
    source = chain()
    network, lost = source, set()
    for step in range(data.draw(st.integers(1, 3))):
        edited = draw_edit(data, network, step)
        before, network = network, edited.network
        gone = {each.where for each in edited.changed} | set(edited.dropped)
        assert gone | set(network.tensors) >= set(before.tensors)
        lost |= gone
    wanted = describe_graph(network.graph)
    assert {name: array.shape for name, array in network.tensors.items()} == {n: s.shape for n, s in wanted.items()}
    assert_kept(network, source, *(set(network.tensors) & set(source.tensors) - lost))
    whole = {name.split("/")[0] for name in wanted} - {name.split("/")[0] for name in set(source.tensors) - lost}
    assert whole <= network.new
