"""Splits of networks: what Keras computes with the two parts is what it computes with the whole, to the bit."""

import keras
import numpy as np
import pytest

from tests.surgery.networks import backbone, with_values
from transfer.graphs.fixed_layers import TRAINED, why_not_fixed
from transfer.graphs.freezing import freeze, freeze_all
from transfer.graphs.masks import masked_calls
from transfer.graphs.parsing import parse_config
from transfer.graphs.shapes import infer_shapes
from transfer.graphs.tensor_types import infer_types
from transfer.models.building import build_model, read_model
from transfer.specs import Preprocessing
from transfer.surgery.network import Network
from transfer.surgery.splitting import split
from transfer.weights.cards import Card, Fingerprint

L = keras.layers


def frozen(model, *names):
    """The model as a network, with these layers frozen; all but the last without names."""
    network = read_model(with_values(model))
    graph = network.graph
    last = graph.layers[-1].name
    graph = freeze(graph, names or [each.name for each in graph if each.name != last])
    return Network(graph, network.tensors)


def feed(model, seed=3):
    """Two examples for each input."""
    random = np.random.default_rng(seed)
    whole = [each.dtype.startswith(("int", "uint")) for each in model.inputs]
    shapes = [tuple(8 if size is None else size for size in each.shape[1:]) for each in model.inputs]
    return [
        random.integers(0, 5, (2, *shape)).astype(each.dtype) if is_whole else random.random((2, *shape), "float32")
        for each, shape, is_whole in zip(model.inputs, shapes, whole, strict=True)
    ]


def call(model, values, *, training=False):
    if isinstance(model.input, dict):
        values = dict(zip(model.input, values, strict=True))
    found = model(values if isinstance(values, dict) or len(values) > 1 else values[0], training=training)
    return [keras.ops.convert_to_numpy(each) for each in keras.tree.flatten(found)]


def check(network, at=None, **options):
    """The boundary; asserts that the parts compose to the whole, for training as well."""
    prefix, suffix = split(network, at, **options)
    whole, first, second = build_model(network), build_model(prefix), build_model(suffix)
    values = feed(whole)
    kept = call(first, values)
    for ours, theirs in zip(call(second, kept), call(whole, values), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert [each.dtype.name for each in kept] == [each.dtype for each in second.inputs]
    assert not first.trainable_variables
    assert len(second.trainable_variables) == len(whole.trainable_variables)
    for ours, theirs in zip(call(first, values, training=True), kept, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    return prefix, suffix


def boundary(parts):
    return tuple(ref.layer for ref in parts[0].graph.outputs)


def two_branches():
    inputs = keras.Input((8, 8, 3), name="photo")
    fixed = L.GlobalAveragePooling2D(name="fixed_pool")(L.Conv2D(4, 3, name="fixed")(inputs))
    x = L.Conv2D(2, 3, strides=2, name="stem")(inputs)
    x = L.ReLU(name="stem_relu")(x)
    x = L.Conv2D(2, 3, name="tuned")(x)
    joined = L.Concatenate(name="join")([fixed, L.GlobalMaxPooling2D(name="tuned_pool")(x)])
    return keras.Model(inputs, L.Dense(2, name="label")(joined), name="branches")


def several_inputs():
    photo, table = keras.Input((8, 8, 3), name="photo"), keras.Input((3,), name="table", dtype="int32")
    seen = backbone()(photo)
    counted = L.Dense(4, name="counted")(L.Embedding(6, 2, name="embed")(table))
    joined = L.Concatenate(name="join")([seen, L.Flatten(name="flat")(counted)])
    return keras.Model({"photo": photo, "table": table}, L.Dense(2, name="label")(joined), name="several")


def several_outputs():
    inputs = keras.Input((8, 8, 3), name="photo")
    x = L.Conv2D(4, 3, name="stem")(inputs)
    one = L.Dense(2, name="one")(L.GlobalAveragePooling2D(name="pool")(x))
    two = L.Dense(3, name="two")(L.Flatten(name="flat")(L.MaxPooling2D(name="small")(x)))
    return keras.Model(inputs, {"one": one, "two": two}, name="outputs")


def shared():
    left, right = keras.Input((6,), name="left"), keras.Input((6,), name="right")
    twice = L.Dense(4, name="shared")
    tuned = L.Dense(6, name="tuned")(left)
    return keras.Model(
        [left, right],
        L.Dense(1, name="label")(L.Concatenate(name="join")([twice(tuned), twice(twice(right)[:, :1] * right)])),
        name="shared",
    )


def wrapped():
    inputs = keras.Input((5, 6), name="steps")
    x = L.TimeDistributed(L.Dense(4), name="each")(inputs)
    x = L.Bidirectional(L.LSTM(3), name="both")(x)
    return keras.Model(inputs, L.Dense(1, name="label")(x), name="wrapped")


def test_mobilenet_with_a_new_head_is_cut_at_its_features():
    base = keras.applications.MobileNetV2((32, 32, 3), weights=None, include_top=False, pooling="avg", alpha=0.35)
    model = keras.Model(base.input, L.Dense(3, name="label")(base.output))
    assert boundary(check(frozen(model), latest=True)) == ("global_average_pooling2d",)
    # 1 x 1 x 56 before the last block against 1280 behind it: the fewest bytes are not the least work.
    assert boundary(check(frozen(model))) == ("block_15_add",)


def test_resnet_with_its_last_block_unfrozen_is_cut_before_that_block():
    model = keras.applications.ResNet50(input_shape=(64, 64, 3), weights=None, classes=3)
    network = read_model(model)
    last = [name for name in network.graph.names if name.startswith(("conv5_block3", "predictions"))]
    graph = freeze(network.graph, [name for name in network.graph.names if name not in last])
    parts = check(Network(graph, network.tensors))
    assert boundary(parts) == ("conv5_block2_out",)
    assert parts[1].graph.names[1:] == tuple(name for name in network.graph.names if name in (*last, "avg_pool"))


def test_two_branches_are_each_cut_where_training_begins():
    parts = check(frozen(two_branches(), "fixed", "stem"))
    assert boundary(parts) == ("stem_relu", "fixed_pool")


def test_several_inputs_of_different_types():
    parts = check(frozen(several_inputs()))
    assert boundary(parts) == ("table", "backbone")
    assert parts[0].graph.input_keys == ("photo", "table")
    parts = check(frozen(several_inputs()), ["join"])
    assert parts[1].graph.names == ("features", "label")


def test_several_outputs_keep_their_keys():
    parts = check(frozen(several_outputs(), "stem", "one"))
    assert boundary(parts) == ("flat", "one")
    assert parts[1].graph.output_keys == ("one", "two")


def test_a_shared_layer_has_its_tensors_in_both_parts():
    parts = check(frozen(shared(), "shared"))
    assert [name for name in parts[0].tensors if name in parts[1].tensors] == ["shared/kernel", "shared/bias"]


def test_a_nested_backbone_stays_whole():
    inputs = keras.Input((8, 8, 3), name="photo")
    model = keras.Model(inputs, L.Dense(2, name="label")(L.Dropout(0.5, name="drop")(backbone()(inputs))), name="outer")
    network = frozen(model)
    prefix, suffix = split(network)
    assert boundary((prefix, suffix)) == ("backbone",)
    assert suffix.graph.names == ("features", "drop", "label")
    assert "backbone/backbone_norm/gamma" in prefix.tensors
    whole = build_model(network)
    values = feed(whole)
    np.testing.assert_array_equal(
        call(build_model(suffix), call(build_model(prefix), values))[0], call(whole, values)[0]
    )


def test_a_sequential_model_and_wrappers():
    model = keras.Sequential([keras.Input((8, 8, 3)), backbone(), L.Dense(2, name="label")], name="chain")
    assert boundary(check(frozen(model))) == ("backbone",)
    assert boundary(check(frozen(wrapped()))) == ("both",)


def test_operations_stand_in_both_parts():
    inputs = keras.Input((6,), name="x")
    y = keras.ops.relu(L.Dense(4, name="a")(inputs) * 2.0)
    model = keras.Model(inputs, keras.ops.mean(L.Dense(3, name="b")(y), axis=-1) + 1.0)
    parts = check(frozen(model, "a"))
    assert boundary(parts) == ("relu",)


def test_frozen_dropout_stands_in_the_prefix_where_it_is_stilled():
    inputs = keras.Input((8, 8, 3), name="photo")
    x = L.Dropout(0.5, noise_shape=(None, 1, 1, 1), name="drop")(L.Conv2D(3, 1, name="conv")(inputs))
    x = L.GlobalAveragePooling2D(name="pool")(L.Add(name="add")([x, inputs]))
    network = frozen(keras.Model(inputs, L.Dense(2, name="label")(x)))
    assert "drop" in split(network)[1].graph.names
    prefix, suffix = split(network, stilled=True)
    assert boundary((prefix, suffix)) == ("pool",)
    whole = build_model(network)
    kept = call(build_model(prefix), feed(whole))
    np.testing.assert_array_equal(call(build_model(suffix), kept)[0], call(whole, feed(whole))[0])


def test_all_frozen_and_all_trained():
    model = backbone()
    network = read_model(with_values(model))
    prefix, suffix = check(Network(freeze_all(network.graph), network.tensors))
    assert (len(prefix.graph.layers), len(suffix.graph.layers)) == (len(network.graph.layers), 1)
    prefix, suffix = check(network)
    assert (prefix.graph.names, suffix.graph.layers) == (("backbone_in",), network.graph.layers)
    assert not dict(prefix.tensors)


def test_values_in_half_precision_are_kept_as_such():
    inputs = keras.Input((6, 6, 3), name="x")
    x = L.Conv2D(2, 3, dtype="mixed_float16", name="conv")(inputs)
    model = keras.Model(inputs, L.Dense(2, name="label")(L.Flatten(dtype="mixed_float16", name="flat")(x)))
    parts = check(frozen(model))
    assert build_model(parts[1]).inputs[0].dtype == "float16"


def test_masks_are_not_lost():
    tokens = keras.Input((7,), name="tokens", dtype="int32")
    x = L.Embedding(9, 4, mask_zero=True, name="embed")(tokens)
    model = keras.Model(tokens, L.Dense(1, name="label")(L.LSTM(3, name="lstm")(x)))
    assert boundary(check(frozen(model, "embed"))) == ("tokens",)
    assert boundary(check(frozen(model))) == ("lstm",)


class Counted(dict):
    reads = 0

    def __getitem__(self, name):
        type(self).reads += 1
        return super().__getitem__(name)


def test_no_tensor_is_read_and_new_layers_stay_new():
    network = frozen(backbone(), "backbone_conv")
    held = Network(network.graph, Counted(network.tensors), None, frozenset({"backbone_conv_2"}))
    Counted.reads = 0
    prefix, suffix = split(held)
    assert Counted.reads == 0
    assert (prefix.new, suffix.new) == (frozenset(), {"backbone_conv_2"})
    assert {*prefix.tensors, *suffix.tensors} == set(network.tensors)


def test_cards_say_which_part_it_is():
    network = frozen(backbone(), "backbone_conv", "backbone_norm")
    look = Preprocessing(size=(8, 8))
    card = Card(
        "net", {}, look, ("a", "b"), fingerprint=Fingerprint(1, ((2, 4),), ("float32",), ((0.5,),)), history=("made",)
    )
    prefix, suffix = split(Network(network.graph, network.tensors, card))
    assert (prefix.card.preprocessing, prefix.card.classes, prefix.card.fingerprint) == (look, (), None)
    assert (suffix.card.preprocessing, suffix.card.classes, suffix.card.architecture) == (None, ("a", "b"), None)
    assert prefix.card.history == ("made", "kept what leads to backbone_norm")
    assert suffix.card.history == ("made", "kept what follows backbone_norm")


# What the split relies on, held against Keras


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize(
    "layer",
    [
        lambda: L.Dense(2),
        lambda: L.Normalization(),
        lambda: L.ReLU(),
        lambda: L.PReLU(),
        lambda: L.BatchNormalization(),
        lambda: L.TimeDistributed(L.Dense(2)),
        lambda: L.TimeDistributed(L.Dense(2, trainable=False)),
        lambda: L.TimeDistributed(keras.Sequential([L.Dense(2)])),
        lambda: L.Bidirectional(L.LSTM(2)),
        lambda: L.Bidirectional(L.LSTM(2, trainable=False)),
        lambda: L.RNN([L.LSTMCell(2), L.GRUCell(2)]),
        lambda: L.RNN([L.LSTMCell(2, trainable=False), L.GRUCell(2)]),
        lambda: L.SpectralNormalization(L.Dense(2)),
        lambda: keras.Sequential([L.Dense(2, trainable=False), L.ReLU()]),
        lambda: keras.Sequential([L.Dense(2, trainable=False), L.Dense(2)]),
    ],
)
def test_what_is_called_trained_is_what_keras_trains(layer, flag):
    inputs = keras.Input((4, 3), name="x")
    made = layer()
    if not isinstance(made, keras.Model):
        made.trainable = flag if flag else made.trainable
    model = keras.Model(inputs, made(inputs))
    network = read_model(model)
    graph = network.graph if flag else freeze(network.graph, made.name)
    trained = why_not_fixed(graph.layers[-1]) == TRAINED
    assert trained == bool(build_model(Network(graph, network.tensors)).trainable_variables)


def test_a_model_that_is_called_for_training_overrules_what_its_calls_say():
    inputs = keras.Input((1000,), name="x")
    inner = keras.Sequential([keras.Input((1000,)), L.Dropout(0.5)], name="inner")
    model = keras.Model(inputs, [L.Dropout(0.5)(inputs, training=False), inner(inputs, training=False)])
    ones = np.ones((2, 1000), "float32")
    assert all((end == 0).any() for end in call(model, [ones], training=True))
    assert boundary(split(Network(freeze_all(read_model(model).graph), {}))) == ("x",)


def typed():
    """A model of tensors of many types."""
    whole, real = keras.Input((4, 3), name="whole", dtype="uint8"), keras.Input((4, 3), name="real")
    half = L.Dense(3, dtype="mixed_bfloat16")(real)
    nested = keras.Sequential([keras.Input((4, 3)), L.Dense(2, dtype="float16")])(half)
    flat = L.Flatten()(whole)
    outputs = [
        half,
        nested,
        flat,
        L.Rescaling(0.5)(whole),
        L.Concatenate()([whole, whole]),
        L.Permute((2, 1))(whole),
        L.Embedding(300, 2)(flat),
        L.TimeDistributed(L.Dense(2))(half),
        L.TimeDistributed(L.Dense(2, dtype="float16"))(half),
        L.Normalization()(real),
        keras.ops.argmax(real, axis=-1),
        keras.ops.cast(real, "int32"),
        real > 0.5,
        keras.ops.relu(half) * 2.0,
        real[:, :2],
        keras.ops.mean(half, axis=-1),
    ]
    return keras.Model([whole, real], outputs)


def test_types_are_those_that_keras_computes():
    model = typed()
    graph = parse_config(keras.saving.serialize_keras_object(model))
    types = infer_types(graph, infer_shapes(graph))
    told = [types.get(ref) for ref in graph.outputs]
    # Whole numbers side by side, and a layer inside one of another type: Keras announces other types than it computes.
    assert [place for place, each in enumerate(told) if each is None] == [4, 8]
    assert all(each in (None, end.dtype) for each, end in zip(told, model.outputs, strict=True))


def test_a_type_that_is_known_is_right_in_every_application():
    for build in (keras.applications.MobileNetV3Small, keras.applications.EfficientNetV2B0):
        model = build(weights=None, input_shape=(64, 64, 3))
        graph = parse_config(keras.saving.serialize_keras_object(model))
        assert set(infer_types(graph, infer_shapes(graph)).values()) == {"float32"}


@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask:UserWarning")
def test_masks_travel_as_far_as_keras_hands_them_on():
    tokens = keras.Input((6,), name="tokens", dtype="int32")
    x = L.Embedding(5, 4, mask_zero=True, name="embed")(tokens)
    ends = {
        "dense": L.Dense(4)(x),
        "conv": L.Conv1D(4, 1)(x),
        "sequences": L.LSTM(4, return_sequences=True)(x),
        "last": L.GRU(4)(x),
        "both": L.Bidirectional(L.GRU(4, return_sequences=True))(x),
        "both_last": L.Bidirectional(L.GRU(4))(x),
        "pool": L.GlobalAveragePooling1D()(x),
        "operation": x * 2.0,
        "masking": L.Masking()(L.Conv1D(4, 1, name="other")(x)),
        "drop": L.Dropout(0.1)(x),
        "each": L.TimeDistributed(L.Dense(2))(x),
    }
    model = keras.Model(tokens, list(ends.values()))
    graph = parse_config(keras.saving.serialize_keras_object(model))
    masked = masked_calls(graph)
    values = dict.fromkeys(ends, None)
    ones = np.ones((2, 6), "int32")
    for (name, end), ref in zip(ends.items(), graph.outputs, strict=True):
        values[name] = (ref.layer, ref.node) in masked
        found = keras.Model(tokens, end)(ones)
        assert values[name] or getattr(found, "_keras_mask", None) is None
    assert [name for name, is_masked in values.items() if is_masked] == [
        *("dense", "sequences", "both", "masking", "drop", "each")
    ]
