"""The range test on curves made by hand and on a small network, of which it leaves no trace."""

import time

import keras
import numpy as np
import pytest
from suffixes import FEATURES, LABELS, bits, suffix

from transfer.errors import TrainingError
from transfer.labellings import Labelling
from transfer.recipes import Stage
from transfer.training.batching import Batching
from transfer.training.fitting import fit
from transfer.training.labels import Labels
from transfer.training.rate_finding import HIGHEST, LOWEST, SAFE, find_rate, suggest_rate

THREE = Labelling.of_classes(("0", "1", "2"))


def stage(**options) -> Stage:
    return Stage("tune", unfreeze=("*",), **{"rate": "auto", "batch_size": 8, "epochs": 2, **options})


def batching(one: Stage) -> Batching:
    return Batching(FEATURES, Labels.of_classes(LABELS, 3), one, seed=7)


def states(model: keras.Model) -> list[bytes]:
    return [np.asarray(keras.ops.convert_to_numpy(each)).tobytes() for each in model.variables]


def test_a_tenth_of_the_rate_where_the_loss_turns():
    rates = [10.0**power for power in range(-6, 1)]
    changes = [0.0, -0.1, -0.4, -1.0, -2.0, 9.0, 50.0]  # it turns after 0.01
    assert suggest_rate(rates, changes) == pytest.approx(1e-3)


def test_the_mean_outlives_a_single_odd_step():
    rates = [10.0**power for power in range(-6, 1)]
    changes = [0.0, -0.5, -0.9, 0.1, -3.0, 20.0, 90.0]
    assert suggest_rate(rates, changes) == pytest.approx(1e-3)


def test_losses_that_only_rise_give_the_lowest_rate():
    assert suggest_rate([1e-7, 1e-6, 1e-5], [0.0, 0.1, 5.0]) == 1e-7


def test_a_run_that_ended_early_counts_as_far_as_it_went():
    assert suggest_rate([1e-6, 1e-5, 1e-4, 1e-3], [0.0, -1.0]) == pytest.approx(1e-6)


@pytest.mark.parametrize("options", [{}, {"optimizer": "sgd", "ema": 0.9, "mixup": 0.4, "l2_sp": 0.1}])
def test_it_leaves_weights_random_generators_and_statistics_to_the_bit(options):
    model = suffix(dropout=0.5, norm=True)
    before = states(model)
    found = find_rate(model, THREE, batching(stage(**options)), stage(**options))
    assert states(model) == before
    assert LOWEST <= found <= HIGHEST / 10
    assert find_rate(model, THREE, batching(stage(**options)), stage(**options)) == found


def test_where_time_is_short_a_small_rate_is_taken_and_no_trace_is_left():
    model = suffix(dropout=0.5, norm=True)
    before = states(model)
    assert find_rate(model, THREE, batching(stage()), stage(), deadline=time.monotonic()) == SAFE
    assert find_rate(model, THREE, batching(stage()), stage(), deadline=time.monotonic() + 1e4) > SAFE
    assert states(model) == before


def test_training_at_the_found_rate_is_training_at_that_rate_given():
    model, twin = suffix(dropout=0.5, norm=True), suffix(dropout=0.5, norm=True)
    found = fit(model, FEATURES, LABELS, stage(), seed=7)
    given = fit(twin, FEATURES, LABELS, stage(rate=found.rate), seed=7)
    assert found == given
    assert bits(model) == bits(twin)


def test_the_found_rate_learns_more_in_the_same_steps_than_one_a_hundred_times_smaller_and_does_not_diverge():
    model, slow = suffix(), suffix()
    found = fit(model, FEATURES, LABELS, stage(epochs=20), seed=7)
    other = fit(slow, FEATURES, LABELS, stage(epochs=20, rate=found.rate / 100), seed=7)
    losses = [each.loss for each in found.history]
    assert losses[-1] < other.history[-1].loss - 0.05
    assert max(losses) <= losses[0] * 1.05


def test_a_start_that_is_not_finite_is_told():
    model = suffix()
    with pytest.raises(TrainingError, match="no rate can be found"):
        find_rate(model, THREE, Batching(FEATURES * np.nan, Labels.of_classes(LABELS, 3), stage(), seed=7), stage())
