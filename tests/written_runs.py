"""Folders of runs written by hand, as far as comparing reads them."""

import json
from pathlib import Path

import numpy as np

from transfer.evidence.intervals import wilson
from transfer.results import Result
from transfer.scores import Score

NAMES = [f"cat/{place:03}.jpg" for place in range(200)]


def request(**changes):
    """What was asked, as `run.json` holds it."""
    asked = {
        "schema": 1,
        "recipe": {"name": "probe", "seed": 0, "validation": 0.2, "stages": [{"kind": "probe"}]},
        "shots": None,
        "test_share": 0.5,
        "input": {"kind": "images", "size": [96, 96]},
        "preprocessing": {"size": [96, 96]},
        "network": {"graph": "a" * 64, "name": "net", "layers": 9, "tensors": "b" * 64},
        "data": {"source": "/data/photos", "examples": 200, "classes": ["cat", "dog"], "digest": "c" * 64},
        "test": None,
        "versions": {"keras": "3.15.1"},
        "learnt": [],
    }
    return {**asked, **changes}


def write_run(folder: Path, right, *, tested=None, learnt=(), baseline=None, kept=True, more=None, **changes) -> Path:
    """A run whose model has `right` (n,) of the examples.

    Args:
        folder: of the run.
        right: whether each tested example is answered rightly.
        tested: their names.
        learnt: names of those that it learnt from.
        baseline: (n,), answers of the most frequent class; by default half of them.
        kept: whether it keeps its answers.
        more: of `answers.json`, such as digests.
        changes: of the request.
    """
    right = np.asarray(right, bool)
    tested = list(NAMES[: len(right)] if tested is None else tested)
    simple = np.arange(len(right)) % 2 == 0 if baseline is None else np.asarray(baseline, bool)
    scores = [
        Score(name, int(each.sum()), len(each), wilson(int(each.sum()), len(each)))
        for name, each in (("probe", right), ("majority class", simple))
    ]
    folder.mkdir(parents=True)
    asked = request(split={"train": list(learnt), "test": sorted(tested)}, **changes)
    result = Result(("cat", "dog"), 100, len(right), scores[0], (scores[1],), (scores[0],), {"penalty": 1.0})
    (folder / "run.json").write_text(json.dumps(asked))
    (folder / "result.json").write_text(json.dumps(result.to_json()))
    (folder / "timing.json").write_text(json.dumps({"features": 1.5, "probe": 0.25}))
    if kept:
        ways = {"probe": right.tolist(), "majority class": simple.tolist()}
        (folder / "answers.json").write_text(json.dumps({"examples": tested, "ways": ways, **(more or {})}))
    return folder
