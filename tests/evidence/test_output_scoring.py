"""Scores of each kind of output against scikit-learn, with what is not known and what is denied among the answers."""

import numpy as np
import pytest
from sklearn import metrics

from transfer.evidence.intervals import wilson
from transfer.evidence.output_scoring import score_output
from transfer.labellings import Output

FIVE = tuple("abcde")
KIND = Output("kind", classes=FIVE)
TAGS = Output("tags", "sigmoid", FIVE)
SIZES = Output("sizes", "regression", ("height", "width"))


def softmax_case(seed: int, n: int = 300):
    random = np.random.default_rng(seed)
    wanted = random.choice(5, n, p=[0.4, 0.3, 0.2, 0.07, 0.03])
    answers = np.where(random.random(n) < 0.6, wanted, random.integers(-1, 5, n))
    return np.where(random.random(n) < 0.2, -1, wanted), answers, random.dirichlet(np.ones(5), n)


def sigmoid_case(seed: int, n: int = 200):
    random = np.random.default_rng(seed)
    wanted = (random.random((n, 5)) < [0.5, 0.3, 0.2, 0.1, 0.05]).astype(np.int64)
    probabilities = np.round(np.clip(0.3 * wanted + 0.8 * random.random((n, 5)), 0, 1), 2)  # with equals
    answers = (probabilities >= 0.6).astype(np.int64)
    answers[random.random(n) < 0.05] = -1
    wanted[random.random((n, 5)) < 0.25] = -1
    return wanted, answers, probabilities


def value(score, name: str, label: str = "") -> float:
    measures = next(each for each in score.per_class if each.name == label).measures if label else score.measures
    return next(each.value for each in measures if each.name == name)


def test_classes_are_measured_as_by_scikit_learn():
    wanted, answers, probabilities = softmax_case(0)
    score = score_output(KIND, wanted, answers, probabilities, seed=0)
    rows = wanted >= 0
    true, said = wanted[rows], answers[rows]
    assert score.examples == rows.sum()
    accuracy = score["accuracy"]
    expected = wilson(int((true == said).sum()), len(true))
    assert (accuracy.value, accuracy.low, accuracy.high) == (expected.value, expected.low, expected.high)
    f1 = metrics.f1_score(true, said, labels=range(5), average=None, zero_division=np.nan)
    recall = metrics.recall_score(true, said, labels=range(5), average=None)
    precision = metrics.precision_score(true, said, labels=range(5), average=None)
    assert score["macro F1"].value == pytest.approx(f1.mean())
    assert score["balanced accuracy"].value == pytest.approx(recall.mean())
    for place, name in enumerate(FIVE):
        assert value(score, "F1", name) == pytest.approx(f1[place])
        assert value(score, "recall", name) == pytest.approx(recall[place])
        assert value(score, "precision", name) == pytest.approx(precision[place])
    assert [each.wanted for each in score.per_class] == np.bincount(true).tolist()


def test_a_class_that_nothing_has_and_nothing_is_answered_counts_for_nothing_and_is_named():
    wanted, answers = np.array([0, 1, 1, 0, 2] * 4), np.array([0, 1, 0, 0, 3] * 4)
    score = score_output(KIND, wanted, answers, np.full((20, 5), 0.2), seed=0)
    assert score["balanced accuracy"].value == pytest.approx((1 + 0.5 + 0) / 3)
    assert score["macro F1"].value == pytest.approx((0.8 + 2 / 3 + 0 + 0) / 4)
    assert score.notes[0] == "2 of 5 classes have no example here: d, e"
    assert score.per_class[4].measures == ()


def test_labels_are_measured_as_by_scikit_learn():
    wanted, answers, probabilities = sigmoid_case(1)
    score = score_output(TAGS, wanted, answers, probabilities, seed=0)
    f1s, precisions, hits, sizes, wrong = [], [], 0, 0, 0
    for place, name in enumerate(FIVE):
        rows = wanted[:, place] >= 0
        true, said, raw = wanted[rows, place], answers[rows, place] == 1, answers[rows, place]
        f1s.append(metrics.f1_score(true, said))
        precisions.append(metrics.average_precision_score(true, probabilities[rows, place]))
        assert value(score, "F1", name) == pytest.approx(f1s[-1])
        assert value(score, "average precision", name) == pytest.approx(precisions[-1])
        assert value(score, "accuracy", name) == pytest.approx((true == raw).mean())
        hits, sizes, wrong = hits + (true & said).sum(), sizes + true.sum() + said.sum(), wrong + (true != raw).sum()
    assert score["macro F1"].value == pytest.approx(np.mean(f1s))
    assert score["mean average precision"].value == pytest.approx(np.mean(precisions))
    assert score["micro F1"].value == pytest.approx(2 * hits / sizes)
    assert score["Hamming loss"].value == pytest.approx(wrong / (wanted >= 0).sum())
    assert score["Hamming loss"].examples == (wanted >= 0).sum()


def test_with_everything_known_the_means_are_those_of_scikit_learn():
    wanted, answers, probabilities = sigmoid_case(2)
    wanted, answers = np.maximum(wanted, 0), np.maximum(answers, 0)
    score = score_output(TAGS, wanted, answers, probabilities, seed=0)
    assert score["macro F1"].value == pytest.approx(metrics.f1_score(wanted, answers, average="macro"))
    assert score["micro F1"].value == pytest.approx(metrics.f1_score(wanted, answers, average="micro"))
    assert score["Hamming loss"].value == pytest.approx(metrics.hamming_loss(wanted, answers))
    assert score["exact match"].value == pytest.approx(metrics.accuracy_score(wanted, answers))
    assert score["mean average precision"].value == pytest.approx(
        metrics.average_precision_score(wanted, probabilities, average="macro")
    )


def test_an_exact_match_has_everything_right_that_is_known():
    wanted = np.array([[1, 0], [1, -1], [-1, -1], [0, 1], [0, -1]])
    answers = np.array([[1, 0], [1, 1], [0, 0], [0, 0], [-1, 0]])
    score = score_output(Output("two", "sigmoid", ("a", "b")), wanted, answers, np.full((5, 2), 0.5), seed=0)
    match, share = score["exact match"], wilson(2, 4)
    assert (match.value, match.low, match.high, match.examples) == (share.value, share.low, share.high, 4)


def test_labels_without_an_example_are_left_out_of_the_mean_average_precision_and_named():
    wanted, answers, probabilities = sigmoid_case(3)
    wanted[:, 1][wanted[:, 1] == 1], wanted[:, 4] = 0, -1
    answers[:, 1] = 0
    score = score_output(TAGS, wanted, answers, probabilities, seed=0)
    kept = [value(score, "average precision", name) for name in "acd"]
    assert score["mean average precision"].value == pytest.approx(np.mean(kept))
    assert score.notes == (
        "1 of 5 labels are known of no example here: e",
        "2 of 5 labels have no example here and count for nothing in the mean average precision: b, e",
        "2 of 5 labels are neither wanted nor answered and count for nothing in macro F1: b, e",
    )


def test_classes_and_labels_with_few_examples_are_told_of_as_bounds_are_too_narrow_then():
    wanted = np.repeat([0, 1, 2, 3, 4], [30, 30, 4, 0, 1])
    score = score_output(KIND, wanted, wanted, np.full((65, 5), 0.2), seed=0)
    told = "have fewer than 5 examples here, so that bounds of"
    assert score.notes[1] == (
        f"2 of 5 classes {told} balanced accuracy and macro F1 are narrower than they should be: c, e"
    )
    several = np.stack([wanted == place for place in range(5)], axis=1).astype(np.int64)
    score = score_output(TAGS, several, several, several.astype(float), seed=0)
    assert score.notes[-1] == (
        f"2 of 5 labels {told} macro F1 and mean average precision are narrower than they should be: c, e"
    )


def test_numbers_are_measured_as_by_scikit_learn():
    random = np.random.default_rng(4)
    wanted = random.normal([170, 3], [10, 1], (80, 2))
    answers = wanted + random.normal(0, [5, 0.5], (80, 2))
    wanted[random.random((80, 2)) < 0.3] = np.nan
    score = score_output(SIZES, wanted, answers, answers, seed=0)
    pairs = [(wanted[rows, place], answers[rows, place]) for place, rows in enumerate(np.isfinite(wanted).T)]
    for name, measure in (
        ("mean absolute error", metrics.mean_absolute_error),
        ("root mean squared error", metrics.root_mean_squared_error),
        ("R²", metrics.r2_score),
    ):
        each = [measure(*pair) for pair in pairs]
        assert score[name].value == pytest.approx(np.mean(each))
        assert [value(score, name, label) for label in ("height", "width")] == pytest.approx(each)
        assert score[name].low < score[name].value < score[name].high


def test_r2_of_a_number_that_never_changes_is_not_defined():
    score = score_output(
        SIZES, np.tile([3.1, 0.0], (20, 1)) + [[0, k] for k in range(20)], *[np.ones((20, 2))] * 2, seed=0
    )
    assert [each.name for each in score.per_class[0].measures] == ["mean absolute error", "root mean squared error"]
    assert score["R²"].value == pytest.approx(
        1 - sum((k - 1) ** 2 for k in range(20)) / sum((k - 9.5) ** 2 for k in range(20))
    )


def test_numbers_that_are_denied_count_all_the_same_and_are_told_of():
    age = Output("age", "regression", parent="what", under=("person",))
    wanted, numbers = np.arange(20.0)[:, None], np.arange(20.0)[:, None] + 2
    answers = np.where(np.arange(20)[:, None] < 5, np.nan, numbers)
    score = score_output(age, wanted, answers, numbers, seed=0)
    assert score["mean absolute error"].value == 2
    assert score["not denied"].value == 0.75
    assert score.notes == ("5 examples are denied by the answer to the parent; their numbers count all the same",)


@pytest.mark.parametrize("case", [(KIND, softmax_case), (TAGS, sigmoid_case)], ids=["softmax", "sigmoid"])
def test_what_is_not_known_counts_for_nothing(case):
    output, make = case
    wanted, answers, probabilities = make(5)
    unknown = np.full((30, *wanted.shape[1:]), -1)
    more = [np.concatenate([values, values[:30]]) for values in (answers, probabilities)]
    assert score_output(output, np.concatenate([wanted, unknown]), *more, seed=3) == score_output(
        output, wanted, answers, probabilities, seed=3
    )


@pytest.mark.parametrize("output", [KIND, TAGS, SIZES], ids=lambda output: output.kind)
def test_where_nothing_is_known_there_is_nothing_to_measure(output):
    shape = (4,) if output.kind == "softmax" else (4, len(output.classes))
    wanted = np.full(shape, np.nan) if output.kind == "regression" else np.full(shape, -1)
    score = score_output(output, wanted, wanted, np.zeros((4, len(output.classes))), seed=0)
    assert (score.examples, score.measures, score.notes) == (0, (), ("known of no example here",))


def test_a_seed_gives_the_same_bounds_and_another_one_others():
    case = sigmoid_case(6)
    one, again, other = (score_output(TAGS, *case, seed=seed)["macro F1"] for seed in (1, 1, 2))
    assert one == again
    assert one.value == other.value
    assert one.low != other.low


@pytest.mark.parametrize("name", ["macro F1", "balanced accuracy"])
def test_bounds_of_classes_hold_the_truth_about_as_often_as_they_say(name):
    chances = np.array([0.4, 0.3, 0.2, 0.1])
    confusion = 0.7 * np.eye(4) + 0.075
    cells = (chances[:, None] * confusion / confusion.sum(1, keepdims=True)).ravel()
    joint = cells.reshape(4, 4)
    truth = {
        "macro F1": np.mean(2 * np.diag(joint) / (joint.sum(0) + joint.sum(1))),
        "balanced accuracy": np.mean(np.diag(joint) / joint.sum(1)),
    }[name]
    held, output = 0, Output("four", classes=tuple("abcd"))
    for trial in range(200):
        drawn = np.random.default_rng(trial).choice(16, 150, p=cells)
        score = score_output(output, drawn // 4, drawn % 4, np.zeros((150, 4)), seed=trial)
        held += score[name].low <= truth <= score[name].high
    assert 0.90 <= held / 200 <= 0.985


@pytest.mark.parametrize("case", [(KIND, softmax_case), (TAGS, sigmoid_case)], ids=["softmax", "sigmoid"])
def test_examples_that_come_several_times_tell_nothing_more_where_they_are_groups(case):
    output, make = case
    values = make(7)
    one = score_output(output, *values, seed=0, groups=np.arange(len(values[0])))
    six = score_output(
        output, *(np.repeat(each, 6, axis=0) for each in values), seed=0, groups=np.arange(6 * len(values[0])) // 6
    )
    alone = score_output(output, *(np.repeat(each, 6, axis=0) for each in values), seed=0)
    assert six.notes[0] == f"bounds by {one.examples} groups"
    for found, expected, naive in zip(six.measures, one.measures, alone.measures, strict=True):
        assert found.value == pytest.approx(expected.value)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.003)
        assert naive.high - naive.low < 0.5 * (found.high - found.low)


def test_shapes_that_do_not_agree_are_a_slip():
    with pytest.raises(ValueError, match="output 'kind' of 5 classes"):
        score_output(KIND, np.zeros(3, np.int64), np.zeros(3, np.int64), np.zeros((3, 4)), seed=0)
