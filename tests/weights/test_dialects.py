"""Readers against files that real Keras versions wrote, and against what those versions said the files hold."""

import json
import re
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from transfer.weights.opening import open_checkpoint
from transfer.weights.tensor_digests import digest_tensor

FILES = Path(__file__).parent / "files"
ALL = sorted(path.relative_to(FILES).as_posix() for path in FILES.glob("*/*__*"))
PLAIN = {"keras-2.2.4": "cde", "keras-3.15.1": "bcdegjs", "tf.keras-2.11": "do"}  # stored as Keras has them today
WRITTEN = [name for name in ALL if name.split("/")[1][0] in PLAIN.get(name.split("/")[0], "")]


def truth(name):
    path = FILES / name
    with np.load(path.with_name(f"{path.name.split('__')[0]}.npz")) as file:
        return {key: file[key] for key in file.files}


def recorded(name):
    """Name in its writer to array."""
    values = truth(name)
    arrays = [values[key] for key in sorted(values) if key[0] == "w"]
    return dict(zip(json.loads(str(values["names"])), arrays, strict=True))


def test_there_are_files_of_fourteen_writers():
    assert len({name.split("/")[0] for name in ALL}) == 14
    assert len(ALL) == 49
    assert len(WRITTEN) == 12


@pytest.mark.parametrize("name", WRITTEN)
def test_every_tensor_has_the_bits_that_its_writer_had(name):
    checkpoint = open_checkpoint(FILES / name)
    found = sorted(map(digest_tensor, checkpoint.read(checkpoint).values()))
    assert found == sorted(map(digest_tensor, recorded(name).values()))


@pytest.mark.parametrize("name", WRITTEN)
def test_specs_tell_what_reading_gives(name):
    checkpoint = open_checkpoint(FILES / name)
    for tensor, values in checkpoint.read(checkpoint).items():
        spec = checkpoint.specs[tensor]
        assert (spec.shape, spec.dtype, spec.name) == (values.shape, values.dtype.name, tensor)
        assert spec.size_bytes == values.nbytes
        assert spec.name == f"{spec.layer}/{spec.role}"


@pytest.mark.parametrize("name", [name for name in WRITTEN if "c_nested" not in name and "s_same" not in name])
def test_a_name_means_the_tensor_that_its_writer_called_so(name):
    """By the last two parts: outer scopes differ between eras, and Keras 3's layout only numbers some roles."""
    checkpoint = open_checkpoint(FILES / name)
    for full, values in recorded(name).items():
        layer, role = full.split(":")[0].split("/")[-2:]
        layer = re.sub(r"^(cls)_\d+$", r"\1", layer)  # TensorFlow 1 numbered a scope that came again
        found = [
            checkpoint[tensor]
            for tensor, spec in checkpoint.specs.items()
            if spec.layer.rpartition("/")[2] == layer and (spec.role == role or spec.role.isdigit())
        ]
        assert any(np.array_equal(each, values) for each in found)


@pytest.mark.parametrize(
    ("name", "dialect", "writer"),
    [
        ("keras-3.15.1/b_cnn__wh5.weights.h5", "Keras 3 .weights.h5", "3.6+"),
        ("keras-3.15.1/e_multi__keras.keras", ".keras archive (Keras 3 .weights.h5)", "3.15.1"),
        ("keras-3.15.1/g_shared__full.h5", "full legacy .h5", "3.15.1"),
        ("tf.keras-2.11/d_lstm__full.h5", "full legacy .h5", "2.11.0"),
        ("tf.keras-2.11/o_mixed_float16__weights.h5", "legacy .h5 weights", "2.11.0"),
        ("keras-2.2.4/c_nested_bnfrozen__wh5.weights.h5", "legacy .h5 weights", "2.2.4"),
    ],
)
def test_dialect_and_writer_are_told_by_content_and_not_by_suffix(name, dialect, writer):
    checkpoint = open_checkpoint(FILES / name)
    assert (checkpoint.dialect, str(checkpoint.writer)) == (dialect, writer)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_file_holds_an_architecture_where_a_whole_model_was_saved(name):
    config = open_checkpoint(FILES / name).config
    if "__full" in name or name.endswith(".keras"):
        assert config["class_name"] in ("Functional", "Sequential", "Model")
    else:
        assert config is None


def test_keras_3_names_layers_and_numbers_them_within_their_class():
    specs = open_checkpoint(FILES / "keras-3.15.1/b_cnn__wh5.weights.h5").specs
    assert specs["conv2d_2/kernel"].position == 2
    assert specs["conv2d_2/kernel"].layer_class == "conv2d"
    assert specs["batch_normalization_1/moving_variance"].position == 1
    assert [name for name in specs if name.startswith("depthwise")] == [
        "depthwise_conv2d/kernel",
        "depthwise_conv2d/bias",
    ]


def test_layers_within_layers_stand_below_them():
    specs = open_checkpoint(FILES / "keras-3.15.1/j_mha__wh5.weights.h5").specs
    assert {spec.layer for spec in specs.values()} == {
        "ln",
        "mha/attention_output",
        "mha/key",
        "mha/query",
        "mha/value",
        "out",
    }
    inside = [spec for spec in specs.values() if spec.layer.startswith("mha/")]
    assert {(spec.owner, spec.layer_class, spec.position) for spec in inside} == {("mha", "multi_head_attention", 0)}


def test_a_legacy_file_of_a_nested_model_says_nothing_of_its_order():
    # The trainable tensors come first, as they were when the file was written.
    specs = open_checkpoint(FILES / "keras-3.15.1/c_nested_bnfrozen__full.h5").specs
    assert list(specs)[:3] == ["backbone/bb_conv1/kernel", "backbone/bb_conv2/kernel", "backbone/bb_bn1/gamma"]
    assert {spec.position for spec in specs.values() if spec.layer.startswith("backbone/")} == {None}
    assert specs["head/kernel"].position == 2


# Written here and now by the Keras that is installed


def test_the_state_of_an_optimizer_is_no_weight(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="a"), keras.layers.Dropout(0.5, seed=1)])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / "a.keras")
    model.save_weights(tmp_path / "a.weights.h5")
    keras.src.legacy.saving.legacy_h5_format.save_model_to_hdf5(model, tmp_path / "a.h5")
    for name in ("a.keras", "a.weights.h5", "a.h5"):
        checkpoint = open_checkpoint(tmp_path / name)
        assert list(checkpoint) == ["a/kernel", "a/bias"]
        np.testing.assert_array_equal(checkpoint["a/kernel"], model.get_layer("a").get_weights()[0])
        assert any("optimizer" in place for place in checkpoint.extras)


def test_names_past_hdf5s_header_are_put_together_again(tmp_path):
    names = [f"dense_with_a_name_of_five_thousand_letters_{'x' * 5000}_{k}" for k in range(14)]
    model = keras.Sequential([keras.Input((2,)), *(keras.layers.Dense(2, name=name) for name in names)])
    path = tmp_path / "long.h5"
    with h5py.File(path, "w") as file:
        keras.src.legacy.saving.legacy_h5_format.save_weights_to_hdf5_group(file, model)
        assert "layer_names0" in file.attrs
    checkpoint = open_checkpoint(path)
    assert [spec.layer for spec in checkpoint.specs.values()][::2] == names
    for values, wanted in zip(checkpoint.values(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(values, wanted)


def test_the_eleventh_layer_of_a_class_comes_after_the_second(tmp_path):
    model = keras.Sequential([keras.Input((2,)), *(keras.layers.Dense(2, name=f"layer_{k}") for k in range(12))])
    model.save_weights(tmp_path / "a.weights.h5")
    specs = open_checkpoint(tmp_path / "a.weights.h5").specs
    assert [spec.layer for spec in specs.values()][::2] == [f"layer_{k}" for k in range(12)]
    assert specs["layer_11/kernel"].position == 11


def test_a_layer_without_its_bias_is_named_by_what_it_has(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((4, 4, 2)),
            keras.layers.Conv2D(3, 2, use_bias=False, name="conv"),
            keras.layers.BatchNormalization(scale=False, name="norm"),
        ]
    )
    model.save_weights(tmp_path / "a.weights.h5")
    checkpoint = open_checkpoint(tmp_path / "a.weights.h5")
    assert list(checkpoint) == [
        "norm/0",
        "norm/1",
        "norm/2",
        "conv/kernel",
    ]  # three of four: which, the file does not say


def test_a_layer_that_saves_its_own_variables_names_them_itself(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["layers/mine/vars/table"] = np.ones((2, 2), "float32")
        file["layers/mine/vars/0"] = np.ones(3, "float32")
    assert list(open_checkpoint(tmp_path / "a.h5")) == ["mine/0", "mine/table"]


def test_a_layer_inside_a_model_may_be_called_as_the_model_with_a_number(tmp_path):
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"block", b"conv"]
        for layer, names in {"block": ["block_1/kernel:0", "dense/kernel:0"], "conv": ["conv_2/kernel:0"]}.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name in names:
                group[name] = np.zeros((2, 2), "float32")
    specs = open_checkpoint(path).specs
    assert list(specs) == ["block/block_1/kernel", "block/dense/kernel", "conv/kernel"]
    assert specs["block/block_1/kernel"].owner == "block/block_1"
