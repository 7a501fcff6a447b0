"""Several steps in a call are the same as one by one, and stop before the first that is not finite."""

import keras
import numpy as np
import pytest
from suffixes import FEATURES, LABELS, bits, suffix

from transfer.labellings import Labelling
from transfer.recipes import Stage
from transfer.training.batching import Batching
from transfer.training.labels import Labels
from transfer.training.stepping import Stepping, copy_values, seed_layers

RATES = [0.05, 0.04, 0.03, 0.02]
THREE = Labelling.of_classes(("0", "1", "2"))


def stage(**options) -> Stage:
    return Stage("tune", unfreeze=("*",), batch_size=8, **{"rate": 0.05, **options})


def begun(one: Stage, features: np.ndarray = FEATURES) -> tuple[keras.Model, Stepping, Batching]:
    model = suffix(dropout=0.3, norm=True)
    seed_layers(model, 7)
    return model, Stepping(model, THREE, one), Batching(features, Labels.of_classes(LABELS, 3), one, seed=7)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adam"},
        {"optimizer": "adamw", "weight_decay": 0.1, "ema": 0.9, "l2_sp": 0.1, "mixup": 0.3, "layer_decay": 0.5},
        {"optimizer": "sgd"},
        {"optimizer": "sgd", "rate": 1e4},
    ],
    ids=["adam", "everything", "sgd", "guarded"],
)
def test_steps_in_one_call_give_the_same_bits_as_one_by_one(options):
    found = []
    for division in ((4,), (1, 1, 1, 1), (1, 3), (2, 2)):
        model, stepping, batching = begun(stage(**options))
        losses, first = [], 0
        for count in division:
            taken = stepping.take(batching.chunk(1, first, count), RATES[first : first + count])
            assert taken.finite
            losses += taken.losses
            first += count
        own = copy_values([*stepping.optimizer.variables, *stepping.averages])
        found.append((losses, bits(model), [each.tobytes() for each in own]))
    assert len(found[0][0]) == 4
    assert found[0] == found[1] == found[2] == found[3]


@pytest.mark.parametrize("options", [{"optimizer": "adam"}, {"optimizer": "sgd", "ema": 0.9}, {"rate": 1e4}])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_call_stops_before_the_first_step_that_is_not_finite(options, bad):
    order = np.random.default_rng((7, 1)).permutation(30)
    features = FEATURES.copy()
    features[order[9]] = bad  # the second of four batches
    model, stepping, batching = begun(stage(**options), features)
    taken = stepping.take(batching.chunk(1, 0, 4), RATES)
    twin, other, good = begun(stage(**options))
    first = other.take(good.chunk(1, 0, 1), RATES[:1])
    assert not taken.finite
    assert len(taken.losses) == 2
    assert taken.losses[0] == first.losses[0]
    assert bits(model) == bits(twin)
    assert [each.tobytes() for each in copy_values(stepping.optimizer.variables)] == [
        each.tobytes() for each in copy_values(other.optimizer.variables)
    ]


@pytest.mark.parametrize(
    ("options", "rate"),
    [({"optimizer": "sgd", "rate": 3e38}, 3e38), ({"optimizer": "adamw", "weight_decay": 1e30, "rate": 1e9}, 1e9)],
    ids=["rate", "decay"],
)
def test_weights_that_would_overflow_are_what_they_were(options, rate):
    model, stepping, batching = begun(stage(**options))
    before = bits(model)
    assert not stepping.take(batching.chunk(1, 0, 2), [rate, rate]).finite
    assert bits(model) == before


def test_statistics_that_overflow_are_what_they_were_though_the_loss_is_finite():
    """Values so large that their variance is not finite are 0 once they are divided by it."""
    inputs = keras.Input((6,))
    x = keras.layers.BatchNormalization(name="norm")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, name="label")(x))
    one = stage()
    stepping, batching = (
        Stepping(model, THREE, one),
        Batching(FEATURES * np.float32(1e25), Labels.of_classes(LABELS, 3), one, seed=7),
    )
    before = bits(model)
    assert not stepping.take(batching.chunk(1, 0), [0.05]).finite
    assert bits(model) == before


def test_weights_that_are_not_finite_at_the_start_stop_the_first_step():
    model = suffix()
    values = model.get_layer("block1_dense").get_weights()
    values[1][0] = np.inf  # the tanh of it is 1 and its slope 0: loss and gradients are finite
    model.get_layer("block1_dense").set_weights(values)
    one = stage()
    stepping, batching = Stepping(model, THREE, one), Batching(FEATURES, Labels.of_classes(LABELS, 3), one, seed=7)
    assert not stepping.take(batching.chunk(1, 0), [0.05]).finite


def test_tokens_that_are_met_twice_in_a_batch_have_the_sum_of_both_gradients():
    """As a product with one-hot rows has; Keras's Adam adds up the squares of the two instead."""
    tokens, labels = np.array([[1, 2], [2, 1], [3, 1], [1, 1]], np.float32), np.array([0, 1, 2, 0])
    entry, hot = keras.Input((2,)), keras.Input((2, 6))
    x = keras.layers.Flatten()(keras.layers.Embedding(6, 3, name="tokens")(entry))
    model = keras.Model(entry, keras.layers.Dense(3, name="label")(x))
    x = keras.layers.Flatten()(keras.layers.Dense(3, use_bias=False, name="tokens")(hot))
    twin = keras.Model(hot, keras.layers.Dense(3, name="label")(x))
    twin.set_weights(model.get_weights())
    one = Stage("tune", unfreeze=("*",), batch_size=2, rate=0.1)
    twin.compile(keras.optimizers.Adam(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    stepping, batching = Stepping(model, THREE, one), Batching(tokens, Labels.of_classes(labels, 3), one, seed=7)
    stepping.take(batching.chunk(1, 0, 2), [0.1, 0.1])
    order = np.random.default_rng((7, 1)).permutation(4)
    for places in (order[:2], order[2:]):
        twin.train_on_batch(np.eye(6, dtype=np.float32)[tokens[places].astype(int)], labels[places])
    for ours, theirs in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_one_trace_serves_any_number_of_steps_and_the_short_batch():
    traced = []

    class Counted(keras.layers.Layer):
        def call(self, inputs):
            traced.append(tuple(inputs.shape))
            return inputs

    inputs = keras.Input((6,))
    model = keras.Model(inputs, keras.layers.Dense(3, name="label")(Counted()(inputs)))
    one = stage()
    stepping, batching = Stepping(model, THREE, one), Batching(FEATURES, Labels.of_classes(LABELS, 3), one, seed=7)
    traced.clear()
    for first, count in ((0, 1), (1, 2), (3, 1)):
        stepping.take(batching.chunk(1, first, count), [0.05] * count)
    assert traced == [(8, 6)]


def test_steps_begin_anew_for_another_rate_unless_it_has_to_be_guarded():
    _, stepping, batching = begun(stage(optimizer="adam"))
    stepping.take(batching.chunk(1, 0, 2), [0.05, 0.05])
    assert any(each.any() for each in copy_values(stepping.optimizer.variables))

    assert stepping.takes_steps_of(stage(optimizer="adam", rate=0.01, epochs=3))
    assert not stepping.takes_steps_of(stage(optimizer="adam", rate=1e4))
    assert not stepping.takes_steps_of(stage(optimizer="adam", mixup=0.2, ema=0.5))
    stepping.begin_anew()
    assert not any(each.any() for each in copy_values(stepping.optimizer.variables))
