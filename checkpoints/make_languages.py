"""Make `languages_attention.weights.h5` and `languages_gru.weights.h5`, which tell 23 languages apart by their letters.

    python checkpoints/make_languages.py

They learn nine tenths of the messages of a web framework (examples/data/messages.SOURCES); the rest is tested on.
Prints the accuracies: 0.94 and 0.87, 0.03 more or less on other machines. Takes 2 minutes on two cores.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas

import transfer

ROOT = Path(__file__).parents[1]
EXAMPLE = runpy.run_path(str(ROOT / "examples" / "10_languages.py"))
LETTERS, STEPS = len(EXAMPLE["LETTERS"]) + 2, EXAMPLE["STEPS"]


def main() -> None:
    """Train both, and write next to this script."""
    table = pandas.read_csv(EXAMPLE["DATA"] / "messages.csv.gz")
    fine = transfer.read_labelling(EXAMPLE["DATA"] / "languages.toml")["language"]
    known = table[~table.language.isin(fine.classes)]
    x = np.array([*map(EXAMPLE["encode"], known.text)], np.int32)
    classes, y = np.unique(known.language.to_numpy(np.str_), return_inverse=True)
    test = known.message.to_numpy() % 10 == 0  # the same messages of all languages
    for body, epochs in ((attention, 8), (gru, 16)):
        keras.utils.set_random_seed(7)
        model = classifier(body, len(classes))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(2e-3), loss, metrics=["accuracy"])
        model.fit(x[~test], y[~test], batch_size=64, epochs=epochs, verbose=0)
        accuracy = model.evaluate(x[test], y[test], verbose=0)[1]
        card = transfer.Card(
            name=f"languages by letters, {body.__name__}",
            classes=tuple(classes.tolist()),
            origin=f"trained on {sum(~test):,} messages of Django 4.2.16; accuracy {accuracy:.3f} on others",
            licence="Apache-2.0 (weights); messages: BSD-3-Clause",
        )
        target = Path(__file__).with_name(f"languages_{body.__name__}.weights.h5")
        bare = classifier(body, len(classes))  # without the state of its optimizer
        bare.set_weights(model.get_weights())
        transfer.save_weights(bare, target, card=card, force=True)
        print(f"{target.name}: accuracy {accuracy:.3f}, {model.count_params():,} parameters")


def classifier(body: Callable[[keras.KerasTensor], keras.KerasTensor], classes: int) -> keras.Model:
    """(n, STEPS) whole numbers to (n, classes) logits."""
    inputs = keras.Input((STEPS,), name="letters")
    x = body(keras.layers.Embedding(LETTERS, 32, name="embedding")(inputs))
    pooled = keras.layers.GlobalMaxPooling1D(name="pool")(x)
    x = keras.layers.Dropout(0.3, name="dropout")(pooled)
    return keras.Model(inputs, keras.layers.Dense(classes, name="known")(x), name=body.__name__)


def attention(x: keras.KerasTensor) -> keras.KerasTensor:
    """A convolution that gives letters their neighbours, and what each then sees of all others."""
    x = keras.layers.Conv1D(128, 5, padding="same", activation="relu", name="around")(x)
    seen = keras.layers.MultiHeadAttention(4, 24, name="attention")(x, x)
    return keras.layers.LayerNormalization(name="norm")(keras.layers.Add(name="residual")([x, seen]))


def gru(x: keras.KerasTensor) -> keras.KerasTensor:
    """What a recurrent layer remembers at each letter."""
    return keras.layers.GRU(128, return_sequences=True, name="gru")(x)


if __name__ == "__main__":
    main()
