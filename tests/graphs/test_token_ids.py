"""Which inputs are token ids, and how many ids there are."""

import keras
import pytest

from transfer.graphs.token_ids import count_tokens
from transfer.models.building import read_model

L = keras.layers


def counted(inputs, output):
    return count_tokens(read_model(keras.Model(inputs, output)).graph)


def test_of_each_input_the_smallest_embedding_counts():
    a, b, c = (keras.Input((4,), name=name) for name in "abc")
    wide, narrow = L.Embedding(30, 2)(a), L.Embedding(20, 2)(L.Reshape((4,))(a))
    moved = L.Embedding(9, 2)(keras.ops.cast(keras.ops.flip(b, axis=1), "int32"))
    assert counted([a, b, c], L.Concatenate()([wide, narrow, moved, L.RepeatVector(4)(L.Dense(1)(c))])) == {
        "a": 20,
        "b": 9,
    }


@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_models_inside_are_looked_into_with_each_input_that_they_share(kind):
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    inner = keras.Sequential([keras.Input((4,)), L.Embedding(7, 2), L.GRU(3)])
    if kind == "functional":
        x, y = keras.Input((4,), name="y"), keras.Input((4,), name="x")
        inner = keras.Model([x, y], L.Concatenate()([L.Embedding(7, 2)(x), L.Dense(4)(L.RepeatVector(4)(y))]))
        assert counted([a, b], inner([b, a])) == {"b": 7}
    else:
        assert counted([a, b], L.Concatenate()([inner(a), inner(b)])) == {"a": 7, "b": 7}


def test_what_is_computed_or_chosen_first_is_not_told():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    part = L.Embedding(5, 2)(a[:, :2])
    computed = L.Embedding(5, 2)(b * 2)
    assert counted([a, b], L.Concatenate(axis=1)([part, computed])) == {}
