"""Following an objective: what an epoch sees, going on where it was cut off, and stopping where it is not finite."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from transfer.errors import NotFiniteError, TrainingError
from transfer.training.pretraining.fitting import Pace, follow
from transfer.training.pretraining.methods import METHODS, named_method
from transfer.training.pretraining.objectives import Objective, Player

PACE = Pace(epochs=3, batch_size=64, rate=3e-3)


class CutOffError(Exception):
    """Stands for a kill."""


def weights(objective):
    return [np.array(each) for model in objective.models.values() for each in model.get_weights()]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_repeats_and_goes_on_to_the_bit(name, make_encoder, make_decoder, scans, tmp_path):
    whole, again, cut = (named_method(name).build(make_encoder(), make_decoder, 0) for _ in range(3))
    expected = follow(whole, scans, PACE, seed=4)
    assert follow(again, scans, PACE, seed=4) == expected
    assert same(whole, again)

    def stop(epoch):
        if epoch.number == 2:
            raise CutOffError

    with pytest.raises(CutOffError):
        follow(cut, scans, PACE, seed=4, state_folder=tmp_path, save_every_seconds=0, watch=stop)
    fresh = named_method(name).build(make_encoder(), make_decoder, 0)
    found = follow(fresh, scans, PACE, seed=4, state_folder=tmp_path)
    assert found.resumed_at >= 6
    assert found.history == expected.history
    assert same(fresh, whole)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gets_better_and_moves_the_encoder(name, make_encoder, make_decoder, scans):
    objective = named_method(name).build(make_encoder(), make_decoder, 0)
    before = objective.encoder.model.get_weights()
    found = follow(objective, scans, Pace(epochs=12, batch_size=50, rate=3e-3), seed=0)
    first, last = found.history[0].loss, found.history[-1].loss
    assert last < 0.95 * first
    assert all(np.any(a != b) for a, b in zip(before, objective.encoder.model.get_weights(), strict=True))


def test_another_seed_gives_another_order_and_an_epoch_leaves_no_batch_half_full(make_encoder, make_decoder, scans):
    seen = []

    class Watched:
        def __len__(self):
            return len(scans)

        def read(self, places):
            seen.append(np.array(places))
            return scans.read(places)

    objective = named_method("autoencoder").build(make_encoder(), make_decoder, 0)
    follow(objective, Watched(), Pace(epochs=2, batch_size=150), seed=0)
    batches = seen[1:]  # the first is looked at alone
    assert [len(each) for each in batches] == [150] * 4
    epochs = np.concatenate(batches[:2]), np.concatenate(batches[2:])
    assert all(len(set(each)) == 300 for each in epochs)
    assert list(epochs[0]) != list(epochs[1])


def test_a_set_smaller_than_a_batch_makes_one_batch(make_encoder, make_decoder, scans):
    few = type(scans)(scans.values[:7])
    objective = named_method("contrastive").build(make_encoder(), make_decoder, 0)
    assert follow(objective, few, Pace(epochs=3), seed=0).steps == 3


def test_a_deadline_ends_it_with_what_was_learnt(make_encoder, make_decoder, scans):
    objective = named_method("autoencoder").build(make_encoder(), make_decoder, 0)
    found = follow(objective, scans, PACE, seed=0, deadline=0.0)
    assert (found.ended, found.steps, found.history) == ("deadline", 0, ())


def test_a_step_that_is_not_finite_moves_nothing_and_says_where(make_encoder, scans):
    encoder = make_encoder()
    place = tf.Variable(0)

    def loss(batch):
        place.assign_add(1)
        bad = tf.where(place > 3, np.nan, 0.0)
        return {"loss": tf.reduce_mean(encoder.flat(batch.rows + bad))}

    objective = Objective(encoder, (Player("one", (encoder.model,), loss),), {"encoder": encoder.model})
    with pytest.raises(NotFiniteError, match="step 4 of epoch 1") as stopped:
        follow(objective, scans, PACE, seed=0)
    assert stopped.value.problems[0].found == "loss nan"
    assert all(np.isfinite(each).all() for each in encoder.model.get_weights())


def test_a_state_of_another_run_is_refused(make_encoder, make_decoder, scans, tmp_path):
    for seed in (0, 1):
        objective = named_method("masked").build(make_encoder(), make_decoder, 0)
        if not seed:
            follow(objective, scans, PACE, seed=seed, state_folder=tmp_path)
            continue
        with pytest.raises(TrainingError, match="belongs to another run"):
            follow(objective, scans, PACE, seed=seed, state_folder=tmp_path)


def test_the_rate_rises_and_falls():
    pace = Pace(rate=2.0, warmup=0.1)
    rates = [pace.rate_at(step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx(np.arange(1, 11) / 5)
    assert rates[55] == pytest.approx(1.0)  # half of the cosine
    assert rates[99] == pytest.approx(2 * (1 + np.cos(np.pi * 89 / 90)) / 2)


def test_about_600_000_examples_are_seen_where_nothing_is_said():
    assert [Pace().epochs_for(count) for count in (100, 5000, 60_000, 10**6)] == [200, 120, 10, 10]


def test_fewer_than_two_examples_are_refused(make_encoder, make_decoder, scans):
    objective = named_method("autoencoder").build(make_encoder(), make_decoder, 0)
    with pytest.raises(ValueError, match="two examples"):
        follow(objective, type(scans)(scans.values[:1]), PACE, seed=0)


def test_rows_that_are_no_images_are_learnt_too(make_encoder, make_decoder):
    random = np.random.default_rng(0)
    hidden = random.normal(size=(300, 3))
    flat = type("Rows", (), {})
    rows = flat()
    values = (hidden @ random.normal(size=(3, 20)) + 5).astype(np.float32)
    rows.values, rows.read = values, values.__getitem__
    flat.__len__ = lambda _: len(values)
    for name in ("autoencoder", "denoising", "masked", "variational", "gan", "contrastive"):
        objective = named_method(name).build(make_encoder(rows), lambda code: make_decoder(code, (20,)), 0)
        found = follow(objective, rows, Pace(epochs=20, batch_size=50, rate=3e-3), seed=0)
        if objective.worst:
            assert found.history[-1].outputs["error"]["value"] < 0.6 * objective.worst["error"]
    assert isinstance(objective.encoder.model, keras.Model)
