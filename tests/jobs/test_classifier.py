"""The estimator: what scikit-learn asks of one, and what it does on images and pictures."""

import copy
import pickle
import random
import tempfile

import keras
import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import transfer
from transfer.errors import DataError, LayerError


def build(shape):
    """A network on rows of any length; its weights are random."""
    return keras.Sequential(
        [keras.Input(shape), keras.layers.Dense(32, activation="relu", name="hidden"), keras.layers.Dense(2)]
    )


# Their own ids hold addresses, by which two processes would not know them again.
CHECKS = list(estimator_checks_generator(transfer.Classifier(build)))


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(60, 4, centers=3, random_state=0)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(("estimator", "check"), CHECKS, ids=[f"{place:02}" for place in range(len(CHECKS))])
def test_what_scikit_learn_asks_of_a_classifier_holds(estimator, check):
    check(estimator)


def test_it_works_in_pipelines_searches_and_cross_validation(blobs):
    x, y = blobs
    inside = make_pipeline(StandardScaler(), transfer.Classifier(build))
    assert cross_val_score(inside, x, y, cv=3).tolist() == [1.0, 1.0, 1.0]
    search = GridSearchCV(inside, {"classifier__at": [None, "hidden"]}, cv=2).fit(x, y)
    assert search.best_score_ == 1.0
    assert search.best_params_["classifier__at"] is None  # the same cut as 'hidden': the first of equals


def test_images_are_learnt_as_finetune_learns_them(digits, restored):
    x, y = digits
    some = np.arange(0, len(y), 3)
    rest = np.setdiff1d(np.arange(len(y)), some)
    found = transfer.Classifier("digits_mlp", seed=7).fit(x[rest], y[rest])
    student = transfer.extract(restored, drop_last=1, freeze="backbone", heads=[transfer.Head("label", 3)])
    recipe = transfer.named_recipe("probe", examples=len(rest), seed=7)
    run = transfer.finetune(student, (x[rest], y[rest]), test=(x[some], y[some]), recipe=recipe)
    expected = [each.probabilities for each in transfer.predict(run, x[some])]
    np.testing.assert_allclose(found.predict_proba(x[some]), expected, atol=1e-6)
    assert found.score(x[some], y[some]) == run.result.score.accuracy.value
    assert found.classes_.tolist() == [0, 1, 2]
    assert not hasattr(found, "n_features_in_")  # pictures have any size
    assert cross_val_score(transfer.Classifier("digits_mlp"), x, y, cv=2).mean() > 0.8


def test_pictures_go_by_their_paths(digits, digits_folder):
    paths = sorted(digits_folder.rglob("*.png"))
    labels = [path.parent.name for path in paths]
    found = transfer.Classifier("digits_mlp").fit(paths, labels)
    assert found.classes_.tolist() == ["digit_0", "digit_1", "digit_2"]
    assert found.predict([str(paths[-1]), str(paths[0])]).tolist() == ["digit_2", "digit_0"]
    images = transfer.Classifier("digits_mlp").fit(digits[0], digits[1])
    np.testing.assert_allclose(found.predict_proba(paths), images.predict_proba(digits[0]), atol=1e-6)
    bad = paths[0].with_name("bad.txt")
    bad.write_text("no picture")
    with pytest.raises(DataError):
        found.predict_proba([bad])
    bad.unlink()
    with pytest.raises(DataError, match="shape of arrays, not pictures"):
        transfer.Classifier(build).fit(paths, labels)


def test_a_fit_repeats_and_draws_from_no_generator_of_the_callers(blobs):
    x, y = blobs
    random.seed(3)
    np.random.seed(3)
    before = (random.getstate(), np.random.get_state()[1].tolist())
    answers = [transfer.Classifier(build, seed=seed).fit(x, y).predict_proba(x) for seed in (5, 5, 6)]
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    assert np.array_equal(answers[0], answers[1])
    assert not np.array_equal(answers[0], answers[2])


def test_nothing_is_written_unless_it_is_asked(blobs, monkeypatch, tmp_path):
    x, y = blobs

    def refused(*_, **__):
        raise AssertionError("a file is written")

    with monkeypatch.context() as patch:
        for name in ("TemporaryDirectory", "TemporaryFile", "NamedTemporaryFile", "mkdtemp", "mkstemp"):
            patch.setattr(tempfile, name, refused)
        transfer.Classifier(build).fit(x, y).predict(x)
    kept = transfer.Classifier("digits_mlp", cache=tmp_path / "kept")
    images = np.arange(6 * 784, dtype=np.uint8).reshape(6, 28, 28)
    kept.fit(images, [0, 1] * 3)
    assert any((tmp_path / "kept").rglob("*"))


def test_a_copy_answers_alike_and_holds_no_code(blobs):
    x, y = blobs
    found = transfer.Classifier(build, seed=3).fit(x, y)
    expected = found.predict_proba(x)
    for other in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):  # noqa: S301
        assert np.array_equal(other.predict_proba(x), expected)
        assert other.get_params() == found.get_params()
        assert other.n_features_in_ == 4
    with pytest.raises(NotFittedError):
        clone(found).predict(x)
    with pytest.raises(NotFittedError):
        _ = clone(found).model_
    assert "keras" not in pickle.loads(pickle.dumps(found)).__dict__  # noqa: S301
    np.testing.assert_allclose(found.model_.predict(x, verbose=0), expected, atol=1e-6)


def test_a_live_model_and_what_restore_gave_serve_as_well(digits, restored, convolutional, colours):
    assert transfer.Classifier(restored).fit(*digits).score(*digits) > 0.9
    live = transfer.Classifier(convolutional, preprocessing="unit")
    answers = [each.fit(*colours).predict_proba(colours[0]) for each in (live, clone(live))]
    assert np.array_equal(*answers)
    assert live.predict_proba(np.zeros((1, 30, 40, 3), np.uint8)).shape == (1, 2)


def test_what_a_recipe_trains_goes_on_from_the_probe(blobs):
    x, y = blobs
    tuned = transfer.Recipe((transfer.Stage("probe"), transfer.Stage(unfreeze="*", epochs=2, rate=1e-3)), seed=1)
    for recipe in ("lp-ft", tuned):
        found = transfer.Classifier(build, recipe=recipe).fit(x, y)
        assert found.score(x, y) > 0.95
    with pytest.raises(DataError, match="No recipe goes by 'prob'"):
        transfer.Classifier(build, recipe="prob").fit(x, y)
    with pytest.raises(LayerError):
        transfer.Classifier(build, at="hiden").fit(x, y)


def test_labels_and_columns_keep_their_names(blobs):
    x, y = blobs
    frame = pandas.DataFrame(x, columns=["a", "b", "c", "d"])
    found = transfer.Classifier(build).fit(frame, np.array(["x", "y", ""])[y])
    assert found.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert set(found.predict(frame)) == {"x", "y", ""}
    assert transfer.Classifier(build).fit(x, y == 1).predict(x).dtype == bool
    with pytest.raises(ValueError, match="at least 2 classes"):
        transfer.Classifier(build).fit(x, np.zeros(len(x)))
