"""Accuracy against shots: the same divisions of a set, with more and more labels to learn from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.data.labelled import LabelledSet
from transfer.data.labelled_splits import split_labelled
from transfer.errors import DataError, Problem
from transfer.evidence.curve_points import CurvePoint
from transfer.evidence.label_curves import LabelCurve, best_of
from transfer.jobs.cached_features import Cache
from transfer.jobs.checking_heads import check_heads
from transfer.jobs.checking_outputs import refuse_outputs
from transfer.jobs.finetuning import finetune
from transfer.jobs.learnt_baselines import UNTRAINED
from transfer.jobs.learnt_before import learnt_by
from transfer.jobs.preparing import Student
from transfer.jobs.scoring_baselines import LOGISTIC, NEIGHBOURS
from transfer.models.building import classes_of
from transfer.recipes import Recipe, Stage
from transfer.results import Result, Run
from transfer.scores import Score
from transfer.specs import Preprocessing, Progress, silent
from transfer.training.fresh import start_anew
from transfer.training.named_recipes import named_recipe

SHOTS = (1, 5, 10, 20, 50)
SCRATCH = "scratch"  # by the name of the recipe
_WITHOUT = (SCRATCH, UNTRAINED, NEIGHBOURS, LOGISTIC)  # know nothing from before


def draw_curve(
    student: keras.Model | Student,
    data: LabelledSet,
    *,
    shots: Sequence[int] = SHOTS,
    recipes: Sequence[str] = ("lp-ft",),
    divisions: int = 5,
    seed: int = 0,
    test_share: float = 0.25,
    skip_unreadable: bool = False,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
    cache: Cache | str | os.PathLike[str] | None = None,
    progress: Progress = silent,
) -> LabelCurve:
    """Learn with few and with more labels, and without what was learnt before.

    Each division holds out its own test part, which stays the same for all numbers of shots; more shots hold those of
    fewer. Beside the recipes stand the probe, a probe on the same network with random weights, and the baselines on
    raw input; `scratch` among the recipes trains the network from random weights.

    Args:
        student: a Keras model that ends in a `Dense` of logits, as `extract` gives it, or one of `prepare_student`.
        data: one class each.
        shots: labels a class, each at least 1.
        recipes: names of those that are followed.
        divisions: of the set, at least 2.
        seed: of the first division; the others follow.
        test_share: to test on in each.
        skip_unreadable: whether pictures that cannot be decoded are left out, of which there are fewer shots then.
        preprocessing: how images are prepared; see `finetune`.
        size: (h, w) to which images are fitted, likewise.
        cache: where features are kept; by default for the time of this call.
        progress: told of the runs.

    Raises:
        DataError: if the set has not one class for each example, or no number of shots can be tried.
        ValueError: if a number lies outside its range.
    """
    refuse_outputs(data, "a curve is drawn")
    if divisions < 2 or not shots or min(shots) < 1:
        raise ValueError(f"at least 2 divisions and 1 shot: {divisions}, {shots}")
    splits = [_divided(data, seed + each, test_share) for each in range(divisions)]
    tried, left_out = _possible(sorted(set(shots)), data, [train for train, _ in splits])
    found: list[CurvePoint] = []
    with _kept(cache) as folder:
        ways = _Ways(
            student,
            [_untrained(student, data, seed + each) for each in range(divisions)],
            tuple(dict.fromkeys(recipes)),
            {
                "preprocessing": preprocessing,
                "size": size,
                "cache": folder,
                "skip_unreadable": skip_unreadable,
                "progress": progress,
            },
        )
        for place, count in enumerate(tried):
            runs: list[tuple[str, Run]] = []
            for number, (train, test) in enumerate(splits):
                learnt = data.subset(_first_of_each(data.labels, train, count, seed + number))
                runs += ways.follow(learnt, data.subset(test), number, seed + number)
                progress("drawing the curve", place * divisions + number + 1, len(tried) * divisions)
            found += _points(count, runs, [len(train) for train, _ in splits])
    without = [name for name in _WITHOUT if any(each.way == name for each in found)]
    before, digests = learnt_by(student, check_heads(student, data, None)[0]), data.digests()
    tested = [digests[place] for place in sorted({int(place) for _, test in splits for place in test})]
    remarks = before.notes, before.warnings(tested)
    return LabelCurve(data.source, tuple(found), tuple(without), best_of(found, without), left_out, *remarks)


def _possible(
    shots: Sequence[int], data: LabelledSet, trains: Sequence[NDArray[np.int64]]
) -> tuple[list[int], tuple[Problem, ...]]:
    """Numbers of shots that every class has in every division, and what is said of the others.

    Raises:
        DataError: if there is none.
    """
    least = min(int(np.bincount(data.labels[train], minlength=len(data.classes)).min()) for train in trains)
    tried = [each for each in shots if each <= least]
    if not tried:
        raise DataError(
            f"{data.source} has too few examples for {shots[0]} shots.",
            [Problem("smallest class", f"{shots[0]} examples to learn from", str(least))],
            "ask for fewer shots, or add examples",
        )
    found = f"the smallest class has {least} to learn from"
    others = (each for each in shots if each > least)
    return tried, tuple(Problem(f"{each} shots", f"{each} examples of each class", found) for each in others)


@dataclass(frozen=True, slots=True)
class _Ways:
    """How one division with so many shots is learnt.

    Attributes:
        student: that knows something.
        untrained: the same with random weights, other ones for each division.
        recipes: that the former follows.
        how: what `finetune` is told besides.
    """

    student: keras.Model | Student
    untrained: Sequence[Student]
    recipes: tuple[str, ...]
    how: dict[str, Any]

    def follow(self, learnt: LabelledSet, test: LabelledSet, number: int, seed: int) -> list[tuple[str, Run]]:
        """A run for each recipe, and the probe on random weights."""
        runs = [
            (name, finetune(self.student, learnt, recipe=self._recipe(name, learnt, seed), test=test, **self.how))
            for name in self.recipes
        ]
        probe = Recipe((Stage("probe"),), seed=seed)
        return [*runs, (UNTRAINED, finetune(self.untrained[number], learnt, recipe=probe, test=test, **self.how))]

    def _recipe(self, name: str, learnt: LabelledSet, seed: int) -> Recipe:
        return named_recipe(name, examples=len(learnt), seed=seed)


def _divided(data: LabelledSet, seed: int, test_share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to learn from, and those to test on that are no copies of these."""
    train, test = split_labelled(data.labelling, data.targets, seed=seed, groups=data.groups, test_share=test_share)
    digests = data.digests()
    learnt = {digests[place] for place in train}
    return train, np.array([place for place in test if digests[place] not in learnt], np.int64)


def _untrained(student: keras.Model | Student, data: LabelledSet, seed: int) -> Student:
    """The same network with random weights."""
    network, heads = check_heads(student, data, None)
    own = student.custom_objects if isinstance(student, Student) else classes_of(student)
    return Student(start_anew(network, seed, own), own, "", (), heads)


def _first_of_each(labels: NDArray[np.int64], train: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """So many rows of each class, in order; those of a smaller count are among them."""
    order = np.random.default_rng(seed).permutation(train)
    return np.sort(np.concatenate([order[labels[order] == each][:count] for each in np.unique(labels[train])]))


def _points(shots: int, runs: Sequence[tuple[str, Run]], pools: Sequence[int]) -> list[CurvePoint]:
    """From the runs of all divisions: a point for each way, what knows nothing from before last."""
    scores: dict[str, list[tuple[Score, int]]] = {}
    names = [name for name, run in runs if any(each.name == "probe" for each in run.result.stages)]
    probed = "probe" if "probe" in names else next(iter(names), "")
    for name, run in runs:
        for way, score in _named(name, run.result, with_probe=name == probed).items():
            scores.setdefault(way, []).append((score, run.result.train_examples))
    ordered = sorted(scores.items(), key=lambda each: _WITHOUT.index(each[0]) if each[0] in _WITHOUT else -1)
    found = []
    for way, values in ordered:
        accuracies = tuple(score.accuracy.value for score, _ in values)
        learnt, tested = tuple(count for _, count in values), tuple(score.examples for score, _ in values)
        found.append(CurvePoint(way, shots, accuracies, learnt, tuple(pools), tested))
    return found


def _named(name: str, result: Result, *, with_probe: bool) -> dict[str, Score]:
    """What a run tells: its last stage, the probe before it, and once a division the baselines on raw input."""
    others = result.baselines if name == UNTRAINED else result.stages if with_probe else ()
    told = {each.name: each for each in others if each.name in ("probe", NEIGHBOURS, LOGISTIC)}
    return told | ({name: result.score} if result.score else {})


@contextmanager
def _kept(cache: Cache | str | os.PathLike[str] | None) -> Iterator[Cache | Path | str | os.PathLike[str]]:
    if cache is not None:
        yield cache
        return
    with TemporaryDirectory(prefix="transfer-") as folder:
        yield Path(folder)
