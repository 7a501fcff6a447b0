"""Layers of a live model, classes of the caller's own among them."""

import keras

from transfer.graphs.summarizing import summarize
from transfer.models.building import read_model
from transfer.models.outlining import summarize_model

L = keras.layers


class Scaled(L.Layer):
    """A kernel that is trained and a count that is not."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1], 2), name="scale")
        self.seen = self.add_weight(shape=(), name="seen", trainable=False)
        super().build(shape)

    def call(self, x):
        return keras.ops.matmul(x, self.scale)


def create_model(**options):
    inputs = keras.Input((5,), name="x")
    return keras.Model(inputs, L.Dense(3, name="out")(Scaled(name="own", **options)(inputs)))


def test_what_no_rule_tells_of_a_layer_is_taken_from_the_model():
    found = {each.name: each for each in summarize_model(create_model(), new=["out"])}
    assert (found["own"].parameters, found["own"].trainable, found["own"].state) == (5 * 2 + 1, 5 * 2, "trainable")
    assert (found["out"].parameters, found["out"].trainable, found["out"].state) == (2 * 3 + 3, 2 * 3 + 3, "new")
    assert found["own"].shapes == ((2,),)
    still = {each.name: each for each in summarize_model(create_model(trainable=False))}
    assert (still["own"].trainable, still["own"].state) == (0, "frozen")


def test_a_model_of_keras_own_layers_is_told_as_its_graph_is():
    inputs = keras.Input((8, 8, 3), name="x")
    x = L.BatchNormalization(name="norm")(L.Conv2D(4, 3, trainable=False, name="conv")(inputs))
    model = keras.Model(inputs, L.Dense(2, name="out")(L.Flatten(name="flat")(x)))
    assert summarize_model(model) == summarize(read_model(model).graph)
