"""Two recipes on the same pictures: are they worth it, is one better, and how many labels would do?

    python examples/17_two_recipes.py [FOLDER]

First, over 2 x 5 folds, a solved head beside what is simple: 0.530, logistic regression on raw input 0.305, neighbours
0.262, random weights 0.253; better than all others. Then, for 100 pictures that neither run has seen: the solved head
0.57, and trained on with the last two blocks 0.58, a difference of -0.010 [-0.057, +0.037], which does not tell the two
apart: no winner. On the leaderboard both share the first place, +0.30 and +0.31 above the best baseline, and +0.01 and
+0.02 above the benchmark, a probe on the same file at the size that its card says (0.56), which tells nothing apart
either. The curve over five divisions: with 1, 5 and 20 labels a class the probe reaches 0.26, 0.37 and 0.49, nearest
neighbours on raw input 0.21, 0.24 and 0.27; of the three only 20 labels (+0.213 [+0.117, +0.309]) tell that pretraining
paid. Takes 76 s of processor time.
"""

import sys
import tempfile
from pathlib import Path

import transfer

DATA = Path(__file__).parent / "data" / "clipart"
SIZE = (96, 96)


def main(folder, recipes=("probe", "lp-ft"), shots=(1, 5, 20), divisions=5, repeats=2):
    data, folder = transfer.read_labelled(DATA), Path(folder)
    restored = transfer.restore("mobilenet_v2_imagenet")
    student = transfer.extract(restored, freeze="backbone", heads=[transfer.Head("label", len(data.classes))])
    how = {"size": SIZE, "cache": folder / "features"}
    simple: transfer.BaselineComparison = transfer.compare_baselines(student, data, repeats=repeats, **how)
    print(simple, end="\n\n")
    for name in recipes:
        recipe = transfer.named_recipe(name, examples=200, seed=0)
        # What is held against: a probe on the same file at the size that its card says.
        transfer.finetune(
            student, data, recipe=recipe, shots=40, benchmark="mobilenet_v2_imagenet", out=folder / name, **how
        )
    comparison: transfer.Comparison = transfer.compare([folder / name for name in recipes])
    board: transfer.Leaderboard = transfer.leaderboard(folder)
    curve: transfer.LabelCurve = transfer.draw_curve(
        student, data, recipes=recipes[:1], shots=shots, divisions=divisions, **how
    )
    print(comparison, board, curve, sep="\n\n")
    return simple, comparison, board, curve


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(sys.argv[1] if len(sys.argv) > 1 else temporary)
