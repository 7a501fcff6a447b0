"""Two deep networks that were never trained: one cannot learn, and is told why; mended, it can.

    python examples/08_diagnose.py

Prints the diagnosis of twelve hidden sigmoid layers on scanned digits: the gradient is 8 powers of ten smaller at the
input than at the output (7.5 decades), because each sigmoid passes on 0.24 of it. The same network with ReLU and He's
initialisation has no fault, nor has what `fix` writes of the first one (both under 1 decade). Ten epochs of Adam teach
that one all its examples (1.00), while the sigmoids stay at chance (0.17 of five digits). Takes 40 s on two cores.
"""

import sys
import tempfile
from pathlib import Path

import keras

import transfer

DATA = Path(__file__).parent / "data" / "scanned_digits.npz"


def deep(activation, initializer):
    keras.utils.set_random_seed(7)
    inputs = x = keras.Input((784,), name="pixels")
    for place in range(12):
        x = keras.layers.Dense(64, activation, kernel_initializer=initializer, name=f"hidden_{place}")(x)
    return keras.Model(inputs, keras.layers.Dense(5, name="logits")(x), name=f"deep_{activation}")


def learn(model, data):
    """Accuracy on the examples themselves after ten epochs."""
    keras.utils.set_random_seed(7)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    return model.fit(data.inputs, data.labels, epochs=10, verbose=0).history["accuracy"][-1]


def main(out):
    digits = transfer.read_labelled(DATA)
    data = transfer.from_arrays(digits.inputs.reshape(len(digits), 784) / 255, digits.labels)
    sigmoid = deep("sigmoid", "glorot_uniform")
    ill: transfer.Diagnosis = transfer.diagnose(sigmoid, data, fix=out)
    well = transfer.diagnose(deep("relu", "he_normal"), data)
    again = transfer.diagnose(out, data)
    print(ill)
    for name, found in (("sigmoid", ill), ("relu", well), ("mended", again)):
        print(f"{name:8} {found.gradients.verdict}, {found.gradients.decades:.1f} decades, {len(found.faults)} faults")
    print(f"learnt: sigmoid {learn(sigmoid, data):.2f}, mended {learn(keras.models.load_model(out), data):.2f}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(sys.argv[1] if len(sys.argv) > 1 else Path(folder) / "mended.keras")
