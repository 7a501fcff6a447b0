"""The frozen part runs once over everything, in one shape, as the network itself would."""

import keras
import numpy as np
import pytest

from transfer.training.features import make_runner, run_in_batches


@keras.saving.register_keras_serializable("tests")
class Counted(keras.layers.Layer):
    """Passes its input on and counts how often it is traced."""

    def __init__(self, **options):
        super().__init__(**options)
        self.traces = 0

    def call(self, inputs):
        self.traces += 1
        return inputs


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 5, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Dropout(0.5)(keras.layers.ReLU()(x))
    x = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, Counted(name="counted")(x))
    random = np.random.default_rng(0)
    model.get_layer("norm").set_weights([random.uniform(0.5, 2, 4) for _ in range(4)])
    return model


@pytest.fixture(scope="module")
def inputs() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (11, 6, 5, 3), np.uint8)


@pytest.mark.parametrize("count", [1, 3, 4])
def test_a_batch_up_to_the_size_gives_what_the_network_predicts(network, inputs, count):
    found = make_runner(network, 4)(inputs[:count])
    expected = network.predict(inputs[:count].astype(np.float32), verbose=0)
    assert found.dtype == np.float32
    assert found.shape == (count, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 4, 11, 16])
def test_any_number_of_examples_gives_what_the_network_predicts(network, inputs, batch_size):
    found = run_in_batches(make_runner(network, batch_size), inputs, batch_size)
    np.testing.assert_allclose(found, network.predict(inputs.astype(np.float32), verbose=0), rtol=1e-5, atol=1e-5)


def test_an_example_meets_the_same_arithmetic_whatever_stands_beside_it(network, inputs):
    runner = make_runner(network, 4)
    alone = np.concatenate([runner(inputs[place : place + 1]) for place in range(4)])
    assert alone.tobytes() == runner(inputs[:4]).tobytes()


def test_everything_is_traced_once(network, inputs):
    runner, counter = make_runner(network, 4), network.get_layer("counted")
    counter.traces = 0
    for batch in (inputs[:4], inputs[4:8].astype(np.float64), inputs[8:]):
        runner(batch)
    assert counter.traces == 1


def test_running_changes_no_statistic_and_drops_nothing_out(network, inputs):
    before = [np.array(each) for each in network.get_weights()]
    runner = make_runner(network, 8)
    assert np.array_equal(runner(inputs[:8]), runner(inputs[:8]))
    assert all(np.array_equal(old, new) for old, new in zip(before, network.get_weights(), strict=True))


def test_many_networks_in_one_process_bring_no_word_of_tracing_from_tensorflow(caplog):
    for width in range(2, 10):
        network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(width)])
        assert make_runner(network, 4)(np.ones((2, 3), np.float32)).shape == (2, width)
    assert "retracing" not in caplog.text
