"""Arrays by the names of a network's inputs, and what one row of all of them holds."""

import numpy as np
import pytest

from transfer.data.fitting_arrays import fit_named, show_array
from transfer.data.inputs import Inputs
from transfer.data.named_arrays import NamedArrays
from transfer.data.named_inputs import NamedInput, pack_rows
from transfer.errors import DataError

LEFT, RIGHT = NamedInput("left", (2, 3), "float32"), NamedInput("right", (None,), "int64", ids=9)


def fitted(*inputs, **arrays):
    return fit_named(Inputs.of_array(NamedArrays(arrays)), inputs)


def test_arrays_come_in_the_order_of_the_inputs_and_in_their_shapes():
    found = fitted(LEFT, RIGHT, right=np.arange(8).reshape(2, 4), left=np.arange(12.0).reshape(2, 6))
    assert found.names == ("left", "right")
    assert found.shape_of("left") == (2, 3)
    rows = pack_rows(found)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, [[*range(6), *range(4)], [*range(6, 12), *range(4, 8)]])


def test_a_name_is_its_own_before_it_is_another_with_x_before_it():
    left, named = NamedInput("left", (1,), "float32"), NamedInput("x_left", (1,), "float32")
    ones, twos = np.ones((2, 1)), np.full((2, 1), 2.0)
    found = fitted(left, named, x_left=twos, left=ones)
    np.testing.assert_array_equal(pack_rows(found), [[1, 2], [1, 2]])
    np.testing.assert_array_equal(pack_rows(fitted(named, x_left=twos)), twos)
    np.testing.assert_array_equal(pack_rows(fitted(named, left=ones)), ones)
    with pytest.raises(DataError) as caught:
        fitted(left, named, x_left=twos)
    assert [each.where for each in caught.value.problems] == ["x_left"]


def test_every_array_that_does_not_fit_is_told():
    with pytest.raises(DataError) as caught:
        fitted(LEFT, RIGHT, rihgt=np.zeros((2, 4)), left=np.zeros((2, 7)))
    assert [(each.where, each.expected, each.found) for each in caught.value.problems] == [
        ("x_left", "(n, 2, 3)", "(2, 7)"),
        ("x_right", "an array (n, ?)", "none of that name; nearest: 'x_rihgt'"),
        ("x_rihgt", "an input of the network", "nearest: 'right', 'left'"),
    ]


@pytest.mark.parametrize(
    ("dtype", "values", "fault"),
    [
        ("int32", [2**24, -(2**24)], None),
        ("int32", [2**24 + 1, 0], ("whole numbers from -16,777,216 to 16,777,216", "from 0 to 16,777,217")),
        ("uint8", [3, -1], ("whole numbers from 0 to 16,777,216", "from -1 to 3")),
        ("int64", [1.0, 2.0], None),
        ("int64", [1.0, 2.5], ("whole numbers from -16,777,216 to 16,777,216", "fractions, first in row 1")),
        ("float32", [1.0, 2.5e9], None),
        ("bool", [True, False], None),
        ("int32", [], None),
    ],
)
def test_an_input_takes_the_whole_numbers_that_a_row_holds_exactly(dtype, values, fault):
    rows = np.array(values).reshape(-1, 1)
    assert NamedInput("a", (1,), dtype).fault(rows) == fault
    if fault is None and dtype != "float32":
        np.testing.assert_array_equal(rows.astype(np.float32).astype(rows.dtype), rows)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize(
    ("values", "found"),
    [([0, 6], None), ([7, 2], "from 2 to 7"), ([-1, 2], "from -1 to 2"), ([2.0, 2.5], "fractions, first in row 1")],
)
def test_token_ids_are_those_that_there_are(dtype, values, found):
    fault = NamedInput("a", (1,), dtype, ids=7).fault(np.array(values).reshape(2, 1))
    assert fault == (None if found is None else ("token ids from 0 to 6", found))


def test_an_input_is_the_same_behind_plain_values():
    assert NamedInput.from_json(RIGHT.to_json()) == RIGHT


def test_arrays_are_called_as_in_files():
    assert [show_array(name) for name in ("left", "x_left")] == ["x_left", "x_left"]
