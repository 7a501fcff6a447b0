"""Which rate, how many blocks: is there a better recipe, or is it the noise?

    pip install 'h5transfer[sweep]'
    python examples/24_sweep.py [FOLDER]

Learns 20 pictures of each of five classes with eight other rates and depths, on three folds of these 100; the other 200
are tested on at the end alone. On the folds the recipe as it is has 0.40 (within 0.05 on other machines), the trials
0.34 to 0.39, all of them within its interval: nothing is better, and the sweep says to keep it. It has 0.46 on the test
part. Takes 52 s of processor time.
"""

import sys
import tempfile
from pathlib import Path

import transfer

DATA = Path(__file__).parent / "data" / "clipart"
OVER = {"stages.1.rate": "1e-5..1e-3", "stages.1.unfreeze_last": "0..3"}


def main(folder, trials=8, folds=3, shots=20, size=(96, 96)):
    data, folder = transfer.read_labelled(DATA), Path(folder)
    restored = transfer.restore("mobilenet_v2_imagenet")
    student = transfer.extract(restored, freeze="backbone", heads=[transfer.Head("label", len(data.classes))])
    found: transfer.Sweep = transfer.sweep(
        student, data, over=OVER, out=folder / "swept", trials=trials, folds=folds, shots=shots, size=size
    )
    print(found)
    # The best recipe is a file that any run takes: transfer finetune FILE DATA --recipe swept/best.toml -o RUN
    recipe: transfer.Recipe = transfer.read_recipe(found.best_recipe)
    print(recipe.name, recipe.stages[1].rate, recipe.stages[1].unfreeze_last)
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(sys.argv[1] if len(sys.argv) > 1 else temporary)
