"""Tuning repeats to the bit, takes the examples in a new order each epoch, and leaves what is frozen alone."""

from itertools import chain

import keras
import numpy as np
import pytest

from transfer.errors import TrainingError
from transfer.recipes import Stage
from transfer.training.tuning import tune

INPUTS = np.random.default_rng(0).normal(size=(20, 6, 6, 2)).astype(np.float32)
LABELS = np.arange(20) % 3


def network(*, rate_of_dropout: float = 0.0) -> keras.Model:
    """conv1 and norm frozen, conv2 and head trained; the same values each time."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((6, 6, 2))
    x = keras.layers.Conv2D(3, 3, name="conv1", trainable=False)(inputs)
    x = keras.layers.BatchNormalization(name="norm", trainable=False)(x)
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv2")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(rate_of_dropout)(x)
    model = keras.Model(inputs, keras.layers.Dense(3, name="head")(x))
    random = np.random.default_rng(4)
    model.get_layer("norm").set_weights([random.uniform(0.5, 2, 3) for _ in range(4)])
    return model


def stage(**options) -> Stage:
    return Stage("tune", unfreeze_from="conv2", **{"epochs": 2, "rate": 1e-2, "batch_size": 8, **options})


def weights(model: keras.Model, *names: str) -> list[bytes]:
    layers = [model.get_layer(name) for name in names] or model.layers
    return [values.tobytes() for layer in layers for values in layer.get_weights()]


def mean_cross_entropy(model: keras.Model, inputs: np.ndarray, labels: np.ndarray) -> float:
    logits = model.predict(inputs, verbose=0).astype(np.float64)
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]))


def test_each_epoch_says_how_far_its_last_step_moved_the_trained_weights():
    steps = [network(), network()]
    tune(steps[0], INPUTS, LABELS, stage(epochs=1, batch_size=20), seed=5)  # one step
    (epoch,) = tune(steps[1], INPUTS, LABELS, stage(epochs=1, batch_size=20), seed=5)
    start = network()
    expected = {}
    for name in ("conv2", "head"):
        old, new = start.get_layer(name).get_weights()[0], steps[0].get_layer(name).get_weights()[0]
        expected[name] = np.sqrt(((new - old).astype(np.float64) ** 2).sum() / (old.astype(np.float64) ** 2).sum())
    assert epoch.updates == pytest.approx(expected, rel=1e-4)


def test_the_last_step_of_several_counts():
    model = network()
    first, second = tune(model, INPUTS, LABELS, stage(), seed=5)
    assert first.updates.keys() == second.updates.keys() == {"conv2", "head"}
    assert first.updates != second.updates
    short = network()
    (same,) = tune(short, INPUTS, LABELS, stage(epochs=1), seed=5)
    assert same.updates == first.updates
    assert all(0 < each < 1 for each in first.updates.values())


class Watched:
    """An array that remembers which rows were asked for."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.asked: list[list[int]] = []

    def __getitem__(self, places: np.ndarray) -> np.ndarray:
        self.asked.append(places.tolist())
        return self.values[places]

    def epochs(self, batches: int) -> list[list[int]]:
        starts = range(0, len(self.asked), batches)
        return [list(chain.from_iterable(self.asked[start : start + batches])) for start in starts]


def orders(seed: int) -> list[list[int]]:
    watched = Watched(INPUTS)
    tune(network(), watched, LABELS, stage(), seed=seed)
    return watched.epochs(batches=3)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_same_seed_gives_the_same_bits(dropout):
    first, again = network(rate_of_dropout=dropout), network(rate_of_dropout=dropout)
    losses = [tune(model, INPUTS, LABELS, stage(), seed=5) for model in (first, again)]
    assert losses[0] == losses[1]
    assert weights(first) == weights(again)


def test_another_seed_gives_other_values():
    first, other = network(), network()
    for seed, model in enumerate((first, other)):
        tune(model, INPUTS, LABELS, stage(), seed=seed)
    assert weights(first, "head") != weights(other, "head")


def test_every_epoch_takes_every_example_once_in_an_order_of_its_own():
    first, second = orders(seed=5)
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second
    assert [first, second] == orders(seed=5)
    assert orders(seed=6)[0] not in (first, second)


def test_frozen_layers_keep_their_bits_and_trained_ones_move():
    model = network()
    frozen, norm, trained = weights(model, "conv1"), weights(model, "norm"), weights(model, "conv2", "head")
    tune(model, INPUTS, LABELS, stage(), seed=0)
    assert weights(model, "conv1") == frozen
    assert weights(model, "norm") == norm
    assert not set(weights(model, "conv2", "head")) & set(trained)


def test_the_loss_of_one_full_batch_is_the_mean_cross_entropy_before_it():
    model = network()
    expected = mean_cross_entropy(model, INPUTS, LABELS)
    (epoch,) = tune(model, INPUTS, LABELS, stage(epochs=1, batch_size=20), seed=0)
    assert epoch.number == 1
    assert epoch.loss == pytest.approx(expected, rel=1e-5)


def test_a_shorter_last_batch_counts_by_its_examples():
    model = network()
    expected = mean_cross_entropy(model, INPUTS, LABELS)
    (epoch,) = tune(model, INPUTS, LABELS, stage(epochs=1, rate=1e-12, batch_size=8), seed=0)
    assert epoch.loss == pytest.approx(expected, rel=1e-4)


def test_the_first_step_is_that_of_adam():
    model, twin = network(), network()
    tune(model, INPUTS, LABELS, stage(epochs=1, batch_size=20, rate=1e-3), seed=0)
    twin.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    twin.fit(INPUTS, LABELS, batch_size=20, epochs=1, verbose=0)
    for ours, theirs in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_progress_is_told_of_each_epoch_with_its_loss():
    seen = []
    epochs = tune(network(), INPUTS, LABELS, stage(epochs=3), seed=0, progress=lambda *each: seen.append(each))
    assert [each.number for each in epochs] == [1, 2, 3]
    assert epochs[-1].loss < epochs[0].loss
    assert seen == [(f"tuning, loss {each.loss:.4f}", each.number, 3) for each in epochs]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_ends_it_with_the_values_before_that_step(bad):
    inputs = INPUTS.copy()
    inputs[3] = bad
    model, until_then = network(), network()
    with pytest.raises(TrainingError) as caught:
        tune(model, inputs, LABELS, stage(batch_size=20, epochs=1), seed=5)
    assert weights(model) == weights(until_then)
    assert "epoch 1" in caught.value.summary
    assert "rate" in caught.value.next_step


def test_the_steps_before_a_loss_that_is_not_finite_are_kept():
    inputs = INPUTS.copy()
    order = np.random.default_rng((5, 1)).permutation(20)
    inputs[order[16:]] = np.nan  # the third of three batches
    model = network()
    before = weights(model)
    with pytest.raises(TrainingError):
        tune(model, inputs, LABELS, stage(), seed=5)
    assert weights(model, "conv2", "head") != before
    assert all(np.isfinite(each).all() for each in model.get_weights())
