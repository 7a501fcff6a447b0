"""What we write, stock Keras reads; whole or not at all, the same bits each time."""

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

import transfer
from transfer.errors import LayerError, OutputError
from transfer.models.building import card_of
from transfer.models.restoring import restore
from transfer.models.saving import save_model, save_weights
from transfer.specs import Head, Preprocessing
from transfer.surgery.converting import convert
from transfer.weights.cards import Card
from transfer.weights.opening import open_checkpoint
from transfer.weights.safetensors import open_safetensors
from transfer.weights.verifying import verify

X = np.random.RandomState(5).rand(3, 8, 8, 3).astype("float32")


def cnn():
    """Layers with and without weights, trainable and not, more than ten of a kind apart from it."""
    inputs = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(4, 3, name="conv", use_bias=False)(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.ReLU(name="relu")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(x), name="small_cnn")


def nested():
    inner = cnn()
    inputs = keras.Input((8, 8, 3), name="photo")
    return keras.Model(inputs, keras.layers.Dense(2, name="label")(inner(inputs)), name="outer")


def recurrent():
    inputs = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Reshape((8, 24), name="rows")(inputs)
    x = keras.layers.Bidirectional(keras.layers.LSTM(3), name="both_ways")(x)
    x = keras.layers.Reshape((2, 3), name="pairs")(x)
    x = keras.layers.MultiHeadAttention(2, 2, name="attend")(x, x)
    return keras.Model(inputs, keras.layers.Flatten(name="flat")(x), name="recurrent")


def with_values(model, seed=0):
    random = np.random.RandomState(seed)
    model.set_weights([random.rand(*value.shape).astype(value.dtype) for value in model.get_weights()])
    return model


def outputs(model, x=X):
    return keras.ops.convert_to_numpy(model(x, training=False))


def bits(model):
    return [value.tobytes() for value in model.get_weights()]


@pytest.fixture
def model():
    return with_values(cnn())


# Stock Keras reads it


@pytest.mark.parametrize("build", [cnn, nested, recurrent])
@pytest.mark.parametrize("name", ["pretrained.h5", "model.weights.h5"])
def test_keras_loads_our_weights_and_computes_the_same(build, name, tmp_path):
    source = with_values(build())
    save_weights(source, tmp_path / name)
    loaded = with_values(build(), seed=1)
    loaded.load_weights(tmp_path / name)
    np.testing.assert_array_equal(outputs(loaded), outputs(source))


def test_a_name_that_keras_refuses_is_written_and_read_by_keras(model, tmp_path):
    path = tmp_path / "pretrained_weights.h5"
    with pytest.raises(ValueError, match=r"\.weights\.h5"):
        model.save_weights(path)
    save_weights(model, path)
    loaded = cnn()
    loaded.load_weights(path)
    assert bits(loaded) == bits(model)


def test_keras_loads_our_archive_and_computes_the_same(model, tmp_path):
    save_model(model, tmp_path / "whole.keras")
    np.testing.assert_array_equal(outputs(keras.saving.load_model(tmp_path / "whole.keras")), outputs(model))


def test_keras_loads_the_weights_of_a_model_frozen_in_part(tmp_path):
    source = with_values(nested())
    source.get_layer("small_cnn").get_layer("norm").trainable = False
    save_weights(source, tmp_path / "partly.h5")
    loaded = nested()
    loaded.get_layer("small_cnn").get_layer("norm").trainable = False
    loaded.load_weights(tmp_path / "partly.h5")
    np.testing.assert_array_equal(outputs(loaded), outputs(source))


def test_attributes_past_64_kilobytes_are_split_as_keras_splits_them(tmp_path):
    names = [f"dense_with_a_name_of_five_thousand_letters_{'x' * 5000}_{k}" for k in range(14)]

    def build():
        return keras.Sequential([keras.Input((2,)), *(keras.layers.Dense(2, name=name) for name in names)])

    source = with_values(build())
    path = tmp_path / "long.h5"
    save_weights(source, path)
    with h5py.File(path) as file:
        assert "layer_names" not in file.attrs
        assert "layer_names1" in file.attrs
    loaded = build()
    loaded.load_weights(path)
    assert bits(loaded) == bits(source)
    assert len(open_checkpoint(path)) == 28


# And so do we


@pytest.mark.parametrize("build", [cnn, nested, recurrent])
@pytest.mark.parametrize("name", ["any_name", "pretrained.h5", "model.weights.h5", "whole.keras"])
def test_what_was_saved_restores_without_a_builder_and_is_verified(build, name, tmp_path):
    source = with_values(build())
    (save_model if name.endswith(".keras") else save_weights)(source, tmp_path / name)
    restored = restore(tmp_path / name)
    assert restored.receipt.fingerprint == "verified"
    np.testing.assert_array_equal(outputs(restored.model), outputs(source))


def test_the_card_lists_a_digest_for_each_tensor(model, tmp_path):
    save_weights(model, tmp_path / "a.h5")
    checkpoint = open_checkpoint(tmp_path / "a.h5")
    assert (
        set(checkpoint.card.digests)
        == set(checkpoint)
        == {
            "conv/kernel",
            "norm/gamma",
            "norm/beta",
            "norm/moving_mean",
            "norm/moving_variance",
            "logits/kernel",
            "logits/bias",
        }
    )


def test_the_card_records_outputs_for_two_seeded_examples(model, tmp_path):
    save_weights(model, tmp_path / "a.h5")
    recorded = open_checkpoint(tmp_path / "a.h5").card.fingerprint
    x = np.random.RandomState(recorded.seed).random_sample((2, 8, 8, 3)).astype("float32")
    assert recorded.shapes == ((2, 8, 8, 3),)
    np.testing.assert_allclose(recorded.outputs[0], outputs(model, x).ravel(), rtol=1e-5)


def test_a_card_travels_through_restore_extract_and_save(tmp_path):
    restored = restore("digits_mlp")
    student = transfer.extract(restored, drop_last=1, heads=[Head("label", classes=5)])
    save_weights(student, tmp_path / "student.h5")
    card = restore(tmp_path / "student.h5").card
    assert card.name == restored.card.name
    assert card.preprocessing == restored.card.preprocessing == Preprocessing((28, 28), "grey", 1 / 255, background=0)
    assert card.classes == ()
    assert card.history[-2:] == ("dropped predictions", "attached label:5")
    assert card.architecture["config"]["layers"][-1]["config"]["units"] == 5


def test_a_card_of_the_callers_goes_into_file_and_archive(model, tmp_path):
    card = Card(name="mine", classes=("a", "b", "c"), origin="here", licence="MIT")
    save_weights(model, tmp_path / "a.h5", card=card)
    save_model(model, tmp_path / "a.keras", card=card)
    for name in ("a.h5", "a.keras"):
        found = open_checkpoint(tmp_path / name).card
        assert (found.name, found.classes, found.origin, found.licence) == ("mine", ("a", "b", "c"), "here", "MIT")


def test_saving_changes_nothing_in_the_model(model, tmp_path):
    before = bits(model)
    save_weights(model, tmp_path / "a.h5", dtype="float16")
    save_model(model, tmp_path / "a.keras")
    assert bits(model) == before
    assert card_of(model) is None


# float16


@pytest.mark.parametrize("name", ["half.h5", "half.weights.h5"])
def test_float16_halves_kernels_and_keeps_vectors(model, name, tmp_path):
    save_weights(model, tmp_path / name, dtype="float16")
    specs = open_checkpoint(tmp_path / name).specs
    assert {spec.name: spec.dtype for spec in specs.values()} == {
        spec.name: "float16" if spec.role == "kernel" else "float32" for spec in specs.values()
    }
    restored = restore(tmp_path / name)
    assert restored.receipt.fingerprint == "verified"
    assert {pair.converted for pair in restored.receipt.plan.pairs} == {"", "float16 → float32"}
    for ours, theirs in zip(restored.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs.astype("float16").astype("float32") if theirs.ndim > 1 else theirs)
    loaded = cnn()
    loaded.load_weights(tmp_path / name)
    assert bits(loaded) == bits(restored.model)


def test_a_value_too_large_for_float16_is_refused_and_nothing_is_left(model, tmp_path):
    kernel = model.get_layer("logits").kernel
    kernel.assign(np.full(kernel.shape, 70_000.0, "float32"))
    with pytest.raises(OutputError, match="float16"):
        save_weights(model, tmp_path / "half.h5", dtype="float16")
    assert list(tmp_path.iterdir()) == []


# Whole, once, and the same again


@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5", "a.keras"])
def test_saving_twice_gives_the_same_bits(model, name, tmp_path):
    write = save_model if name.endswith(".keras") else save_weights
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    write(model, tmp_path / "one" / name)
    write(model, tmp_path / "two" / name)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5", "a.keras"])
def test_an_existing_file_is_replaced_on_request_alone(model, name, tmp_path):
    write = save_model if name.endswith(".keras") else save_weights
    path = tmp_path / name
    path.write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        write(model, path)
    assert path.read_text() == "precious"
    write(model, path, force=True)
    assert restore(path).receipt.fingerprint == "verified"
    assert list(tmp_path.iterdir()) == [path]


def test_an_archive_holds_keras_members_our_card_and_no_clock_time(model, tmp_path):
    save_model(model, tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        assert sorted(archive.namelist()) == ["config.json", "metadata.json", "model.weights.h5", "transfer_card.json"]
        metadata = json.loads(archive.read("metadata.json"))
        assert {each.date_time for each in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert metadata == {"keras_version": keras.__version__, "date_saved": ""}


def test_names_that_do_not_tell_what_is_saved_are_refused(model, tmp_path):
    with pytest.raises(OutputError, match="names a whole model"):
        save_weights(model, tmp_path / "a.keras")
    with pytest.raises(OutputError, match=r"does not end in \.keras"):
        save_model(model, tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


# Classes of the caller's


class Mine(keras.Model):
    """Its code is its architecture."""

    def __init__(self):
        super().__init__()
        self.first = keras.layers.Dense(4, name="first")
        self.second = keras.layers.Dense(2, name="second")

    def call(self, x):
        """Two dense layers."""
        return self.second(self.first(x))


def mine():
    model = Mine()
    model(np.ones((1, 3), "float32"))
    return model


@pytest.mark.parametrize("name", ["mine.h5", "mine.weights.h5"])
def test_a_subclassed_model_is_saved_without_an_architecture_and_restores_into_its_class(name, tmp_path):
    source = with_values(mine())
    save_weights(source, tmp_path / name)
    assert open_checkpoint(tmp_path / name).architecture is None
    restored = restore(tmp_path / name, mine)
    x = np.random.RandomState(0).rand(2, 3).astype("float32")
    np.testing.assert_array_equal(outputs(restored.model, x), outputs(source, x))
    loaded = mine()
    loaded.load_weights(tmp_path / name)
    np.testing.assert_array_equal(outputs(loaded, x), outputs(source, x))


def test_a_model_with_a_lambda_is_saved_and_restores_through_its_builder(tmp_path):
    def build():
        inputs = keras.Input((3,))
        x = keras.layers.Lambda(lambda x: 2 * x, name="twice")(inputs)
        return keras.Model(inputs, keras.layers.Dense(2, name="logits")(x))

    source = with_values(build())
    save_weights(source, tmp_path / "lambda.h5")
    assert restore(tmp_path / "lambda.h5", build).receipt.fingerprint == "verified"
    with pytest.raises(LayerError) as caught:
        restore(tmp_path / "lambda.h5")
    assert caught.value.problems[0].where == "twice"


# Safetensors


def test_weights_go_into_safetensors_and_from_there_into_an_archive(model, tmp_path):
    saved = save_weights(model, tmp_path / "a.safetensors")
    assert verify(tmp_path / "a.safetensors").is_verified
    assert saved.card.fingerprint is not None
    convert(tmp_path / "a.safetensors", tmp_path / "a.keras")
    np.testing.assert_array_equal(outputs(keras.saving.load_model(tmp_path / "a.keras")), outputs(model))


def test_float16_halves_kernels_in_safetensors_too(model, tmp_path):
    save_weights(model, tmp_path / "a.safetensors", dtype="float16")
    found = open_safetensors(tmp_path / "a.safetensors").specs
    assert {spec.dtype for spec in found.values() if spec.role == "kernel"} == {"float16"}
    assert {spec.dtype for spec in found.values() if spec.role != "kernel"} == {"float32"}


# Values that are not finite


@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5", "a.keras", "a.safetensors"])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_finite_file_is_not_replaced_by_nan_without_a_word_of_its_own(model, name, value, tmp_path):
    write = save_model if name.endswith(".keras") else save_weights
    assert write(model, tmp_path / name).nonfinite == ()
    before = (tmp_path / name).read_bytes()
    bias = model.get_layer("logits").bias
    bias.assign(np.full(bias.shape, value, "float32"))
    with pytest.raises(OutputError, match="is finite") as caught:
        write(model, tmp_path / name, force=True)
    assert [each.where for each in caught.value.problems] == ["logits/bias"]
    assert (tmp_path / name).read_bytes() == before
    assert write(model, tmp_path / f"new_{name}").nonfinite == ("logits/bias",)
    assert write(model, tmp_path / name, force=True, allow_nonfinite=True).nonfinite == ("logits/bias",)
    assert write(model, tmp_path / name, force=True).nonfinite == ("logits/bias",), "what is there is no better"


@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5", "a.keras"])
def test_what_was_saved_is_verified_names_and_config_included(model, name, tmp_path):
    saved = (save_model if name.endswith(".keras") else save_weights)(model, tmp_path / name)
    found = verify(tmp_path / name)
    assert (found.is_verified, found.outline) == (True, True)
    assert saved.card.to_text() == open_checkpoint(tmp_path / name).card.to_text()
    assert saved.path == str(tmp_path / name)


def test_what_layers_share_is_numbered_by_the_config_and_not_by_memory(tmp_path):
    written = []
    for name in ("one", "two"):
        keras.utils.clear_session(free_memory=False)  # another object stands for the default type from here on
        keras.utils.set_random_seed(1)
        inputs = keras.Input((4,), name="x")
        model = keras.Model(inputs, keras.layers.Dense(2, name="only")(keras.layers.Dense(3, name="first")(inputs)))
        model.name = "same"
        transfer.save_model(model, tmp_path / f"{name}.keras")
        written.append((tmp_path / f"{name}.keras").read_bytes())
    assert written[0] == written[1]
    assert keras.models.load_model(tmp_path / "two.keras").count_params() == 23
