"""What is converted, stock Keras loads, and computes the same from the same bits."""

import shutil
import zipfile
from itertools import pairwise
from pathlib import Path

import h5py
import keras
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from tests.surgery.networks import BUILDERS, nested, outputs, with_values
from transfer.errors import CheckpointError, LayerError, MatchError, OutputError
from transfer.models.building import read_model
from transfer.models.restoring import restore
from transfer.models.saving import save_model, save_weights
from transfer.surgery.converting import convert
from transfer.weights.cards import Card
from transfer.weights.formats import open_tensors
from transfer.weights.opening import open_checkpoint
from transfer.weights.safetensors import open_safetensors
from transfer.weights.tensor_digests import digest_tensor
from transfer.weights.verifying import verify
from transfer.weights.writing import write_legacy

FILES = Path(__file__).parents[1] / "weights" / "files"
TARGETS = ["a.h5", "a.hdf5", "a.keras", "a.weights.h5", "a.safetensors"]


def load(path, build):
    """Have stock Keras load a file."""
    if path.name.endswith((".keras", ".hdf5", "whole.h5")) or path.name == "a.h5":
        return keras.models.load_model(path, compile=False)
    model = with_values(build(), seed=1)
    if path.suffix == ".safetensors":
        path = Path(convert(path, path.with_name("again.weights.h5"), force=True).target)
    model.load_weights(path)
    return model


def digests(path):
    opened = open_tensors(path)
    return sorted(digest_tensor(each) for each in opened.read(opened).values())


def same_outputs(found, wanted, *, rtol=0.0, atol=0.0):
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)


# From models of today


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("name", ["whole.keras", pytest.param("full.h5", marks=pytest.mark.slow)])
def test_keras_loads_what_its_own_files_were_converted_to_and_computes_the_same(build, name, tmp_path):
    model = with_values(build())
    source = tmp_path / "source" / name
    source.parent.mkdir()
    model.save(source)
    for target in ("a.h5", "a.keras", "a.weights.h5", "a.safetensors"):
        done = convert(source, tmp_path / target)
        assert done.tensors == len(open_checkpoint(source))
        same_outputs(outputs(load(tmp_path / target, build)), outputs(model))
        assert verify(tmp_path / target).is_verified
        assert digests(tmp_path / target) == digests(source)


@pytest.mark.parametrize("build", BUILDERS)
def test_a_chain_through_all_layouts_ends_with_the_same_bits(build, tmp_path):
    model = with_values(build())
    save_model(model, tmp_path / "0.keras")
    steps = ["0.keras", "1.h5", "2.safetensors", "3.weights.h5", "4.hdf5", "5.keras"]
    for source, target in pairwise(steps):
        convert(tmp_path / source, tmp_path / target)
    restored = restore(tmp_path / steps[-1])
    assert restored.receipt.fingerprint == "verified"
    same_outputs(outputs(restored.model), outputs(model))
    assert digests(tmp_path / steps[-1]) == digests(tmp_path / steps[0])


def test_weights_alone_go_into_the_layout_that_load_weights_reads(tmp_path):
    model = with_values(nested())
    save_model(model, tmp_path / "source.keras")
    convert(tmp_path / "source.keras", tmp_path / "weights.h5", weights_only=True)
    with h5py.File(tmp_path / "weights.h5") as file:
        assert "model_config" not in file.attrs
    loaded = with_values(nested(), seed=1)
    loaded.load_weights(tmp_path / "weights.h5")
    same_outputs(outputs(loaded), outputs(model))
    assert restore(tmp_path / "weights.h5").receipt.fingerprint == "verified"


def test_equal_sources_give_equal_files(tmp_path):
    save_model(with_values(nested()), tmp_path / "source.keras")
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for target in TARGETS:
            convert(tmp_path / "source.keras", tmp_path / folder / target)
    for target in TARGETS:
        assert (tmp_path / "one" / target).read_bytes() == (tmp_path / "two" / target).read_bytes()


# From files of other versions

REAL = [
    ("keras-3.15.1", "c_nested_bnfrozen__full.h5"),
    ("keras-3.15.1", "s_samewidth_frozen__full.h5"),
    ("keras-3.15.1", "g_shared__full.h5"),
    ("keras-3.15.1", "d_lstm__keras.keras"),
    ("keras-3.15.1", "e_multi__keras.keras"),
    ("tf.keras-2.11", "d_lstm__full.h5"),
]


def recorded(source):
    """Inputs, and the outputs that the writer computed."""
    truth = np.load(source.parent / f"{source.name.split('__')[0]}.npz")
    return tuple([truth[name] for name in sorted(truth.files) if name[0] == kind] for kind in "xy")


@pytest.mark.parametrize(("writer", "name"), REAL)
@pytest.mark.parametrize("target", ["a.h5", "a.keras"])
def test_a_file_of_another_version_loads_in_keras_and_gives_its_writers_outputs(writer, name, target, tmp_path):
    source = FILES / writer / name
    convert(source, tmp_path / target)
    x, y = recorded(source)
    model = keras.models.load_model(tmp_path / target, compile=False)
    found = keras.tree.flatten(model.predict_on_batch(x if len(x) > 1 else x[0]))
    same_outputs(found, y, rtol=1e-4, atol=1e-5)


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.parametrize("target", ["a.h5", "a.keras", "a.weights.h5"])
@pytest.mark.parametrize(
    "writer",
    ["keras-1.2.2-tf", "keras-2.0.5", "keras-2.2.4", "keras-3.6.0", "tf.keras-1.15", "tf.keras-2.4", "tf.keras-2.15"],
)
def test_full_files_of_many_versions_load_in_keras_and_give_their_writers_outputs(corpus, writer, target, tmp_path):
    tried = 0
    for model in ("a_mlp", "b_cnn", "c_nested_bnfrozen", "d_rnn", "d_gru", "g_shared", "i_extras"):
        for source in sorted((corpus / "files" / writer).glob(f"{model}__full.h5")):
            convert(source, tmp_path / target, backend="tensorflow", force=True)
            whole = tmp_path / target
            if target == "a.weights.h5":
                whole = Path(convert(source, tmp_path / "b.keras", backend="tensorflow", force=True).target)
            loaded = keras.models.load_model(whole, compile=False)
            if target == "a.weights.h5":
                loaded = with_values(loaded)
                loaded.load_weights(tmp_path / target)
            x, y = recorded(source)
            found = keras.tree.flatten(loaded.predict_on_batch(x if len(x) > 1 else x[0]))
            same_outputs(found, y, rtol=1e-4, atol=1e-5)
            tried += 1
    assert tried >= 4


# Bits and types


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("target", ["a.keras", "a.weights.h5", "a.safetensors"])
def test_short_floats_stay_what_they_are(dtype, target, tmp_path):
    inputs = keras.Input((4,), dtype=dtype)
    model = with_values(keras.Model(inputs, keras.layers.Dense(3, dtype=dtype, name="short")(inputs)))
    model.save(tmp_path / "source.keras")
    convert(tmp_path / "source.keras", tmp_path / target)
    found = open_tensors(tmp_path / target)
    assert {spec.dtype for spec in found.specs.values()} == {dtype}
    for name, variable in (("short/kernel", model.get_weights()[0]), ("short/bias", model.get_weights()[1])):
        assert found[name].tobytes() == variable.tobytes()
    if target != "a.safetensors":
        again = keras.models.clone_model(model)
        if target == "a.keras":
            again = keras.models.load_model(tmp_path / target)
        else:
            again.load_weights(tmp_path / target)
        assert [each.tobytes() for each in again.get_weights()] == [each.tobytes() for each in model.get_weights()]


def test_bfloat16_is_refused_where_keras_could_not_read_it(tmp_path):
    inputs = keras.Input((4,), dtype="bfloat16")
    model = keras.Model(inputs, keras.layers.Dense(3, dtype="bfloat16", name="short")(inputs))
    model.save(tmp_path / "source.keras")
    with pytest.raises(OutputError, match="Keras cannot read") as caught:
        convert(tmp_path / "source.keras", tmp_path / "a.h5")
    assert {each.found for each in caught.value.problems} == {"bfloat16"}
    assert [each.name for each in tmp_path.iterdir()] == ["source.keras"]


def test_halved_kernels_stay_halved_and_keras_loads_them(tmp_path):
    model = with_values(nested())
    save_weights(model, tmp_path / "half.h5", dtype="float16")
    for target in TARGETS:
        convert(tmp_path / "half.h5", tmp_path / target)
        assert digests(tmp_path / target) == digests(tmp_path / "half.h5")
    same_outputs(outputs(load(tmp_path / "a.keras", nested)), outputs(restore(tmp_path / "half.h5").model))


# The card


def test_a_card_travels_along_and_tells_where_the_file_is_from(tmp_path):
    card = Card(name="mine", classes=("cat", "dog"), origin="here", licence="MIT", history=("trained",))
    save_weights(with_values(nested()), tmp_path / "source.h5", card=card)
    before = open_checkpoint(tmp_path / "source.h5").card
    for target in TARGETS:
        convert(tmp_path / "source.h5", tmp_path / target)
        found = open_tensors(tmp_path / target).card
        assert (found.name, found.classes, found.origin, found.licence) == ("mine", ("cat", "dog"), "here", "MIT")
        assert found.fingerprint == before.fingerprint
        assert found.history == ("trained", f"converted from legacy .h5 weights of Keras {keras.__version__}")


def test_optimizer_slots_are_left_out_and_told(tmp_path):
    model = nested()
    model.compile("adam", "mse")
    model.train_on_batch(np.zeros((2, 8, 8, 3)), np.zeros((2, 2)))
    model.save(tmp_path / "source.keras")
    done = convert(tmp_path / "source.keras", tmp_path / "a.h5")
    assert any("no weights" in note for note in done.notes)
    same_outputs(outputs(keras.models.load_model(tmp_path / "a.h5", compile=False)), outputs(model))


# Too little, too much, wrong


@pytest.fixture
def weights(tmp_path):
    """A legacy file of a nested network without its architecture."""
    save_model(with_values(nested()), tmp_path / "source.keras")
    model = keras.models.load_model(tmp_path / "source.keras")
    path = tmp_path / "weights.h5"
    layers = {
        layer.name: {
            each.path: keras.ops.convert_to_numpy(each)
            for each in (*layer.trainable_weights, *layer.non_trainable_weights)
        }
        for layer in model.layers
    }
    write_legacy(path, layers, writer="2.2.4")
    return path


@pytest.mark.parametrize("target", ["a.keras", "a.weights.h5"])
def test_weights_alone_are_refused_where_the_layout_needs_an_architecture(weights, target, tmp_path):
    with pytest.raises(CheckpointError, match="weights alone, no architecture") as caught:
        convert(weights, tmp_path / target)
    assert "--into" in caught.value.next_step
    assert "safetensors" in caught.value.next_step
    assert not (tmp_path / target).exists()


@pytest.mark.parametrize("target", TARGETS)
def test_weights_alone_go_anywhere_with_an_architecture(weights, target, tmp_path):
    model = keras.models.load_model(tmp_path / "source.keras")
    convert(weights, tmp_path / target, into=read_model(model).graph)
    same_outputs(outputs(load(tmp_path / target, nested)), outputs(model))


def test_weights_alone_go_round_through_safetensors_with_their_order_and_writer(weights, tmp_path):
    convert(weights, tmp_path / "a.safetensors")
    convert(tmp_path / "a.safetensors", tmp_path / "back.h5")
    before, after = open_checkpoint(weights), open_checkpoint(tmp_path / "back.h5")
    assert [(spec.name, spec.position) for spec in after.specs.values()] == [
        (spec.name, spec.position) for spec in before.specs.values()
    ] or [spec.name for spec in after.specs.values()] == [spec.name for spec in before.specs.values()]
    assert after.writer.keras == "2.2.4", "its defaults are those of its first writer"
    loaded = with_values(nested(), seed=1)
    loaded.load_weights(tmp_path / "back.h5")
    same_outputs(outputs(loaded), outputs(keras.models.load_model(tmp_path / "source.keras")))


def test_an_order_that_a_file_does_not_tell_is_not_made_up(tmp_path):
    model = with_values(nested())
    model.save_weights(tmp_path / "keras3.weights.h5")
    with pytest.raises(CheckpointError, match="in which order its layers stand"):
        convert(tmp_path / "keras3.weights.h5", tmp_path / "a.h5")
    convert(tmp_path / "keras3.weights.h5", tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="in which order its layers stand"):
        convert(tmp_path / "a.safetensors", tmp_path / "a.h5")


def test_an_architecture_that_does_not_fit_is_refused_with_all_that_is_wrong(weights, tmp_path):
    inputs = keras.Input((8, 8, 3))
    other = keras.Model(inputs, keras.layers.Dense(2, name="label")(keras.layers.Flatten()(inputs)))
    with pytest.raises(MatchError, match="does not fit"):
        convert(weights, tmp_path / "a.keras", into=read_model(other).graph)


def test_what_a_file_leaves_open_is_asked(tmp_path):
    path = tmp_path / "keras2.h5"
    steps = keras.Input((4, 3))
    model = with_values(keras.Model(steps, keras.layers.LSTM(2, name="lstm")(steps)))
    save_weights(model, path)
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = np.bytes_(b"2.2.4")
        del file.attrs["transfer_card"]
    graph = read_model(model).graph
    with pytest.raises(MatchError, match="leaves open what it computes"):
        convert(path, tmp_path / "a.keras", into=graph)
    convert(path, tmp_path / "ignored.keras", into=graph, era="ignore")
    done = convert(path, tmp_path / "applied.keras", into=graph, era="apply")
    assert any("as when it was written" in note for note in done.notes)
    x = np.random.RandomState(0).rand(2, 4, 3).astype("float32")
    ignored, applied = (keras.models.load_model(tmp_path / f"{name}.keras")(x) for name in ("ignored", "applied"))
    same_outputs([ignored], [model(x)])
    assert np.abs(ignored - applied).max() > 1e-3


def test_a_class_of_the_callers_goes_into_safetensors_and_nowhere_else(tmp_path):
    class Doubling(keras.layers.Dense):
        """A layer that no file says how to build."""

    inputs = keras.Input((3,))
    model = keras.Model(inputs, Doubling(2, name="mine")(inputs))
    model.save(tmp_path / "source.keras")
    with pytest.raises(LayerError, match="Doubling"):
        convert(tmp_path / "source.keras", tmp_path / "a.h5")
    done = convert(tmp_path / "source.keras", tmp_path / "a.safetensors")
    assert any("without its architecture" in note for note in done.notes)
    assert digests(tmp_path / "a.safetensors") == digests(tmp_path / "source.keras")


# Safetensors of others


def test_pytorchs_names_are_refused_also_where_shapes_fit(tmp_path):
    """A square kernel of PyTorch has the shape of Keras's, and is its transpose."""
    inputs = keras.Input((4,))
    graph = read_model(keras.Model(inputs, keras.layers.Dense(4, name="fc")(inputs))).graph
    square = {"fc.weight": np.eye(4, dtype="float32"), "fc.bias": np.ones(4, "float32")}
    safetensors.numpy.save_file(square, tmp_path / "torch.safetensors")
    with pytest.raises(CheckpointError, match="does not say what its tensors are") as caught:
        convert(tmp_path / "torch.safetensors", tmp_path / "a.keras", into=graph)
    assert "PyTorch" in caught.value.problems[0].found
    for target in ("a.keras", "a.weights.h5", "a.h5"):
        with pytest.raises(CheckpointError):
            convert(tmp_path / "torch.safetensors", tmp_path / target)
    convert(tmp_path / "torch.safetensors", tmp_path / "a.safetensors")
    assert digests(tmp_path / "a.safetensors") == digests(tmp_path / "torch.safetensors")


def test_keras_names_by_another_writer_are_taken_by_name(tmp_path):
    inputs = keras.Input((4,))
    model = with_values(keras.Model(inputs, keras.layers.Dense(4, name="fc")(inputs)))
    kernel, bias = model.get_weights()
    safetensors.numpy.save_file({"fc/kernel": kernel, "fc/bias": bias}, tmp_path / "theirs.safetensors")
    convert(tmp_path / "theirs.safetensors", tmp_path / "a.keras", into=read_model(model).graph)
    same_outputs(outputs(keras.models.load_model(tmp_path / "a.keras")), outputs(model))


def test_safetensors_hold_keras_names_that_the_library_reads(tmp_path):
    model = with_values(nested())
    save_weights(model, tmp_path / "a.safetensors")
    found = safetensors.numpy.load_file(tmp_path / "a.safetensors")
    assert "backbone/backbone_conv/kernel" in found
    np.testing.assert_array_equal(found["label/bias"], model.get_layer("label").bias)
    assert open_safetensors(tmp_path / "a.safetensors").card.fingerprint is not None
    convert(tmp_path / "a.safetensors", tmp_path / "a.keras")
    assert restore(tmp_path / "a.keras").receipt.fingerprint == "verified"


# Whole, once, finite


@pytest.mark.parametrize("target", TARGETS)
def test_an_existing_file_is_replaced_on_request_alone(target, tmp_path):
    source = FILES / "keras-3.15.1" / "g_shared__full.h5"
    (tmp_path / target).write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        convert(source, tmp_path / target)
    assert (tmp_path / target).read_text() == "precious"
    convert(source, tmp_path / target, force=True)
    assert verify(tmp_path / target).is_verified
    assert [each.name for each in tmp_path.iterdir()] == [target]


def test_a_file_may_be_converted_in_its_own_place(tmp_path):
    path = Path(shutil.copy(FILES / "keras-3.15.1" / "g_shared__full.h5", tmp_path / "a.h5"))
    before = digests(path)
    convert(path, path, force=True)
    assert digests(path) == before
    assert verify(path).is_verified


def spoil(path, value):
    """A copy of a legacy file with one value that is not finite."""
    spoilt = Path(shutil.copy(path, path.with_name(f"spoilt_{path.name}")))
    with h5py.File(spoilt, "r+") as file:
        place = file["label/label/kernel"]
        place[0, 0] = value
    return spoilt


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("target", TARGETS)
def test_a_finite_file_is_not_replaced_by_one_that_is_not(weights, target, value, tmp_path):
    graph = read_model(keras.models.load_model(tmp_path / "source.keras")).graph
    spoilt = spoil(weights, value)
    done = convert(spoilt, tmp_path / f"new_{target}", into=graph)
    assert done.nonfinite == ("label/kernel",)
    convert(weights, tmp_path / target, into=graph)
    before = (tmp_path / target).read_bytes()
    with pytest.raises(OutputError, match="is finite, and what would replace it is not") as caught:
        convert(spoilt, tmp_path / target, into=graph, force=True)
    assert [each.where for each in caught.value.problems] == ["label/kernel"]
    assert (tmp_path / target).read_bytes() == before
    convert(spoilt, tmp_path / target, into=graph, force=True, allow_nonfinite=True)
    convert(spoilt, tmp_path / target, into=graph, force=True)  # the file that is there is no better


@pytest.mark.parametrize("name", ["a.txt", "a", "a.pt", "weights.json"])
def test_a_name_that_tells_no_layout_is_refused(name, tmp_path):
    with pytest.raises(OutputError, match="in which layout") as caught:
        convert(FILES / "keras-3.15.1" / "g_shared__full.h5", tmp_path / name)
    assert ".safetensors" in caught.value.problems[0].expected


def test_an_archive_holds_what_keras_puts_there_and_the_card(tmp_path):
    convert(FILES / "keras-3.15.1" / "g_shared__full.h5", tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        assert sorted(archive.namelist()) == ["config.json", "metadata.json", "model.weights.h5", "transfer_card.json"]
        assert {each.date_time for each in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_float8_goes_through_safetensors(tmp_path):
    values = {"a/kernel": np.arange(4, dtype="float32").astype(ml_dtypes.float8_e4m3fn)}
    safetensors.numpy.save_file({"a/kernel": values["a/kernel"]}, tmp_path / "theirs.safetensors")
    convert(tmp_path / "theirs.safetensors", tmp_path / "ours.safetensors")
    assert digests(tmp_path / "ours.safetensors") == [digest_tensor(values["a/kernel"])]


def test_a_slice_that_keras_cannot_read_in_a_legacy_file_is_refused_there_and_written_elsewhere(tmp_path):
    x = keras.Input((4, 3), name="x")
    keras.Model(x, keras.layers.Dense(2, name="end")(x[..., :2])).save(tmp_path / "sliced.keras")
    with pytest.raises(OutputError, match="slices that Keras cannot read") as caught:
        convert(tmp_path / "sliced.keras", tmp_path / "sliced.h5")
    assert [each.where for each in caught.value.problems] == ["get_item"]
    convert(tmp_path / "sliced.keras", tmp_path / "again.keras")
    assert keras.models.load_model(tmp_path / "again.keras").output_shape == (None, 4, 2)
    assert not (tmp_path / "sliced.h5").exists()
