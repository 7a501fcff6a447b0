"""Extraction from live models: the bits that are kept, the counts that are known, and a source that is not touched."""

import keras
import numpy as np
import pytest

import transfer
from transfer.errors import LayerError
from transfer.models.building import attach_card, card_of
from transfer.models.extracting import extract, extract_from_model
from transfer.models.variables import name_variables
from transfer.specs import Extraction, Head
from transfer.weights.cards import Card


def mlp():
    """784-64-64-10: 50,240 + 4,160 + 650 parameters."""
    inputs = keras.Input((784,), name="digits")
    x = keras.layers.Dense(64, activation="relu", name="dense_1")(inputs)
    x = keras.layers.Dense(64, activation="relu", name="dense_2")(x)
    return keras.Model(inputs, keras.layers.Dense(10, name="predictions")(x), name="three_layers")


def cnn(classes=10):
    inputs = keras.Input((16, 16, 3), name="image")
    x = keras.layers.Conv2D(4, 3, name="conv_1")(inputs)
    x = keras.layers.BatchNormalization(name="norm_1")(x)
    x = keras.layers.ReLU(name="relu_1")(x)
    x = keras.layers.Conv2D(6, 3, name="conv_2")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name="logits")(x), name="small_cnn")


def nested():
    """A classifier around a backbone that is a model of its own."""
    inner_in = keras.Input((6,), name="inner_in")
    x = keras.layers.Dense(5, name="inner_1")(inner_in)
    x = keras.layers.BatchNormalization(name="inner_norm")(x)
    inner = keras.Model(inner_in, keras.layers.Dense(5, name="inner_2")(x), name="backbone_net")
    inputs = keras.Input((6,), name="x")
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(inner(inputs)), name="outer")


def with_values(model, seed=0):
    random = np.random.RandomState(seed)
    model.set_weights([random.rand(*value.shape).astype(value.dtype) for value in model.get_weights()])
    return model


def bits(layers):
    return [value.tobytes() for layer in layers for value in layer.get_weights()]


def flags(model):
    """Trainable or not, for each layer with weights, nested ones included."""
    return {
        layer.name: layer.trainable
        for layer in model._flatten_layers()
        if layer.weights and not hasattr(layer, "layers")
    }


def counts(model):
    return {layer.name: layer.count_params() for layer in model.layers if layer.weights}


# The head is exchanged


def test_the_canonical_counts():
    student = extract(mlp(), drop_last=1, heads=[Head("dense_3", classes=5)])
    assert counts(student) == {"dense_1": 50_240, "dense_2": 4_160, "dense_3": 325}
    assert student.count_params() == 54_725
    assert [layer.name for layer in student.layers] == ["digits", "dense_1", "dense_2", "dense_3"]
    assert student.output_shape == (None, 5)


def test_kept_layers_have_the_bits_of_the_source():
    source = with_values(mlp())
    student = extract(source, drop_last=1, heads=[Head("dense_3", classes=5)])
    assert bits(student.layers[1:3]) == bits(source.layers[1:3])


def test_the_backbone_computes_what_the_source_computes_there():
    source = with_values(cnn())
    x = np.random.RandomState(1).rand(2, 16, 16, 3).astype("float32")
    expected = keras.Model(source.inputs[0], source.get_layer("pool").output)(x, training=False)
    np.testing.assert_array_equal(extract(source, drop_last=1)(x, training=False), expected)


def test_no_variable_is_shared_with_the_source_and_the_source_keeps_its_bits_and_flags():
    source = with_values(mlp())
    before, were = bits(source.layers), flags(source)
    student = extract(source, drop_last=1, freeze="backbone", heads=[Head("dense_3", classes=5)])
    assert not {id(each) for each in student.variables} & {id(each) for each in source.variables}
    student.set_weights([value + 1 for value in student.get_weights()])
    assert bits(source.layers) == before
    assert flags(source) == were
    assert [layer.name for layer in source.layers][-1] == "predictions"


def test_a_head_gives_logits():
    head = extract(mlp(), drop_last=1, heads=[Head("label", classes=5)]).get_layer("label")
    assert head.activation is keras.activations.linear
    assert head.trainable


def test_a_heads_initial_values_follow_the_seed():
    first, again, other = (
        extract(mlp(), drop_last=1, heads=[Head("label", classes=5)], seed=seed).get_layer("label").get_weights()
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first[0], again[0])
    assert (first[0] != other[0]).any()
    np.testing.assert_array_equal(first[1], np.zeros(5))


def test_several_heads_are_several_outputs_in_their_order():
    student = extract(cnn(), at="conv_2", heads=[Head("kind", classes=3), Head("colour", classes=2, pool="max")])
    assert [tuple(each.shape) for each in student.outputs] == [(None, 3), (None, 2)]
    assert student.output_names == ["kind", "colour"]
    assert {type(layer).__name__ for layer in student.layers if "pool" in layer.name} == {
        "GlobalAveragePooling2D",
        "GlobalMaxPooling2D",
    }


def test_features_ends_a_classifier_before_its_classifier():
    student = extract(cnn(), at="features")
    assert student.layers[-1].name == "pool"
    assert student.output_shape == (None, 6)


def test_a_layer_whose_own_name_is_features_is_meant_by_that_name():
    inputs = keras.Input((4,))
    x = keras.layers.Dense(3, name="features")(inputs)
    x = keras.layers.Dense(3, name="more")(x)
    model = keras.Model(inputs, keras.layers.Dense(2, name="logits")(x))
    assert extract(model, at="features").layers[-1].name == "features"


def test_a_sequential_model_serves_as_source():
    source = with_values(
        keras.Sequential([keras.Input((7,)), keras.layers.Dense(6, name="a"), keras.layers.Dense(3, name="b")])
    )
    student = extract(source, drop_last=1)
    x = np.ones((2, 7), "float32")
    np.testing.assert_array_equal(student(x), source.layers[0](x))


def test_a_sequential_model_built_by_its_first_call_serves_as_source():
    source = keras.Sequential([keras.layers.Dense(6, name="a"), keras.layers.Dense(3, name="b")])
    source(np.ones((2, 7), "float32"))
    student = extract(source, drop_last=1)
    assert student(np.ones((5, 7), "float32")).shape == (5, 6)
    assert bits(student.layers[1:]) == bits(source.layers[:1])


# What is frozen


def test_a_frozen_backbone_trains_the_head_alone():
    student = extract(mlp(), drop_last=1, freeze="backbone", heads=[Head("dense_3", classes=5)])
    assert flags(student) == {"dense_1": False, "dense_2": False, "dense_3": True}
    assert sum(int(np.prod(each.shape)) for each in student.trainable_variables) == 325


def test_frozen_layers_keep_their_bits_under_training_statistics_included():
    student = extract(with_values(cnn()), drop_last=1, freeze="backbone", heads=[Head("label", classes=3)])
    kept = [layer for layer in student.layers if layer.name != "label"]
    before, head = bits(kept), bits([student.get_layer("label")])
    student.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    random = np.random.RandomState(0)
    student.fit(random.rand(8, 16, 16, 3), random.randint(0, 3, 8), epochs=2, batch_size=4, verbose=0)
    assert bits(kept) == before
    assert bits([student.get_layer("label")]) != head


def attending():
    inputs = keras.Input((4, 6), name="x")
    x = keras.layers.MultiHeadAttention(1, 2, name="attend")(inputs, inputs)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling1D(name="pool")(x))


def recurrent():
    inputs = keras.Input((4, 6), name="x")
    x = keras.layers.TimeDistributed(keras.layers.Dense(3), name="each")(inputs)
    return keras.Model(inputs, keras.layers.LSTM(3, name="lstm")(x))


def both_ways():
    inputs = keras.Input((4, 6), name="x")
    x = keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True), name="both_ways")(inputs)
    return keras.Model(inputs, keras.layers.LSTM(3, name="lstm")(x))


@pytest.mark.parametrize("build", [attending, recurrent, both_ways])
def test_frozen_layers_of_layers_keep_their_bits_under_training(build):
    source = build()
    head = keras.layers.Dense(3, name="label")
    source = keras.Model(source.input, head(source.output))
    student = extract(source, freeze=[layer.name for layer in source.layers if layer.weights and layer is not head])
    before = bits(student.layers[:-1])
    student.compile(keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    random = np.random.RandomState(0)
    student.fit(random.rand(8, 4, 6), random.randint(0, 3, 8), epochs=2, batch_size=4, verbose=0)
    assert bits(student.layers[:-1]) == before


@pytest.mark.parametrize("build", [attending, recurrent, both_ways])
def test_layers_of_layers_keep_their_bits_when_they_are_extracted(build):
    source = with_values(build())
    assert bits(extract(source).layers) == bits(source.layers)


def test_names_and_patterns_freeze_layers():
    found = {"conv_1": False, "norm_1": False, "conv_2": False, "logits": True}  # batch norm is fixed unless asked for
    assert flags(extract(cnn(), freeze="conv_*")) == found
    assert flags(extract(cnn(), freeze="conv_*", batch_norm="adapt")) == found | {"norm_1": True}
    assert flags(extract(cnn(), freeze=["norm_1", r"re:conv_\d"])) == {
        "conv_1": False,
        "norm_1": False,
        "conv_2": False,
        "logits": True,
    }


def test_a_pattern_that_fits_no_layer_offers_the_nearest_three():
    with pytest.raises(LayerError, match="no layer that fits 'conv1'") as caught:
        extract(cnn(), freeze="conv1")
    assert "'conv_1'" in caught.value.next_step
    assert caught.value.next_step.count("'") == 6


def test_a_nested_backbone_is_frozen_down_to_its_layers():
    student = extract(nested(), drop_last=1, freeze="backbone", heads=[Head("label", classes=2)])
    assert flags(student) == {"inner_1": False, "inner_norm": False, "inner_2": False, "label": True}
    assert [each.path for each in student.trainable_variables] == ["label/kernel", "label/bias"]


def test_a_nested_backbone_frozen_in_part_stays_frozen_in_part():
    source = nested()
    source.get_layer("backbone_net").get_layer("inner_1").trainable = False
    expected = {"inner_1": False, "inner_norm": True, "inner_2": True, "logits": True}
    assert flags(source) == expected
    assert flags(extract(source)) == expected


def test_a_nested_backbone_of_which_all_was_frozen_but_one_layer_stays_so():
    # Keras writes `trainable: false` for the model and `true` for the layer; built again, the model's flag would win.
    source = nested()
    inner = source.get_layer("backbone_net")
    inner.trainable = False
    inner.get_layer("inner_2").trainable = True
    expected = flags(source)
    assert expected == {"inner_1": False, "inner_norm": False, "inner_2": True, "logits": True}
    assert flags(extract(source)) == expected


def test_nested_layers_keep_their_bits():
    source = with_values(nested())
    student = extract(source, drop_last=1, heads=[Head("label", classes=2)])
    assert bits([student.get_layer("backbone_net")]) == bits([source.get_layer("backbone_net")])


# The card


def test_a_card_travels_along_and_forgets_what_no_longer_holds():
    source = mlp()
    attach_card(source, Card(name="digits", classes=tuple("0123456789"), licence="Apache-2.0", digests={"a": "b"}))
    card = card_of(extract(source, drop_last=1, heads=[Head("label", classes=5)]))
    assert (card.name, card.licence) == ("digits", "Apache-2.0")
    assert (card.classes, card.fingerprint, card.digests) == ((), None, {})
    assert card.history == ("dropped predictions", "attached label:5")


def test_what_restore_gave_serves_as_source():
    student = extract(transfer.restore("digits_mlp"), drop_last=1, freeze="backbone", heads=[Head("label", classes=5)])
    assert student.count_params() == 54_725
    assert card_of(student).preprocessing.size == (28, 28)


# Refusals


def test_drop_last_and_at_exclude_each_other():
    with pytest.raises(ValueError, match="not both"):
        extract(mlp(), drop_last=1, at="dense_1")


def test_a_layer_that_is_not_there_offers_the_nearest():
    with pytest.raises(LayerError, match="no layer 'dense2'") as caught:
        extract(mlp(), at="dense2")
    assert "'dense_2'" in caught.value.next_step


def test_a_heads_name_that_is_taken_is_refused():
    with pytest.raises(LayerError, match="names already"):
        extract(mlp(), drop_last=1, heads=[Head("dense_1", classes=5)])


def test_a_dropped_layers_name_is_free_again():
    student = extract(mlp(), drop_last=1, heads=[Head("predictions", classes=5)])
    assert student.get_layer("predictions").units == 5


def test_what_is_no_model_is_refused():
    with pytest.raises(LayerError, match="found str"):
        extract("digits_mlp", drop_last=1)


def test_a_subclassed_model_is_refused():
    class Mine(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    model = Mine()
    model(np.ones((1, 3), "float32"))
    with pytest.raises(LayerError):
        extract(model, drop_last=1)


@keras.saving.register_keras_serializable("tests")
class Doubled(keras.layers.Layer):
    """A class of the caller's own."""

    def call(self, inputs):
        return keras.ops.concatenate([inputs, inputs], axis=-1)


def test_a_head_goes_behind_a_class_of_the_callers_own():
    inputs = keras.Input((6, 4), name="steps")
    x = Doubled(name="doubled")(keras.layers.Dense(3, name="each")(inputs))
    source = keras.Model(inputs, keras.layers.Dense(2, name="out")(x), name="own")
    student, again = (extract(source, drop_last=1, heads=[Head("label", classes=5)], seed=3) for _ in range(2))
    assert [layer.name for layer in student.layers][1:] == ["each", "doubled", "doubled_avg_pool", "label"]
    assert student.get_layer("label").kernel.shape == (6, 5)
    np.testing.assert_array_equal(student.get_layer("each").kernel, source.get_layer("each").kernel)
    np.testing.assert_array_equal(student.get_layer("label").kernel, again.get_layer("label").kernel)


def around_images():
    image = keras.Input((24, 24, 3), name="image")
    x = keras.layers.Conv2D(4, 3, name="conv_1")(image)
    x = keras.layers.MaxPooling2D(name="pool_1")(x)
    backbone = keras.Model(image, keras.layers.Conv2D(6, 3, name="conv_2")(x), name="backbone")
    photo = keras.Input((24, 24, 3), name="photo")
    x = keras.layers.Flatten(name="flat")(backbone(photo))
    x = keras.layers.Dense(5, activation="relu", name="hidden")(x)
    return keras.Model(photo, keras.layers.Dense(3, activation="softmax", name="classes")(x), name="outer")


def trained(model):
    return {name.rpartition("/")[0] for name, each in name_variables(model).items() if each.trainable}


def test_the_backbone_is_all_that_is_kept_also_where_a_layer_is_called_so():
    student = extract(around_images(), drop_last=1, freeze="backbone", heads=Head("label", 4))
    assert trained(student) == {"label"}
    student = extract(around_images(), drop_last=1, freeze="backbone/*", heads=Head("label", 4))
    assert trained(student) == {"hidden", "label"}


def test_patterns_and_layers_inside_an_opened_model_go_by_their_paths_of_before():
    options = {"at": "backbone/conv_2", "heads": [Head("label", 4)]}
    assert trained(extract(around_images(), freeze="backbone/conv_1", **options)) == {"conv_2", "label"}
    assert trained(extract(around_images(), freeze="backbone/*", **options)) == {"label"}
    assert trained(extract(around_images(), freeze_up_to="backbone/pool_1", **options)) == {"conv_2", "label"}


def test_a_pattern_reaches_what_was_inside_an_opened_model_and_what_was_not():
    opened = {"flatten": True, "drop_last": 1, "heads": [Head("label", 4)]}
    assert trained(extract(around_images(), freeze="re:backbone/conv_2|hidden", **opened)) == {"conv_1", "label"}
    assert trained(extract(around_images(), freeze=["ba*", "hid*"], **opened)) == {"label"}
    assert trained(extract(around_images(), freeze="back[b]one", **opened)) == {"hidden", "label"}
    cut = {"at": "backbone/pool_1", "heads": [Head("conv_2", 4)]}
    assert trained(extract(around_images(), freeze="backbone/conv_*", **cut)) == {"conv_2"}  # the head of that name
    assert trained(extract(around_images(), freeze="re:.*conv_1|hidden|conv_2", **cut)) == set()
    with pytest.raises(LayerError, match="no layer that fits 'backbone/conv_2'"):
        extract(around_images(), freeze="backbone/conv_2", **cut)


def test_the_input_is_adapted_to_what_is_kept():
    student = extract(
        around_images(), at="backbone/pool_1", size=(40, 40), channels=1
    )  # the Dense that would not fit is gone
    assert student.input_shape == (None, 40, 40, 1)
    with pytest.raises(LayerError, match="does not take"):
        extract(around_images(), size=(40, 40))


@pytest.mark.parametrize(
    "options",
    [
        {"at": ["hidden", "hidden"]},
        {"heads": [Head("a", 1), Head("a", 2)]},
        {"heads": ["label:5"]},
        {"freeze": "backbone", "unfreeze_last": 1},
        {"freeze_up_to": "hidden", "unfreeze_last": 1},
    ],
    ids=str,
)
def test_what_contradicts_itself_is_a_slip(options):
    with pytest.raises(ValueError, match=r"twice|takes Head|no freeze beside"):
        extract(around_images(), **options)


def test_what_a_reader_may_not_have_meant_is_noted():
    def notes(**options):
        return extract_from_model(around_images(), Extraction(**options)).notes

    (note,) = notes(heads=Head("label", 4))
    assert "the answers of the old classifier, 'classes'" in note
    assert notes(at="hidden", heads=Head("label", 4)) == ()
    assert notes(at="hidden", heads=Head("label", 4, pool="max")) == (
        "the features have no positions: nothing is pooled for label",
    )
    assert notes(at="hidden", heads=Head("label", 4), freeze="*") == (
        "new layers that are frozen keep their initial values: label",
    )


@pytest.mark.parametrize("name", ["a b", "x:y", "été", "_a", ""])
def test_a_name_that_tensorflow_cannot_run_is_refused(name):
    with pytest.raises(ValueError, match="letters of ASCII"):
        Head(name, 2)


def test_a_layer_inside_a_model_is_offered_by_its_path():
    with pytest.raises(LayerError, match="no layer 'conv_2'") as caught:
        extract(around_images(), at="conv_2")
    assert "'backbone/conv_2'" in caught.value.next_step
