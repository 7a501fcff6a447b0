"""Training against a loop in NumPy with gradients by hand, and what is kept, told and refused."""

import time

import keras
import numpy as np
import pytest
from suffixes import FEATURES, LABELS, VALIDATION, VALIDATION_LABELS, bits, suffix

from transfer.errors import TrainingError
from transfer.recipes import Stage
from transfer.training import pacing
from transfer.training.fitting import fit
from transfer.training.losses import draw_mixing
from transfer.training.schedules import rate_at


def stage(**options) -> Stage:
    fields = {"epochs": 3, "rate": 0.05, "batch_size": 8, "optimizer": "sgd", **options}
    return Stage("tune", unfreeze=("*",), **fields)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def by_hand(one: Stage, seed: int) -> tuple[list[np.ndarray], list[float]]:
    """Weights in the end, and the mean loss of each epoch; the gradients of tanh(x A + a) B + b by hand."""
    weights = [each.astype(np.float64) for each in suffix().get_weights()]
    starts, averages = [each.copy() for each in weights], [each.copy() for each in weights]
    momenta, losses, step, n, size = [0.0] * 4, [], 0, len(LABELS), one.batch_size
    counts = np.bincount(LABELS)
    steps = one.epochs * -(-n // size)
    for epoch in range(1, one.epochs + 1):
        order, total = np.random.default_rng((seed, epoch)).permutation(n), 0.0
        for start in range(0, n, size):
            places = order[start : start + size]
            x, count = FEATURES[places].astype(np.float64), len(places)
            targets = np.eye(3)[LABELS[places]] * (1 - one.label_smoothing) + one.label_smoothing / 3
            if one.class_weights == "balanced":
                targets *= (n / (3 * counts))[LABELS[places]][:, None]
            if one.mixup:
                mixing = draw_mixing(one.mixup, count, count, seed=seed, epoch=epoch, step=start // size)
                share = float(mixing.shares[0])
                x = share * x + (1 - share) * x[mixing.partners]
                targets = share * targets + (1 - share) * targets[mixing.partners]
            a, bias_a, b, bias_b = weights
            hidden = np.tanh(x @ a + bias_a)
            logs = log_softmax(hidden @ b + bias_b)
            total += -(targets * logs).sum()
            slope = (np.exp(logs) * targets.sum(axis=1, keepdims=True) - targets) / count
            back = (slope @ b.T) * (1 - hidden**2)
            gradients = [x.T @ back, back.sum(0), hidden.T @ slope, slope.sum(0)]
            for place in (0, 1):
                gradients[place] = gradients[place] + one.l2_sp * (weights[place] - starts[place])
            rate = rate_at(one, step, steps)
            for place, share in enumerate([one.layer_decay] * 2 + [1.0] * 2):
                if place in (0, 2):
                    weights[place] = weights[place] * (1 - share * rate * one.weight_decay)
                momenta[place] = one.momentum * momenta[place] - share * rate * gradients[place]
                weights[place] = weights[place] + momenta[place]
                averages[place] = one.ema * averages[place] + (1 - one.ema) * weights[place]
            step += 1
        losses.append(total / n)
    return averages if one.ema else weights, losses


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": 30},
        {"momentum": 0.0, "schedule": "cosine", "warmup": 0.3},
        {"schedule": "steps", "rate": 0.5},
        {"label_smoothing": 0.2, "weight_decay": 0.5},
        {"class_weights": "balanced", "l2_sp": 0.7},
        {"mixup": 0.4, "layer_decay": 0.3},
        {"ema": 0.8, "schedule": "linear"},
        {
            "label_smoothing": 0.1,
            "class_weights": "balanced",
            "mixup": 1.0,
            "layer_decay": 0.5,
            "l2_sp": 0.1,
            "weight_decay": 0.1,
            "ema": 0.5,
            "schedule": "cosine",
            "warmup": 0.2,
        },
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_training_is_what_a_loop_by_hand_gives(options):
    model, one = suffix(), stage(**options)
    found = fit(model, FEATURES, LABELS, one, seed=7)
    weights, losses = by_hand(one, seed=7)
    for ours, theirs in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-5)
    assert [each.loss for each in found.history] == pytest.approx(losses, rel=1e-4)


def test_steps_are_taken_in_place_of_epochs_where_they_are_given():
    model, twin = suffix(), suffix()
    found = fit(model, FEATURES, LABELS, stage(steps=6, epochs=50), seed=7)  # four make an epoch
    assert (found.steps, len(found.history), found.ended) == (6, 2, "complete")
    order = np.random.default_rng((7, 2)).permutation(30)[:16]
    whole = fit(twin, FEATURES, LABELS, stage(epochs=1), seed=7)
    assert found.history[0] == whole.history[0]
    probabilities = log_softmax(twin.predict(FEATURES[order[:8]], verbose=0).astype(np.float64))
    first = -probabilities[np.arange(8), LABELS[order[:8]]].mean()
    assert found.history[1].loss == pytest.approx(first, rel=0.2)  # one more step lies between


def test_history_tells_rates_updates_and_validation():
    model, one = suffix(), stage(schedule="linear", epochs=2)
    found = fit(model, FEATURES, LABELS, one, seed=7, validation=(VALIDATION, VALIDATION_LABELS))
    assert [each.rate for each in found.history] == pytest.approx([0.05 * 5 / 8, 0.05 * 1 / 8])
    logs = log_softmax(model.predict(VALIDATION, verbose=0).astype(np.float64))
    last = found.history[-1]
    assert last.validation_loss == pytest.approx(-logs[np.arange(12), VALIDATION_LABELS].mean(), rel=1e-5)
    assert last.validation_accuracy == np.mean(logs.argmax(1) == VALIDATION_LABELS)
    before = suffix()
    fit(before, FEATURES, LABELS, stage(schedule="linear", epochs=2, steps=7), seed=7)
    assert before.get_weights()[0].tobytes() != model.get_weights()[0].tobytes()
    assert set(last.updates) == {"block1_dense", "label"}


def test_the_update_told_is_that_of_the_last_step():
    start, model = suffix(), suffix()
    (epoch,) = fit(model, FEATURES, LABELS, stage(epochs=1, batch_size=30), seed=7).history
    for layer in ("block1_dense", "label"):
        old, new = (each.get_layer(layer).get_weights()[0].astype(np.float64) for each in (start, model))
        expected = np.sqrt(((new - old) ** 2).sum() / (old**2).sum())
        assert epoch.updates[layer] == pytest.approx(expected, rel=1e-4)


class Shelf:
    """Features that are read by places."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.most = 0

    def read(self, places: np.ndarray) -> np.ndarray:
        self.most = max(self.most, len(places))
        return self.values[places]


def test_features_that_are_read_by_places_give_the_same_bits_and_no_more_than_a_call_takes_is_read(monkeypatch):
    monkeypatch.setattr(pacing, "_MOST_BYTES", 2 * FEATURES[:8].nbytes)
    model, twin, shelf = suffix(), suffix(), Shelf(FEATURES)
    here = fit(model, FEATURES, LABELS, stage(), seed=7, validation=(VALIDATION, VALIDATION_LABELS))
    there = fit(twin, shelf, LABELS, stage(), seed=7, validation=(Shelf(VALIDATION), VALIDATION_LABELS))
    assert here == there
    assert bits(model) == bits(twin)
    assert 8 <= shelf.most <= 16


def test_the_last_batch_is_filled_up_with_others_of_the_epoch_so_that_one_function_serves(monkeypatch):
    asked = []
    shelf = Shelf(FEATURES)
    monkeypatch.setattr(shelf, "read", lambda places: asked.extend(places.tolist()) or FEATURES[places])
    fit(suffix(), shelf, LABELS, stage(epochs=1), seed=7)
    order = np.random.default_rng((7, 1)).permutation(30).tolist()
    assert asked == order + order[:2]


# What draws random numbers, and what is frozen


@pytest.mark.parametrize("options", [{}, {"ema": 0.9, "mixup": 0.4}])
def test_the_same_seed_gives_the_same_bits_whatever_was_drawn_before(options):
    models = [suffix(dropout=0.5, norm=True) for _ in range(2)]
    models[1](FEATURES, training=True)  # draws
    keras.utils.set_random_seed(99)
    models[1].get_layer("norm").set_weights(models[0].get_layer("norm").get_weights())
    found = [fit(model, FEATURES, LABELS, stage(**options), seed=7) for model in models]
    assert found[0] == found[1]
    assert bits(models[0]) == bits(models[1])


def test_dropout_draws_anew_at_each_step_and_for_each_seed():
    models = [suffix(dropout=0.5) for _ in range(3)]
    losses = [
        [each.loss for each in fit(model, FEATURES, LABELS, stage(batch_size=30, rate=1e-9), seed=seed).history]
        for model, seed in zip(models, (1, 1, 2), strict=True)
    ]
    assert losses[0] == losses[1] != losses[2]
    assert len(set(losses[0])) == 3


def test_global_generators_are_left_alone():
    before = np.random.get_state()[1].tobytes()
    fit(suffix(dropout=0.5), FEATURES, LABELS, stage(epochs=1, mixup=0.2), seed=7)
    assert np.random.get_state()[1].tobytes() == before


def test_what_is_frozen_keeps_its_bits_and_statistics_that_are_not_move():
    model = suffix(norm=True, freeze_norm=True)
    model.get_layer("block1_dense").trainable = False
    frozen = [each.tobytes() for name in ("block1_dense", "norm") for each in model.get_layer(name).get_weights()]
    fit(model, FEATURES, LABELS, stage(), seed=7)
    assert frozen == [
        each.tobytes() for name in ("block1_dense", "norm") for each in model.get_layer(name).get_weights()
    ]
    other = suffix(norm=True)
    fit(other, FEATURES, LABELS, stage(epochs=1), seed=7)
    assert not np.allclose(other.get_layer("norm").get_weights()[2], 0)


@pytest.mark.parametrize("kind", ["dropout", "recurrent"])
def test_frozen_layers_that_draw_pass_their_input_on(kind):
    inputs = keras.Input((6,))
    if kind == "dropout":
        x = keras.layers.Dropout(0.5, trainable=False)(inputs)
    else:
        x = keras.layers.Reshape((3, 2))(inputs)
        x = keras.layers.LSTM(4, dropout=0.5, recurrent_dropout=0.5, trainable=False)(x)
    model = keras.Model(inputs, keras.layers.Dense(3, name="label")(x))
    logs = log_softmax(model.predict(FEATURES, verbose=0).astype(np.float64))
    (epoch,) = fit(model, FEATURES, LABELS, stage(epochs=1, batch_size=30), seed=7).history
    assert epoch.loss == pytest.approx(-logs[np.arange(30), LABELS].mean(), rel=1e-5)
    layer = model.layers[1 if kind == "dropout" else 2]
    assert (layer.rate if kind == "dropout" else layer.dropout) == 0.5


# Early stopping and averages


def test_early_stopping_keeps_the_weights_of_the_best_epoch():
    options = {"epochs": 40, "patience": 3, "rate": 1.0, "schedule": "constant"}
    model, twin = suffix(norm=True), suffix(norm=True)
    found = fit(model, FEATURES, LABELS, stage(**options), seed=7, validation=(VALIDATION, VALIDATION_LABELS))
    losses = [each.validation_loss for each in found.history]
    assert found.kept_epoch == int(np.argmin(losses)) + 1
    assert (found.ended, len(losses)) == ("patience", found.kept_epoch + 3)
    fit(twin, FEATURES, LABELS, stage(rate=1.0, epochs=found.kept_epoch), seed=7)
    assert bits(model) == bits(twin)


def test_without_patience_the_last_weights_are_kept():
    model, twin = suffix(), suffix()
    found = fit(model, FEATURES, LABELS, stage(rate=1.0), seed=7, validation=(VALIDATION, VALIDATION_LABELS))
    fit(twin, FEATURES, LABELS, stage(rate=1.0), seed=7)
    assert bits(model) == bits(twin)
    assert (found.kept_epoch, found.ended) == (3, "complete")


def test_averages_are_what_is_validated_and_kept():
    model = suffix()
    found = fit(model, FEATURES, LABELS, stage(ema=0.9), seed=7, validation=(VALIDATION, VALIDATION_LABELS))
    logs = log_softmax(model.predict(VALIDATION, verbose=0).astype(np.float64))
    expected = -logs[np.arange(12), VALIDATION_LABELS].mean()
    assert found.history[-1].validation_loss == pytest.approx(expected, rel=1e-5)


def test_looking_at_validation_changes_nothing():
    models = [suffix(dropout=0.3, norm=True) for _ in range(2)]
    for model, validation in zip(models, (None, (VALIDATION, VALIDATION_LABELS)), strict=True):
        fit(model, FEATURES, LABELS, stage(ema=0.9), seed=7, validation=validation)
    assert bits(models[0]) == bits(models[1])


def test_patience_without_examples_to_validate_on_is_refused():
    with pytest.raises(ValueError, match="patience"):
        fit(suffix(), FEATURES, LABELS, stage(patience=2), seed=7)


def test_a_model_in_which_nothing_is_trainable_is_refused():
    model = suffix()
    model.trainable = False
    with pytest.raises(ValueError, match="nothing is trainable"):
        fit(model, FEATURES, LABELS, stage(), seed=7)


# What is not finite


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("options", [{"optimizer": "adam"}, {"optimizer": "sgd", "ema": 0.9}])
def test_a_step_that_is_not_finite_ends_it_with_all_values_before_it(bad, options):
    order = np.random.default_rng((7, 1)).permutation(30)
    features = FEATURES.copy()
    features[order[17]] = bad  # the third batch
    model, twin = suffix(norm=True), suffix(norm=True)
    with pytest.raises(TrainingError) as caught:
        fit(model, features, LABELS, stage(**options), seed=7)
    fit(twin, FEATURES, LABELS, stage(**{**options, "ema": 0.0}, steps=2), seed=7)
    assert bits(model) == bits(twin)  # statistics of the normalization too
    assert "epoch 1" in caught.value.summary
    assert caught.value.problems[0].where == "step 3 of epoch 1"


@pytest.mark.parametrize(
    ("factor", "options"),
    [(1e25, {"optimizer": "adam"}), (1.0, {"optimizer": "sgd", "rate": 3e38})],
    ids=["squares of gradients", "weights"],
)
def test_what_overflows_ends_it_with_finite_weights(factor, options):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, name="label")])
    with pytest.raises(TrainingError):
        fit(model, FEATURES * factor, LABELS, stage(**options), seed=7)
    assert all(np.isfinite(each).all() for each in model.get_weights())


# Deadlines


def test_a_deadline_that_is_over_takes_no_step():
    model = suffix()
    before = bits(model)
    found = fit(model, FEATURES, LABELS, stage(), seed=7, deadline=time.monotonic())
    assert (found.steps, found.history, found.ended, found.kept_epoch) == (0, (), "deadline", 0)
    assert bits(model) == before


def test_a_deadline_ends_between_steps_and_the_run_can_go_on(tmp_path, monkeypatch):
    whole, cut = suffix(dropout=0.3), suffix(dropout=0.3)
    expected = fit(whole, FEATURES, LABELS, stage(), seed=7)
    clock = iter(range(10**6))
    monkeypatch.setattr("transfer.training.fitting.time.monotonic", lambda: float(next(clock)))
    found = fit(cut, FEATURES, LABELS, stage(), seed=7, state_folder=tmp_path, deadline=20.0)
    assert found.ended == "deadline"
    assert 0 < found.steps < expected.steps
    assert found.history == expected.history[: len(found.history)]
    again = suffix(dropout=0.3)
    assert fit(again, FEATURES, LABELS, stage(), seed=7, state_folder=tmp_path) == expected
    assert bits(again) == bits(whole)


def test_progress_is_told_of_each_epoch():
    seen = []
    found = fit(suffix(), FEATURES, LABELS, stage(), seed=7, progress=lambda *each: seen.append(each))
    assert seen == [(f"tuning, epoch {each.number}, loss {each.loss:.4f}", each.number, 3) for each in found.history]


def test_progress_tells_the_validation_loss_too_and_what_the_training_is_called():
    seen = []
    validation = (FEATURES[:6], LABELS[:6])
    options = {"seed": 7, "validation": validation, "name": "trial of stage 1"}
    found = fit(suffix(), FEATURES, LABELS, stage(), progress=lambda *each: seen.append(each[0]), **options)
    expected = [
        f"epoch {each.number}, loss {each.loss:.4f}, validation {each.validation_loss:.4f}" for each in found.history
    ]
    assert seen == [f"trial of stage 1, {each}" for each in expected]


def test_who_watches_is_given_each_epoch_and_after_a_cut_those_before_it_first(tmp_path):
    seen, again = [], []

    def breaking(epoch):
        seen.append(epoch)
        if epoch.number == 2:
            raise KeyboardInterrupt

    options = {"seed": 7, "state_folder": tmp_path, "save_every_seconds": 0.0}
    with pytest.raises(KeyboardInterrupt):
        fit(suffix(), FEATURES, LABELS, stage(), watch=breaking, **options)
    found = fit(suffix(), FEATURES, LABELS, stage(), watch=again.append, **options)
    assert tuple(seen) == found.history[:2]
    assert tuple(again) == found.history


@pytest.mark.parametrize(
    ("options", "is_used_again"),
    [
        ({"optimizer": "adam", "ema": 0.9}, True),
        ({"optimizer": "sgd", "momentum": 0.9, "mixup": 0.3}, True),
        ({"optimizer": "adamw", "weight_decay": 0.1, "layer_decay": 0.5}, True),
        ({"optimizer": "sgd", "l2_sp": 0.1}, False),
    ],
    ids=["adam", "sgd", "adamw", "pulled to its start"],
)
def test_steps_that_are_traced_already_give_the_same_bits(options, is_used_again):
    def learn(model, size, epochs, rate, stepping=None):
        one = stage(**{"epochs": epochs, "rate": rate, **options})
        return fit(model, FEATURES[:size], LABELS[:size], one, seed=5, stepping=stepping)

    model, fresh = suffix(dropout=0.3, norm=True), suffix(dropout=0.3, norm=True)
    start = model.get_weights()
    first = learn(model, 6, 3, 0.05)  # smaller batches, too
    model.set_weights(start)
    again = learn(model, len(LABELS), 2, 0.01, first.stepping)
    expected = learn(fresh, len(LABELS), 2, 0.01)

    assert (again.stepping is first.stepping) == is_used_again
    assert bits(model) == bits(fresh)
    assert again.history == expected.history


def test_steps_of_another_stage_or_model_are_not_used():
    model = suffix()
    first = fit(model, FEATURES, LABELS, stage(optimizer="adam"), seed=5)
    assert fit(model, FEATURES, LABELS, stage(), seed=5, stepping=first.stepping).stepping is not first.stepping
    same = fit(suffix(), FEATURES, LABELS, stage(optimizer="adam"), seed=5, stepping=first.stepping)
    assert same.stepping is not first.stepping
