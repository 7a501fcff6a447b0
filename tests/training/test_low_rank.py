"""Products beside fixed kernels: where they are, what they change and what not, and merging them."""

import time

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.surgery.networks import backbone
from transfer.errors import LayerError
from transfer.models.building import build_model, read_model
from transfer.models.variables import name_variables
from transfer.recipes import Stage
from transfer.training.fitting import fit
from transfer.training.low_rank import adapt

L = keras.layers
RANDOM = np.random.default_rng(0)


def filled(model):
    """The model with values of no initialiser, some of them below 0."""
    random = np.random.default_rng(1)
    model.set_weights([np.abs(random.normal(size=each.shape)) / 3 + 0.01 for each in model.get_weights()])
    for layer in model._flatten_layers():
        for each in getattr(layer, "_trainable_variables", []):
            if len(each.shape) > 1:
                each.assign(random.normal(size=each.shape) / 3)
    return build_model(read_model(model))


def dense():
    inputs = keras.Input((6,))
    x = L.Dropout(0.3)(L.Dense(8, "tanh", name="block1_dense")(inputs))
    return keras.Model(inputs, L.Dense(3, name="label")(L.LayerNormalization(name="norm")(x)), name="dense")


def pictures():
    inputs = keras.Input((8, 8, 3))
    x = L.DepthwiseConv2D(3, name="depthwise")(L.Conv2D(5, 3, padding="same", groups=1, name="conv")(inputs))
    x = L.BatchNormalization(name="norm")(L.Conv2D(6, 1, use_bias=False, name="point")(x))
    x = L.SpectralNormalization(L.Conv2D(4, 1, name="inner"), name="spectral")(x)
    return keras.Model(inputs, L.Dense(3, name="label")(L.GlobalAveragePooling2D()(x)), name="pictures")


def words():
    inputs = keras.Input((4,), dtype="int32")
    x = L.Embedding(9, 6, name="embedding")(inputs)
    x = L.MultiHeadAttention(2, 3, name="attend")(x, x)
    x = L.EinsumDense("abc,cde->abde", (4, 2, 5), name="einsum")(x)
    x = L.Bidirectional(L.GRU(3), name="both")(L.TimeDistributed(L.Flatten())(x))
    return keras.Model(inputs, L.Dense(3, name="label")(x), name="words")


def nested():
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, L.Dense(3, name="label")(backbone()(inputs)), name="nested")


INPUTS = {
    dense: RANDOM.normal(size=(12, 6)).astype(np.float32),
    pictures: RANDOM.normal(size=(12, 8, 8, 3)).astype(np.float32),
    words: RANDOM.integers(0, 9, (12, 4)),
    nested: RANDOM.normal(size=(12, 8, 8, 3)).astype(np.float32),
}
LABELS = np.arange(12) % 3
STAGE = Stage(unfreeze=("*",), epochs=400, rate=0.001, batch_size=5, lora_rank=2)
NAMES = {
    dense: ["block1_dense/kernel", "label/kernel"],
    pictures: ["conv/kernel", "point/kernel", "label/kernel"],
    words: [
        "embedding/embeddings",
        *(f"attend/{each}/kernel" for each in ("query", "key", "value", "attention_output")),
        "einsum/kernel",
        "label/kernel",
    ],
    nested: ["backbone/backbone_conv/kernel", "backbone/backbone_conv_2/kernel", "label/kernel"],
}
BUILDERS = list(INPUTS)


def outputs(model, builder):
    return np.asarray(model(INPUTS[builder], training=False))


def values(model):
    return {name: np.array(keras.ops.convert_to_numpy(each)) for name, each in name_variables(model).items()}


def flags(model):
    layers = [(each.name, each.trainable) for each in model._flatten_layers()]
    return layers, {name: each.trainable for name, each in name_variables(model).items()}


def train(model, builder, **options):
    stage = Stage(unfreeze=("*",), epochs=4, rate=0.02, batch_size=5, lora_rank=2, **options)
    return fit(model, INPUTS[builder].astype(np.float32), LABELS, stage, seed=0)


@pytest.mark.parametrize("builder", BUILDERS)
def test_an_adapted_model_begins_where_the_old_one_was(builder):
    model = filled(builder())
    before = outputs(model, builder)
    adapted = adapt(model, 2, seed=0)
    assert sorted(adapted.names) == sorted(NAMES[builder])
    assert_array_equal(outputs(model, builder), before)


@pytest.mark.parametrize("builder", BUILDERS)
def test_merged_it_computes_what_it_did_and_has_its_old_variables(builder):
    model = filled(builder())
    old, old_flags = values(model), flags(model)
    adapted = adapt(model, 2, seed=0)
    train(model, builder)
    trained = values(model)
    reached = outputs(model, builder)
    adapted.merge()
    new = values(model)
    assert list(new) == list(old)
    assert flags(model) == old_flags
    assert_allclose(outputs(model, builder), reached, rtol=0, atol=1e-5 * np.abs(reached).max())
    assert np.abs(outputs(model, builder) - outputs(filled(builder()), builder)).max() > 0.01
    for name in adapted.names:
        path = name.rpartition("/")[0]
        a, b = (next(each for key, each in trained.items() if key in _factors(path, end)) for end in "ab")
        assert_allclose(new[name], old[name] + a @ b, atol=1e-6)
        assert_array_equal(trained[name], old[name])
        assert np.linalg.matrix_rank((a @ b).reshape(-1, b.shape[1])) <= 2
    for name in adapted.frozen:
        assert_array_equal(new[name], old[name])
    assert_allclose(outputs(build_model(read_model(model)), builder), outputs(model, builder), atol=1e-6)


def _factors(path, end):
    return (f"{path}/lora_kernel_{end}", f"{path}/lora_embeddings_{end}")


def test_layers_that_offer_none_are_frozen_with_their_statistics():
    model = filled(pictures())
    old = values(model)
    adapted = adapt(model, 2, seed=0)
    frozen = ["depthwise/kernel", "depthwise/bias", "norm/gamma", "norm/beta", "spectral/inner/kernel"]
    assert sorted(adapted.frozen) == sorted([*frozen, "spectral/inner/bias"])
    train(model, pictures)
    new = values(model)
    for name in (*adapted.frozen, "norm/moving_mean", "norm/moving_variance", "spectral/vector_u"):
        assert_array_equal(new[name], old[name])
    assert np.abs(new["conv/bias"] - old["conv/bias"]).max() > 0


def test_layers_that_were_frozen_stay_so_and_get_none():
    model = filled(nested())
    model.get_layer("backbone").trainable = False
    old, old_flags = values(model), flags(model)
    adapted = adapt(model, 1, seed=0)
    assert (adapted.names, adapted.frozen) == (("label/kernel",), ())
    train(model, nested)
    adapted.merge()
    assert flags(model) == old_flags
    assert [name for name, each in values(model).items() if not np.array_equal(each, old[name])] == [
        "label/kernel",
        "label/bias",
    ]


def test_a_head_can_be_trained_whole():
    model = filled(dense())
    adapted = adapt(model, 2, seed=0, whole=["label"])
    assert adapted.names == ("block1_dense/kernel",)
    old = values(model)
    train(model, dense, layer_decay=0.5, l2_sp=0.1, weight_decay=0.01, optimizer="adamw")
    change = values(model)["label/kernel"] - old["label/kernel"]
    assert np.linalg.matrix_rank(change) == 3


def test_initial_values_come_from_the_seed_and_the_name():
    def drawn(builder, seed, **options):
        model = filled(builder())
        adapt(model, 4, seed=seed, **options)
        found = values(model)
        return {name: each.tobytes() for name, each in found.items() if name.endswith("_a")}, found

    one, found = drawn(dense, 3)
    keras.utils.set_random_seed(9)
    assert drawn(dense, 3)[0] == one
    alone = drawn(dense, 3, whole=["label"])[0]
    assert alone == {"block1_dense/lora_kernel_a": one["block1_dense/lora_kernel_a"]}
    other = drawn(dense, 4)[0]
    assert len({*one.values(), *other.values()}) == 4
    limit = np.sqrt(6 / 6)
    assert 0.8 * limit < np.abs(found["block1_dense/lora_kernel_a"]).max() <= limit
    assert not found["block1_dense/lora_kernel_b"].any()


def test_a_model_is_adapted_again_after_it_was_merged():
    model = filled(dense())
    for _ in range(2):
        adapted = adapt(model, 2, seed=0)
        train(model, dense)
        reached = outputs(model, dense)
        adapted.merge()
        assert_allclose(outputs(model, dense), reached, atol=1e-5)


def test_training_goes_on_to_the_bit_where_it_was_cut_off(tmp_path):
    def trained(folder, *cuts):
        for deadline in (*cuts, None):
            model = filled(dense())
            adapted = adapt(model, 2, seed=0)
            fit(model, INPUTS[dense], LABELS, STAGE, seed=0, state_folder=folder, deadline=deadline)
            adapted.merge()
        return {name: each.tobytes() for name, each in values(model).items()}

    assert trained(tmp_path, time.monotonic(), time.monotonic() + 1.5) == trained(None)


def test_a_function_traced_before_merging_computes_the_same_after_it():
    model = filled(dense())
    adapted = adapt(model, 2, seed=0)
    train(model, dense)
    reached = model.predict(INPUTS[dense], verbose=0)
    adapted.merge()
    assert_allclose(model.predict(INPUTS[dense], verbose=0), reached, atol=1e-5)


def test_a_merged_kernel_keeps_its_type():
    inputs = keras.Input((6,))
    model = filled(keras.Model(inputs, L.Dense(3, dtype="bfloat16", name="label")(inputs)))
    adapted = adapt(model, 2, seed=0)
    layer = model.get_layer("label")
    layer.lora_kernel_b.assign(np.ones((2, 3)))
    wanted = values(model)["label/kernel"].astype(np.float64) + values(model)["label/lora_kernel_a"] @ np.ones((2, 3))
    adapted.merge()
    merged = values(model)["label/kernel"]
    assert merged.dtype.name == "bfloat16"
    assert_allclose(merged.astype(np.float64), wanted, rtol=2**-8, atol=1e-6)


def test_a_kernel_that_was_changed_is_told_of():
    model = filled(dense())
    adapted = adapt(model, 2, seed=0)
    model.get_layer("block1_dense")._kernel.assign_add(np.full((6, 8), 1e-6, np.float32))
    with pytest.raises(LayerError) as caught:
        adapted.merge()
    assert [each.where for each in caught.value.problems] == ["block1_dense/kernel"]


def test_where_no_layer_offers_it_the_reasons_are_told_and_nothing_is_changed():
    inputs = keras.Input((8, 8, 3))
    x = L.BatchNormalization(name="norm", scale=False, center=False)(L.DepthwiseConv2D(3, name="depthwise")(inputs))
    x = L.Conv2D(2, 1, kernel_constraint="non_neg", name="bound")(L.Conv2D(2, 1, name="frozen", trainable=False)(x))
    model = keras.Model(inputs, L.Dense(3, name="label")(L.Flatten()(x)))
    before = flags(model)
    with pytest.raises(LayerError, match="offers low-rank products") as caught:
        adapt(model, 2, seed=0, whole=["label"])
    assert {each.where: each.found for each in caught.value.problems} == {
        "depthwise": "DepthwiseConv2D: it offers none",
        "norm": "BatchNormalization: it offers none",
        "bound": "Conv2D: its kernel has a constraint",
    }
    assert flags(model) == before


def test_a_rank_is_at_least_one():
    with pytest.raises(ValueError, match="at least 1"):
        adapt(dense(), 0, seed=0)
