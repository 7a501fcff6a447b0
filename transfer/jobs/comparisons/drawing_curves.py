"""Accuracy against shots: the same divisions of a set, with more and more labels to learn from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import keras

from transfer.data.forms import LabelledData, as_labelled
from transfer.data.labelled import LabelledSet
from transfer.evidence.curve_points import CurvePoint
from transfer.evidence.label_curves import LabelCurve, best_of
from transfer.jobs.examples.cached_features import Cache
from transfer.jobs.examples.checking_outputs import refuse_outputs
from transfer.jobs.examples.dealing_shots import DealtShots, deal_shots
from transfer.jobs.examples.shared_folders import pictures_of, refuse_unseen
from transfer.jobs.finetuning.finetuning import finetune
from transfer.jobs.runs.learnt_before import learnt_by
from transfer.jobs.students.checking_heads import check_heads
from transfer.jobs.students.learnt_baselines import UNTRAINED
from transfer.jobs.students.plain_students import as_plain
from transfer.jobs.students.preparing import Student
from transfer.jobs.students.scoring_baselines import LOGISTIC, NEIGHBOURS
from transfer.models.building import classes_of
from transfer.recipes import Recipe, Stage
from transfer.results import Result
from transfer.scores import Score
from transfer.specs import Preprocessing, Progress, silent
from transfer.training.engines import Engine, LocalEngine
from transfer.training.fresh import start_anew
from transfer.training.named_recipes import named_recipe

SHOTS = (1, 5, 10, 20, 50)
SCRATCH = "scratch"  # by the name of the recipe
_Turn: TypeAlias = tuple[int, int]  # shots, and number of the division
_Named: TypeAlias = tuple[str, Result]  # of a recipe
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
    engine: Engine | None = None,
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
        cache: where features are kept; by default for the time of this call, and nowhere where another process works.
        engine: what learns: each division with each number of shots is a piece of work. By default this process.
        progress: told of the runs.

    Raises:
        DataError: if the set has not one class for each example, or no number of shots can be tried.
        ValueError: if a number lies outside its range.
    """
    data = as_labelled(data)
    refuse_outputs(data, "a curve is drawn")
    dealt = deal_shots(data, shots, divisions=divisions, seed=seed, test_share=test_share)
    engine = engine or LocalEngine()
    ways = _Ways(
        student, data, dealt, tuple(dict.fromkeys(recipes)), skip_unreadable, preprocessing, size, cache, progress
    )
    with _kept(cache) if isinstance(engine, LocalEngine) else nullcontext(cache) as folder:
        ways = replace(ways, cache=folder)
        told = _follow_all(ways if isinstance(engine, LocalEngine) else ways.to_send(), engine, progress)
    found = [
        point
        for count in dealt.shots
        for point in _points(count, [each for number in range(divisions) for each in told[count, number]], dealt.pools)
    ]
    without = [name for name in _WITHOUT if any(each.way == name for each in found)]
    before, digests = learnt_by(student, check_heads(student, data, None)[0]), data.digests()
    tested = [digests[place] for place in sorted({int(place) for _, test in dealt.splits for place in test})]
    remarks = before.notes, before.warnings(tested)
    return LabelCurve(data.source, tuple(found), tuple(without), best_of(found, without), dealt.left_out, *remarks)


def _follow_all(ways: _Ways, engine: Engine, progress: Progress) -> dict[_Turn, list[_Named]]:
    """What came of each division with each number of shots."""
    turns = [(count, number) for count in ways.dealt.shots for number in range(len(ways.dealt.splits))]
    told: dict[_Turn, list[_Named]] = {}
    for turn, results in engine.map(ways.prepare, turns):
        told[turn] = results
        progress("drawing the curve", len(told), len(turns))
    return told


@dataclass(frozen=True, slots=True, eq=False)
class _Ways:
    """How divisions with so many shots are learnt; as `to_send` gives it plain values, for any process.

    Attributes:
        student: that knows something.
        data: all examples.
        dealt: which of them are learnt from and tested on.
        recipes: that the student follows.
        skip_unreadable, preprocessing, size, cache, progress: what `finetune` is told besides.
    """

    student: keras.Model | Student
    data: LabelledSet
    dealt: DealtShots
    recipes: tuple[str, ...]
    skip_unreadable: bool
    preprocessing: Preprocessing | str | None
    size: tuple[int, int] | None
    cache: Cache | str | os.PathLike[str] | None
    progress: Progress

    def to_send(self) -> _Ways:
        """The same for a process that works in another folder."""
        inputs, cache = self.data.inputs, self.cache
        if isinstance(inputs, tuple):
            inputs = tuple(each.absolute() for each in inputs)
        data = replace(self.data, inputs=inputs)
        if isinstance(cache, str | os.PathLike):
            cache = Path(cache).absolute()
        elif cache is not None:
            cache = replace(cache, folder=cache.folder.absolute())
        student = as_plain(self.student, data)
        return replace(
            self, student=student, data=data, dealt=replace(self.dealt, data=data), cache=cache, progress=silent
        )

    def prepare(self) -> Callable[[_Turn], tuple[_Turn, list[_Named]]]:
        """See `Engine`.

        Raises:
            TrainingError: on a machine that does not see the pictures.
        """
        refuse_unseen(pictures_of(self.data))
        untrained: dict[int, Student] = {}

        def follow(turn: _Turn) -> tuple[_Turn, list[_Named]]:
            count, number = turn
            if number not in untrained:
                untrained[number] = _untrained(self.student, self.data, self.dealt.seed + number)
            return turn, self._follow(count, number, untrained[number])

        return follow

    def _follow(self, count: int, number: int, untrained: Student) -> list[_Named]:
        """A result for each recipe, and that of the probe on random weights."""
        learnt, seed = self.data.subset(self.dealt.learnt(number, count)), self.dealt.seed + number
        recipes = [(name, named_recipe(name, examples=len(learnt), seed=seed)) for name in self.recipes]
        ways = [
            *((name, self.student, recipe) for name, recipe in recipes),
            (UNTRAINED, untrained, Recipe((Stage("probe"),), seed=seed)),
        ]
        test = self.data.subset(self.dealt.tested(number))
        return [(name, self._learn(student, learnt, test, recipe)) for name, student, recipe in ways]

    def _learn(self, student: keras.Model | Student, learnt: LabelledSet, test: LabelledSet, recipe: Recipe) -> Result:
        run = finetune(
            student,
            learnt,
            recipe=recipe,
            test=test,
            skip_unreadable=self.skip_unreadable,
            preprocessing=self.preprocessing,
            size=self.size,
            cache=self.cache,
            progress=self.progress,
        )
        return run.result


def _untrained(student: keras.Model | Student, data: LabelledSet, seed: int) -> Student:
    """The same network with random weights."""
    network, heads = check_heads(student, data, None)
    own = student.custom_objects if isinstance(student, Student) else classes_of(student)
    return Student(start_anew(network, seed, own), own, "", (), heads)


def _points(shots: int, told: Sequence[_Named], pools: Sequence[int]) -> list[CurvePoint]:
    """From the results of all divisions: a point for each way, what knows nothing from before last."""
    scores: dict[str, list[tuple[Score, int]]] = {}
    names = [name for name, result in told if any(each.name == "probe" for each in result.stages)]
    probed = "probe" if "probe" in names else next(iter(names), "")
    for name, result in told:
        for way, score in _named(name, result, with_probe=name == probed).items():
            scores.setdefault(way, []).append((score, result.train_examples))
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
