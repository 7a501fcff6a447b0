"""`transfer finetune` beside the recipe of Keras's transfer-learning guide, on the same backbone, pictures and split.

    python tests/benchmarks/bench_guide.py [SEEDS] [SHOTS]

The guide's recipe, written plainly: frozen base called with `training=False`, pooling, dropout, Dense; 20 epochs of
Adam at 1e-3; everything unfrozen; 10 epochs at 1e-5; batches of 32. Both are whole processes that decode the same files
at 96 pixels and answer the same test pictures. Prints for each seed the seconds of the whole process and without those
of a process that only imports the same, both accuracies and the seconds of ten epochs more, and at the end the mean
difference with its paired 95 % interval over the seeds. Ten epochs more are the second ten of the probe and the last
block, the trial's included, and beside them the second ten of the guide, whose base is frozen then. Takes a minute and
a half a seed on two cores.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scipy.stats import t as student

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
CLIPART = Path(__file__).resolve().parents[2] / "examples" / "data" / "clipart"
SIZE = 96

BACKBONE = """
import sys, transfer
transfer.restore("mobilenet_v2_imagenet").model.save(sys.argv[1])
"""
LEAVING = "\nimport os; os._exit(0)  # without taking down what was imported"
IMPORTS = f"""
import scipy.optimize, transfer.cli.group
import transfer.jobs.finetuning.forecasting, transfer.jobs.finetuning.learning
{LEAVING}"""
GUIDE_IMPORTS = "import json, sys, time, keras, numpy, PIL.Image" + LEAVING
GUIDE = """
import json, sys, time
import keras, numpy as np
from PIL import Image

asked = json.load(open(sys.argv[1]))
keras.utils.set_random_seed(asked["seed"])
size, classes = asked["size"], asked["classes"]


def load(names):
    images = []
    for name in names:
        picture = Image.open(f"{asked['folder']}/{name}").convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(ground, picture).convert("RGB")
        picture.thumbnail((size, size))
        canvas = Image.new("RGB", (size, size), "white")
        canvas.paste(picture, ((size - picture.width) // 2, (size - picture.height) // 2))
        images.append(np.asarray(canvas))
    labels = [classes.index(name.split("/")[0]) for name in names]
    return np.stack(images).astype("float32"), np.array(labels)


train, test = load(asked["train"]), load(asked["test"])
base = keras.models.load_model(asked["backbone"], compile=False)
base.trainable = False
inputs = keras.Input((size, size, 3))
x = keras.layers.Rescaling(1 / 255)(inputs)
x = keras.layers.Normalization(mean=(0.485, 0.456, 0.406), variance=tuple(s**2 for s in (0.229, 0.224, 0.225)))(x)
x = base(x, training=False)
if len(x.shape) == 4:
    x = keras.layers.GlobalAveragePooling2D()(x)
x = keras.layers.Dropout(0.2)(x)
model = keras.Model(inputs, keras.layers.Dense(len(classes))(x))
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(1e-3), loss)
begun = time.perf_counter()
model.fit(*train, batch_size=32, epochs=20, verbose=0)
frozen = time.perf_counter() - begun
base.trainable = True
model.compile(keras.optimizers.Adam(1e-5), loss)
model.fit(*train, batch_size=32, epochs=10, verbose=0)
answers = model.predict(test[0], verbose=0).argmax(1)
accuracy = float((answers == test[1]).mean())
print(json.dumps({"frozen": frozen, "accuracy": accuracy}))
"""


def main() -> None:
    """Both ways in turns, seed after seed."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    shots = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        backbone = folder / "backbone.keras"
        subprocess.run([sys.executable, "-c", BACKBONE, backbone], check=True, capture_output=True)
        rows = [_measure(folder, backbone, seed, shots) for seed in range(seeds)]
    for key in ("whole", "after imports"):
        ratio = [row["guide"][key] / row["transfer"][key] for row in rows]
        print(f"{key}: transfer is {statistics.median(ratio):.1f} x as fast ({min(ratio):.1f} to {max(ratio):.1f})")
    more = [row["transfer"]["more epochs"] / row["guide"]["more epochs"] for row in rows]
    spread = f"{min(more):.0%} to {max(more):.0%}"
    print(f"10 epochs more of the last block: {statistics.median(more):.0%} of the guide's ({spread})")
    differences = [row["transfer"]["accuracy"] - row["guide"]["accuracy"] for row in rows]
    mean = statistics.mean(differences)
    line = f"accuracy: transfer is {mean:+.3f} better"
    if seeds > 1:
        half = student.ppf(0.975, seeds - 1) * statistics.stdev(differences) / seeds**0.5
        line += f" [{mean - half:+.3f}, {mean + half:+.3f}], paired over {seeds} seeds"
    print(line)


def _measure(folder: Path, backbone: Path, seed: int, shots: int) -> dict[str, dict[str, float]]:
    run = folder / f"run{seed}"
    options = ["--size", str(SIZE), "--no-cache", "--shots", str(shots), "--seed", str(seed)]
    command = [sys.executable, "-m", "transfer", "finetune", "mobilenet_v2_imagenet", str(CLIPART), *options, "-o"]
    imports, _ = _timed([sys.executable, "-c", IMPORTS])
    seconds, _ = _timed([*command, str(run)])
    result = json.loads((run / "result.json").read_text())
    tuning = []
    for epochs in ("10", "20"):
        last_block = folder / f"last_block{seed}_{epochs}"
        _timed([*command, str(last_block), "--set", "stages.1.unfreeze_last=1", "--epochs", epochs])
        tuning.append(json.loads((last_block / "timing.json").read_text())["tuning"])
    accuracy = result["score"]["accuracy"]["value"]
    ours = {
        "whole": seconds,
        "after imports": seconds - imports,
        "accuracy": accuracy,
        "more epochs": tuning[1] - tuning[0],
    }
    split = json.loads((run / "run.json").read_text())["split"]
    asked = folder / "asked.json"
    values = {"seed": seed, "size": SIZE, "classes": result["classes"], "folder": str(CLIPART), **split}
    asked.write_text(json.dumps({**values, "backbone": str(backbone)}))
    imports, _ = _timed([sys.executable, "-c", GUIDE_IMPORTS])
    seconds, printed = _timed([sys.executable, "-c", GUIDE, str(asked)])
    found = json.loads(printed.splitlines()[-1])
    guide = {
        "whole": seconds,
        "after imports": seconds - imports,
        "accuracy": found["accuracy"],
        "more epochs": found["frozen"] / 2,
    }
    for name, row in (("transfer", ours), ("guide", guide)):
        print(
            f"seed {seed} {name:9} {row['whole']:6.1f} s, after imports {row['after imports']:6.1f} s, "
            f"accuracy {row['accuracy']:.3f}, 10 epochs more {row['more epochs']:5.1f} s",
            flush=True,
        )
    return {"transfer": ours, "guide": guide}


def _timed(command: list[str]) -> tuple[float, str]:
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, done.stdout


if __name__ == "__main__":
    main()
