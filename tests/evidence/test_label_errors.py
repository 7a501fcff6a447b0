"""Confident learning: against loops over the formulas of the paper, by hand, and on labels that were flipped."""

import numpy as np
import pytest

from transfer.evidence.label_errors import confident_joint, find_label_errors, is_too_weak


def drawn(seed, n=300, k=4, wrong=0.1, sure=3.0):
    """Probabilities that lean towards the true class, labels of which some are wrong, and which are."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, k, n)
    logits = random.normal(size=(n, k)) + sure * np.eye(k)[truth]
    is_wrong = random.random(n) < wrong
    labels = np.where(is_wrong, (truth + random.integers(1, k, n)) % k, truth)
    powers = np.exp(logits)
    return powers / powers.sum(1, keepdims=True), labels, is_wrong


def by_loops(probabilities, labels):
    """Joint (k, k) of shares and the suspects, example by example; no threshold lies below chance."""
    n, k = probabilities.shape
    thresholds = [max(1 / k, np.mean([probabilities[i][j] for i in range(n) if labels[i] == j])) for j in range(k)]
    counts = np.zeros((k, k))
    for p, label in zip(probabilities, labels, strict=True):
        confident = [j for j in range(k) if p[j] >= thresholds[j]]
        if confident:
            counts[label][max(confident, key=lambda j: p[j])] += 1
    joint = np.zeros((k, k))
    for i in range(k):
        for j in range(k):
            joint[i][j] = counts[i][j] / counts[i].sum() * sum(label == i for label in labels) / n
    score = [p[y] / (p[y] + max(np.delete(p, y))) for p, y in zip(probabilities, labels, strict=True)]
    suspects = sorted(range(n), key=lambda x: score[x])[: round(n * (1 - sum(joint[i][i] for i in range(k))))]
    return joint, {x for x in suspects if max(probabilities[x]) > probabilities[x][labels[x]]}


@pytest.mark.parametrize("seed", range(5))
def test_joint_and_suspects_are_those_of_loops_over_the_paper(seed):
    probabilities, labels, _ = drawn(seed)
    found = find_label_errors(probabilities, labels)
    joint, suspects = by_loops(probabilities, labels)
    np.testing.assert_allclose(found.joint, joint, atol=1e-12)
    assert set(found.suspects.tolist()) == suspects
    assert found.share.value == pytest.approx(1 - np.trace(joint))


def test_a_case_by_hand():
    """Thresholds 0.7 and 0.6: the fourth example is confidently b though it is called a, the last nothing for sure."""
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.7, 0.3]])
    labels = np.array([0, 0, 0, 0, 1, 1, 1])
    found = find_label_errors(probabilities, labels)
    np.testing.assert_allclose(found.joint * 7, [[3, 1], [1, 2]])  # 0.7 is as much as class a is given on average
    assert found.suspects.tolist() == [3, 6]
    assert found.scores[3] == pytest.approx(0.1)
    assert found.suggested[[3, 6]].tolist() == [1, 0]
    assert found.order[:2].tolist() == [3, 6]
    assert found.share.value == pytest.approx(2 / 7)
    assert found.share.low is None  # seven examples tell no bounds


def test_labels_that_the_model_agrees_with_are_no_suspects():
    probabilities = np.tile([[0.8, 0.2], [0.1, 0.9]], (20, 1))
    found = find_label_errors(probabilities, np.tile([0, 1], 20))
    assert found.suspects.tolist() == []
    assert found.share.value == 0


def test_a_label_of_which_nothing_is_sure_is_taken_for_right():
    rows = np.array([[0.4, 0.6], [0.6, 0.4], [0.05, 0.95], [0.1, 0.9]])
    joint = confident_joint(rows, np.array([0, 0, 1, 1]), np.array([0.0, 0.0, 1.0, 1.0]))
    np.testing.assert_allclose(joint, [[0, 0], [0, 2]])


def test_how_often_an_example_counts_is_as_if_it_stood_there_so_often():
    probabilities, labels, _ = drawn(7, n=60)
    counts = np.random.default_rng(0).integers(0, 4, 60)
    repeated = np.repeat(np.arange(60), counts)
    np.testing.assert_allclose(
        confident_joint(probabilities, labels, counts.astype(float)),
        confident_joint(probabilities[repeated], labels[repeated], np.ones(len(repeated))),
        atol=1e-9,
    )


@pytest.mark.parametrize("few", [2, 5, 10])
def test_the_share_is_about_what_is_contradicted_where_a_class_is_not_recognised(few):
    """Six classes, of which the last is given next to nothing anywhere, also where it is the label."""
    random = np.random.default_rng(few)
    labels = np.concatenate([np.repeat(np.arange(5), 100), np.full(few, 5)])
    leans = np.where(labels == 5, 0, labels)
    powers = np.exp(random.normal(size=(len(labels), 6)) + 7 * np.eye(6)[leans] - 4 * np.eye(6)[5])
    probabilities = powers / powers.sum(1, keepdims=True)
    contradicted = (probabilities.argmax(1) != labels).mean()
    share = find_label_errors(probabilities, labels).share
    assert share.value <= contradicted + 0.005
    assert share.low <= few / len(labels) + 0.005


@pytest.mark.parametrize("wrong", [0.02, 0.1, 0.2])
def test_flipped_labels_are_found_and_their_share_lies_within_the_bounds(wrong):
    held = []
    for seed in range(10):
        probabilities, labels, is_wrong = drawn(seed, n=2000, wrong=wrong, sure=6)
        found = find_label_errors(probabilities, labels, seed=seed)
        assert is_wrong[found.suspects].mean() > 0.9
        assert is_wrong[found.suspects].sum() > 0.8 * is_wrong.sum()
        held.append(found.share.low <= is_wrong.mean() <= found.share.high)
    assert sum(held) >= 9


def test_bounds_of_groups_are_wider_than_those_of_examples():
    probabilities, labels, _ = drawn(3, n=400)
    rows = np.repeat(np.arange(400), 5)
    alone = find_label_errors(probabilities[rows], labels[rows]).share
    grouped = find_label_errors(probabilities[rows], labels[rows], groups=rows).share
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)


@pytest.mark.parametrize(
    ("probabilities", "labels"),
    [
        (np.ones((3, 1)), np.zeros(3, int)),
        (np.full((3, 2), 0.5), np.array([0, 1])),
        (np.full((3, 2), 0.5), np.array([0, 1, 2])),
        (np.full((3, 2), 0.7), np.array([0, 1, 1])),
        (np.zeros((0, 2)), np.zeros(0, int)),
    ],
)
def test_what_are_no_probabilities_of_labels_is_refused(probabilities, labels):
    with pytest.raises(ValueError, match=r"probabilities|labels"):
        find_label_errors(probabilities, labels)


def test_many_contradictions_without_being_sure_are_a_weak_model_and_sure_ones_are_not():
    weak, labels, _ = drawn(0, n=2000, wrong=0, sure=1)
    assert is_too_weak(weak, labels)
    strong, labels, _ = drawn(0, n=2000, wrong=0.2, sure=9)
    assert not is_too_weak(strong, labels)
    good, labels, _ = drawn(0, n=2000, wrong=0, sure=4)
    assert not is_too_weak(good, labels)
