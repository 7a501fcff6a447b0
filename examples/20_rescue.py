"""An old `.h5` rescued: a network of 2017 that today's Keras does not load, restored, proved, and written anew.

    python examples/20_rescue.py

Keras 1.2.2 wrote the file on Theano, which stores the kernels of convolutions turned round and does not say so. Stock
Keras knows no layer `Convolution2D`; `transfer` asks which backend it was, and the outputs that the writer recorded
settle it. Prints both refusals, the receipt (21 of 21 tensors, 4 of them converted, outputs verified), and how far
stock Keras is from those outputs with the `.keras` file that was written: below 1e-6. Takes 10 s, most of it imports.
Without recorded outputs, from the shell: transfer convert old.h5 new.keras --backend theano
"""

import tempfile
from pathlib import Path

import keras
import numpy as np

import transfer

CNN = Path(__file__).parents[1] / "tests" / "weights" / "files" / "keras-1.2.2-theano" / "b_cnn__full.h5"


def main(old, truth):
    try:
        keras.models.load_model(old, compile=False)
    except Exception as error:  # noqa: BLE001 - whichever it is
        print("stock Keras:", str(error).split(". ")[0])
    try:
        transfer.restore(old)
    except transfer.TransferError as error:
        print(error)
    restored = transfer.restore(old, check=truth)  # inputs x0 and outputs y0 that its writer recorded
    print(restored.receipt)
    with np.load(truth) as known, tempfile.TemporaryDirectory() as folder:
        transfer.save_model(restored.model, Path(folder) / "rescued.keras")
        again = keras.models.load_model(Path(folder) / "rescued.keras")
        print(
            f"stock Keras on what was written: {np.abs(again.predict(known['x0'], verbose=0) - known['y0']).max():.0e}"
        )


if __name__ == "__main__":
    main(CNN, CNN.with_name("b_cnn.npz"))
