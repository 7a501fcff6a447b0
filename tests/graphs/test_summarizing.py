"""What is counted as trained is what Keras trains."""

import keras
import pytest

from transfer.graphs.freezing import freeze, freeze_all
from transfer.graphs.summarizing import summarize
from transfer.models.building import build_graph, read_model

L = keras.layers


def words():
    x = keras.Input((5,), name="x", dtype="int32")
    y = L.Embedding(7, 4, name="embed")(x)
    y = L.Dense(4, name="low")(L.BatchNormalization(name="norm")(y))
    return keras.Model(x, L.Dense(2, name="label")(y), name="words")


def quantized():
    model = words()
    model.quantize("int8", filters=["embed", "low"])
    return model


def adapted():
    model = words()
    for name in ("embed", "low"):
        model.get_layer(name).enable_lora(2)
    return model


def in_wrappers():
    x = keras.Input((5, 4), name="x")
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4, name="a"), L.Dense(3, name="b")], name="inner")
    y = L.Bidirectional(L.LSTM(3, return_sequences=True), name="both")(L.TimeDistributed(inner, name="td")(x))
    y = L.RNN([L.GRUCell(3, name="one"), L.GRUCell(2, name="two")], return_sequences=True, name="stack")(y)
    y = L.MultiHeadAttention(1, 2, name="attend")(y, y)
    inner.get_layer("a").trainable = False
    return keras.Model(x, L.SpectralNormalization(L.Dense(2), name="label")(y), name="wrapped")


def counted(model):
    """Of each layer: the numbers that Keras trains."""
    return {each.name: sum(v.shape.num_elements() for v in map(value, each.trainable_weights)) for each in model.layers}


def value(variable):
    return variable.value


@pytest.mark.parametrize("build", [words, quantized, adapted, in_wrappers])
def test_what_is_trained_is_counted_as_keras_counts_it(build):
    model = build()
    graph = read_model(model).graph
    assert {each.name: each.trainable for each in summarize(graph)} == counted(model)
    for pattern in ("low", "norm") if build is not in_wrappers else ("td/inner/b", "both", "stack", "attend"):
        frozen = freeze(graph, pattern, batch_norm="adapt")
        assert {each.name: each.trainable for each in summarize(frozen)} == counted(build_graph(frozen))
    assert not any(each.trainable for each in summarize(freeze_all(graph)))


def test_a_wrapper_of_which_a_part_is_frozen_says_so():
    model = in_wrappers()
    model.get_layer("both").forward_layer.trainable = False
    model.get_layer("stack").cell.cells[1].trainable = False
    found = summarize(read_model(model).graph)
    assert {each.name: each.trainable for each in found} == counted(model)
    states = {each.name: each.state for each in found}
    assert [states[name] for name in ("td", "both", "stack")] == ["partly frozen"] * 3
    assert (states["attend"], states["label"]) == ("trainable", "trainable")
