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

from transfer.data.forms import LabelledData, as_labelled
from transfer.data.labelled import LabelledSet
from transfer.evidence.curve_points import CurvePoint
from transfer.evidence.label_curves import LabelCurve, best_of
from transfer.jobs.cached_features import Cache
from transfer.jobs.checking_heads import check_heads
from transfer.jobs.checking_outputs import refuse_outputs
from transfer.jobs.dealing_shots import deal_shots
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
    data: LabelledData,
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
        data: one class each, in any form that `finetune` takes.
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
    data = as_labelled(data)
    refuse_outputs(data, "a curve is drawn")
    dealt = deal_shots(data, shots, divisions=divisions, seed=seed, test_share=test_share)
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
        for place, count in enumerate(dealt.shots):
            runs: list[tuple[str, Run]] = []
            for number in range(divisions):
                learnt, test = data.subset(dealt.learnt(number, count)), data.subset(dealt.tested(number))
                runs += ways.follow(learnt, test, number, seed + number)
                progress("drawing the curve", place * divisions + number + 1, len(dealt.shots) * divisions)
            found += _points(count, runs, dealt.pools)
    without = [name for name in _WITHOUT if any(each.way == name for each in found)]
    before, digests = learnt_by(student, check_heads(student, data, None)[0]), data.digests()
    tested = [digests[place] for place in sorted({int(place) for _, test in dealt.splits for place in test})]
    remarks = before.notes, before.warnings(tested)
    return LabelCurve(data.source, tuple(found), tuple(without), best_of(found, without), dealt.left_out, *remarks)


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


def _untrained(student: keras.Model | Student, data: LabelledSet, seed: int) -> Student:
    """The same network with random weights."""
    network, heads = check_heads(student, data, None)
    own = student.custom_objects if isinstance(student, Student) else classes_of(student)
    return Student(start_anew(network, seed, own), own, "", (), heads)


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
