"""Networks and examples of every kind are pretrained: what is repeated, what is kept, what is told."""

import time

import keras
import numpy as np
import pytest

import transfer
from transfer.errors import DataError, LayerError, NotFiniteError, OutputError
from transfer.jobs.examples.feeding import make_feed
from transfer.jobs.examples.reading_unlabelled import read_unlabelled
from transfer.jobs.examples.spooling_unlabelled import spool_rows
from transfer.jobs.pretraining.building_objectives import build_objective
from transfer.jobs.pretraining.preparing_encoders import prepare_encoder
from transfer.jobs.pretraining.pretrained import read_told
from transfer.jobs.pretraining.pretraining_requests import PretrainingRequest
from transfer.jobs.students.clock import TimeLimit
from transfer.training.pretraining.methods import named_method

LAYERS = keras.layers
PACE = transfer.Pace(epochs=1, batch_size=10)
RANDOM = np.random.default_rng(0)


def network(*extra, shape=(28, 28, 1), dtype=None, end=None, name=None):
    """A small encoder with layers before it; unnamed ones, so that Keras names them."""
    x = inputs = keras.Input(shape)
    for make in extra:
        x = make()(x)
    x = LAYERS.Conv2D(4, 3, strides=2, padding="same", dtype=dtype)(x)
    x = LAYERS.ReLU(dtype=dtype)(LAYERS.BatchNormalization(dtype=dtype)(x))
    x = LAYERS.Flatten(dtype=dtype)(x)
    return keras.Model(inputs, LAYERS.Dense(8, activation="relu", dtype=dtype, **(end or {}))(x), name=name)


def same(one, other):
    return all(np.array_equal(*each) for each in zip(one.model.get_weights(), other.model.get_weights(), strict=True))


def test_names_that_keras_makes_up_change_nothing(digits, tmp_path):
    before = LAYERS.Dense(1).name
    first = transfer.pretrain(network, digits[0], pace=PACE, out=tmp_path / "encoder.weights.h5")
    LAYERS.Conv2D(1, 1)
    assert same(first, transfer.pretrain(network, digits[0], pace=PACE))
    assert transfer.pretrain(network, digits[0], pace=PACE, out=first.path).reused
    assert LAYERS.Dense(1).name != before  # what is made afterwards does not go by a name that was given


def test_a_decoder_of_ones_own_starts_from_the_seed(digits):
    def decoder(code, shape):
        return keras.Sequential([keras.Input((code,)), LAYERS.Dense(784), LAYERS.Reshape(shape)])

    first, second = (transfer.pretrain(network, digits[0], pace=PACE, decoder=decoder) for _ in range(2))
    assert same(first, second)

    def failing(code, shape):
        raise KeyError(code, shape)

    with pytest.raises(LayerError, match="decoder's function failed: KeyError"):
        transfer.pretrain(network, digits[0], pace=PACE, decoder=failing)
    with pytest.raises(LayerError, match="contrastive gives no rows back, so a decoder would have no effect"):
        transfer.pretrain(network, digits[0], method="contrastive", pace=PACE, decoder=decoder)


def test_another_decoder_is_another_request(digits, tmp_path):
    def ask(function="relu", units=8, decoder=True):
        def made(code, shape):
            layers = [LAYERS.Dense(units, function), LAYERS.Dense(784), LAYERS.Reshape(shape)]
            return keras.Sequential([keras.Input((code,)), *layers])

        out = tmp_path / "encoder.weights.h5"
        return transfer.pretrain(network, digits[0], pace=PACE, decoder=made if decoder else None, out=out)

    assert not ask().reused
    assert ask().reused
    for other in ({"function": "tanh"}, {"units": 9}, {"decoder": False}):
        with pytest.raises(OutputError, match="exists already"):
            ask(**other)


class Doubled(LAYERS.Layer):
    """A class of the caller's own."""

    def call(self, x):
        """Twice as much."""
        return 2 * x


def test_an_encoder_with_a_class_of_ones_own_is_found_again(tmp_path):
    def build():
        x = inputs = keras.Input((6,))
        return keras.Model(inputs, LAYERS.Dense(4, activation="relu")(Doubled()(x)))

    rows = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    first, again = (
        transfer.pretrain(build, rows, method="contrastive", pace=PACE, out=tmp_path / "own.weights.h5")
        for _ in range(2)
    )
    assert again.reused
    assert same(first, again)


def test_what_a_network_does_at_random_repeats_and_is_told(digits):
    def build():
        return network(lambda: LAYERS.RandomFlip(), lambda: LAYERS.RandomContrast(0.2))

    first, second = (transfer.pretrain(build, digits[0], method="gan", pace=PACE) for _ in range(2))
    assert same(first, second)
    told = "random_flip, random_contrast of the network change examples at random while it learns, "
    assert f"{told}beside what the method does" in first.notes
    masked = transfer.pretrain(build, digits[0], method="masked", pace=PACE).notes
    assert f"{told}and they are to be given back as they were: what cannot be known then stays in the error" in masked
    turned = transfer.pretrain(network(lambda: LAYERS.RandAugment((0, 255))), digits[0], method="rotation", pace=PACE)
    assert any("changes examples at random while it learns, after they are turned" in each for each in turned.notes)


def test_what_a_normalization_measured_is_kept_and_what_is_frozen_is_trained_and_told(digits):
    def build():
        measured = LAYERS.Normalization(name="measured")
        measured.adapt(digits[0][..., None].astype(np.float32))
        model = network(lambda: measured)
        model.get_layer("conv2d").trainable = False
        return model

    found = transfer.pretrain(build, digits[0], pace=PACE)
    assert float(np.ravel(found.model.get_layer("measured").mean)[0]) == pytest.approx(digits[0].mean(), rel=1e-4)
    assert "what is frozen there is trained as well: conv2d" in found.notes
    inner = network(name="inner")
    inner.layers[1].trainable = False
    inputs = keras.Input((28, 28, 1))
    nested = transfer.pretrain(keras.Model(inputs, inner(inputs)), digits[0], pace=PACE)
    assert f"what is frozen there is trained as well: inner/{inner.layers[1].name}" in nested.notes
    start = transfer.pretrain(build, digits[0], pace=transfer.Pace(epochs=1, batch_size=30, rate=1e-12))
    moved = [np.abs(a - b).max() for a, b in zip(found.model.get_weights(), start.model.get_weights(), strict=True)]
    assert moved[3] > 1e-4  # the frozen kernel, after what was measured


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "mixed_float16"])
@pytest.mark.parametrize("method", ["masked", "gan", "contrastive"])
def test_weights_of_any_precision_are_trained(dtype, method, digits):
    found = transfer.pretrain(lambda: network(dtype=dtype), digits[0], method=method, pace=PACE)
    kinds = {each.dtype for each in found.model.trainable_variables}
    assert kinds == {"float32" if dtype.startswith("mixed") else dtype}
    assert all(np.isfinite(np.asarray(each, np.float64)).all() for each in found.model.get_weights())


def test_a_model_within_a_model_and_a_layer_used_twice_are_trained(digits):
    def build():
        inner = keras.Sequential(
            [keras.Input((28, 28, 1)), LAYERS.Conv2D(4, 3, strides=2), LAYERS.BatchNormalization()]
        )
        twice = LAYERS.Conv2D(4, 3, padding="same", activation="relu")
        x = inputs = keras.Input((28, 28, 1))
        return keras.Model(inputs, LAYERS.GlobalAveragePooling2D()(twice(twice(inner(x)))))

    for method in ("autoencoder", "gan"):
        first, second = (transfer.pretrain(build, digits[0], method=method, pace=PACE) for _ in range(2))
        assert same(first, second)


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (0, 255), (-3, 7)])
def test_images_that_are_no_bytes_keep_their_range(low, high):
    images = RANDOM.uniform(low, high, (20, 28, 28, 1)).astype(np.float32)
    images[0, 0, :2, 0] = low, high

    prepared, inputs = prepare_encoder(network), read_unlabelled(images)
    feed = make_feed(prepared.network, inputs)
    request = PretrainingRequest(prepared, feed, spool_rows(feed, inputs), named_method("contrastive"), PACE, 0)
    objective = build_objective(request, None)
    assert (objective.encoder.black, objective.encoder.white) == (low, high)
    view = objective.pictures(images)["view"]
    assert view.min() < low + 0.3 * (high - low)
    assert view.max() > high - 0.3 * (high - low)


def test_signals_sequences_and_token_ids_are_learnt_from():
    def signal():
        x = inputs = keras.Input((None, 3))
        return keras.Model(inputs, LAYERS.GlobalAveragePooling1D()(LAYERS.Conv1D(8, 3, padding="same")(x)))

    waves = RANDOM.normal(size=(20, 40, 3)).astype(np.float32)
    for method in ("masked", "contrastive"):
        assert transfer.pretrain(signal, waves, method=method, pace=PACE).model.input_shape == (None, None, 3)

    def text():
        x = inputs = keras.Input((10,), dtype="int32", name="ids")
        return keras.Model(inputs, LAYERS.GlobalAveragePooling1D()(LAYERS.Embedding(20, 4)(x)))

    ids = RANDOM.integers(0, 20, (20, 10)).astype(np.int32)
    assert transfer.pretrain(text, ids, method="contrastive", pace=PACE).history
    with pytest.raises(LayerError, match="token ids"):
        transfer.pretrain(text, ids, method="masked", pace=PACE)


def test_open_sizes_grey_and_coloured_pictures_are_fitted(digits):
    def coloured():
        x = inputs = keras.Input((None, None, 3))
        return keras.Model(inputs, LAYERS.GlobalAveragePooling2D()(LAYERS.Conv2D(8, 3, strides=2, padding="same")(x)))

    pixels = RANDOM.integers(0, 256, (20, 32, 32, 3), np.uint8)
    for images in (pixels, digits[0]):
        found = transfer.pretrain(coloured, images, pace=PACE, size=(24, 24))
        assert found.model.input_shape == (None, None, None, 3)
    assert transfer.pretrain(network, pixels, pace=PACE).history
    assert transfer.pretrain(network, {"image": digits[0]}, pace=PACE).history


def test_examples_that_are_all_the_same_and_dead_encoders_are_told(digits):
    grey = np.full((20, 28, 28), 7, np.uint8)
    for method in ("masked", "variational", "gan", "rotation", "contrastive"):
        found = transfer.pretrain(network, grey, method=method, pace=PACE)
        assert found.signs == ("all examples that were looked at are the same: there is nothing to learn from them",)
    dead = network(end={"bias_initializer": keras.initializers.Constant(-1e4)})
    for method in ("masked", "gan", "contrastive"):
        signs = transfer.pretrain(dead, digits[0], method=method, pace=PACE).signs
        assert any(each.startswith("features are the same for all examples") for each in signs)


def test_images_of_one_value_that_is_no_usual_one_are_written(tmp_path):
    same_all = np.full((20, 28, 28, 1), -7, np.float32)
    found = transfer.pretrain(network, same_all, pace=PACE, out=tmp_path / "flat.weights.h5")
    assert found.signs
    assert (found.folder / "pictures" / "masked.png").is_file()


def test_the_last_finite_discriminator_has_the_kernels_that_its_statistics_are_of(digits, tmp_path):
    def plain():
        x = inputs = keras.Input((28, 28, 1), name="image")
        x = LAYERS.Flatten()(LAYERS.Conv2D(4, 3, strides=2, name="conv")(x))
        return keras.Model(inputs, LAYERS.Dense(8, activation="relu", name="features")(x))

    out, pace = tmp_path / "encoder.weights.h5", transfer.Pace(epochs=400, batch_size=10, rate=1e30, warmup=0.9)
    with pytest.raises(NotFiniteError):
        transfer.pretrain(plain, digits[0], method="gan", pace=pace, out=out)
    kept = keras.models.load_model(tmp_path / f".{out.name}.unfinished" / "last_finite.keras")
    kernel = kept.get_layer("conv").get_weights()[0]
    assert np.linalg.svd(kernel.reshape(9, 4), compute_uv=False)[0] == pytest.approx(1, rel=0.2)


def test_a_run_cut_off_between_its_folder_and_its_checkpoint_goes_on_and_another_checkpoint_is_not_taken_for_it(
    digits, tmp_path
):
    def ask(**options):
        return transfer.pretrain(network, digits[0], pace=PACE, out=tmp_path / "encoder.weights.h5", **options)

    first = ask()
    expected = first.path.read_bytes()
    first.path.unlink()
    with pytest.raises(OutputError, match="exists already"):
        ask(seed=1)
    assert not ask().reused
    assert first.path.read_bytes() == expected
    other = transfer.pretrain(network, digits[0], pace=PACE, seed=1).model
    transfer.save_weights(other, first.path, force=True)
    with pytest.raises(OutputError, match="exists already"):
        ask()
    ask(force=True)
    assert read_told(first.folder)["asked"]["seed"] == 0
    assert first.path.read_bytes() == expected


def test_what_cannot_be_is_refused_before_anything_is_read(digits):
    for wrong in ({"share": 1.5}, {"share": "nan"}, {"patch": 0}, {"code": -4}):
        with pytest.raises(DataError, match="out of bounds"):
            transfer.pretrain(network, digits[0], options=wrong)
    for wrong in ({"epochs": 0}, {"batch_size": 1}, {"rate": -1.0}, {"rate": float("nan")}, {"warmup": 1.0}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected"):
            transfer.Pace(**wrong)
    with pytest.raises(LayerError, match="no weights"):
        transfer.pretrain(lambda: keras.Sequential([keras.Input((28, 28, 1)), LAYERS.Flatten()]), digits[0])
    with pytest.raises(LayerError, match="as large as an image"):
        transfer.pretrain(network, digits[0], options={"patch": 28})
    with pytest.raises(ValueError, match="seed: expected"):
        transfer.pretrain(network, digits[0], seed=-1)


def test_a_place_where_nothing_can_go_is_refused_before_anything_is_read(tmp_path):
    nothing = tmp_path / "no such data"
    (tmp_path / "theirs.weights.h5").write_bytes(b"theirs")
    (tmp_path / "other.pretraining").mkdir()
    for name, told in {
        "theirs.weights.h5": "exists already",
        "other.weights.h5": "nothing pretrained",
        "no/folder/a.weights.h5": "not a folder",
    }.items():
        with pytest.raises(OutputError, match=told):
            transfer.pretrain(network, nothing, out=tmp_path / name)
    with pytest.raises(DataError):
        transfer.pretrain(network, nothing, out=tmp_path / "theirs.weights.h5", force=True)


def test_a_time_limit_that_leaves_no_step_is_a_sign(digits):
    limit = TimeLimit(60, time.monotonic() - 59)
    found = transfer.pretrain(network, digits[0], pace=PACE, time_limit=limit)
    assert found.signs == ("nothing is learnt: the time limit left none for a single step; give more time",)
    assert str(found).startswith("masked: 30 examples of an array, 0 epochs")
    assert found.notes[-1] == "the time limit ended it after 0 steps, 0 complete epochs"


def test_seeds_as_large_as_they_may_be_are_taken(digits):
    for method in ("masked", "gan", "contrastive"):
        assert transfer.pretrain(network, digits[0], method=method, pace=PACE, seed=2**32 - 1).history
