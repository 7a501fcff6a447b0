"""Fine-tuning as a whole job: features once, the head solved, optionally tuned, held against its baselines, saved."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.data.labelled import LabelledSet
from transfer.data.splitting import split_stratified
from transfer.errors import DataError, LayerError, Problem
from transfer.evidence.baselines import logistic_regression, majority_class, shrink_images
from transfer.evidence.scoring import score_answers
from transfer.graphs.freezing import unfreeze_from
from transfer.graphs.graph import Graph, Layer
from transfer.jobs.checking_inputs import warn_of_inputs
from transfer.jobs.checking_recipes import check_recipe
from transfer.jobs.describing import describe_probe, describe_request
from transfer.jobs.feeding import Feed, make_feed, read_features
from transfer.jobs.run_folders import read_asked
from transfer.jobs.running import load_run, refuse_run, write_run
from transfer.models.building import attach_card, build_model, classes_of, read_model
from transfer.recipes import Recipe, Stage
from transfer.results import Receipt, Result, Run, Score
from transfer.specs import Json, Preprocessing, Progress, silent
from transfer.training.features import make_runner, run_in_batches
from transfer.training.solving import SolvedHead, solve_head
from transfer.training.tuning import tune
from transfer.weights.cards import Card
from transfer.weights.digests import digest_manifest
from transfer.weights.tensor_digests import digest_tensor

BATCH = 16  # the fastest on two cores


def finetune(
    student: keras.Model,
    data: LabelledSet,
    *,
    recipe: Recipe | None = None,
    test: LabelledSet | None = None,
    shots: int | None = None,
    test_share: float = 0.25,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    skip_unreadable: bool = False,
    receipt: Receipt | None = None,
    notes: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Run:
    """Teach a student a small labelled set, and say what the result is worth.

    The frozen layers run once over all examples; the head is solved on their features to its optimum. The student is
    left as it is.

    Args:
        student: a Keras model that ends in one `Dense` of logits, as `extract` gives it.
        data: labelled examples; its classes are the head's, in order.
        recipe: stages and seed; by default the head is solved and nothing else is trained.
        test: examples to test on; by default some of `data` are held out.
        shots: that many examples a class to learn from, all others to test on.
        test_share: share of `data` to test on otherwise.
        preprocessing: how images are prepared, or the name of a common way (`torch`, `tf`, `caffe`, `unit`, `raw`); by
            default what the student's card says.
        size: (h, w) to which images are fitted; by default what the network or its card says.
        out: a new folder for the run; None keeps it in memory.
        force: whether an existing folder may be replaced.
        skip_unreadable: whether pictures that cannot be decoded are left out instead of ending the run.
        receipt: how the student's weights were restored, to be kept with the run.
        notes: what was done to get the student, likewise.
        progress: told of what is going on.

    Raises:
        LayerError: if the student does not end in a head.
        DataError: if the examples do not fit the student, or cannot be read.
        OutputError: if `out` exists already, unless it holds this very run.
        TrainingError: if the loss stops being finite.
    """
    recipe = recipe or Recipe()
    if shots is not None and test is not None:
        raise ValueError("shots divide one set; with a test set of its own all of data is learnt from")
    network = read_model(student)
    head = _head(network.graph)
    _check_classes(head, data, test)
    check_recipe(network.graph, head.name, recipe)
    feed = make_feed(network, data, preprocessing=preprocessing, size=size, custom_objects=classes_of(student))
    asked = describe_request(recipe, network, feed, data, test, shots=shots, test_share=test_share)
    target = Path(out) if out is not None else None
    if target is not None:
        finished = None if force else _finished(target, asked)
        if finished is not None:
            return finished
        refuse_run(target, force=force)
    warnings = warn_of_inputs(feed, network, data, seed=recipe.seed)
    work = _Work(head.name, feed, recipe, progress)
    everything = data if test is None else _joined(data, test)
    work.read(everything, skip_unreadable=skip_unreadable)
    if test is None:
        train, held_out = split_stratified(
            work.examples.labels, seed=recipe.seed, shots=shots, test_share=test_share, classes=data.classes
        )
    else:
        train, held_out = work.before(len(data))
    digests = work.examples.digests()
    learnt = {digests[place] for place in train}
    unseen = np.array([place for place in held_out if digests[place] not in learnt], np.int64)
    if not len(unseen):
        raise DataError("Every test example is also learnt from.", next_step="test on other examples")
    twins = len(held_out) - len(unseen)
    held_out = unseen
    solved = work.solve(train, held_out)
    for stage in recipe.stages[1:]:
        work.tune(stage, train, held_out)
    baselines = work.baselines(train, held_out)
    result = Result(
        classes=data.classes,
        train_examples=len(train),
        test_examples=len(held_out),
        score=work.scores[-1],
        baselines=baselines,
        stages=tuple(work.scores),
        probe=describe_probe(solved),
        left_out=(*data.problems, *(test.problems if test else ()), *work.failures),
        notes=(*notes, feed.note, *_remarks(twins, work.scores)),
        warnings=warnings,
    )
    split = {
        name: sorted(work.examples.names[i] for i in rows) for name, rows in (("train", train), ("test", held_out))
    }
    model = work.finished_model(data.classes, network.card)
    described = receipt.to_json() if receipt is not None else None
    run = Run(result, model, None, described, {**asked, "split": split, "learnt": sorted(learnt)})
    return run if target is None else write_run(run, target, history=work.history, seconds=work.seconds, force=force)


@dataclass(slots=True)
class _Work:
    """A run under way.

    Attributes:
        head: name of the layer that gives the logits.
        feed: how examples go in.
        recipe: what is done.
        progress: told of it.
        examples: those that could be read.
        places: of these in the set that was read.
        failures: those that could not.
        features: (n, d), what goes into the head.
        pixels: (n, …), raw input, shrunk.
        scores: after each stage.
        history: a line for each stage and epoch.
        seconds: taken by each step.
    """

    head: str
    feed: Feed
    recipe: Recipe
    progress: Progress
    model: keras.Model = field(init=False)
    examples: LabelledSet = field(init=False)
    places: NDArray[np.int64] = field(init=False)
    features: NDArray[np.float32] = field(init=False)
    pixels: NDArray[Any] = field(init=False)
    failures: tuple[Problem, ...] = ()
    scores: list[Score] = field(default_factory=list)
    history: list[Json] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.model = self.feed.network

    def read(self, data: LabelledSet, *, skip_unreadable: bool) -> None:
        """Run the frozen part once over everything."""
        with self._timed("features"):
            before_head = keras.Model(self.model.inputs, self.model.get_layer(self.head).input)
            if len(before_head.output.shape) != 2:
                raise LayerError(
                    f"{self.head!r} gets features of shape {before_head.output.shape}; expected (n, d).",
                    next_step="attach it with transfer.extract(…, heads=[…])",
                )
            found = read_features(make_runner(before_head, BATCH), self.feed, data, BATCH, shrink_images, self.progress)
        if found.failures and not skip_unreadable:
            raise DataError(
                f"{len(found.failures)} of {len(data)} examples of {data.source} cannot be read.",
                [problem for _, problem in found.failures],
                next_step="remove them, or leave them out with --skip-unreadable (skip_unreadable=True)",
            )
        bad = {place for place, _ in found.failures}
        good = np.array([place for place in range(len(data)) if place not in bad], np.int64)
        self.failures = tuple(problem for _, problem in found.failures)
        self.places = good
        self.examples, self.features, self.pixels = data.subset(good), found.values[good], found.pixels[good]

    def before(self, boundary: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of the readable examples that came before a place in the set, and the others."""
        return np.flatnonzero(self.places < boundary), np.flatnonzero(self.places >= boundary)

    def solve(self, train: NDArray[np.int64], held_out: NDArray[np.int64]) -> SolvedHead:
        """The probe."""
        labels = self.examples.labels
        with self._timed("probe"):
            solved = solve_head(
                self.features[train],
                labels[train],
                len(self.examples.classes),
                seed=self.recipe.seed,
                progress=self.progress,
            )
        self.model.get_layer(self.head).set_weights([solved.kernel, solved.bias])
        answers = (self.features[held_out] @ solved.kernel + solved.bias).argmax(1)
        self.scores.append(score_answers("probe", answers, labels[held_out]))
        self.history.append({"stage": "probe", "penalty": solved.penalty, "cross_validated_accuracy": solved.accuracy})
        return solved

    def tune(self, stage: Stage, train: NDArray[np.int64], held_out: NDArray[np.int64]) -> None:
        """Unfreeze and go on."""
        labels = self.examples.labels
        with self._timed("tuning"):
            current = read_model(self.model)
            keras.utils.set_random_seed(
                self.recipe.seed
            )  # layers that draw random numbers are seeded when they are built
            self.model = build_model(
                replace(current, graph=unfreeze_from(current.graph, stage.unfreeze_from)), classes_of(self.model)
            )
            frozen = _digest_frozen(self.model)
            inputs = self.feed.load(self.examples.subset(train), BATCH)
            epochs = tune(self.model, inputs, labels[train], stage, seed=self.recipe.seed, progress=self.progress)
            if _digest_frozen(self.model) != frozen:
                raise LayerError(
                    "A frozen tensor has changed under training.",
                    next_step="report this with the recipe: it must not happen",
                )
            logits = run_in_batches(
                make_runner(self.model, BATCH), self.feed.load(self.examples.subset(held_out), BATCH), BATCH
            )
        self.scores.append(score_answers("tuned", logits.argmax(1), labels[held_out]))
        self.history += [{"stage": "tune", **asdict(epoch)} for epoch in epochs]

    def baselines(self, train: NDArray[np.int64], held_out: NDArray[np.int64]) -> tuple[Score, ...]:
        """On the same examples."""
        labels, classes = self.examples.labels, len(self.examples.classes)
        with self._timed("baselines"):
            raw = logistic_regression(
                self.pixels,
                train,
                labels[train],
                held_out,
                labels[held_out],
                classes=classes,
                seed=self.recipe.seed,
                progress=self.progress,
            )
        return majority_class(labels[train], labels[held_out]), raw

    def finished_model(self, classes: tuple[str, ...], card: Card | None) -> keras.Model:
        """Raw input in, probabilities out, what is trainable as it was."""
        names = {layer.name for layer in self.model.layers}
        name = next(
            each for each in ("probabilities", "class_probabilities", "output_probabilities") if each not in names
        )
        probabilities = keras.layers.Softmax(name=name)(self.model.outputs[0])
        model = keras.Model(self.model.inputs[0], probabilities, name=self.model.name)
        old = card or Card()
        done = f"fine-tuned: {', '.join(stage.kind for stage in self.recipe.stages)}"
        attach_card(
            model,
            replace(
                old.without_proof(),
                architecture=None,
                preprocessing=None,
                classes=classes,
                history=(*old.history, done),
            ),
        )
        return model

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def _head(graph: Graph) -> Layer:
    if len(graph.outputs) != 1:
        raise LayerError(
            f"{graph.name!r} has {len(graph.outputs)} outputs; expected one head.",
            next_step="attach one with transfer.extract(…, heads=[…])",
        )
    layer = graph.layer(graph.outputs[0].layer)
    activation = layer.config.get("activation", "linear")
    if layer.class_name != "Dense" or activation != "linear":
        found = f"{layer.class_name} {layer.name!r}" + (
            f" with activation {activation!r}" if layer.class_name == "Dense" else ""
        )
        raise LayerError(
            f"{graph.name!r} does not end in a head.",
            [Problem("last layer", "a Dense that gives logits", found)],
            next_step="attach one with transfer.extract(model, drop_last=1, heads=[transfer.Head('label', classes=…)])",
        )
    if not layer.config.get("use_bias", True):
        raise LayerError(f"The head {layer.name!r} has no bias; expected one.", next_step="make it with use_bias=True")
    return layer


def _check_classes(head: Layer, data: LabelledSet, test: LabelledSet | None) -> None:
    units = head.config["units"]
    if units != len(data.classes):
        found = f"{len(data.classes)}: {', '.join(data.classes[:8])}"
        raise DataError(
            f"The labels of {data.source} do not match the head {head.name!r}.",
            [Problem("classes", str(units), found)],
            next_step=f"attach a head with classes={len(data.classes)}",
        )
    if test is not None and test.classes != data.classes:
        found = ", ".join(test.classes[:8])
        raise DataError(
            f"{test.source} has other classes than {data.source}.",
            [Problem("classes", ", ".join(data.classes[:8]), found)],
            "name them alike",
        )


def _joined(data: LabelledSet, test: LabelledSet) -> LabelledSet:
    if data.kind != test.kind:
        raise DataError(
            f"{test.source} holds {test.kind}, {data.source} {data.kind}.",
            next_step="test on the same kind of examples",
        )
    if isinstance(data.inputs, tuple) and isinstance(test.inputs, tuple):
        inputs: Any = (*data.inputs, *test.inputs)
    else:
        ours, theirs = np.asarray(data.inputs), np.asarray(test.inputs)
        if ours.dtype != theirs.dtype or ours.shape[1:] != theirs.shape[1:]:
            raise DataError(
                f"{test.source} holds other arrays than {data.source}.",
                [Problem("x", f"{ours.shape[1:]} {ours.dtype}", f"{theirs.shape[1:]} {theirs.dtype}")],
                next_step="write both alike",
            )
        inputs = np.concatenate([ours, theirs])
    labels = np.concatenate([data.labels, test.labels])
    return LabelledSet(
        data.source, (*data.names, *(f"test/{name}" for name in test.names)), labels, data.classes, inputs
    )


def _remarks(twins: int, scores: list[Score]) -> tuple[str, ...]:
    """What a reader of the result should know."""
    remarks = []
    if twins:
        remarks.append(f"{twins} test examples left out: the same bytes are among those learnt from")
    if len(scores) > 1 and scores[-1].correct < scores[0].correct:
        remarks.append("tuning did not help here: the probe answers more of the test examples")
    return tuple(remarks)


def _digest_frozen(model: keras.Model) -> str:
    frozen = {
        str(place): digest_tensor(keras.ops.convert_to_numpy(each))
        for place, each in enumerate(model.non_trainable_weights)
    }
    return digest_manifest(frozen)


def _finished(target: Path, asked: Json) -> Run | None:
    """The run that stands there already, if it is the very one that is asked for."""
    try:
        there = read_asked(target).get("digest")
    except DataError:
        return None
    return replace(load_run(target), reused=True) if there == asked["digest"] else None
