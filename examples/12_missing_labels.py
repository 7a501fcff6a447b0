"""Several labels of one picture, a third of them missing: what is not known is left out, not read as "no".

    apt-get install openclipart-png && python examples/12_missing_labels.py

Tiles of two clip-art pictures are labelled with both categories, any of five. Of 600 tiles a third of the labels is
taken away, each by itself; heads are solved on what is known, on the complete tiles alone (about 80), with unknown as
"no". Mean average precision on 400 tiles of other pictures, five seeds: 0.709 of what is known; 0.636 of the complete,
which it is ahead of by +0.072 [+0.057, +0.088]; 0.686 of "no", by +0.023 [+0.009, +0.037]. Takes 3 minutes.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from scipy.stats import t as student

import transfer

COLLECTION = Path("/usr/share/openclipart/png")
CATEGORIES = ("animals", "food", "people", "recreation", "transportation")
LABELLING = transfer.Labelling((transfer.Output("shows", "sigmoid", CATEGORIES),))


def make_tiles(images, labels, count, random):
    pairs = [random.choice(len(images), 2, replace=False) for _ in range(count)]
    tiles = np.stack([np.concatenate([images[one], images[other]], axis=1) for one, other in pairs])
    return tiles, np.array([np.isin(range(5), labels[pair]) for pair in pairs], float)


def main(images, labels, tiles=600, tests=400, seeds=range(5)):
    head = transfer.Head("shows", classes=5, kind="sigmoid")
    network = transfer.extract(transfer.restore("mobilenet_v2_imagenet"), freeze="backbone", heads=[head])
    scores = {"known": [], "complete": [], "no": []}
    for seed in seeds:
        random, recipe = np.random.default_rng(seed), transfer.Recipe((transfer.Stage("probe"),), seed=seed)
        learnt, tested = np.split(random.permutation(len(images)), [len(images) // 2])
        x, y = make_tiles(images[learnt], labels[learnt], tiles, random)
        test = transfer.from_arrays(*make_tiles(images[tested], labels[tested], tests, random), labelling=LABELLING)
        y[random.random(y.shape) < 1 / 3] = np.nan
        whole = ~np.isnan(y).any(axis=1)
        for name, arrays in {"known": (x, y), "complete": (x[whole], y[whole]), "no": (x, np.nan_to_num(y))}.items():
            data = transfer.from_arrays(*arrays, labelling=LABELLING)
            run = transfer.finetune(network, data, test=test, recipe=recipe, size=(96, 192))
            scores[name].append(run.result.outputs[0].outputs[0]["mean average precision"].value)
    for name, found in scores.items():
        apart = np.subtract(scores["known"], found)
        mean, half = apart.mean(), student.ppf(0.975, len(apart) - 1) * apart.std(ddof=1) / len(apart) ** 0.5
        print(f"{name}: {np.mean(found):.3f}, {mean:+.3f} [{mean - half:+.3f}, {mean + half:+.3f}]")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for each in CATEGORIES:  # the package has other folders too; links in it become pictures
            shutil.copytree(COLLECTION / each, Path(folder) / each)
        pictures, white = transfer.read_labelled(folder), Image.new("RGBA", (96, 96), "white")
        fitted = [ImageOps.pad(Image.open(path).convert("RGBA"), (96, 96)) for path in pictures.inputs]
        main(np.stack([Image.alpha_composite(white, each).convert("RGB") for each in fitted]), pictures.labels)
