"""Recorded outputs prove a restored model, and never prove a wrong one."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from transfer.models.fingerprints import compare_fingerprint, record_fingerprint

L = keras.layers


def mlp(width=4, activation="relu"):
    inputs = keras.Input((3,), name="x")
    return keras.Model(inputs, L.Dense(2, name="b")(L.Dense(width, activation=activation, name="a")(inputs)))


def twin(model, **options):
    other = mlp(**options)
    other.set_weights(model.get_weights())
    return other


def test_a_fingerprint_is_of_two_seeded_examples():
    model = mlp()
    recorded = record_fingerprint(model)
    assert (recorded.shapes, recorded.dtypes) == (((2, 3),), ("float32",))
    x = np.random.RandomState(recorded.seed).random_sample((2, 3)).astype("float32")
    np.testing.assert_allclose(recorded.outputs[0], np.ravel(model(x)), rtol=1e-6)


def test_equal_models_have_equal_fingerprints():
    model = mlp()
    assert record_fingerprint(model) == record_fingerprint(twin(model))


def test_open_axes_get_a_size_and_long_outputs_are_sampled():
    inputs = keras.Input((None, None, 3))
    recorded = record_fingerprint(keras.Model(inputs, L.Conv2D(4, 3)(inputs)))
    assert recorded.shapes == ((2, 64, 64, 3),)
    assert len(recorded.outputs[0]) == 64


def test_whole_numbers_and_several_inputs_and_outputs_are_recorded():
    tokens, size = keras.Input((5,), dtype="int32"), keras.Input((2,))
    x = L.Concatenate()([L.Flatten()(L.Embedding(2, 3)(tokens)), size])
    model = keras.Model([tokens, size], [L.Dense(2)(x), L.Dense(3)(x)])
    recorded = record_fingerprint(model)
    assert recorded.dtypes == ("int32", "float32")
    assert [len(each) for each in recorded.outputs] == [4, 6]
    assert compare_fingerprint(model, recorded) == "verified"


def test_inputs_by_name_are_recorded():
    inputs = {"b": keras.Input((3,), name="b"), "a": keras.Input((4,), name="a")}
    model = keras.Model(inputs, L.Concatenate()([L.Dense(2)(inputs["b"]), L.Dense(2)(inputs["a"])]))
    assert compare_fingerprint(model, record_fingerprint(model)) == "verified"


def test_a_small_change_of_arithmetic_is_tolerated_and_a_change_of_weights_is_not():
    model = mlp()
    recorded = record_fingerprint(model)
    (values,) = recorded.outputs
    size = max(map(abs, values))
    near = replace(recorded, outputs=(tuple(each + 5e-5 * size for each in values),))
    far = replace(recorded, outputs=(tuple(each + 5e-4 * size for each in values),))
    assert compare_fingerprint(model, near) == "verified"
    assert compare_fingerprint(model, far) == "differ from the recorded ones by 0.0005 of their size"


def test_another_activation_differs():
    model = mlp()
    model.set_weights([value + 1 for value in model.get_weights()])
    assert compare_fingerprint(twin(model, activation="tanh"), record_fingerprint(model)).startswith("differ")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_differs(value):
    model = mlp()
    recorded = record_fingerprint(model)
    model.get_layer("b").bias.assign([value, 0.0])
    assert compare_fingerprint(model, recorded).startswith("differ")


def test_other_inputs_are_not_checked():
    inputs = keras.Input((4,))
    other = keras.Model(inputs, L.Dense(2)(inputs))
    assert compare_fingerprint(other, record_fingerprint(mlp())).startswith("not checked: recorded for inputs [(2, 3)]")


def test_other_outputs_are_not_checked():
    inputs = keras.Input((3,))
    other = keras.Model(inputs, L.Dense(5)(inputs))
    assert compare_fingerprint(other, record_fingerprint(mlp())) == "not checked: recorded for other outputs"


def test_random_layers_do_not_disturb():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, L.Dropout(0.5)(L.GaussianNoise(1.0)(L.Dense(4)(inputs))))
    assert record_fingerprint(model) == record_fingerprint(model)
