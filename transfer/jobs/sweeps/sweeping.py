"""A sweep as a whole job: trials on validation folds of the training part, and the best once on the test part."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.data.doubts import refuse_unreadable
from transfer.data.forms import LabelledData, as_divided
from transfer.data.joining import join_sets
from transfer.data.labelled import LabelledSet
from transfer.errors import Problem, TrainingError
from transfer.evidence.share_differences import ShareDifference, differ_on_same
from transfer.evidence.sweeps import AS_IT_IS, Sweep, Trial
from transfer.jobs.examples.cached_features import Cache, open_store
from transfer.jobs.examples.checking_outputs import refuse_outputs
from transfer.jobs.examples.dealing_folds import deal_examples
from transfer.jobs.examples.dividing import divide, refuse_unlearnt
from transfer.jobs.examples.feeding import as_learnt, make_feed
from transfer.jobs.examples.reading_examples import read_examples
from transfer.jobs.finetuning.finetuning import finetune
from transfer.jobs.runs.describing import describe_request
from transfer.jobs.runs.kept_answers import read_answers
from transfer.jobs.students.checking_heads import check_heads
from transfer.jobs.students.checking_recipes import check_recipe
from transfer.jobs.students.plain_students import as_plain
from transfer.jobs.students.preparing import Student, prepare_student
from transfer.jobs.sweeps.optuna_studies import load_optuna
from transfer.jobs.sweeps.sweep_folders import BEST, FEATURES, RUNS, open_sweep
from transfer.jobs.sweeps.sweep_rounds import rounds_of, try_all, way_of
from transfer.jobs.sweeps.trying_recipes import Trying
from transfer.models.restoring import Restored, restore_file
from transfer.placing import placed_file
from transfer.recipes import Recipe
from transfer.results import Run
from transfer.specs import Json, Preprocessing, Progress, Restoring, silent
from transfer.training.engines import Engine, LocalEngine
from transfer.training.feature_store import MEMORY_BYTES
from transfer.training.labels import Labels
from transfer.training.learner import Learner
from transfer.training.recipe_spaces import Over, RecipeSpace, parse_space
from transfer.training.recipe_texts import format_recipe
from transfer.weights.checkpoint import Checkpoint

TRIALS, FOLDS, AT_ONCE = 20, 3, 8
_RUNS = {"best": "best", "as it is": "as_it_is"}
_FAILURES = 3  # reasons that are told where every trial has failed


def sweep(
    student: keras.Model | Student | Restored | Checkpoint | str | os.PathLike[str],
    data: LabelledData,
    *,
    over: Over,
    out: str | os.PathLike[str],
    recipe: Recipe | None = None,
    trials: int = TRIALS,
    folds: int = FOLDS,
    at_once: int = AT_ONCE,
    test: LabelledData | None = None,
    shots: int | None = None,
    test_share: float = 0.25,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
    skip_unreadable: bool = False,
    cache: Cache | str | os.PathLike[str] | None = None,
    engine: Engine | None = None,
    resume: bool = False,
    force: bool = False,
    command: Sequence[str] = (),
    progress: Progress = silent,
) -> Sweep:
    """Try a recipe with other values of some of its fields, and say what the best of them is worth.

    Trials are compared on folds of the training part alone, the same for all, with the same seed. Then two recipes are
    run on the test part: the one that validates best, and the recipe as it is. A validation score that is the best of
    many is too high; that of the test part is not, and by it the two are held against each other.

    All points are tried where they are finite and no more than `trials`; else Optuna chooses them, in rounds whose
    points depend on the rounds before alone. So the trials are the same wherever they are done. A sweep that was
    killed goes on when it is asked for again; a trial that is done is not repeated.

    Args:
        student: a Keras model that ends in a `Dense` of logits, one of `prepare_student`, or a file, from which a
            student is made as `finetune` on the command line makes one.
        data: one class each, in any form that `finetune` takes.
        over: what is varied: `{"stages.1.rate": "1e-5..1e-3", "stages.1.optimizer": ["adam", "sgd"]}`, or texts
            `FIELD=SPACE`. A range is even in the logarithm where it spans a factor of ten; `:log` or `:linear` behind
            it says it otherwise.
        out: a folder, new or of this very sweep.
        recipe: what is varied; by default that of `finetune`. Its seed is that of the division, the folds, the points
            and of all learning.
        trials: how many at most, beside the recipe as it is.
        folds: of the training part, at least 2.
        at_once: trials of a round. With more of them more can be done at the same time, and less is known when they are
            chosen; with another number they are others.
        test: examples to test on, likewise; by default some of `data` are held out.
        shots: that many examples a class to learn from, all others to test on.
        test_share: share of `data` to test on otherwise.
        preprocessing: how images are prepared; see `finetune`.
        size: (h, w) to which images are fitted, likewise.
        skip_unreadable: whether pictures that cannot be decoded are left out instead of ending it.
        cache: where features are kept; by default in `out` for the time of the sweep.
        engine: what does the trials; by default this process, one after the other.
        resume: whether there has to be a sweep in `out` that goes on.
        force: whether a sweep of another request there is replaced.
        command: words of a `finetune` command for this student and data, to which the best recipe is added.
        progress: told of the trials.

    Raises:
        DataError: if what is swept over is wrong, or the examples do not fit, cannot be read or are too few.
        LayerError: if the student does not end in a head of these classes, or the recipe does not fit it.
        OutputError: if Optuna is not installed, or `out` holds something else.
        TrainingError: if every trial fails.
        ValueError: if a number lies outside its range.
    """
    if trials < 1 or folds < 2 or at_once < 1:
        raise ValueError(f"at least 1 trial, 2 folds and 1 trial at once: {trials}, {folds}, {at_once}")
    data, test = as_divided(data, test)
    if shots is not None and test is not None:
        raise ValueError("shots divide one set; with a test set of its own all of data is learnt from")
    refuse_outputs(data, "recipes are swept")
    space = parse_space(recipe or Recipe(), over)
    load_optuna()
    plain = as_plain(_student(student, data, space.recipe.seed), data)
    asking = _Asking(plain, data, test, shots, test_share, preprocessing, size, skip_unreadable)
    asked = asking.describe(space, {"trials": trials, "folds": folds, "at_once": at_once})
    folder = open_sweep(Path(out), asked, resume=resume, force=force)
    if isinstance(folder, Sweep):
        return folder
    if not isinstance(cache, Cache):
        cache = Cache(Path(cache) if cache is not None else folder.path / FEATURES)
    learnt = asking.learnt(space.recipe, cache, progress)
    dealt = deal_examples(learnt, shots=None, folds=folds, repeats=1, seed=space.recipe.seed)
    trying = Trying(plain, learnt, dealt, space, folder, cache, preprocessing, size).placed()
    found = try_all(trying, rounds_of(trying.space, trials, at_once), engine or LocalEngine(), progress)
    best = _best(found)
    with placed_file(folder.path / BEST, force=True) as temporary:
        temporary.write_text(format_recipe(space.at(best.point)), encoding="utf-8")
    runs = {
        name: asking.run(space.at(trial.point), folder.path / RUNS / _RUNS[name], cache, progress)
        for name, trial in (("best", best), ("as it is", found[AS_IT_IS]))
        if name == "as it is" or best.number != AS_IT_IS
    }
    typed = [*command, "--recipe", str(folder.path / BEST), "-o", "RUN"] if command else []
    swept = Sweep(
        source=data.source,
        recipe=space.recipe.name,
        space=space.to_json(),
        how=way_of(space, trials),
        seed=space.recipe.seed,
        trials=tuple(found),
        learnt_examples=len(learnt),
        fold_count=len(dealt),
        tested={name: run.result.score for name, run in runs.items() if run.result.score is not None},
        difference=_difference(runs),
        folder=folder.path,
        command=shlex.join(typed),
        notes=data.notes,
        warnings=runs["as it is"].result.warnings,
    )
    folder.finish(asked, swept)
    return swept


def _student(
    source: keras.Model | Student | Restored | Checkpoint | str | os.PathLike[str], data: LabelledSet, seed: int
) -> keras.Model | Student:
    if isinstance(source, keras.Model | Student):
        return source
    restored = source if isinstance(source, Restored) else restore_file(source, None, Restoring())
    return prepare_student(restored, data.labelling, seed=seed)


@dataclass(frozen=True, slots=True, eq=False)
class _Asking:
    """What is the same for the trials and for the runs on the test part.

    Attributes:
        student: of all.
        data: to learn from.
        test: to test on; None where that comes from `data`.
        shots, test_share: as `finetune` takes them.
        preprocessing, size: likewise.
        skip_unreadable: likewise.
    """

    student: Student
    data: LabelledSet
    test: LabelledSet | None
    shots: int | None
    test_share: float
    preprocessing: Preprocessing | str | None
    size: tuple[int, int] | None
    skip_unreadable: bool

    def describe(self, space: RecipeSpace, numbers: dict[str, int]) -> Json:
        """All that decides the outcome, those numbers among it, with one digest over it."""
        network, _ = check_heads(self.student, self.data, self.test)
        own = self.student.custom_objects
        feed = make_feed(network, self.data, preprocessing=self.preprocessing, size=self.size, custom_objects=own)
        run = describe_request(
            space.recipe,
            network,
            as_learnt(feed, self.data).graph,
            feed,
            self.data,
            self.test,
            shots=self.shots,
            test_share=self.test_share,
        )
        told = {"over": space.to_json(), **numbers, "optuna": version("optuna")}
        decisive = json.dumps({**told, "run": run["digest"]}, sort_keys=True)
        return {**run, "sweep": told, "digest": hashlib.sha256(decisive.encode()).hexdigest()}

    def learnt(self, recipe: Recipe, cache: Cache, progress: Progress) -> LabelledSet:
        """The examples that `finetune` learns from, once all are read and what the recipe freezes is computed.

        Raises:
            DataError: if some cannot be read, or a class is not among those to learn from.
        """
        network, heads = check_heads(self.student, self.data, self.test)
        check_recipe(network.graph, heads, recipe)
        own = self.student.custom_objects
        feed = make_feed(network, self.data, preprocessing=self.preprocessing, size=self.size, custom_objects=own)
        everything = self.data if self.test is None else join_sets(self.data, self.test)
        with open_store(cache, memory_bytes=MEMORY_BYTES, own_classes=own) as store:
            learner = Learner(as_learnt(feed, self.data), recipe, heads, own, store=store, progress=progress)
            read = read_examples(learner, feed, everything)
        if not self.skip_unreadable:
            refuse_unreadable(read.failures, len(everything), everything.source)
        examples = everything.subset(read.places)
        rows: NDArray[np.int64] = np.flatnonzero(read.places < len(self.data))
        if self.test is None:
            rows, _ = divide(examples, seed=recipe.seed, shots=self.shots, test_share=self.test_share)
        found = examples.subset(rows)
        refuse_unlearnt(Labels(found.labelling, found.targets))
        return found

    def run(self, recipe: Recipe, out: Path, cache: Cache, progress: Progress) -> Run:
        """A recipe on the test part."""
        return finetune(
            self.student,
            self.data,
            recipe=recipe,
            test=self.test,
            shots=self.shots,
            test_share=self.test_share,
            preprocessing=self.preprocessing,
            size=self.size,
            out=out,
            skip_unreadable=self.skip_unreadable,
            cache=cache,
            progress=progress,
            report=False,
        )


def _best(found: Sequence[Trial]) -> Trial:
    best = min(found, key=lambda each: each.rank)
    if best.accuracy is None:
        failed = [Problem(f"trial {each.name}", found=each.reason) for each in found[:_FAILURES]]
        raise TrainingError(
            "The one trial failed: that of the recipe as it is."
            if len(found) == 1
            else f"Every one of the {len(found)} trials failed, the recipe as it is among them.",
            failed,
            next_step="run the recipe by itself first: transfer finetune --recipe",
        )
    return best


def _difference(runs: dict[str, Run]) -> ShareDifference | None:
    """Best less as it is, on the same test examples; None where they are one run."""
    if "best" not in runs:
        return None
    right = {}
    groups: NDArray[np.int64] | None = None
    for name, run in runs.items():
        kept = read_answers(run.folder) if run.folder is not None else None
        if kept is None or run.result.score is None:
            return None
        right[name] = kept.ways[run.result.score.name]
        if kept.groups:
            groups = np.unique(np.array(kept.groups), return_inverse=True)[1].astype(np.int64)
    return differ_on_same(right["best"], right["as it is"], groups)
