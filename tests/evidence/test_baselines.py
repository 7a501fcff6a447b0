"""The simple things that a result must beat."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from transfer.data.sampling import draw_stratified
from transfer.data.spooled_rows import SpooledRows
from transfer.evidence import baselines
from transfer.evidence.baselines import PIXELS, logistic_regression, majority_class, shrink_images, stratified_guess
from transfer.training.solving import solve_head


@pytest.mark.parametrize(
    "train", [[0, 1, 1, 2], [2, 2, 0], [1, 0, 0, 1], [3]], ids=["one is ahead", "the last", "equals", "alone"]
)
def test_the_majority_is_that_of_the_training_labels_and_of_equals_the_first(train):
    dummy = DummyClassifier(strategy="most_frequent").fit(np.zeros((len(train), 1)), train)
    assert majority_class(np.array(train), 7).tolist() == dummy.predict(np.zeros((7, 1))).tolist()


def test_a_guess_is_drawn_as_often_as_classes_are_and_again_by_the_same_seed():
    train = np.repeat([0, 1, 3], [70, 20, 10])
    drawn = stratified_guess(train, 20_000, seed=3)
    assert np.bincount(drawn) / 20_000 == pytest.approx([0.7, 0.2, 0, 0.1], abs=0.015)
    assert np.array_equal(drawn, stratified_guess(train, 20_000, seed=3))
    assert not np.array_equal(drawn, stratified_guess(train, 20_000, seed=4))


def shrunk_by_loops(images: np.ndarray) -> np.ndarray:
    count, height, width, channels = images.shape
    rows, columns = min(PIXELS, height), min(PIXELS, width)
    tops = [k * height // rows for k in range(rows)] + [height]
    lefts = [k * width // columns for k in range(columns)] + [width]
    small = np.zeros((count, rows, columns, channels), np.uint8)
    for i in range(rows):
        for j in range(columns):
            cell = images[:, tops[i] : tops[i + 1], lefts[j] : lefts[j + 1]].astype(np.float64)
            small[:, i, j] = np.rint(cell.mean(axis=(1, 2)))
    return small


@pytest.mark.parametrize("size", [(64, 64), (160, 224), (33, 100), (45, 32), (97, 131)])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_shrunk_by_the_mean_over_cells(size, channels):
    images = np.random.default_rng(0).integers(0, 256, (2, *size, channels), np.uint8)
    found = shrink_images(images)
    assert found.dtype == np.uint8
    assert found.shape == (2, 32, 32, channels)
    assert (
        np.abs(found.astype(int) - shrunk_by_loops(images)).max() <= 1
    )  # a mean of exactly one half may go either way
    assert (found == shrunk_by_loops(images)).mean() > 0.99


def test_a_white_image_stays_white():
    assert (shrink_images(np.full((1, 500, 300, 3), 255, np.uint8)) == 255).all()


@pytest.mark.parametrize("size", [(28, 28), (32, 32), (1, 5)])
def test_smaller_images_stay_as_they_are(size):
    images = np.random.default_rng(0).integers(0, 256, (3, *size, 3), np.uint8)
    assert np.array_equal(shrink_images(images), images)


def test_an_image_that_is_low_and_wide_is_shrunk_in_width_alone():
    images = np.random.default_rng(0).integers(0, 256, (1, 4, 64, 1), np.uint8)
    expected = images.reshape(1, 4, 32, 2, 1).astype(float).mean(axis=3)
    assert np.abs(shrink_images(images) - expected).max() <= 0.5


def test_the_linear_classifier_answers_as_one_on_flattened_raw_input():
    random = np.random.default_rng(1)
    labels = np.arange(60) % 3
    inputs = (random.normal(size=(60, 4, 5)) + labels[:, None, None]).astype(np.float32)
    train, test = np.arange(0, 60, 2), np.arange(1, 60, 2)
    answers = logistic_regression(inputs, train, labels[train], test, classes=3, seed=4)
    flat = inputs.reshape(60, -1)
    penalty = solve_head(flat[train], labels[train], 3, seed=4).penalty
    scaler = StandardScaler().fit(flat[train])
    solver = LogisticRegression(C=penalty, tol=1e-10, max_iter=10_000).fit(scaler.transform(flat[train]), labels[train])
    assert np.array_equal(answers, solver.predict(scaler.transform(flat[test])))


def noisy(n: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(2)
    labels = np.arange(n) % 3
    return np.clip(random.normal(100, 60, (n, 4, 4, 3)) + labels[:, None, None, None] * 9, 0, 255).astype(
        np.uint8
    ), labels


def test_inputs_on_the_disk_are_answered_as_in_memory(monkeypatch):
    inputs, labels = noisy(90)
    spooled = SpooledRows(90)
    spooled.write(np.arange(90), inputs)
    train, test = np.arange(0, 90, 2), np.arange(1, 90, 2)
    held = logistic_regression(inputs, train, labels[train], test, classes=3, seed=4)
    monkeypatch.setattr(baselines, "_ANSWERED", 48 * 7)
    assert np.array_equal(logistic_regression(spooled, train, labels[train], test, classes=3, seed=4), held)


def test_of_many_examples_it_learns_from_some_of_each_class(monkeypatch):
    inputs, labels = noisy(120)
    monkeypatch.setattr(baselines, "LEARNT_FROM", 30)
    train, test = np.arange(0, 120, 2), np.arange(1, 120, 2)
    found = logistic_regression(inputs, train, labels[train], test, classes=3, seed=4)
    some = train[draw_stratified(labels[train], 30, 4)]
    assert np.array_equal(found, logistic_regression(inputs, some, labels[some], test, classes=3, seed=4))
    assert np.bincount(labels[some]).tolist() == [10, 10, 10]
