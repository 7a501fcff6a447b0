"""All baselines but training from scratch over 10 x 2 folds of the clip-art collection, 50 labels a class.

    apt-get install openclipart-png && python tests/benchmarks/bench_baselines.py [SHOTS] [REPEATS]

About 2,050 pictures in five classes at 160 px, the shipped MobileNetV2. The first call computes features of it and of
the same network with random weights, the second finds them and is what counts. Beside it stands scikit-learn's logistic
regression on the same features, on one fold: the probe alone.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import transfer
from transfer.jobs.audits.probe_features import compute_features
from transfer.training.solving import FOLDS, PENALTIES

COLLECTION = Path("/usr/share/openclipart/png")
CLASSES = ("animals", "food", "people", "recreation", "transportation")


def main() -> None:
    """Time both."""
    shots, repeats = (int(each) for each in (sys.argv[1:] or [50, 10]))
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
        for name in CLASSES:  # the collection has other folders too; links in it become pictures
            shutil.copytree(COLLECTION / name, Path(folder) / name)
        data = transfer.read_labelled(folder)
        head = transfer.Head("label", classes=len(data.classes))
        student = transfer.extract(transfer.restore("mobilenet_v2_imagenet"), freeze="backbone", heads=[head])
        how = {"shots": shots, "folds": 2, "cache": cache}
        first, _ = timed(lambda: transfer.compare_baselines(student, data, repeats=1, **how))
        seconds, found = timed(lambda: transfer.compare_baselines(student, data, repeats=repeats, **how))
        print(found)
        print(
            f"features of both networks and 1 x 2 folds {first:.0f} s; {repeats} x 2 folds after that {seconds:.1f} s"
        )
        theirs = by_scikit_learn(compute_features(student, data, cache=cache).inputs.values, data.labels, shots)
    print(f"a fold: all six ways {seconds / repeats / 2:.1f} s, scikit-learn's probe alone {theirs:.1f} s")


def timed(work):
    """(seconds, what came of it)."""
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def by_scikit_learn(features, labels, shots) -> float:
    """Seconds of a logistic regression on one fold, its C chosen by cross-validation among as many values."""
    rows, start = next(iter(features.values())), time.perf_counter()
    order = np.random.default_rng(0).permutation(len(labels))
    learnt = np.concatenate([order[labels[order] == each][:shots] for each in range(labels.max() + 1)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = LogisticRegressionCV(Cs=PENALTIES, cv=FOLDS, scoring="neg_log_loss", max_iter=1000)
        make_pipeline(StandardScaler(), search).fit(rows[learnt], labels[learnt]).predict(rows)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
