"""A network of convolutions over time that knows six people's exercises learns another's, and with which arm.

    python examples/13_movements.py

Pretrains on what a watch felt, then learns two outputs from one person, and is tested on three others; four times.
Prints accuracies with bounds, and means (within 0.06 elsewhere): exercise 0.83, begun anew 0.75, linear 0.60; arm 0.90,
1.00 and 0.91, as in pretraining it was to be overlooked. Takes 60 s.
"""

import tempfile
from pathlib import Path

import keras
import numpy as np

import transfer

ARRAYS = np.load(Path(__file__).parent / "data" / "shoulder_exercises.npz")
LABELS, PERSON = {"exercise": ARRAYS["y_exercise"], "arm": ARRAYS["y_side"]}, ARRAYS["person"]
MOTION = ARRAYS["x"] / np.float32(32)  # 4 s of 3 accelerations and 3 turning rates, (840, 80, 6)
LABELLING = transfer.Labelling(tuple(transfer.Output(k, classes=tuple(np.unique(v))) for k, v in LABELS.items()))


def pretrain(path, epochs):
    keras.utils.set_random_seed(7)
    inputs = x = keras.Input((80, 6), name="motion")
    for filters in (32, 64, 96):
        x = keras.layers.Conv1D(filters, 5, padding="same", use_bias=False)(x)
        x = keras.layers.MaxPooling1D(2)(keras.layers.ReLU()(keras.layers.BatchNormalization()(x)))
    x = keras.layers.Dropout(0.3)(keras.layers.GlobalAveragePooling1D(name="pool")(x))
    model = keras.Model(inputs, keras.layers.Dense(7, "softmax", name="exercises")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    known, places = PERSON < 7, np.unique(LABELS["exercise"], return_inverse=True)[1]
    model.fit(MOTION[known], places[known], epochs=epochs, verbose=0)
    return transfer.save_weights(model, path).path


def main(people=(7, 8, 9, 10), epochs=30, recipes=("lp-ft", "scratch")):
    with tempfile.TemporaryDirectory() as folder:
        restored = transfer.restore(pretrain(Path(folder) / "movements.weights.h5", epochs))
    heads = [transfer.Head(each.name, classes=len(each.classes)) for each in LABELLING]
    student = transfer.extract(restored, at="pool", freeze="backbone", heads=heads)
    groups = np.arange(len(MOTION)) // 3, PERSON  # the stretches of half a recording stay together, those of a person
    learnt, others = (transfer.from_arrays(MOTION, LABELS, labelling=LABELLING, groups=each) for each in groups)
    reached = {}
    for one in people:
        rows, unseen = np.isin(PERSON, one), ~np.isin(PERSON, (*range(7), one))
        data, test = learnt.subset(np.flatnonzero(rows)), others.subset(np.flatnonzero(unseen))
        for name in recipes:
            recipe = transfer.named_recipe(name, examples=len(data), seed=7)
            for way in transfer.finetune(student, data, test=test, recipe=recipe).result.outputs:
                print(one, name, way.name, *(each["accuracy"] for each in way.outputs), sep="  ")
                reached.setdefault((name, way.name), []).append([each["accuracy"].value for each in way.outputs])
    for names, values in reached.items():
        print("on average  {}  {}  {:.2f}  {:.2f}".format(*names, *np.mean(values, axis=0)))


if __name__ == "__main__":
    main()
