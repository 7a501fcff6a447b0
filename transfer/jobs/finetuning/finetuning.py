"""Fine-tuning as a whole job: features once, the head solved, optionally tuned, held against its baselines, saved."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import keras

from transfer.data.forms import LabelledData, as_divided
from transfer.errors import DataError, NotFiniteError
from transfer.jobs.examples.cached_features import Cache, open_store
from transfer.jobs.examples.checking_inputs import warn_of_inputs
from transfer.jobs.examples.feeding import as_learnt, make_feed
from transfer.jobs.examples.kept_pictures import fitted_batches
from transfer.jobs.finetuning.benchmarking import Source as Benchmarked
from transfer.jobs.finetuning.benchmarking import open_benchmark, planned_tests
from transfer.jobs.finetuning.keeping_examples import keep_examples
from transfer.jobs.finetuning.scoring_stages import Division, learn_and_score
from transfer.jobs.pages.reporting import with_page
from transfer.jobs.runs.describing import describe_request
from transfer.jobs.runs.finished_models import finished_model
from transfer.jobs.runs.learnt_before import learnt_by
from transfer.jobs.runs.missing_benchmarks import kept_of_missing
from transfer.jobs.runs.running import find_finished, refuse_run, write_run
from transfer.jobs.runs.tracking import tracked
from transfer.jobs.runs.unfinished import kept_state, with_last_finite
from transfer.jobs.students.checking_heads import check_heads
from transfer.jobs.students.checking_recipes import check_recipe
from transfer.jobs.students.clock import TimeLimit
from transfer.jobs.students.learnt_baselines import make_rivals
from transfer.jobs.students.preparing import Student
from transfer.models.building import classes_of, read_model
from transfer.recipes import Recipe
from transfer.results import Receipt, Run
from transfer.specs import Preprocessing, Progress, silent
from transfer.surgery.network import Network
from transfer.training.devices import settle_devices
from transfer.training.feature_store import MEMORY_BYTES
from transfer.training.learner import Learner
from transfer.training.lessons import take_lesson

if TYPE_CHECKING:
    from transfer.scaling.ray_fitting import RayFitter


def finetune(
    student: keras.Model | Student,
    data: LabelledData,
    *,
    recipe: Recipe | None = None,
    test: LabelledData | None = None,
    shots: int | None = None,
    test_share: float = 0.25,
    baselines: Literal["cheap", "all"] = "cheap",
    benchmark: Benchmarked | None = None,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    skip_unreadable: bool = False,
    cache: Cache | str | os.PathLike[str] | None = None,
    memory_bytes: int = MEMORY_BYTES,
    time_limit: float | TimeLimit | None = None,
    devices: int | Literal["all"] | None = None,
    fitter: RayFitter | None = None,
    receipt: Receipt | None = None,
    notes: tuple[str, ...] = (),
    progress: Progress = silent,
    tensorboard: str | os.PathLike[str] | None = None,
    mlflow: str | None = None,
    report: bool = True,
    command: str = "",
) -> Run:
    """Teach a student a small labelled set, and say what the result is worth.

    The frozen layers run once over all examples; the head is solved on their features to its optimum, and what a recipe
    trains further goes on from there. The student is left as it is. With `out`, a run that was cut off goes on when it
    is asked for again, and ends with the same bits.

    Args:
        student: a Keras model that ends in a `Dense` of logits for each output, as `extract` gives it, or one of
            `prepare_student`. Several heads have the names of the outputs.
        data: labelled examples; classes are the heads', in order. A set, a path, arrays (x, y) with labels or one-hot
            rows, a table of pandas, a `tf.data.Dataset`, or ((x, y), (x_test, y_test)) as `keras.datasets` gives it.
        recipe: stages and seed; by default the head is solved, then trained on with the last two blocks.
        test: examples to test on, likewise; by default some of `data` are held out.
        shots: that many examples a class to learn from, all others to test on.
        test_share: share of `data` to test on otherwise.
        baselines: `cheap` are those that need no network; `all` adds a probe on the same network with random weights,
            and this network trained from scratch, which takes long.
        benchmark: a strong result to hold this one against, on the test examples that both answered: the folder of
            another run of the same task, or a checkpoint (its path, a shipped name, what `restore` gave) or a network
            with heads, on which a head is then solved on the same examples, at its own size.
        preprocessing: how images are prepared, or the name of a common way (`torch`, `tf`, `caffe`, `unit`, `raw`); by
            default what the student's card says.
        size: (h, w) to which images are fitted; by default what the network or its card says.
        out: a new folder for the run; None keeps it in memory.
        force: whether an existing folder may be replaced.
        skip_unreadable: whether pictures that cannot be decoded are left out instead of ending the run.
        cache: a folder in which features are kept for other runs; by default nothing is kept. It is not trimmed; give a
            `Cache` for that. Results do not depend on it. Of a network with classes of your own nothing is kept,
            because their code may change.
        memory_bytes: for features in memory; past it they lie on the disk.
        time_limit: seconds by which the run is written, with the best that was found by then; a run that a limit ended
            does not repeat to the bit.
        devices: of this machine that share each batch of what is trained, or `all`; by default all GPUs. Equal up to
            rounding, which their number changes: it is part of what is asked.
        fitter: workers of a cluster that share each batch instead; features and the head stay with this process. Their
            number is part of what is asked likewise.
        receipt: how the student's weights were restored, to be kept with the run.
        notes: what was done to get the student, likewise.
        progress: told of what is going on.
        tensorboard: a folder in which TensorBoard finds the numbers of each epoch as it ends. Neither this nor `mlflow`
            enters the run, and neither is told of a run that stood there already.
        mlflow: address of an MLflow server or store that is told of the same, and of recipe, digests and scores; empty
            for the one that MLflow is set to. Where telling fails on the way, the run goes on, and a note says so.
        report: whether a run with a folder writes a page there, `report.html`, once all else is there. Where that
            fails, `Run.troubles` says why. This and `command` change nothing of the result.
        command: what was typed to get the run, to be kept with it.

    Raises:
        LayerError: if the student does not end in the heads of these outputs.
        DataError: if the examples do not fit the student, or cannot be read, or the benchmark is of another task.
        OutputError: if `out` exists already, unless it holds this very run, or `tensorboard` or `mlflow` fails.
        NotFiniteError: if a step of training is not finite. With `out` the last finite weights are kept beside it.
        TrainingError: if the time is over before the head is solved, or there are not so many devices.
    """
    data, test = as_divided(data, test)
    recipe = recipe or Recipe()
    if not isinstance(recipe, Recipe):
        raise DataError(
            f"recipe: expected a Recipe, found {recipe!r}.",
            next_step="make one that goes by a name: transfer.named_recipe('probe', examples=len(data))",
        )
    if shots is not None and test is not None:
        raise ValueError("shots divide one set; with a test set of its own all of data is learnt from")
    if baselines == "all" and time_limit is not None:
        raise ValueError("training from scratch takes its time: give baselines='all' without a time limit")
    if fitter is not None and devices is not None:
        raise ValueError("give devices or a fitter: RayFitter(…, gpus=…) says how many each worker has")
    sharing = settle_devices(devices) if fitter is None else 1
    network, heads = check_heads(student, data, test)
    check_recipe(network.graph, heads, recipe)
    own = student.custom_objects if isinstance(student, Student) else classes_of(student)
    feed = make_feed(network, data, preprocessing=preprocessing, size=size, custom_objects=own)
    whole = as_learnt(feed, data)
    limit = TimeLimit(time_limit) if isinstance(time_limit, int | float) else time_limit
    if limit is not None:
        limit.refuse_hopeless()
    seconds = limit.seconds if limit else None
    opening: dict[str, Any] = {"seed": recipe.seed, "preprocessing": preprocessing, "size": size}
    target = Path(out) if out is not None else None
    kept = None if force else kept_of_missing(benchmark, target)
    reference = open_benchmark(benchmark, data, **opening) if benchmark is not None and kept is None else None
    asked = describe_request(
        recipe,
        network,
        whole.graph,
        feed,
        data,
        test,
        shots=shots,
        test_share=test_share,
        time_limit=seconds,
        baselines=baselines,
        benchmark=reference.asked if reference else kept,
        devices=sharing if fitter is None else fitter.gpus,
        workers=0 if fitter is None else fitter.workers,
    )
    if target is not None:
        finished = None if force else find_finished(target, asked, own)
        if finished is not None:
            return with_page(finished) if report and finished.report is None else finished
        if kept is not None and benchmark is not None:
            open_benchmark(benchmark, data, **opening)  # says that it is not there
        refuse_run(target, force=force, asked=asked)
    if reference is not None:
        reference.refuse_unfit(asked, planned_tests(data, test, seed=recipe.seed, shots=shots, test_share=test_share))
    with (
        kept_state(target, asked, force=force) as state_folder,
        open_store(cache, memory_bytes=memory_bytes, own_classes=own) as store,
        tracked(asked, target, tensorboard=tensorboard, mlflow=mlflow) as trackers,
    ):
        learner = Learner(
            whole,
            recipe,
            heads,
            own,
            store=store,
            state_folder=state_folder,
            progress=progress,
            watch=trackers.tell,
            deadline=limit.training_ends(_size_bytes(network)) if limit else None,
            devices=sharing,
            fitter=fitter or take_lesson,
        )
        warnings = warn_of_inputs(feed, network, data, seed=recipe.seed, batches=fitted_batches(feed, store))
        how = Division(test, shots, test_share)
        try:
            outcome = learn_and_score(
                learner,
                feed,
                data,
                how,
                skip_unreadable=skip_unreadable,
                rivals=partial(make_rivals, learner) if baselines == "all" else None,
                benchmark=reference,
                before=None if any(each.fresh for each in recipe.stages) else learnt_by(student, network, receipt),
            )
        except NotFiniteError as error:
            make = partial(finished_model, feed.network, learner, data.labelling, network.card)
            raise with_last_finite(error, make, state_folder) from error
        told = (*notes, feed.note, *outcome.result.notes, *([store.trouble] if store.trouble else []))
        whole_request = {**asked, **outcome.split}
        result = replace(outcome.result, notes=told, warnings=(*data.notes, *warnings, *outcome.result.warnings))
        if reference is not None:
            stands = reference.stand(outcome.last, outcome.answers, whole_request, outcome.probe)
            result = replace(result, benchmark=stands)
        model = finished_model(feed.network, learner, data.labelling, network.card)
        described = receipt.to_json() if receipt is not None else None
        lines = tuple(learner.history)
        run = Run(result, model, None, described, whole_request, resumed=learner.resumed, history=lines)
        if target is not None:
            run = write_run(
                run,
                target,
                examples=keep_examples(model, feed, learner, outcome, limit) if report else None,
                command=command,
                answers=outcome.answers,
                seconds=outcome.clock.seconds,
                predictions=outcome.predictions,
                force=force,
            )
            if report:
                run = with_page(run, read_model(model).graph)
        return trackers.finish(run)


def _size_bytes(network: Network) -> int:
    return sum(each.nbytes for each in network.tensors.values())
