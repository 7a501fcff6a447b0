"""Pairs that an audit calls almost the same, among clip-art, to look at; and which changed copies it finds.

    python tests/benchmarks/bench_near_duplicates.py [SHEET.png]

Takes 2,500 of the pictures below /usr/share/openclipart/png (Debian's openclipart-png) through the shipped MobileNetV2
and prints how many pairs are near: those of the same bytes, of the series of drawn stars that all look alike, and
others, which are drawn side by side in SHEET.png. Then, of copies of 20 of the 300 pictures that ship, changed in seven
ways, how many are found, and how many other pairs are near.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from transfer.data.arrays import from_arrays
from transfer.data.labelled import LabelledSet
from transfer.data.loading import load_images
from transfer.data.reading import read_labelled
from transfer.evidence.near_duplicates import find_near_duplicates
from transfer.jobs.audits.probe_features import compute_features
from transfer.jobs.students.preparing import prepare_student
from transfer.models.restoring import restore

COLLECTION = Path("/usr/share/openclipart/png")
SHIPPED = Path(__file__).parents[2] / "examples" / "data" / "clipart"
SIZE, SIDE, COLUMNS = (160, 160), 72, 9
WHITE = (255, 255, 255)


def features_of(data: LabelledSet) -> np.ndarray:
    """What the head of a probe would get, (n, d)."""
    student = prepare_student(restore("mobilenet_v2_imagenet"), data.labelling)
    inputs = compute_features(student, data, size=SIZE).inputs
    return inputs.values[inputs.heads[0]]


def pictures_of(data: LabelledSet) -> np.ndarray:
    batches = load_images(data, size=SIZE, grey=False, background=255, batch_size=64)
    return np.concatenate([batch.images for batch in batches]).astype(np.uint8)


def shrunk(picture: Image.Image) -> Image.Image:
    whole = Image.new("RGB", picture.size, WHITE)
    whole.paste(picture.resize((120, 120)), (20, 20))
    return whole


def as_jpeg(picture: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=30)
    return Image.open(stream).convert("RGB")


CHANGES = {
    "cropped by 4 of 160 pixels": lambda each: each.crop((4, 4, 156, 156)).resize(SIZE),
    "shifted by 3": lambda each: each.transform(SIZE, Image.Transform.AFFINE, (1, 0, 3, 0, 1, 3), fillcolor=WHITE),
    "mirrored": ImageOps.mirror,
    "scaled to three quarters": shrunk,
    "darkened to 0.8": lambda each: ImageEnhance.Brightness(each).enhance(0.8),
    "rotated by 5 degrees": lambda each: each.rotate(5, fillcolor=WHITE),
    "JPEG of quality 30": as_jpeg,
}


def draw(data: LabelledSet, pairs: np.ndarray, out: str) -> None:
    wide, high = 2 * SIDE + 12, SIDE + 4
    sheet = Image.new("RGB", (COLUMNS * wide, -(-len(pairs) // COLUMNS) * high), (200, 200, 200))
    for place, pair in enumerate(pictures_of(data.subset(pairs.ravel())).reshape(-1, 2, *SIZE, 3)):
        for side, picture in enumerate(pair):
            corner = (place % COLUMNS * wide + side * (SIDE + 2), place // COLUMNS * high)
            sheet.paste(Image.fromarray(picture).resize((SIDE, SIDE)), corner)
    sheet.save(out)


def main(out: str = "") -> None:
    """Find pairs in the collection, then copies of shipped pictures."""
    data = read_labelled(COLLECTION, skip_unreadable=True)
    data = data.subset(np.sort(np.random.default_rng(0).choice(len(data), 2500, replace=False)))
    found = find_near_duplicates(features_of(data), data.targets[0])
    digests = data.digests()
    stars = [all("stars/star_" in data.names[each] for each in pair) for pair in found.pairs.tolist()]
    same = [digests[one] == digests[other] for one, other in found.pairs.tolist()]
    rest = ~np.array(stars) & ~np.array(same) & (found.distances > 0)
    print(f"{len(found.pairs)} pairs: {sum(same)} of the same bytes, {sum(stars)} of stars, {rest.sum()} to look at")
    if out:
        draw(data, found.pairs[rest], out)
    shipped = read_labelled(SHIPPED)
    pictures, labels = pictures_of(shipped), shipped.targets[0]
    chosen = np.random.default_rng(0).choice(len(pictures), 20, replace=False)
    copies = [np.array(change(Image.fromarray(pictures[each]))) for change in CHANGES.values() for each in chosen]
    known = np.concatenate([labels, np.tile(labels[chosen], len(CHANGES))])
    rows = features_of(from_arrays(np.concatenate([pictures, np.stack(copies)]), known, list(shipped.classes)))
    for place, name in enumerate(CHANGES):
        among = np.r_[np.arange(len(pictures)), len(pictures) + 20 * place + np.arange(20)]
        pairs = set(map(tuple, find_near_duplicates(rows[among], known[among]).pairs.tolist()))
        copied = sum((int(each), len(pictures) + turn) in pairs for turn, each in enumerate(chosen))
        print(f"{name:28} {copied:2} of 20, {len(pairs) - copied} other pairs")


if __name__ == "__main__":
    main(*sys.argv[1:])
