"""Sizes of inputs that a graph leaves open."""

from transfer.graphs.graph import Graph, Layer, Ref
from transfer.graphs.input_shapes import is_closed, with_input_shapes


def graph(*shape):
    return Graph("g", (Layer("x", "InputLayer", {"batch_shape": [None, *shape]}),), (Ref("x"),), (Ref("x"),))


def test_a_size_is_set_in_a_copy():
    before = graph(None, 3)
    after = with_input_shapes(before, (7, 3))
    assert after.layer("x").config["batch_shape"] == [None, 7, 3]
    assert before == graph(None, 3)
    assert (is_closed(before), is_closed(after)) == (False, True)


def test_what_is_known_stays_without_a_word():
    assert with_input_shapes(graph(5, 3), None) == graph(5, 3)
