"""Updates against NumPy, step by step."""

import keras
import numpy as np
import pytest

from transfer.recipes import Stage
from transfer.training.updating import Optimizer, is_decayed, make_optimizer, may_overflow

GRADIENTS = np.random.default_rng(0).normal(size=(4, 3, 2))
START = np.random.default_rng(1).normal(size=(3, 2)).astype(np.float32)


def trained(stage: Stage, share: float = 1.0, *, name: str = "layer/kernel", scaled: float = 1.0) -> np.ndarray:
    """(steps, 3, 2): the values after each gradient."""
    variable = keras.Variable(START)
    optimizer = make_optimizer(stage, {name: variable}, {name: share})
    values = []
    for gradient in GRADIENTS:
        optimizer.apply([keras.ops.convert_to_tensor(gradient * scaled, "float32")], stage.rate)
        values.append(np.array(keras.ops.convert_to_numpy(variable)))
    return np.array(values)


def adam_by_hand(rate: float, decay: float = 0.0, share: float = 1.0) -> np.ndarray:
    w, m, v, values = START.astype(np.float64), 0.0, 0.0, []
    for t, g in enumerate(GRADIENTS, 1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w - share * rate * decay * w
        w = w - share * rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7)
        values.append(w)
    return np.array(values)


def sgd_by_hand(rate: float, momentum: float, decay: float = 0.0, share: float = 1.0) -> np.ndarray:
    w, m, values = START.astype(np.float64), 0.0, []
    for g in GRADIENTS:
        w = w - share * rate * decay * w
        m = momentum * m - rate * share * g
        w = w + m
        values.append(w)
    return np.array(values)


def stage(**options) -> Stage:
    return Stage("tune", unfreeze_last=0, **{"rate": 0.01, **options})


def test_adam_is_adam():
    np.testing.assert_allclose(trained(stage()), adam_by_hand(0.01), rtol=1e-4)


def test_adamw_takes_a_share_of_the_weight_off_first():
    np.testing.assert_allclose(trained(stage(optimizer="adamw", weight_decay=0.5)), adam_by_hand(0.01, 0.5), rtol=1e-4)


def test_sgd_is_sgd_with_momentum():
    found = trained(stage(optimizer="sgd", momentum=0.8, weight_decay=0.5))
    np.testing.assert_allclose(found, sgd_by_hand(0.01, 0.8, 0.5), rtol=1e-5)


@pytest.mark.parametrize("options", [{"optimizer": "adam"}, {"optimizer": "sgd", "momentum": 0.9}])
def test_a_share_of_a_quarter_moves_a_weight_exactly_a_quarter_as_far(options, monkeypatch):
    monkeypatch.setattr(f"{__name__}.START", np.zeros_like(START))
    whole, quarter = trained(stage(**options)), trained(stage(**options), 0.25)
    np.testing.assert_array_equal(quarter, whole / 4)


def test_a_share_of_a_tenth_moves_a_weight_a_tenth_as_far_where_a_smaller_gradient_would_not(monkeypatch):
    monkeypatch.setattr(f"{__name__}.START", np.zeros_like(START))
    whole, tenth, smaller = trained(stage()), trained(stage(), 0.1), trained(stage(), scaled=0.1)
    np.testing.assert_allclose(tenth, whole * 0.1, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(smaller, whole, rtol=1e-3, atol=1e-5)


def test_the_decay_has_its_share_too():
    found = trained(stage(optimizer="adamw", weight_decay=0.5), 0.1)
    np.testing.assert_allclose(found, adam_by_hand(0.01, 0.5, share=0.1), rtol=1e-5)


@pytest.mark.parametrize("name", ["layer/bias", "norm/gamma", "norm/beta"])
def test_biases_and_norms_do_not_decay(name):
    found = trained(stage(optimizer="adamw", weight_decay=0.5), name=name)
    np.testing.assert_allclose(found, adam_by_hand(0.01), rtol=1e-4)
    assert not is_decayed(name, 2)


def test_what_has_one_axis_does_not_decay():
    assert not is_decayed("layer/scale", 1)
    assert is_decayed("layer/kernel", 2)
    assert is_decayed("tokens/embeddings", 2)


def test_each_variable_has_its_own_share_and_decay():
    variables = {name: keras.Variable(np.ones((2, 2), np.float32)) for name in ("a/kernel", "b/kernel", "b/bias")}
    optimizer = make_optimizer(
        stage(optimizer="sgd", momentum=0.0, rate=0.5, weight_decay=0.5), variables, {"a/kernel": 0.25}
    )
    optimizer.apply([keras.ops.ones((2, 2))] * 3, 0.5)
    found = [float(each[0, 0]) for each in variables.values()]
    assert found == [1 - 0.25 * 0.5 * 0.5 - 0.25 * 0.5, 1 - 0.5 * 0.5 - 0.5, 1 - 0.5]


def test_the_rate_can_change_from_step_to_step():
    variable = keras.Variable(np.zeros((1, 1), np.float32))
    optimizer = make_optimizer(stage(optimizer="sgd", momentum=0.0), {"a/kernel": variable}, {})
    for rate in (0.5, 0.25):
        optimizer.apply([keras.ops.ones((1, 1))], rate)
    assert float(variable[0, 0]) == -0.75


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_an_optimizer_with_the_variables_of_another_goes_on_the_same(kind):
    def one() -> tuple[keras.Variable, Optimizer]:
        variable = keras.Variable(np.ones((3, 2), np.float32))
        return variable, make_optimizer(stage(optimizer=kind), {"a/kernel": variable}, {"a/kernel": 0.3})

    (first, optimizer), (second, again) = one(), one()
    gradients = [keras.ops.convert_to_tensor(each, "float32") for each in GRADIENTS]
    for gradient in gradients[:2]:
        optimizer.apply([gradient], 0.1)
    for mine, theirs in zip([second, *again.variables], [first, *optimizer.variables], strict=True):
        mine.assign(keras.ops.convert_to_numpy(theirs))
    for gradient in gradients[2:]:
        optimizer.apply([gradient], 0.1)
        again.apply([gradient], 0.1)
    assert np.asarray(first).tobytes() == np.asarray(second).tobytes()


@pytest.mark.parametrize(
    ("options", "theirs"),
    [
        ({"optimizer": "adam"}, lambda: keras.optimizers.Adam(0.01)),
        ({"optimizer": "adamw", "weight_decay": 0.3}, lambda: keras.optimizers.AdamW(0.01, weight_decay=0.3)),
        ({"optimizer": "sgd", "momentum": 0.8}, lambda: keras.optimizers.SGD(0.01, momentum=0.8)),
        ({"optimizer": "sgd", "momentum": 0.0}, lambda: keras.optimizers.SGD(0.01)),
    ],
)
def test_a_hundred_steps_end_where_those_of_keras_do(options, theirs):
    variable, twin, optimizer = keras.Variable(START), keras.Variable(START), theirs()
    ours = make_optimizer(stage(**options), {"a/kernel": variable}, {})
    for gradient in np.random.default_rng(2).normal(size=(100, 3, 2)).astype(np.float32):
        ours.apply([keras.ops.convert_to_tensor(gradient)], 0.01)
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [twin])
    np.testing.assert_allclose(np.asarray(variable), np.asarray(twin), rtol=1e-5, atol=1e-7)


def test_the_first_step_of_adam_is_the_rate_to_the_last_digits():
    """But for epsilon, which stands beside the root of a mean that is not corrected yet, as in Keras."""
    variable = keras.Variable(np.zeros((2, 2), np.float32))
    make_optimizer(stage(), {"a/kernel": variable}, {}).apply([keras.ops.full((2, 2), 3.0)], 0.01)
    np.testing.assert_allclose(np.asarray(variable), -0.01 / (1 + 1e-7 / np.sqrt(0.001 * 9)), rtol=2e-7)


def test_without_a_gradient_a_variable_is_left_alone():
    variables = {"a/kernel": keras.Variable(START), "b/kernel": keras.Variable(START)}
    optimizer = make_optimizer(stage(optimizer="adamw", weight_decay=0.5), variables, {})
    optimizer.apply([None, keras.ops.ones((3, 2))], 0.1)
    assert np.asarray(variables["a/kernel"]).tobytes() == START.tobytes()
    assert not np.allclose(np.asarray(variables["b/kernel"]), START)


# What may overflow


@pytest.mark.parametrize("options", [{"optimizer": "adam"}, {"optimizer": "sgd", "momentum": 0.99}])
def test_the_largest_gradients_do_not_overflow_at_rates_that_need_no_guard(options):
    """The sum of their squares is just finite."""
    variable = keras.Variable(START)
    optimizer = make_optimizer(stage(**options), {"a/kernel": variable}, {})
    assert not may_overflow(optimizer.targets, 1e3)
    largest = np.full((3, 2), np.sqrt(3.4e38 / 6), np.float32)
    assert np.isfinite(np.square(largest).sum())
    for _ in range(1000):
        optimizer.apply([keras.ops.convert_to_tensor(largest)], 1e3)
    assert np.isfinite(np.asarray(variable)).all()
    assert all(np.isfinite(np.asarray(each)).all() for each in optimizer.variables)


@pytest.mark.parametrize(
    ("options", "dtype", "rate"),
    [({}, "float32", 1e4), ({"optimizer": "adamw", "weight_decay": 3.0}, "float32", 0.5), ({}, "float16", 1e-3)],
    ids=["rate", "decay", "type"],
)
def test_high_rates_and_decays_and_narrow_types_need_a_guard(options, dtype, rate):
    variable = keras.Variable(START, dtype=dtype)
    assert may_overflow(make_optimizer(stage(**options), {"a/kernel": variable}, {}).targets, rate)
