"""Values that stand out, counted as a loop over the elements counts them."""

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import transfer
from transfer.specs import TensorSpec
from transfer.weights.health import Health, examine, examine_all
from transfer.weights.opening import open_checkpoint


def spec(role="kernel", name="layer"):
    return TensorSpec(f"{name}/{role}", (), "float32", name, role)


ODD = [0.0, -0.0, 1.0, 1e-40, -1e-45, 1e-30, math.nan, math.inf, -math.inf, 3.0]


@given(
    hnp.arrays(np.float32, hnp.array_shapes(max_dims=3, max_side=4), elements=st.sampled_from(np.float32(ODD).tolist()))
)
def test_counts_are_those_of_a_loop(values):
    found = examine(spec(), values)
    each = [float(value) for value in values.reshape(-1)]
    assert found.nan == sum(math.isnan(value) for value in each)
    assert found.infinite == sum(math.isinf(value) for value in each)
    assert found.denormal == sum(0 < abs(value) < 2.0**-126 for value in each)
    same = len(each) > 1 and all(value == each[0] for value in each)
    assert found.constant == (each[0] if same else None)


def test_a_tensor_of_many_blocks_is_seen_to_its_end():
    values = np.ones(700_001, np.float32)
    assert examine(spec(), values).constant == 1
    values[-1] = math.nan
    found = examine(spec(), values)
    assert (found.nan, found.constant) == (1, None)


@pytest.mark.parametrize(
    ("dtype", "smallest"), [(np.float16, 2.0**-14), (np.float64, 2.0**-1022), (ml_dtypes.bfloat16, 2.0**-126)]
)
def test_denormal_is_below_what_the_type_holds_at_full_precision(dtype, smallest):
    values = np.array([smallest, smallest / 2, -smallest / 4, 0], dtype)
    assert examine(spec(), values).denormal == 2
    assert examine(spec(), np.array([math.nan, math.inf, 1], dtype)).is_broken


def test_whole_numbers_are_healthy():
    assert examine(spec(), np.arange(5, dtype=np.int8)) == Health("layer/kernel")
    assert examine(spec(), np.array(0, np.int64)) == Health("layer/kernel")
    assert examine(spec(), np.zeros((0, 3), np.float32)) == Health("layer/kernel")


@pytest.mark.parametrize(
    ("role", "value", "is_odd"),
    [
        ("kernel", 0.0, True),
        ("kernel", 1.0, True),
        ("bias", 0.0, False),
        ("bias", 0.1, True),
        ("gamma", 1.0, False),
        ("gamma", 0.0, True),
        ("beta", 0.0, False),
        ("moving_mean", 0.0, False),
        ("moving_variance", 1.0, False),
        ("moving_variance", 0.0, True),
    ],
)
def test_a_constant_is_odd_unless_the_layer_is_made_with_it(role, value, is_odd):
    found = examine(spec(role), np.full(4, value, np.float32))
    assert found.constant == pytest.approx(value)
    assert found.is_odd is is_odd
    assert bool(found.remark) is not is_odd
    assert not found.is_broken


def test_a_layer_that_has_seen_no_data_is_told_so():
    assert str(examine(spec("moving_mean"), np.zeros(3, np.float32))) == (
        "all 0 (as it was made: the layer has seen no data)"
    )


def test_in_words():
    values = np.array([math.nan, math.nan, math.inf, 1e-40], np.float32)
    assert str(examine(spec(), values)) == "2 NaN, 1 infinite, 1 denormal"
    assert str(Health("fine")) == ""


def test_every_tensor_of_a_file_is_examined(tmp_path):
    import keras

    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, name="a"), keras.layers.BatchNormalization(name="b")]
    )
    kernel = model.get_layer("a").get_weights()[0]
    kernel[1, 1] = math.inf
    model.get_layer("a").set_weights([kernel, np.ones(2)])
    transfer.save_weights(model, tmp_path / "x.weights.h5")
    found = {each.name: each for each in examine_all(open_checkpoint(tmp_path / "x.weights.h5"))}
    assert {name: each.infinite for name, each in found.items() if each.is_broken} == {"a/kernel": 1}
    assert [name for name, each in found.items() if each.is_odd] == ["a/kernel", "a/bias"]
    assert len(found) == 6
