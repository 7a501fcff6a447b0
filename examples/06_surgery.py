"""Surgery on a live model: a cut inside a nested backbone, two heads, a layer put in, and a network for grey images.

    python examples/06_surgery.py

Prints what each step made. The last line tells how far the grey network is at most from the old one that is fed with
the grey image in all three channels: below 1e-5. Takes 10 s on two cores, most of it imports.
"""

import keras
import numpy as np

import transfer


def create_nested_model():
    """A backbone as one layer of a classifier: Keras itself cannot take an output from inside it."""
    image = keras.Input((32, 32, 3), name="image")
    x = keras.layers.Conv2D(8, 3, activation="relu", name="conv_1")(image)
    x = keras.layers.MaxPooling2D(name="pool_1")(x)
    x = keras.layers.Conv2D(16, 3, activation="relu", name="conv_2")(x)
    backbone = keras.Model(image, keras.layers.MaxPooling2D(name="pool_2")(x), name="backbone")
    photo = keras.Input((32, 32, 3), name="photo")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(backbone(photo))
    return keras.Model(photo, keras.layers.Dense(10, name="classes")(x), name="classifier")


def main():
    keras.utils.set_random_seed(1)
    model = create_nested_model()

    scales = transfer.extract(model, at=["backbone/pool_1", "backbone/pool_2"])
    print("two scales", [each.shape for each in scales.outputs])

    heads = [transfer.Head("kind", 5, hidden=(16,), dropout=0.2), transfer.Head("tags", 7, kind="sigmoid", pool="max")]
    student = transfer.extract(model, at="backbone/pool_2", freeze="backbone", heads=heads, seed=7)
    print("two heads", student.output_names, [each.name for each in student.layers if each.trainable_weights])

    edited = transfer.insert_layer(model, keras.layers.Dropout(0.3, name="drop"), after="pool")
    print("a layer put in", [layer.name for layer in edited.model.layers])
    wider = transfer.replace_layer(edited.model, "classes", keras.layers.Dense(12, name="classes"))
    print("no longer fits", [each.where for each in wider.changed])
    plain = transfer.remove_layer(wider.model, "drop")
    named = transfer.rename_layers(plain.model, {"classes": "logits"})
    print("renamed", named.model.output_names)

    grey = transfer.extract(model, flatten=True, channels=1)
    pictures = np.random.default_rng(0).random((4, 32, 32, 1), "float32")
    difference = np.abs(grey(pictures) - model(np.repeat(pictures, 3, axis=-1))).max()
    print(f"grey network {grey.input_shape}, differs by {difference:.1e}")


if __name__ == "__main__":
    main()
