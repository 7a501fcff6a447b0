"""A frozen MobileNetV2 at 160 px with and without its batch norms, and beside Keras's own `predict`.

    python tests/benchmarks/bench_folding.py [IMAGES]

Prints images a second and ratios. The ways run in turn, several times, and the best of each counts: these machines are
noisy. The weights are those that ship.
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from transfer.graphs.freezing import freeze_all
from transfer.models.building import build_model, read_model
from transfer.models.restoring import restore
from transfer.surgery.folding import fold
from transfer.surgery.network import Network
from transfer.weights.opening import open_checkpoint
from transfer.weights.shipped import shipped_checkpoints

NAME, SIZE, BATCH, ROUNDS = "mobilenet_v2_imagenet", 160, 32, 5


def main() -> None:
    """Restore, fold, run each way."""
    images = np.random.default_rng(0).normal(size=(int((sys.argv[1:] or [256])[0]), SIZE, SIZE, 3)).astype("float32")
    restored = restore(open_checkpoint(shipped_checkpoints()[NAME]))
    network = read_model(restored.model)
    network = Network(freeze_all(network.graph), network.tensors)
    start = time.perf_counter()
    folded = fold(network)
    model, smaller = build_model(network), build_model(folded.network)
    seconds = time.perf_counter() - start
    ways = {
        "predict": lambda: model.predict(images, batch_size=BATCH, verbose=0),
        "predict, folded": lambda: smaller.predict(images, batch_size=BATCH, verbose=0),
        "tf.function": compiled(model, images),
        "tf.function, folded": compiled(smaller, images),
    }
    results = {name: run() for name, run in ways.items()}  # traced and warm
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    gap = np.abs(results["tf.function, folded"] - results["tf.function"]).max() / np.abs(results["tf.function"]).max()
    print(
        f"{len(folded.folded)} batch norms folded, {len(folded.left)} left, in {seconds:.1f} s with both models built"
    )
    print(f"largest difference {gap:.1e} of the largest output; best of {ROUNDS}, batches of {BATCH}")
    for name, taken in best.items():
        ratios = f"{best['predict'] / taken:4.2f} x predict  {best['tf.function'] / taken:4.2f} x tf.function"
        print(f"{name:20} {len(images) / taken:6.0f} images/s  {ratios}")


def compiled(model, images):
    """The model as one function of TensorFlow, run batch by batch."""
    run = tf.function(lambda x: model(x, training=False), input_signature=[tf.TensorSpec((None, SIZE, SIZE, 3))])
    return lambda: np.concatenate([run(images[k : k + BATCH]).numpy() for k in range(0, len(images), BATCH)])


if __name__ == "__main__":
    main()
