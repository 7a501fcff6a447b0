"""Heads on features of a network, exact in memory beside streamed ones: time, memory, log loss and accuracy.

    python tests/benchmarks/bench_streaming_heads.py                  # drawn features, 20000 x 256, 10 classes
    python tests/benchmarks/bench_streaming_heads.py 100000 1280 64   # so many, so wide, within so many MB
    python tests/benchmarks/bench_streaming_heads.py digits           # of mobilenet_v2_imagenet, of 1,797 digits
    python tests/benchmarks/bench_streaming_heads.py FEATURES DATA 128 18000  # computed ones, learnt from so many

Each way runs in a process of its own; memory is what its peak adds to that of the imports and of the labels. Half of
the digits are learnt from; three quarters of what is drawn. Last come differences of log loss to the exact head, with
intervals of 95 %. On a busy machine:

    digits, 899 learnt from      logistic +0.00000 [-0.00000, +0.00000]   ridge +0.032 [+0.001, +0.062]   exact 0.2295
    Fashion-MNIST at 32 px, 22,000 learnt from, 128 MB: logistic 0.6316, in 235 passes; less the exact head of the same
    penalty, 0.6317, -0.00007 [-0.00026, +0.00013] (15,000 asked; cross-validation in memory was not waited for)
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WAYS = ("exact", "logistic", "ridge")
SHARD = 4096


def main() -> None:
    """Prepare features once, and learn from them in each way."""
    if sys.argv[1:2] == ["--way"]:
        learn(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
        return
    if sys.argv[1:2] == ["--digits"]:
        digits(Path(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder, given = Path(name), sys.argv[1:]
        if given[:1] == ["digits"]:  # in a process of its own: children begin with the peak of this one
            subprocess.run([sys.executable, __file__, "--digits", name], check=True)
            memory = int((given[1:] or ["200"])[0])
        elif given and not given[0].isdigit():
            computed(folder, Path(given[0]), Path(given[1]), int((given[3:] or ["0"])[0]))
            memory = int((given[2:] or ["128"])[0])
        else:
            count, width, memory = (int(each) for each in (*given, *("20000", "256", "16")[len(given) :]))
            drawn(folder, count, width)
        learnt = int(np.load(folder / "labels.npz")["learnt"].sum())
        print(f"{learnt} examples to learn from; {memory} MB for streamed heads", flush=True)
        for way in WAYS:
            subprocess.run([sys.executable, __file__, "--way", way, name, str(memory)], check=True)
        compared(folder)


def compared(folder: Path) -> None:
    """What streamed heads lose beside the exact one, on the same examples."""
    losses = {way: np.load(folder / f"{way}.npy") for way in WAYS}
    for way in WAYS[1:]:
        lost = losses[way] - losses["exact"]
        mean, off = lost.mean(), 1.96 * lost.std() / np.sqrt(len(lost))
        print(f"{way} - exact: log loss {mean:+.5f} [{mean - off:+.5f}, {mean + off:+.5f}]")


def computed(folder: Path, features: Path, data: Path, most: int) -> None:
    """Features that `transfer features` has left, with labels as `transfer finetune` reads them."""
    import transfer
    from transfer.jobs.features.computed_features import place_of
    from transfer.jobs.features.matching_features import match_features
    from transfer.jobs.features.opening_features import open_features

    there = open_features(features)
    matched = match_features(there, transfer.read_labelled(data, max_pixels=None))
    records = [each for each in there.records if each.ids]
    (folder / "order.txt").write_text(
        "".join(f"{place_of(there.folder, there.asked['key'], each, 'hdf5')}\n" for each in records)
    )
    begins = np.cumsum([0, *(len(each.ids) for each in records)])
    labels = np.empty(begins[-1], np.int64)
    labels[begins[matched.rows.part] + matched.rows.place] = matched.data.targets[0]
    random = np.random.default_rng(0).random(len(labels))
    learnt = random < 0.75
    if most:
        learnt &= np.argsort(np.argsort(random)) < most
    split(folder, labels, learnt, random >= 0.75)


def drawn(folder: Path, count: int, width: int, classes: int = 10) -> None:
    """Features whose classes overlap, a shard at a time."""
    random = np.random.default_rng(0)
    ways = random.normal(size=(64, width)).astype(np.float32) * 0.3
    centres = random.normal(size=(classes, width)).astype(np.float32) * 0.12
    labels = random.integers(0, classes, count)
    for start in range(0, count, SHARD):
        own = labels[start : start + SHARD]
        rows = random.standard_normal((len(own), width), np.float32)
        rows += random.standard_normal((len(own), 64), np.float32) @ ways + centres[own]
        keep(folder, start, np.maximum(rows, 0))
    split(folder, labels, random.random(count) < 0.75)


def digits(folder: Path) -> None:
    """Features (1797, 1280) of handwritten digits, 96 x 96."""
    from PIL import Image
    from sklearn.datasets import load_digits

    import transfer

    found = load_digits()
    for number, image in enumerate(found.images):
        path = folder / "pictures" / f"{number:04}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.rint(image * 255 / 16).astype(np.uint8)).resize((96, 96)).save(path)
    given = transfer.compute_features(
        "mobilenet_v2_imagenet", folder / "pictures", folder / "features", size=(96, 96), shard_rows=300
    )
    start = 0
    for ids, rows in given.shards():
        keep(folder, start, np.array(rows))
        start += len(ids)
    split(folder, found.target, np.arange(len(found.target)) % 2 == 0)


def keep(folder: Path, start: int, rows) -> None:
    """A shard under a name that sorts."""
    from transfer.data.feature_shards import write_shard

    keys = np.array([f"{start + place:032x}" for place in range(len(rows))], "S32")
    path = write_shard(folder, keys, rows).path
    with (folder / "order.txt").open("a") as stream:
        stream.write(f"{path.name}\n")


def split(folder: Path, labels, learnt, asked=None) -> None:
    """Keep what is known of the rows."""
    asked = ~learnt if asked is None else asked
    np.savez(folder / "labels.npz", y=labels.astype(np.int64), learnt=learnt, asked=asked)


def learn(way: str, folder: Path, memory: int) -> None:
    """In one way, timed and weighed."""
    import scipy.linalg  # noqa: F401  # imports are no part of it

    from transfer.data.feature_shards import open_shard
    from transfer.specs import silent
    from transfer.training.feature_rows import Held, Rows
    from transfer.training.labels import Labels
    from transfer.training.solving import solve_head
    from transfer.training.streamed_heads import StreamedHeads, deal_folds, logits_of
    from transfer.training.streaming import Stream
    from transfer.training.temperatures import find_temperature

    there = np.load(folder / "labels.npz")
    labels, learnt = there["y"], there["learnt"]
    k, own, others = int(labels.max()) + 1, np.flatnonzero(learnt), np.flatnonzero(there["asked"])
    shards = [open_shard(folder / name) for name in (folder / "order.txt").read_text().split()]
    sizes = [each.shape[0] for each in shards if each is not None]
    part = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    place = np.concatenate([np.arange(size) for size in sizes])
    held = tuple(Held("p", each.keys, None, each) for each in shards if each is not None)
    rows = Rows(held, part, place, held[0].shape[1:])
    taught = Labels.of_classes(labels[own], k)
    folds = deal_folds(taught, 0, None)
    before, started, used = peak(), time.perf_counter(), time.process_time()
    told, factor = "", 1.0
    if way == "exact":
        solved = solve_head(rows.read(own), labels[own], k)
        kernel, bias, told = solved.kernel, solved.bias, f"C {solved.penalty:.2g}"
    else:
        stream = Stream.of(rows, own, memory_bytes=memory * 2**20)
        heads = StreamedHeads(stream, taught, way, 0, None, memory * 2**20, None, silent)
        (found,) = heads.solve(folds)
        kernel, bias, told = found.solved.kernel, found.solved.bias, found.remark[:75]
        if way == "ridge":
            unseen = logits_of(stream, [[each] for each in found.without], folds)
            factor = 10 / find_temperature(taught.labelling.outputs[0], unseen * 10, taught.targets[0])[0]
    seconds, cpu, added = time.perf_counter() - started, time.process_time() - used, peak() - before
    asked = Stream.of(rows, others, memory_bytes=memory * 2**20)
    logits = logits_of(asked, [[(kernel * factor, bias * factor)]], np.zeros(len(others), np.int64)).astype(float)
    logits -= logits.max(1, keepdims=True)
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(others)), labels[others]]
    right = (logits.argmax(1) == labels[others]).mean()
    np.save(folder / f"{way}.npy", losses)
    print(
        f"{way:9} {seconds:7.1f} s {cpu:7.1f} s of CPU {added / 2**20:7.0f} MB   "
        f"log loss {losses.mean():.4f}   right {right:.4f}   {told}",
        flush=True,
    )


def peak() -> int:
    """Bytes that this process held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
