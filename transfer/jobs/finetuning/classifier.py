"""Fine-tuning behind scikit-learn's estimator protocol: for its pipelines, searches and cross-validation."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeAlias

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from transfer.data.doubts import refuse_unreadable
from transfer.data.forms import are_paths, as_examples, labelled_pair
from transfer.data.labelled import LabelledSet
from transfer.errors import DataError
from transfer.jobs.examples.cached_features import open_store
from transfer.jobs.examples.feeding import as_learnt, make_feed
from transfer.jobs.examples.kept_pictures import checked_batches
from transfer.jobs.runs.asking_runs import ask
from transfer.jobs.runs.finished_models import finished_model
from transfer.jobs.students.checking_heads import check_heads
from transfer.jobs.students.checking_recipes import check_recipe
from transfer.jobs.students.preparing import Student, prepare_student, student_of_model
from transfer.models.restoring import Restored, restore
from transfer.models.saving import save_model
from transfer.recipes import Recipe
from transfer.results import Result, Run
from transfer.specs import Preprocessing, silent
from transfer.training.feature_store import MEMORY_BYTES
from transfer.training.labels import Labels
from transfer.training.learner import Learner
from transfer.training.named_recipes import named_recipe
from transfer.training.stage_features import Examples

Build: TypeAlias = Callable[[tuple[int, ...]], keras.Model]
_MODEL = "model.keras"


class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A pretrained network with a new head, as an estimator of scikit-learn.

    `fit` learns from all that it is given and tests on nothing: what the result is worth is for `cross_val_score` or
    `finetune` to say. It is seeded, and writes nothing but features past the memory, and where `cache` says.

    Args:
        checkpoint: a file, a shipped name, what `restore` gave, or a Keras model, of which the old classifier goes; or
            a function from the shape of one example to a model, for networks on rows of any length. What is copied or
            sent to other processes takes a path or a function best.
        recipe: a name, by which the stages are chosen for the number of examples, or a `Recipe` with a seed of its own.
        at: the last layer to keep; by default the old classifier goes.
        size: (h, w) to which images are fitted; by default what the network or its card says.
        preprocessing: how images are prepared; by default what the card says.
        cache: a folder in which features are kept for other fits; None for none.
        seed: of the folds, the order of examples and every initial value.

    Attributes:
        classes_: (k,), the labels in the order of the probabilities.
        n_features_in_: d, of rows (n, d).
        feature_names_in_: names of the columns, of a table of pandas.
        model_: the Keras model: raw input in, probabilities out.
    """

    def __init__(
        self,
        checkpoint: str | os.PathLike[str] | Restored | keras.Model | Build = "mobilenet_v2_imagenet",
        *,
        recipe: str | Recipe = "probe",
        at: str | None = None,
        size: tuple[int, int] | None = None,
        preprocessing: Preprocessing | str | None = None,
        cache: str | os.PathLike[str] | None = None,
        seed: int = 0,
    ) -> None:
        self.checkpoint = checkpoint
        self.recipe = recipe
        self.at = at
        self.size = size
        self.preprocessing = preprocessing
        self.cache = cache
        self.seed = seed

    def fit(self, X: Any, y: ArrayLike) -> Self:  # noqa: N803
        """Learn the classes of some examples.

        Args:
            X: images (n, h, w, c), rows (n, d), or a list of pictures by their paths.
            y: (n,), one class each, of any type that scikit-learn takes.

        Raises:
            ValueError: if there are fewer than two classes, or the arrays are not what scikit-learn takes.
            DataError: if the examples do not fit the network, or pictures cannot be read.
            LayerError: if the network cannot be cut there.
        """
        inputs, labels = self._checked(X, y)
        self.classes_, places = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds 1 class, {self.classes_[0]!r}; a classifier needs at least 2 classes")
        data = labelled_pair(inputs, places, _names(self.classes_))
        with _drawing(self.seed):
            self._run = self._learnt(data, self._student(data))
        return self

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """The most probable class of each example.

        Args:
            X: as for `fit`.

        Returns:
            (n,), of `classes_`.
        """
        places = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[places])

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """How probable each class is.

        Args:
            X: as for `fit`.

        Returns:
            (n, k), in the order of `classes_`.

        Raises:
            NotFittedError: before `fit`.
            DataError: if the examples do not fit the network, or pictures cannot be read.
        """
        check_is_fitted(self)
        inputs = X if are_paths(X) else validate_data(self, X, allow_nd=True, reset=False)
        examples = as_examples(inputs)
        found = ask(self._run, examples, silent)
        refuse_unreadable([problem for _, problem in found.failures], len(examples), examples.source)
        return found.probabilities[0].astype(np.float64)

    @property
    def model_(self) -> keras.Model:
        """The network that was learnt."""
        check_is_fitted(self)
        return self._run.model

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_run")

    def __getstate__(self) -> dict[str, Any]:
        """The model as the bytes of its file; nothing of a pickle is code that this library would run."""
        state: dict[str, Any] = dict(super().__getstate__())
        run = state.pop("_run", None)
        if run is not None:
            with tempfile.TemporaryDirectory(prefix="transfer-pickling-") as folder:
                save_model(run.model, Path(folder) / _MODEL)
                state["_saved"] = ((Path(folder) / _MODEL).read_bytes(), run.result.classes, run.asked)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved = state.get("_saved")
        super().__setstate__({name: each for name, each in state.items() if name != "_saved"})
        if saved is not None:
            content, classes, asked = saved
            with tempfile.TemporaryDirectory(prefix="transfer-pickling-") as folder:
                (Path(folder) / _MODEL).write_bytes(content)
                self._run = _run(restore(Path(folder) / _MODEL).model, classes, asked)

    def _checked(self, X: Any, y: ArrayLike) -> tuple[Any, NDArray[Any]]:  # noqa: N803
        """Inputs and labels as scikit-learn wants them checked."""
        if are_paths(X):
            inputs, labels = list(X), column_or_1d(y, warn=True)
        else:
            inputs, labels = validate_data(self, X, y, allow_nd=True, ensure_min_samples=2)
        if getattr(inputs, "ndim", 1) != 2:  # pictures have any size
            self.__dict__.pop("n_features_in_", None)
        check_classification_targets(labels)
        return inputs, labels

    def _student(self, data: LabelledSet) -> Student:
        how: dict[str, Any] = {"at": self.at, "seed": self.seed}
        given = self.checkpoint
        if isinstance(given, Restored):
            return prepare_student(given, data.labelling, **how)
        if isinstance(given, keras.Model):
            return student_of_model(given, data.labelling, **how)
        if callable(given):
            if not isinstance(data.inputs, np.ndarray):
                raise DataError("A function that builds a network takes the shape of arrays, not pictures.")
            return student_of_model(given(data.inputs.shape[1:]), data.labelling, **how)
        return prepare_student(restore(given), data.labelling, **how)

    def _learnt(self, data: LabelledSet, student: Student) -> Run:
        """What a student becomes by all of the examples."""
        recipe = self.recipe
        if not isinstance(recipe, Recipe):
            recipe = named_recipe(recipe, examples=len(data), seed=self.seed)
        network, heads = check_heads(student, data, None)
        check_recipe(network.graph, heads, recipe)
        own = student.custom_objects
        feed = make_feed(network, data, preprocessing=self.preprocessing, size=self.size, custom_objects=own)
        digests, labels = data.digests(), Labels(data.labelling, data.targets)
        batches = checked_batches(feed, data, digests)
        with open_store(self.cache, memory_bytes=MEMORY_BYTES, own_classes=own) as store:
            learner = Learner(as_learnt(feed, data), recipe, heads, own, store=store)
            rows = learner.read(Examples(digests, batches, feed.example_shape(data), feed.to_json()))
            refuse_unreadable([problem for _, problem in rows.failures], len(data), data.source)
            learner.begin(np.arange(len(data)), labels)
            for place, stage in enumerate(recipe.stages):
                if stage.kind == "probe":
                    learner.solve()
                else:
                    learner.tune(place)
            model = finished_model(feed.network, learner, data.labelling, network.card)
        return _run(model, data.classes, {"input": feed.to_json()})


def _run(model: keras.Model, classes: tuple[str, ...], asked: dict[str, Any]) -> Run:
    """As much of a run as is needed to ask it."""
    return Run(Result(classes, 0, 0, None, (), (), None), model, asked=asked)


def _names(classes: Sequence[Any] | NDArray[Any]) -> tuple[str, ...]:
    """Names of classes; their places where two would be called alike, or one not at all."""
    names = tuple(map(str, classes))
    return names if len(set(names)) == len(names) and all(names) else tuple(map(str, range(len(names))))


@contextmanager
def _drawing(seed: int) -> Iterator[None]:
    """Python's own generator, from which Keras draws what has no seed, begins at one, and goes on as it was."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
