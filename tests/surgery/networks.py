"""Networks with everything that layouts differ in: nesting, freezing, sharing, layers inside layers, random states."""

import keras
import numpy as np

L = keras.layers


def backbone(name="backbone"):
    inputs = keras.Input((8, 8, 3), name=f"{name}_in")
    x = L.Conv2D(4, 3, name=f"{name}_conv", use_bias=False)(inputs)
    x = L.BatchNormalization(name=f"{name}_norm")(x)
    x = L.Conv2D(4, 3, name=f"{name}_conv_2")(x)
    x = L.BatchNormalization(name=f"{name}_norm_2", scale=False)(x)
    return keras.Model(inputs, L.GlobalAveragePooling2D(name=f"{name}_pool")(L.ReLU(name=f"{name}_relu")(x)), name=name)


def nested():
    inputs = keras.Input((8, 8, 3), name="photo")
    x = L.Dropout(0.5, name="drop")(backbone()(inputs))
    return keras.Model(inputs, L.Dense(2, name="label")(x), name="outer")


def nested_frozen():
    """Legacy files hold a nested model's trained tensors before its frozen ones."""
    model = nested()
    model.get_layer("backbone").get_layer("backbone_conv").trainable = False
    model.get_layer("backbone").get_layer("backbone_norm_2").trainable = False
    return model


def sequential():
    inner = keras.Sequential(
        [keras.Input((6,)), L.Dense(4, name="one"), L.Dropout(0.1), L.Dense(4, name="two")], name="inner"
    )
    return keras.Sequential([keras.Input((6,)), L.Dense(6, name="before"), inner, L.LayerNormalization(), L.Dense(2)])


def recurrent():
    inputs = keras.Input((5, 6), name="steps")
    x = L.Bidirectional(L.LSTM(3, return_sequences=True), name="both_ways")(inputs)
    x = L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode="sum", name="both_again")(x)
    x = L.TimeDistributed(L.Dense(4), name="each")(x)
    x = L.RNN(L.SimpleRNNCell(3), return_sequences=True, name="plain")(x)
    return keras.Model(inputs, L.GRU(2, reset_after=False, name="last")(x), name="recurrent")


def stacked():
    """What files of Keras hold in groups of their own, and a restore does not take apart."""
    inputs = keras.Input((5, 6), name="steps")
    x = L.RNN([L.LSTMCell(3), L.GRUCell(4), L.LSTMCell(2)], return_sequences=True, name="stack")(inputs)
    x = L.GroupQueryAttention(3, 4, 2, name="grouped")(x, x)
    return keras.Model(inputs, L.Dense(2, name="end")(x), name="stacked")


def attending():
    inputs = keras.Input((5, 6), name="steps")
    x = L.MultiHeadAttention(2, 3, name="attend", dropout=0.1)(inputs, inputs)
    x = L.Attention(use_scale=True, name="scaled")([x, x])
    x = L.EinsumDense("abc,cd->abd", output_shape=(None, 4), bias_axes="d", name="einsum")(x)
    return keras.Model(inputs, L.Flatten(name="flat")(x), name="attending")


def shared():
    one, two = keras.Input((6,), name="one"), keras.Input((6,), name="two")
    layer = L.Dense(4, name="shared")
    joined = L.Concatenate(name="join")([layer(two), L.Dense(3, name="own")(one), layer(one)])
    return keras.Model(
        [one, two], [L.Dense(2, name="left")(joined), L.Dense(1, name="right")(joined * 2.0)], name="shared"
    )


def assorted():
    inputs = keras.Input((8, 8, 4), name="picture")
    x = L.Normalization(name="normal")(inputs)
    x = L.SeparableConv2D(6, 3, name="separable")(x)
    x = L.DepthwiseConv2D(3, name="depthwise")(x)
    x = L.GroupNormalization(2, name="groups")(L.PReLU(name="prelu", shared_axes=[1, 2])(x))
    x = L.Conv2DTranspose(3, 3, name="transposed")(x)
    x = L.LayerNormalization(axis=[1, 2, 3], name="layer_norm")(x)
    x = L.RandomFlip(name="flip")(x)
    return keras.Model(inputs, L.Dense(2, name="end")(L.Flatten(name="flat")(x)), name="assorted")


BUILDERS = [nested, nested_frozen, sequential, recurrent, attending, shared, assorted]


def with_values(model, seed=0):
    """The model with values that tell its variables apart."""
    random = np.random.RandomState(seed)
    model.set_weights([np.asarray(random.rand(*value.shape), value.dtype) for value in model.get_weights()])
    for layer in model.layers:
        if isinstance(layer, L.Normalization):
            layer.finalize_state()
    return model


def outputs(model):
    """What it makes of two examples."""
    random = np.random.RandomState(7)
    inputs = [random.rand(2, *each.shape[1:]).astype("float32") for each in model.inputs]
    found = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    return [keras.ops.convert_to_numpy(each) for each in keras.tree.flatten(found)]
