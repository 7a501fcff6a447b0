"""Training shared by two devices, and by two workers of a Ray cluster, beside one device: seconds of an epoch.

    python tests/benchmarks/bench_parallel.py [EPOCHS]

The last two blocks of MobileNetV2 with their norms on 256 pictures of 96 px, 31 a step. On a machine of two cores
nothing is to be won: one device uses both already. What is seen there is what sharing costs: adding gradients up, and
with workers sending them through sockets and starting TensorFlow twice. Devices are processors divided in two, and each
way has a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

WAYS = ("one device", "two devices", "two workers")
EXAMPLES, BATCH, SIZE, CLASSES = 256, 31, 96, 5


def main() -> None:
    """Each way in a child."""
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    found = {}
    for way in WAYS:
        done = subprocess.run([sys.executable, __file__, way, str(epochs)], capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr[-3000:])
        found[way] = json.loads(done.stdout.splitlines()[-1])
    alone = found[WAYS[0]]["epoch"]
    print(f"{'way':14}{'an epoch, s':>14}{'beside one':>14}{'until it trains, s':>22}")
    for way, each in found.items():
        print(f"{way:14}{each['epoch']:14.3f}{each['epoch'] / alone:13.2f}x{each['start']:22.1f}")


def measure(way: str, epochs: int) -> None:
    """Seconds of an epoch after the first, on average, and of all that is not spent on epochs."""
    import tensorflow as tf

    if way == "two devices":
        half = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], half)
    from transfer.training.devices import scope
    from transfer.training.lessons import take_lesson

    if way != "two workers":
        taught(lambda *given, **how: take_lesson(*given, **how), epochs, scope(2 if way == "two devices" else 1))
        return
    from transfer.scaling.ray_fitting import RayFitter

    with RayFitter(2) as fitter:
        taught(fitter, epochs, scope(1))


def taught(fitter: Callable[..., object], epochs: int, where: object) -> None:
    """One lesson."""
    import numpy as np

    from transfer.labellings import Labelling
    from transfer.models.building import build_model, read_model
    from transfer.models.extracting import extract
    from transfer.models.restoring import restore
    from transfer.recipes import Stage
    from transfer.specs import Head, silent
    from transfer.training.labels import Labels
    from transfer.training.lessons import Lesson
    from transfer.training.prefixing import split_off_prefix, split_stage
    from transfer.training.stage_flags import flag_stage
    from transfer.weights.shipped import shipped_checkpoints

    stage = Stage("tune", unfreeze_last=2, batch_norm="adapt", epochs=epochs, batch_size=BATCH, rate=1e-4)
    restored = restore(shipped_checkpoints()["mobilenet_v2_imagenet"])
    network = read_model(extract(restored, heads=[Head("label", CLASSES)]))
    graph = flag_stage(network.graph, stage, ("label",))
    _, rest = split_off_prefix(network, [graph])
    _, suffix = split_stage(rest, graph)
    with where:  # type: ignore[attr-defined]
        model = build_model(suffix)
    random = np.random.default_rng(0)
    shape = [each or SIZE // 32 for each in model.input_shape[1:]]
    features = random.normal(size=(EXAMPLES, *shape)).astype(np.float32)
    classes = tuple(map(str, range(CLASSES)))
    labels = Labels(Labelling.of_classes(classes), (random.integers(0, CLASSES, EXAMPLES),))
    ends: list[float] = []
    start = time.monotonic()
    fitter(
        model,
        Lesson("stage_1", features, labels, [], stage),
        heads=("label",),
        seed=0,
        state_folder=None,
        custom_objects={},
        progress=silent,
        watch=lambda *_: ends.append(time.monotonic()),
    )
    whole = time.monotonic() - start
    steady = (ends[-1] - ends[0]) / max(1, len(ends) - 1)
    print(json.dumps({"epoch": steady, "start": whole - steady * (epochs - 1)}))


if __name__ == "__main__":
    measure(sys.argv[1], int(sys.argv[2])) if len(sys.argv) > 2 else main()
