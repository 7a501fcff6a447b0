"""Steps of training a suffix beside `keras.Model.fit`: same layers, features, batches of 32, optimizer and rate.

    python tests/benchmarks/bench_stepping.py [SUFFIX…]

Both run in turn, several times; what counts is the best epoch after the first, and the best first one with all that
is set up and traced before it. Prints steps a second of both and their ratio. Beside other work single rows go astray.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from transfer.models.building import build_model, read_model
from transfer.models.extracting import extract
from transfer.models.restoring import restore
from transfer.recipes import Stage
from transfer.specs import Head
from transfer.surgery.network import Network
from transfer.training.fitting import fit
from transfer.training.prefixing import split_off_prefix, split_stage
from transfer.training.stage_flags import flag_stage
from transfer.weights.opening import open_checkpoint
from transfer.weights.shipped import shipped_checkpoints

CLASSES, BATCH, SIZE, RATE = 5, 32, 96, 1e-4
ROUNDS = 3
BLOCKS = {"head": 0, "last block": 1, "last 3 blocks": 3, "whole network": None}
DENSE = {"dense 16 M": (512, 4096, 3072), "dense 100 M": (18816, 4096, 4096)}
EPOCHS = {"head": (40, 6), "last block": (16, 4), "last 3 blocks": (8, 4), "whole network": (2, 3)}  # steps, epochs


def main() -> None:
    """Each suffix in turn."""
    chosen = sys.argv[1:] or [*BLOCKS, *DENSE]
    student = mobilenet() if set(chosen) & set(BLOCKS) else None
    print(f"{'suffix':16}{'parameters':>12}{'keras/s':>10}{'ours/s':>10}{'ratio':>8}{'first epoch, s':>20}{'ratio':>8}")
    for name in chosen:
        network = suffix(student, BLOCKS[name]) if name in BLOCKS else dense(*DENSE[name])
        compare(name, network)


def compare(name: str, network: Network) -> None:
    """Both ways in turn, on the same features."""
    steps, epochs = EPOCHS.get(name, (4, 3))
    random = np.random.default_rng(0)
    model = build_model(network)
    features = random.normal(size=(steps * BATCH, *model.input_shape[1:])).astype(np.float32)
    labels = random.integers(0, CLASSES, len(features))
    count = sum(int(np.prod(each.shape)) for each in model.trainable_variables)
    ways: dict[str, Callable[[], list[float]]] = {
        "keras": lambda: by_keras(build_model(network), features, labels, epochs),
        "ours": lambda: by_fit(build_model(network), features, labels, epochs),
    }
    first: dict[str, list[float]] = {way: [] for way in ways}
    later: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, run in ways.items():
            seconds = run()
            first[way].append(seconds[0])
            later[way] += seconds[1:]
    speed = {way: steps / min(each) for way, each in later.items()}
    begun = {way: min(each) for way, each in first.items()}
    print(f"{name:16}{count / 1e6:10.2f} M{speed['keras']:10.1f}{speed['ours']:10.1f}", end="")
    print(f"{speed['ours'] / speed['keras']:8.2f}{begun['keras']:11.2f}{begun['ours']:9.2f}", end="")
    print(f"{begun['keras'] / begun['ours']:8.2f}", flush=True)


def by_keras(model: keras.Model, features: np.ndarray, labels: np.ndarray, epochs: int) -> list[float]:
    """Seconds of each epoch."""
    start = time.perf_counter()
    model.compile(keras.optimizers.Adam(RATE), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    ends: list[float] = []
    told = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter()))
    model.fit(features, labels, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[told])
    return np.diff([start, *ends]).tolist()


def by_fit(model: keras.Model, features: np.ndarray, labels: np.ndarray, epochs: int) -> list[float]:
    """The same of ours."""
    start = time.perf_counter()
    ends: list[float] = []
    stage = Stage("tune", unfreeze=("*",), epochs=epochs, batch_size=BATCH, optimizer="adam", rate=RATE)
    fit(model, features, labels, stage, seed=0, progress=lambda *_: ends.append(time.perf_counter()))
    return np.diff([start, *ends]).tolist()


def mobilenet() -> keras.Model:
    """The one that ships, with a head of five."""
    restored = restore(open_checkpoint(shipped_checkpoints()["mobilenet_v2_imagenet"])).model
    return extract(restored, at="features", size=(SIZE, SIZE), heads=[Head("label", classes=CLASSES)])


def suffix(student: keras.Model, blocks: int | None) -> Network:
    """What a stage trains of it."""
    network = read_model(student)
    stage = Stage("tune", unfreeze=("*",)) if blocks is None else Stage("tune", unfreeze_last=blocks)
    graph = flag_stage(network.graph, stage, ["label"])
    _, rest = split_off_prefix(network, [graph])
    return split_stage(rest, graph)[1]


def dense(inputs: int, *units: int) -> Network:
    """Fully connected layers, as at the end of VGG."""
    keras.utils.set_random_seed(0)
    x = entry = keras.Input((inputs,))
    for place, each in enumerate(units):
        x = keras.layers.Dense(each, activation="relu", name=f"fc{place + 1}")(x)
    return read_model(keras.Model(entry, keras.layers.Dense(CLASSES, name="label")(x)))


if __name__ == "__main__":
    main()
