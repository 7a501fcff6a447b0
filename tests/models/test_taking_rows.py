"""A model of several inputs on rows of all of them."""

import keras
import numpy as np
import pytest

from transfer.models.taking_rows import inputs_of, take_rows

L = keras.layers


def parted(as_dictionary):
    b, a = keras.Input((2, 2), name="b"), keras.Input((3,), name="a", dtype="int32")
    both = {"b": b, "a": a} if as_dictionary else [b, a]
    told = L.Flatten()(L.Embedding(300, 2)(a))
    return keras.Model(both, {"y": L.Dense(2)(L.Concatenate()([L.Flatten()(b), told])), "ids": a})


@pytest.mark.parametrize("as_dictionary", [True, False])
@pytest.mark.parametrize("order", [("b", "a"), ("a", "b")])
def test_rows_give_what_the_inputs_give(as_dictionary, order):
    keras.utils.set_random_seed(2)
    model, random = parted(as_dictionary), np.random.default_rng(3)
    given = {"b": random.normal(size=(4, 2, 2)).astype(np.float32), "a": random.integers(0, 300, (4, 3))}
    rows = np.concatenate([given[name].reshape(4, -1) for name in order], axis=1).astype(np.float32)
    found = take_rows(model, {name: given[name].shape[1:] for name in order})(rows)
    told = model(given)
    np.testing.assert_array_equal(found["y"], told["y"])
    assert found["ids"].dtype == told["ids"].dtype == "int32"
    np.testing.assert_array_equal(found["ids"], given["a"])


def test_one_input_stands_for_itself():
    model = keras.Sequential([keras.Input((3,)), L.Dense(2)])
    assert inputs_of(model) is model.inputs[0]
    assert set(inputs_of(parted(True))) == {"a", "b"}
    assert [each.name for each in inputs_of(parted(False))] == ["b", "a"]
