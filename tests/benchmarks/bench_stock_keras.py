"""Stock Keras beside `transfer` on old whole models in tests/weights/files: what loads, and whether it is right.

    .venv/bin/python tests/benchmarks/bench_stock_keras.py

Each goes through `keras.models.load_model`, and, for stock Keras's best case, its weights through `load_weights` into a
fresh copy of the network that `transfer` has built. Right is whatever gives the outputs that its writer recorded, to
1e-4. The files were chosen for what is hard about them: this is no share of all files that there are.
"""

import shutil
import tempfile
from collections import Counter
from pathlib import Path

import keras
import numpy as np

import transfer

FILES = Path(__file__).parents[1] / "weights" / "files"


def judge(answer, inputs, outputs):
    """What came of loading and asking."""
    try:
        given = answer().predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    except Exception as error:  # noqa: BLE001 - whatever stops it is a refusal
        return f"refused ({type(error).__name__})"
    pairs = zip(given if isinstance(given, list) else [given], outputs, strict=True)
    return "right" if all(np.allclose(one, other, atol=1e-4) for one, other in pairs) else "wrong"


def main():
    tally = Counter()
    for path in [*sorted(FILES.glob("*/*__full.h5")), *FILES.glob("*/*.hdf5")]:
        truth = path.with_name(path.name.partition("__")[0].removesuffix(".hdf5") + ".npz")
        with np.load(truth) as arrays:
            inputs, outputs = ([arrays[name] for name in sorted(arrays) if name[0] == each] for each in "xy")

        def restore(path=path, truth=truth):
            return transfer.restore(path, era="apply", check=truth).model

        def refill(path=path, restore=restore):
            model = keras.models.clone_model(restore())
            model.load_weights(path)
            return model

        with tempfile.TemporaryDirectory() as folder:
            legacy = shutil.copy(path, Path(folder) / "model.h5")  # Keras goes by the suffix
            verdicts = {
                "transfer": judge(restore, inputs, outputs),
                "load_model": judge(lambda file=legacy: keras.models.load_model(file, compile=False), inputs, outputs),
                "load_weights": judge(lambda file=legacy: refill(file, restore), inputs, outputs),
            }
        print(f"{path.parent.name}/{path.name}", *(f"{name} {verdict}" for name, verdict in verdicts.items()), sep="  ")
        era = "Keras 3" if path.parent.name.startswith("keras-3") else "before Keras 3"
        tally.update((era, name, verdict.partition(" ")[0]) for name, verdict in verdicts.items())
    for (era, name, verdict), count in sorted(tally.items()):
        print(f"{era}: {name} {verdict} {count}")


if __name__ == "__main__":
    main()
