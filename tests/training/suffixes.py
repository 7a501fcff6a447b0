"""Small networks that training is tried on, the same values each time."""

import keras
import numpy as np

RANDOM = np.random.default_rng(0)
CENTRES = RANDOM.normal(size=(3, 6))
LABELS = np.arange(30) % 3
FEATURES = (CENTRES[LABELS] + RANDOM.normal(size=(30, 6))).astype(np.float32)
VALIDATION_LABELS = np.arange(12) % 3
VALIDATION = (CENTRES[VALIDATION_LABELS] + RANDOM.normal(size=(12, 6))).astype(np.float32)


def suffix(*, dropout: float = 0.0, norm: bool = False, freeze_norm: bool = False) -> keras.Model:
    """Features (6,) to three logits: `block1_dense`, perhaps `norm` and dropout, `label`."""
    random = np.random.default_rng(1)
    inputs = keras.Input((6,))
    x = keras.layers.Dense(5, activation="tanh", name="block1_dense")(inputs)
    if norm:
        x = keras.layers.BatchNormalization(name="norm", trainable=not freeze_norm)(x)
    if dropout:
        x = keras.layers.Dropout(dropout)(x)
    model = keras.Model(inputs, keras.layers.Dense(3, name="label")(x), name="suffix")
    for layer in ("block1_dense", "label"):
        found = model.get_layer(layer)
        found.set_weights([random.normal(size=each.shape) / 2 for each in found.get_weights()])
    return model


def bits(model: keras.Model) -> list[bytes]:
    """All weights, to the bit."""
    return [each.tobytes() for each in model.get_weights()]
