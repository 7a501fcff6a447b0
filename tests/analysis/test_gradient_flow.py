"""Ratios, noise and decades against plain computation, and verdicts where they belong."""

import math
import tracemalloc

import numpy as np
import pytest

from transfer.analysis.gradient_flow import GradientFlow, GradientSums, LayerGradient, decades_of

RANDOM = np.random.default_rng(2)


def flow(ratios: list[float], *, strength: float = 1.0, loss: float = 1.0) -> GradientFlow:
    layers = tuple(LayerGradient(f"layer_{k}", ratio, 1.0, 1.0) for k, ratio in enumerate(ratios))
    return GradientFlow(layers, decades_of(ratios), strength, loss, 4)


def test_norms_and_noise_are_those_of_all_batches_together() -> None:
    signal = RANDOM.normal(size=30)
    gradients = signal + RANDOM.normal(size=(2000, 30))
    sums = GradientSums()
    for each in gradients:
        sums.add({"dense": [each[:10].reshape(5, 2), each[10:]]}, loss=2.0, error=0.5)
    found = sums.flow({"dense": 4.0, "never": 1.0})
    (layer,) = found.layers
    assert layer.gradient == pytest.approx(math.sqrt(np.mean((gradients**2).sum(1))))
    assert layer.ratio == pytest.approx(layer.gradient / 4)
    noise = gradients.var(axis=0, ddof=1).sum()
    mean_square = (gradients.mean(0) ** 2).sum() - noise / 2000
    assert layer.signal_to_noise == pytest.approx(mean_square / noise, rel=1e-4)
    assert layer.signal_to_noise == pytest.approx((signal**2).sum() / 30, rel=0.05)
    assert found.strength == pytest.approx(layer.ratio / 0.5)
    assert (found.loss, found.batches) == (2.0, 2000)


def test_one_copy_of_the_gradients_is_kept_in_single_precision() -> None:
    batches = [np.full((1000, 1000), value, np.float32) for value in (1.0, 2.0, 3.0)]
    sums = GradientSums()
    tracemalloc.start()
    for each in batches:
        sums.add({"dense": [each]}, 1.0, 1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.1 * batches[0].nbytes
    assert sums.flow({"dense": 1.0}).layers[0].gradient == pytest.approx(1000 * math.sqrt(14 / 3))
    assert (batches[0] == 1).all()


def test_noise_alone_has_no_signal_and_one_batch_no_noise() -> None:
    sums = GradientSums()
    for sign in (1, -1, 1, -1):
        sums.add({"a": [np.array([sign, 0.0])]}, 1.0, 1.0)
    assert sums.flow({"a": 1.0}).layers[0].signal_to_noise == 0
    one = GradientSums()
    one.add({"a": [np.array([3.0, 4.0])]}, 1.0, 1.0)
    layer = one.flow({"a": 2.0}).layers[0]
    assert (layer.gradient, layer.ratio) == (5.0, 2.5)
    assert math.isnan(layer.signal_to_noise)


def test_decades_are_read_off_a_line() -> None:
    assert decades_of([1e-6, 1e-4, 1e-2, 1.0]) == pytest.approx(6)
    assert decades_of([1.0, 1e-1, 1e-2]) == pytest.approx(-2)
    assert decades_of([1.0, 1.0, 1e-5, 1.0, 1.0]) == pytest.approx(0)  # one of another kind does not decide
    assert decades_of([0.0, 0.0, 1.0, 1.0]) == math.inf
    assert decades_of([1.0, 1.0, 0.0, 0.0]) == -math.inf
    assert decades_of([0.5]) == 0


def test_verdicts() -> None:
    assert flow([0.3, 0.5, 1.0]).verdict == "healthy"
    assert flow([1e-4, 1e-2, 1.0]).verdict == "vanishing"
    assert flow([1.0, 1e-2, 1e-4]).verdict == "exploding"
    assert flow([1e-6, 1e-6, 1e-6], strength=1e-6).verdict == "vanishing"
    assert flow([1e6, 1e6], strength=1e6).verdict == "exploding"
    assert flow([1.0, math.nan]).verdict == "not finite"
    assert flow([1.0, 1.0], loss=math.inf).verdict == "not finite"


@pytest.mark.parametrize("starved", [1, 2, 3, 4])
def test_layers_without_any_gradient_are_seen_however_few_they_are(starved: int) -> None:
    few = flow([0.0] * starved + [0.5] * (12 - starved))
    assert few.decades < 2
    assert few.verdict == "vanishing"
    assert few.cut_off == few.starved == tuple(f"layer_{k}" for k in range(starved))
    assert flow([0.5] * 4 + [0.0] * starved + [0.5] * 4).verdict == "vanishing"


def test_the_first_layers_may_be_starved_together_but_one_may_be_of_another_kind() -> None:
    assert flow([1e-3] * 2 + [0.5] * 10).verdict == "vanishing"
    assert flow([1e18] * 5 + [1e23], strength=1e18).verdict == "exploding"
    assert flow([1e-3] + [0.5] * 10).verdict == "healthy"
    assert flow([0.5, 1e-3, 1e-3] + [0.5] * 10).verdict == "healthy"


def test_weights_that_are_0_are_not_taken_for_gradients_that_are() -> None:
    layers = tuple(LayerGradient(name, 0.3, weights, 1.0) for name, weights in (("a", 0.0), ("b", 0.0), ("c", 1.0)))
    flowing = GradientFlow(layers, 0.0, 0.3, 1.0, 4)
    assert (flowing.verdict, flowing.cut_off, flowing.starved) == ("healthy", (), ())


def test_without_an_error_there_is_nothing_to_judge() -> None:
    sums = GradientSums()
    sums.add({"a": [np.zeros(3)], "b": [np.zeros(3)]}, loss=0.0, error=0.0)
    found = sums.flow({"a": 1.0, "b": 1.0})
    assert math.isnan(found.strength)
    assert (found.is_judged, found.verdict) == (False, "healthy")


def test_starved_layers_get_a_hundredth_of_the_last_one() -> None:
    assert flow([1e-5, 9e-3, 2e-2, 1.0]).starved == ("layer_0", "layer_1")
    assert flow([0.3, 0.5, 1.0]).starved == ()


def test_weights_of_nothing_have_no_ratio() -> None:
    assert LayerGradient("a", 1.0, 0.0, 1.0).ratio == 0


def test_what_waits_behind_a_kernel_of_0_is_not_cut_off_but_noted() -> None:
    """Gradients of 0 before the closed layer are left out; the rest is judged as if it stood alone."""
    sums = GradientSums()
    gradients = {"a": 0.0, "b": 0.0, "closed": 1.0, "d": 0.4, "e": 0.5}
    sums.add({name: [np.array([[value]])] for name, value in gradients.items()}, 1.6, 1.0)
    found = sums.flow({"a": 1.0, "b": 1.0, "closed": 0.0, "d": 1.0, "e": 1.0})
    assert (found.verdict, found.cut_off, found.starved) == ("healthy", (), ())
    assert found.decades == pytest.approx(math.log10(0.5 / 0.4))
    assert found.notes == ("closed: its kernel is 0: gradients reach what is before it after the first step",)
    cut = sums.flow(dict.fromkeys(gradients, 1.0))
    assert (cut.verdict, cut.cut_off, cut.notes) == ("vanishing", ("a", "b"), ())
