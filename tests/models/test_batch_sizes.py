"""Batches by what all layers give, counted by hand; sizes left open are those of the data."""

import keras

from transfer.models.batch_sizes import MOST_BYTES, count_values, fitting_batch_size

L = keras.layers


def network(size: int | None) -> keras.Model:
    inputs = keras.Input((size, size, 3))
    x = L.ReLU()(L.Conv2D(8, 3)(inputs))
    return keras.Model(inputs, L.Dense(5)(L.GlobalAveragePooling2D()(L.Add()([x, x]))))


def test_values_are_those_of_all_layers_whether_sizes_are_open_or_not() -> None:
    by_hand = 30 * 30 * 3 + 3 * 28 * 28 * 8 + 8 + 5
    assert count_values(network(30), (30, 30, 3)) == by_hand
    assert count_values(network(None), (30, 30, 3)) == by_hand


def test_a_batch_is_as_large_as_fits() -> None:
    assert fitting_batch_size(network(None), (30, 30, 3), most=16) == 16
    model = network(None)
    example = (800, 800, 3)
    fitting = fitting_batch_size(model, example, most=16)
    assert fitting == MOST_BYTES // (4 * count_values(model, example)) == 3
    assert fitting_batch_size(model, (9000, 9000, 3), most=16) == 1
