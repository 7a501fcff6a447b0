"""Updates against NumPy, step by step."""

import keras
import numpy as np
import pytest

from transfer.recipes import Stage
from transfer.training.updating import is_decayed, make_optimizer

GRADIENTS = np.random.default_rng(0).normal(size=(4, 3, 2))
START = np.random.default_rng(1).normal(size=(3, 2)).astype(np.float32)


def trained(stage: Stage, share: float = 1.0, *, name: str = "layer/kernel", scaled: float = 1.0) -> np.ndarray:
    """(steps, 3, 2): the values after each gradient."""
    variable = keras.Variable(START)
    optimizer = make_optimizer(stage, {name: variable}, {name: share})
    values = []
    for gradient in GRADIENTS:
        optimizer.apply([keras.ops.convert_to_tensor(gradient * scaled, "float32")])
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
    optimizer.apply([keras.ops.ones((2, 2))] * 3)
    found = [float(each[0, 0]) for each in variables.values()]
    assert found == [1 - 0.25 * 0.5 * 0.5 - 0.25 * 0.5, 1 - 0.5 * 0.5 - 0.5, 1 - 0.5]


def test_the_rate_can_change_from_step_to_step():
    variable = keras.Variable(np.zeros((1, 1), np.float32))
    optimizer = make_optimizer(stage(optimizer="sgd", momentum=0.0), {"a/kernel": variable}, {})
    for rate in (0.5, 0.25):
        optimizer.learning_rate = rate
        optimizer.apply([keras.ops.ones((1, 1))])
    assert float(variable[0, 0]) == -0.75


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_an_optimizer_saved_and_read_again_goes_on_the_same(kind):
    def one() -> tuple[keras.Variable, keras.optimizers.Optimizer]:
        variable = keras.Variable(np.ones((3, 2), np.float32))
        return variable, make_optimizer(stage(optimizer=kind), {"a/kernel": variable}, {"a/kernel": 0.3})

    first, optimizer = one()
    gradients = [keras.ops.convert_to_tensor(each, "float32") for each in GRADIENTS]
    for gradient in gradients[:2]:
        optimizer.apply([gradient])
    second = keras.Variable(keras.ops.copy(first.value))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    again.build([second])
    store: dict[str, np.ndarray] = {}
    optimizer.save_own_variables(store)
    again.load_own_variables(store)
    for gradient in gradients[2:]:
        optimizer.apply([gradient])
        again.apply([gradient])
    assert np.asarray(first).tobytes() == np.asarray(second).tobytes()


def test_shares_for_other_variables_are_refused():
    optimizer = make_optimizer(stage(), {"a/kernel": keras.Variable(START)}, {})
    other = type(optimizer).from_config(optimizer.get_config())
    with pytest.raises(ValueError, match="2 variables, but 1 shares"):
        other.build([keras.Variable(START), keras.Variable(START)])
