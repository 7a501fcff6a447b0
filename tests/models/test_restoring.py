"""Restoring is planned first, then all or nothing, then proved. Files written by Keras itself serve as the source."""

import json
from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest

import transfer
from transfer.errors import CheckpointError, DataError, LayerError, MatchError
from transfer.graphs.parsing import parse_config
from transfer.models.building import read_model
from transfer.models.restoring import restore
from transfer.weights.cards import ATTRIBUTE, Card, parse_card
from transfer.weights.opening import open_checkpoint

X = np.random.RandomState(5).rand(3, 12).astype("float32")


def small_mlp(classes=4, last="logits", activation="relu"):
    inputs = keras.Input((12,), name="x")
    x = keras.layers.Dense(6, activation=activation, name="hidden_1")(inputs)
    x = keras.layers.Dense(6, activation=activation, name="hidden_2")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name=last)(x), name="small")


def bits(model):
    return [value.tobytes() for value in model.get_weights()]


def outputs(model, x=X):
    return keras.ops.convert_to_numpy(model(x, training=False))


@pytest.fixture
def trained():
    """A model whose weights are nobody's initial values, biases included."""
    keras.utils.set_random_seed(3)
    model = small_mlp()
    random = np.random.RandomState(1)
    model.set_weights([random.randn(*value.shape).astype(value.dtype) for value in model.get_weights()])
    return model


@pytest.fixture
def legacy(trained, tmp_path):
    """What Keras writes as a legacy weights file."""
    path = tmp_path / "keras.h5"
    with h5py.File(path, "w") as file:
        keras.src.legacy.saving.legacy_h5_format.save_weights_to_hdf5_group(file, trained)
    return path


@pytest.fixture
def keras3(trained, tmp_path):
    path = tmp_path / "keras.weights.h5"
    trained.save_weights(path)
    return path


@pytest.fixture
def ours(trained, tmp_path):
    path = tmp_path / "ours.h5"
    transfer.save_weights(trained, path)
    return path


# Where to


def test_a_builder_is_called_and_filled(legacy, trained):
    restored = restore(legacy, small_mlp)
    assert bits(restored.model) == bits(trained)
    assert restored.model is not trained
    assert restored.card is None


def test_the_receipt_names_file_dialect_and_every_tensor(keras3):
    receipt = restore(keras3, small_mlp).receipt
    assert receipt.source == str(keras3)
    assert receipt.dialect == "Keras 3 .weights.h5"
    assert [pair.wanted for pair in receipt.plan.pairs] == [
        f"{layer}/{role}" for layer in ("hidden_1", "hidden_2", "logits") for role in ("kernel", "bias")
    ]
    assert receipt.fingerprint == "not checked: none recorded"
    assert "6 tensors matched; 148 of 148 parameters (100 %)" in str(receipt)
    assert json.loads(json.dumps(receipt.to_json()))["coverage"] == 1.0


def test_a_live_model_is_filled_in_place(keras3, trained):
    model = small_mlp()
    assert restore(keras3, model).model is model
    assert bits(model) == bits(trained)


def test_a_path_a_string_and_an_opened_checkpoint_serve_alike(keras3, trained):
    for source in (keras3, str(keras3), open_checkpoint(keras3)):
        assert bits(restore(source, small_mlp).model) == bits(trained)


def test_a_graph_is_built_and_filled(keras3, trained):
    restored = restore(keras3, read_model(trained).graph)
    np.testing.assert_array_equal(outputs(restored.model), outputs(trained))


def test_a_whole_model_restores_without_a_builder(trained, tmp_path):
    trained.save(tmp_path / "whole.keras")
    restored = restore(tmp_path / "whole.keras")
    np.testing.assert_array_equal(outputs(restored.model), outputs(trained))
    assert restored.model.name == "small"


def test_a_full_legacy_file_restores_without_a_builder(trained, tmp_path):
    path = tmp_path / "full.h5"
    keras.src.legacy.saving.legacy_h5_format.save_model_to_hdf5(trained, path)
    np.testing.assert_array_equal(outputs(restore(path).model), outputs(trained))


def test_weights_with_our_card_restore_without_a_builder_and_are_verified(ours, trained):
    restored = restore(ours)
    assert restored.receipt.fingerprint == "verified"
    np.testing.assert_array_equal(outputs(restored.model), outputs(trained))


def test_weights_alone_ask_for_a_builder(keras3):
    with pytest.raises(CheckpointError, match="no architecture") as caught:
        restore(keras3)
    assert "--into" in caught.value.next_step


def test_a_builder_of_the_users_is_named_by_file_and_function(tmp_path, trained, keras3):
    (tmp_path / "mine.py").write_text(
        "import keras\n"
        "def create():\n"
        "    i = keras.Input((12,))\n"
        "    x = keras.layers.Dense(6, activation='relu', name='hidden_1')(i)\n"
        "    x = keras.layers.Dense(6, activation='relu', name='hidden_2')(x)\n"
        "    return keras.Model(i, keras.layers.Dense(4, name='logits')(x))\n"
    )
    restored = restore(keras3, f"{tmp_path}/mine.py:create")
    np.testing.assert_array_equal(outputs(restored.model), outputs(trained))


def test_an_unknown_architecture_offers_the_shipped_ones(keras3):
    with pytest.raises(LayerError, match="'digits_mpl' is no architecture") as caught:
        restore(keras3, "digits_mpl")
    assert "'digits_mlp'" in caught.value.next_step


def test_a_builder_that_gives_no_model_is_refused(keras3):
    with pytest.raises(LayerError, match="gave dict; expected a Keras model"):
        restore(keras3, dict)


def test_a_model_without_variables_is_refused(keras3):
    with pytest.raises(LayerError, match="never built"):
        restore(keras3, keras.Sequential([keras.layers.Dense(3)]))


def test_layers_named_automatically_restore_in_a_session_that_has_counted_on(tmp_path):
    def automatic():
        return keras.Sequential([keras.Input((12,)), keras.layers.Dense(12), keras.layers.Dense(12)])

    source = automatic()
    source.save_weights(tmp_path / "automatic.weights.h5")
    restored = restore(tmp_path / "automatic.weights.h5", automatic)
    assert bits(restored.model) == bits(source)
    assert [layer.name for layer in source.layers] != [layer.name for layer in restored.model.layers]
    assert {pair.how for pair in restored.receipt.plan.pairs} == {"order"}


# All or nothing


def test_a_mismatch_in_the_last_tensor_leaves_every_variable_as_it_was_where_keras_overwrites_the_first(legacy):
    model = small_mlp(classes=7)
    before = bits(model)
    with pytest.raises(MatchError) as caught:
        restore(legacy, model)
    assert bits(model) == before
    assert [each.where for each in caught.value.problems] == ["logits/kernel", "logits/bias"]
    assert caught.value.problems[0].expected == "(6, 7) in layer 'logits'"
    assert caught.value.problems[0].found == "(6, 4) in the file"
    assert "logits" in caught.value.next_step
    with pytest.raises(ValueError, match="logits"):
        model.load_weights(legacy)
    assert bits(model)[:4] != before[:4]  # what this test is about: Keras got as far as the last layer


def test_a_tensor_whose_bits_are_not_those_of_the_card_leaves_the_model_as_it_was(ours):
    with h5py.File(ours, "r+") as file:
        file["logits/logits/bias"][0] += 1
    model = small_mlp()
    before = bits(model)
    with pytest.raises(CheckpointError, match="damaged") as caught:
        restore(ours, model)
    assert [each.where for each in caught.value.problems] == ["logits/bias"]
    assert bits(model) == before


def change_card(path, **changes):
    with h5py.File(path, "r+") as file:
        card = replace(parse_card(file.attrs[ATTRIBUTE], "here"), **changes)
        file.attrs.create(ATTRIBUTE, card.to_text(), dtype=h5py.string_dtype())


def test_outputs_that_differ_from_the_recorded_ones_roll_everything_back(ours):
    model = small_mlp(activation="tanh")  # every shape fits, the function does not
    before = bits(model)
    with pytest.raises(MatchError, match="does not compute here") as caught:
        restore(ours, model)
    assert bits(model) == before
    assert caught.value.problems[0].found.startswith("differ from the recorded ones by")


def test_recorded_outputs_that_were_changed_are_noticed(ours):
    fingerprint = open_checkpoint(ours).card.fingerprint
    first, *rest = fingerprint.outputs[0]
    change_card(ours, fingerprint=replace(fingerprint, outputs=((first + 1.0, *rest),)))
    with pytest.raises(MatchError, match="does not compute here"):
        restore(ours)


def test_a_model_that_is_not_a_number_is_not_verified(ours):
    fingerprint = open_checkpoint(ours).card.fingerprint
    change_card(ours, fingerprint=fingerprint, digests={})
    with h5py.File(ours, "r+") as file:
        file["hidden_1/hidden_1/kernel"][0, 0] = np.nan
    with pytest.raises(MatchError, match="does not compute here"):
        restore(ours)


def test_a_rolled_back_normalization_normalizes_as_before(tmp_path):
    def build(activation):
        inputs = keras.Input((2,))
        x = keras.layers.Normalization(axis=-1, name="norm")(inputs)
        return keras.Model(inputs, keras.layers.Dense(2, activation=activation, name="out")(x))

    source = build("relu")
    source.get_layer("norm").adapt(np.array([[0.0, 10.0], [2.0, 30.0]], "float32"))
    transfer.save_weights(source, tmp_path / "source.h5")
    model = build("sigmoid")
    x = np.array([[1.0, 2.0]], "float32")
    before = outputs(model, x)
    with pytest.raises(MatchError, match="does not compute here"):
        restore(tmp_path / "source.h5", model)
    np.testing.assert_array_equal(outputs(model, x), before)


# Parts


def test_skipped_layers_keep_their_initial_values_and_nothing_is_proved(ours, trained):
    model = small_mlp(classes=7)
    kernel = model.get_layer("logits").get_weights()[0]
    receipt = restore(ours, model, skip=["logits"]).receipt
    np.testing.assert_array_equal(model.get_layer("logits").get_weights()[0], kernel)
    assert bits(model)[:4] == bits(trained)[:4]
    assert receipt.plan.skipped == ("logits/kernel", "logits/bias")
    assert receipt.fingerprint == "not checked: the model is not restored as a whole"


def test_a_missing_layer_is_refused_unless_the_caller_lowers_the_coverage(legacy, trained):
    def longer():
        small = small_mlp()
        return keras.Model(small.inputs, keras.layers.Dense(2, name="more")(small.outputs[0]))

    with pytest.raises(MatchError) as caught:
        restore(legacy, longer)
    assert [each.where for each in caught.value.problems] == ["more/kernel", "more/bias"]
    restored = restore(legacy, longer, min_coverage=0.9)
    assert restored.receipt.plan.missing == ("more/kernel", "more/bias")
    assert restored.receipt.plan.coverage == pytest.approx(148 / 158)
    assert bits(restored.model)[:6] == bits(trained)
    with pytest.raises(MatchError):
        restore(legacy, longer, min_coverage=0.95)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_coverage_outside_of_zero_and_one_is_a_slip(legacy, share):
    with pytest.raises(ValueError, match="min_coverage"):
        restore(legacy, small_mlp, min_coverage=share)


def test_nothing_in_common_is_refused_at_any_coverage(legacy):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, name="other")])
    with pytest.raises(MatchError):
        restore(legacy, model, min_coverage=0.0)


def test_a_rule_names_the_pair(legacy, trained):
    restored = restore(legacy, lambda: small_mlp(last="classes"), rules=["logits=classes"])
    assert bits(restored.model) == bits(trained)
    assert [pair.how for pair in restored.receipt.plan.pairs] == ["name"] * 4 + ["rule"] * 2


def test_permuted_names_of_one_shape_are_refused_with_a_rule_to_write(legacy):
    def permuted():
        inputs = keras.Input((12,))
        x = keras.layers.Dense(6, name="hidden_1")(inputs)
        for name in ("c", "b", "a"):
            x = keras.layers.Dense(6, name=name)(x)
        return keras.Model(inputs, x)

    source = permuted()
    path = legacy.with_name("permuted.h5")
    transfer.save_weights(source, path)
    inputs = keras.Input((12,))
    x = keras.layers.Dense(6, name="hidden_1")(inputs)
    for name in ("a", "b", "c"):
        x = keras.layers.Dense(6, name=name)(x)
    with pytest.raises(MatchError) as caught:
        restore(path, keras.Model(inputs, x))
    assert {"a", "c"} <= {each.where for each in caught.value.problems}
    assert "rule" in caught.value.next_step


# What else a layer keeps


def test_restored_statistics_of_a_normalization_take_effect(tmp_path):
    def build():
        inputs = keras.Input((2,))
        return keras.Model(inputs, keras.layers.Normalization(axis=-1, name="norm")(inputs))

    source = build()
    source.get_layer("norm").adapt(np.array([[0.0, 10.0], [2.0, 30.0]], "float32"))
    source.save_weights(tmp_path / "norm.weights.h5")
    model = restore(tmp_path / "norm.weights.h5", build).model
    np.testing.assert_allclose(outputs(model, np.array([[1.0, 20.0], [2.0, 30.0]], "float32")), [[0, 0], [1, 1]])


def test_a_card_travels_with_the_model(ours):
    change_card(ours, name="tiny", classes=("a", "b", "c", "d"))
    restored = restore(ours)
    assert restored.card.name == "tiny"
    assert restored.card.classes == ("a", "b", "c", "d")


def test_a_sidecar_card_serves_files_of_others(keras3, trained):
    card = Card(name="theirs", architecture=keras.saving.serialize_keras_object(trained))
    keras3.with_name("keras.card.json").write_text(card.to_text())
    restored = restore(keras3)
    assert restored.card.name == "theirs"
    np.testing.assert_array_equal(outputs(restored.model), outputs(trained))


def test_an_architecture_that_names_code_is_refused(keras3, trained):
    config = keras.saving.serialize_keras_object(trained)
    config["config"]["layers"][1]["class_name"] = "Lambda"
    keras3.with_name("keras.card.json").write_text(Card(architecture=config).to_text())
    with pytest.raises(LayerError) as caught:
        restore(keras3)
    assert [(each.where, each.found) for each in caught.value.problems] == [("hidden_1", "Lambda")]


# What ships


def test_the_shipped_mlp_restores_and_is_verified():
    restored = restore("digits_mlp")
    assert restored.receipt.fingerprint == "verified"
    assert restored.model.count_params() == 55_050
    assert restored.card.classes == tuple("0123456789")
    assert restored.model.input_shape == (None, 784)


@pytest.fixture(scope="module")
def mobilenet():
    return restore("mobilenet_v2_imagenet")


def test_the_shipped_mobilenet_is_verified_and_takes_any_size(mobilenet):
    assert mobilenet.receipt.fingerprint == "verified"
    assert mobilenet.model.input_shape == (None, None, None, 3)
    assert mobilenet.model.output_shape == (None, 1280)
    assert mobilenet.model.count_params() == 2_257_984  # Keras's own MobileNetV2 without its classifier


def test_the_shipped_mobilenet_takes_96_pixels(mobilenet):
    features = outputs(mobilenet.model, np.zeros((1, 96, 96, 3), "float32"))
    assert features.shape == (1, 1280)
    assert np.isfinite(features).all()
    assert features.min() >= 0.0
    assert features.max() <= 6.0


def test_the_shipped_mobilenet_computes_what_pytorch_computed(mobilenet):
    # Features 0, 80, 160, … of torchvision's network in PyTorch, float32, for the first of four seeded images; the
    # file holds its kernels as float16.
    expected = np.array(
        [
            0.269,
            0.0496,
            0.1448,
            0.0312,
            1.201,
            0.0,
            0.0,
            0.4413,
            0.0,
            0.0914,
            0.0469,
            0.0,
            0.9257,
            0.6153,
            0.0269,
            0.0105,
        ]
    )
    x = np.random.RandomState(0).randn(4, 3, 160, 160).astype("float32").transpose(0, 2, 3, 1)[:1]
    found = outputs(mobilenet.model, x)[0]
    np.testing.assert_allclose(found[::80], expected, atol=0.03)
    cosine = found[::80] @ expected / np.linalg.norm(found[::80]) / np.linalg.norm(expected)
    assert cosine > 0.9999


def test_the_shipped_mobilenet_restores_into_a_graph_of_96_pixels(mobilenet):
    architecture = json.loads(json.dumps(mobilenet.card.architecture))
    architecture["config"]["layers"][0]["config"]["batch_shape"] = [None, 96, 96, 3]
    restored = restore("mobilenet_v2_imagenet", parse_config(architecture))
    assert restored.model.input_shape == (None, 96, 96, 3)
    assert restored.receipt.fingerprint.startswith("not checked: recorded for inputs [(2, 64, 64, 3)]")
    x = np.random.RandomState(2).rand(1, 96, 96, 3).astype("float32")
    np.testing.assert_allclose(outputs(restored.model, x), outputs(mobilenet.model, x), atol=1e-5)


def test_layers_of_two_classes_with_equal_shapes_keep_their_own_weights(tmp_path):
    # Keras 3 numbers layers class by class: conv2d_transpose and conv2d_transpose_1 stand between no convolutions.
    def autoencoder():
        inputs = keras.Input((8, 8, 8), name="x")
        x = inputs
        for _ in range(2):
            x = keras.layers.Conv2D(8, 3, padding="same")(x)
        for _ in range(2):
            x = keras.layers.Conv2DTranspose(8, 3, padding="same")(x)
        return keras.Model(inputs, x)

    written = autoencoder()
    written.save_weights(tmp_path / "auto.weights.h5")
    again = restore(tmp_path / "auto.weights.h5", autoencoder)  # automatic names have shifted by now
    x = np.random.RandomState(0).rand(1, 8, 8, 8).astype("float32")
    np.testing.assert_allclose(outputs(again.model, x), outputs(written, x), atol=1e-6)
    assert [pair.how for pair in again.receipt.plan.pairs] == ["order"] * 8


def test_a_bias_that_the_model_has_no_place_for_is_not_dropped(legacy):
    def without_bias():
        inputs = keras.Input((12,), name="x")
        x = keras.layers.Dense(6, activation="relu", name="hidden_1")(inputs)
        x = keras.layers.Dense(6, activation="relu", name="hidden_2")(x)
        return keras.Model(inputs, keras.layers.Dense(4, name="logits", use_bias=False)(x))

    with pytest.raises(MatchError) as caught:
        restore(legacy, without_bias)
    assert [each.where for each in caught.value.problems] == ["logits/bias"]
    assert "use_bias" in caught.value.next_step


def test_a_card_of_other_weights_does_not_stay_with_a_model(trained, legacy, tmp_path):
    transfer.save_weights(trained, tmp_path / "a.h5", card=Card(name="old"))
    model = restore(tmp_path / "a.h5").model
    restore(legacy, model)
    transfer.save_weights(model, tmp_path / "b.h5")
    assert open_checkpoint(tmp_path / "b.h5").card.name == "small"


def theano_file(path, **attributes):
    """One convolution, as Keras 2 wrote it on Theano: the kernel as stored."""
    stored = np.random.default_rng(1).normal(size=(3, 3, 3, 8)).astype("float32")
    with h5py.File(path, "w") as file:
        file.attrs.update({"layer_names": [b"conv"], **attributes})
        file.create_group("conv").attrs["weight_names"] = [b"conv/kernel:0"]
        file["conv/conv/kernel:0"] = stored
    return path, stored


def convolution():
    return keras.Sequential([keras.Input((5, 5, 3)), keras.layers.Conv2D(8, 3, use_bias=False, name="conv")])


def test_kernels_that_theano_wrote_are_turned_round_and_the_receipt_says_so(tmp_path):
    path, stored = theano_file(tmp_path / "theano.h5", backend=b"theano", keras_version=b"2.0.5")
    restored = restore(path, convolution)
    np.testing.assert_array_equal(restored.model.get_weights()[0], stored[::-1, ::-1])
    (pair,) = restored.receipt.plan.pairs
    assert pair.converted == "turned round as Theano has it"
    assert "converted   conv/kernel" in str(restored.receipt)


def test_a_file_that_names_no_backend_is_refused_until_it_is_told(tmp_path):
    path, stored = theano_file(tmp_path / "silent.h5")
    model = convolution()
    before = bits(model)
    with pytest.raises(MatchError, match="leaves open what it computes") as caught:
        restore(path, model)
    assert bits(model) == before
    assert [each.where for each in caught.value.problems] == ["conv/kernel"]
    assert "--backend" in caught.value.next_step
    turned = restore(path, convolution, backend="theano").model.get_weights()[0]
    np.testing.assert_array_equal(turned, stored[::-1, ::-1])
    for plain in (restore(path, convolution, backend="tensorflow"), restore(path, convolution, era="ignore")):
        np.testing.assert_array_equal(plain.model.get_weights()[0], stored)


def test_recorded_outputs_settle_what_a_file_leaves_open(tmp_path):
    path, stored = theano_file(tmp_path / "silent.h5")
    original = convolution()
    original.set_weights([stored[::-1, ::-1]])
    x = np.random.default_rng(2).random((2, 5, 5, 3), "float32")
    np.savez(tmp_path / "recorded.npz", x0=x, y0=original.predict(x, verbose=0))
    restored = restore(path, convolution, check=tmp_path / "recorded.npz")
    np.testing.assert_array_equal(restored.model.get_weights()[0], stored[::-1, ::-1])
    assert restored.receipt.fingerprint == "verified against recorded.npz"
    np.savez(tmp_path / "other.npz", x0=x, y0=original.predict(x, verbose=0) + 1)
    with pytest.raises(MatchError):
        restore(path, convolution, check=tmp_path / "other.npz")


def test_recorded_outputs_that_differ_give_a_live_model_its_values_back(legacy, trained, tmp_path):
    model = small_mlp()
    before = bits(model)
    x = np.ones((2, *model.input_shape[1:]), "float32")
    np.savez(tmp_path / "other.npz", x=x, y=trained.predict(x, verbose=0) + 1)
    with pytest.raises(MatchError, match="does not compute here what"):
        restore(legacy, model, check=tmp_path / "other.npz")
    assert bits(model) == before


def test_values_that_are_no_numbers_are_counted_by_name(tmp_path):
    model = convolution()
    kernel = model.get_weights()[0]
    kernel[0, 0, 0, :3] = np.nan
    kernel[1, 0, 0, 0] = np.inf
    model.set_weights([kernel])
    model.save_weights(tmp_path / "a.weights.h5")
    receipt = restore(tmp_path / "a.weights.h5", convolution).receipt
    assert receipt.notes == ("conv/kernel holds 3 NaN of 216 values", "conv/kernel holds 1 infinite of 216 values")


@pytest.mark.parametrize(("option", "value"), [("era", "later"), ("backend", "caffe"), ("min_coverage", 2)])
def test_an_option_of_another_kind_is_a_slip_of_the_caller(legacy, option, value):
    with pytest.raises(ValueError, match=option):
        restore(legacy, small_mlp, **{option: value})


@pytest.mark.parametrize("shapes", [[[2, 400000, 400000, 3]], [[2, -1]], [[0, 3]]])
def test_a_card_cannot_ask_for_the_machines_memory(legacy, shapes):
    proof = {"seed": 1, "shapes": shapes, "dtypes": ["float32"], "outputs": [[0.0]]}
    with h5py.File(legacy, "r+") as file:
        text = json.dumps({**json.loads(Card().to_text()), "fingerprint": proof})
        file.attrs.create(ATTRIBUTE, text, dtype=h5py.string_dtype())
    with pytest.raises(CheckpointError, match="card cannot be read"):
        open_checkpoint(legacy)


# What an architecture is taken at its word for


def normed(**options):
    inputs = keras.Input((4,), name="x")
    return keras.Model(inputs, keras.layers.BatchNormalization(name="norm", **options)(inputs), name="normed")


def test_a_vector_that_is_gamma_or_beta_is_taken_as_the_architecture_has_it_and_the_receipt_says_so(tmp_path):
    path = tmp_path / "numbered.weights.h5"
    normed(scale=False).save_weights(path)
    (note,) = restore(path, lambda: normed(scale=False)).receipt.notes
    assert note.endswith("taken for beta (norm/beta), as the architecture has it")
    whole = tmp_path / "both.weights.h5"
    normed().save_weights(whole)
    assert restore(whole, normed).receipt.notes == ()


def test_where_the_file_holds_its_architecture_gamma_is_not_taken_for_beta(tmp_path):
    path = tmp_path / "model.keras"
    normed(center=False).save(path)
    assert restore(path, lambda: normed(center=False)).receipt.plan.coverage == 1
    for era in ("refuse", "apply"):
        with pytest.raises(MatchError, match="leaves open") as caught:
            restore(path, lambda: normed(scale=False), era=era)
        assert [each.where for each in caught.value.problems] == ["norm"]


def test_a_backend_that_the_file_contradicts_is_taken_and_told(tmp_path):
    inputs = keras.Input((5, 5, 1), name="x")
    model = keras.Model(inputs, keras.layers.Conv2D(1, 3, name="conv")(inputs))
    path = tmp_path / "named.h5"
    with h5py.File(path, "w") as file:
        keras.src.legacy.saving.legacy_h5_format.save_weights_to_hdf5_group(file, model)
    kernel = model.get_weights()[0]
    plain = restore(path, keras.models.clone_model(model), backend="tensorflow")
    assert plain.receipt.notes == ()
    np.testing.assert_array_equal(plain.model.get_weights()[0], kernel)
    turned = restore(path, keras.models.clone_model(model), backend="theano")
    np.testing.assert_array_equal(turned.model.get_weights()[0], kernel[::-1, ::-1])
    assert turned.receipt.notes == (
        "the file names the backend tensorflow, theano was declared: read as theano wrote it",
    )


def test_small_outputs_are_held_against_small_differences(trained, tmp_path):
    model = small_mlp()
    model.set_weights([each * 1e-4 for each in trained.get_weights()])
    path = tmp_path / "small.h5"
    with h5py.File(path, "w") as file:
        keras.src.legacy.saving.legacy_h5_format.save_weights_to_hdf5_group(file, model)
    small = outputs(model)
    np.savez(tmp_path / "same.npz", x0=X, y0=small)
    np.savez(tmp_path / "other.npz", x0=X, y0=small * 1.01)
    assert "verified" in restore(path, small_mlp, check=tmp_path / "same.npz").receipt.fingerprint
    with pytest.raises(MatchError, match="does not compute here"):
        restore(path, small_mlp, check=tmp_path / "other.npz")


def test_what_is_ignored_as_asked_stands_in_the_receipt(tmp_path):
    path, _ = theano_file(tmp_path / "silent.h5")
    (note,) = restore(path, convolution, era="ignore").receipt.notes
    assert note.startswith("conv/kernel: left open, as asked: expected the backend that computed it: ")
    assert note.endswith("; found no backend named in the file (1 such kernels)")


def test_a_doubt_that_the_writers_defaults_leave_says_what_is_left_to_do(tmp_path):
    path, _ = theano_file(tmp_path / "silent.h5")
    with pytest.raises(MatchError, match=r"leaves open what it computes \(1 doubt\)") as caught:
        restore(path, convolution, era="apply")
    assert "--era apply" not in caught.value.next_step
    assert "--backend theano" in caught.value.next_step


def test_a_doubt_about_the_backend_alone_is_not_sent_to_the_writers_defaults(tmp_path):
    path, _ = theano_file(tmp_path / "silent.h5")
    with pytest.raises(MatchError) as caught:
        restore(path, convolution)
    assert "--era apply" not in caught.value.next_step
    assert "--backend theano or tensorflow" in caught.value.next_step


def test_recorded_outputs_that_no_declared_reading_gives_send_back_to_what_was_declared(tmp_path):
    path, stored = theano_file(tmp_path / "silent.h5")
    model = convolution()
    model.set_weights([stored[::-1, ::-1]])
    images = np.random.default_rng(0).normal(size=(2, 5, 5, 3)).astype("float32")
    (tmp_path / "kept").mkdir()
    recorded = tmp_path / "kept" / "outputs.npz"
    np.savez(recorded, x0=images, y0=outputs(model, images))
    restore(path, convolution, check=recorded)
    for declared in ({"backend": "tensorflow"}, {"era": "ignore", "backend": "tensorflow"}):
        with pytest.raises(MatchError, match="does not compute here") as caught:
            restore(path, convolution, check=recorded, **declared)
        assert caught.value.next_step.startswith("leave out --backend tensorflow")


def test_recorded_outputs_that_are_not_there_are_told_with_the_nearest(legacy, tmp_path):
    np.savez(tmp_path / "outputs.npz", x0=X, y0=X)
    for wrong, found in ((tmp_path / "output.npz", "nothing"), (tmp_path, "a folder")):
        with pytest.raises(DataError, match="There is no file") as caught:
            restore(legacy, small_mlp, check=wrong)
        assert caught.value.problems[0].found == found
    with pytest.raises(DataError) as caught:
        restore(legacy, small_mlp, check=tmp_path / "output.npz")
    assert caught.value.next_step == "nearest there: 'outputs.npz'"


def test_what_is_skipped_keeps_the_values_that_it_would_start_with():
    found = transfer.restore("digits_mlp", skip="dense_1")
    kernels = [each for each in found.model.get_weights() if each.ndim == 2]
    assert all(each.any() for each in kernels)
    assert "dense_1/kernel" in found.receipt.plan.skipped
