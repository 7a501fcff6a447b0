"""Near duplicates: planted copies are found and nothing else, in blocks as at once, and stay together."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from transfer.evidence import near_duplicates
from transfer.evidence.near_duplicates import find_near_duplicates, group_duplicates


def planted(seed=0, n=300, copies=12):
    """Features in five classes, of different spread, with slightly changed copies of some at the end."""
    random = np.random.default_rng(seed)
    kinds = random.integers(0, 5, n)
    features = 3 * random.normal(size=(5, 40))[kinds] + (0.3 + 0.3 * kinds)[:, None] * random.normal(size=(n, 40))
    chosen = random.permutation(n)[:copies]
    changed = features[chosen] + 0.03 * random.normal(size=(copies, 40))
    wanted = {(int(place), n + k) for k, place in enumerate(chosen)}
    return np.concatenate([features, changed]).astype(np.float32), np.concatenate([kinds, kinds[chosen]]), wanted


@pytest.mark.parametrize("seed", range(4))
def test_planted_copies_are_found_and_no_other_pair(seed):
    features, kinds, wanted = planted(seed)
    found = find_near_duplicates(features, kinds)
    assert set(map(tuple, found.pairs.tolist())) == wanted
    assert (np.diff(found.distances) >= 0).all()


def test_distances_are_those_of_cosines_of_standardised_features():
    features, kinds, _ = planted()
    found = find_near_duplicates(features, kinds)
    precise = features.astype(np.float64)
    rows = (precise - precise.mean(0)) / precise.std(0)
    for (one, other), distance in zip(found.pairs, found.distances, strict=True):
        cosine = rows[one] @ rows[other] / np.linalg.norm(rows[one]) / np.linalg.norm(rows[other])
        assert distance == pytest.approx(1 - cosine, abs=1e-5)


def test_blocks_give_what_all_at_once_gives(monkeypatch):
    features, kinds, _ = planted()
    whole = find_near_duplicates(features, kinds)
    monkeypatch.setattr(near_duplicates, "_BLOCK", 7 * len(features))
    in_blocks = find_near_duplicates(features, kinds)
    np.testing.assert_array_equal(in_blocks.pairs, whole.pairs)
    np.testing.assert_allclose(in_blocks.distances, whole.distances, atol=1e-6)


def test_four_copies_of_everything_hide_nothing():
    features, kinds, _ = planted(copies=0)
    found = find_near_duplicates(np.tile(features, (4, 1)), np.tile(kinds, 4))
    assert len(found.pairs) == 6 * len(features)
    assert (found.pairs[:, 0] % 300 == found.pairs[:, 1] % 300).all()


def test_a_copy_with_another_label_is_found_by_either_class():
    features, kinds, wanted = planted()
    kinds[-1] = (kinds[-1] + 1) % 5
    assert wanted == set(map(tuple, find_near_duplicates(features, kinds).pairs.tolist()))


def test_of_handwritten_digits_hardly_any_are_near():
    features, labels = load_digits(return_X_y=True)
    assert len(find_near_duplicates(features, labels).pairs) <= 5


def test_of_a_few_examples_and_of_features_that_do_not_vary_nothing_is_said():
    assert len(find_near_duplicates(np.zeros((9, 3)), np.zeros(9, int)).pairs) == 0
    assert len(find_near_duplicates(np.ones((30, 3)), np.zeros(30, int)).pairs) == 0


@pytest.mark.parametrize("varying", [1, 2])
def test_of_one_or_two_features_that_vary_nothing_is_said(varying):
    features = np.ones((1000, 5), np.float32)
    features[:, :varying] = np.random.default_rng(0).normal(size=(1000, varying))
    found = find_near_duplicates(features, np.zeros(1000, int))
    assert len(found.pairs) == 0
    assert found.note == "examples that are almost the same are not looked for: fewer than 3 features vary"


@pytest.mark.parametrize("dimensions", [3, 4, 8, 32])
def test_hardly_a_pair_is_near_by_chance_and_exact_copies_are(dimensions):
    features = np.random.default_rng(0).normal(size=(10, 4000, dimensions)).astype(np.float32)
    features[:, -1] = features[:, 0]
    found = [find_near_duplicates(each, np.zeros(4000, int)) for each in features]
    assert all([0, 3999] in each.pairs.tolist() for each in found)
    assert np.mean([len(each.pairs) - 1 for each in found]) <= 1
    assert not any(each.note for each in found)


def test_of_very_many_examples_some_are_drawn_and_a_note_says_so(monkeypatch):
    features, kinds, wanted = planted(n=300, copies=100)
    monkeypatch.setattr(near_duplicates, "MOST", 200)
    found = find_near_duplicates(features, kinds, seed=1)
    pairs = set(map(tuple, found.pairs.tolist()))
    assert pairs < wanted
    assert 10 <= len(pairs) <= 40  # a quarter of 100 in the mean
    assert found.note == "examples that are almost the same are looked for among 200 of 400, drawn at random"


def test_progress_is_told_up_to_the_last_example(monkeypatch):
    features, kinds, _ = planted()
    monkeypatch.setattr(near_duplicates, "_BLOCK", 100 * len(features))
    told = []
    find_near_duplicates(features, kinds, progress=lambda *each: told.append(each))
    assert told == [("comparing examples", done, 312) for done in (100, 200, 300, 312)]


def test_pairs_join_groups_and_chains_stay_together():
    pairs = np.array([[0, 1], [1, 4], [5, 6]])
    found = group_duplicates(pairs, 8, None)
    assert len({*found[[0, 1, 4]]}) == len({*found[[5, 6]]}) == 1
    assert len(np.unique(found)) == 5
    joined = group_duplicates(np.array([[0, 7]]), 8, np.array([3, 3, 9, 9, 5, 5, 1, 1]))
    assert len({*joined[[0, 1, 6, 7]]}) == 1
    assert len(np.unique(joined)) == 3
    assert group_duplicates(np.zeros((0, 2), np.int64), 8, None) is None


def test_a_series_that_looks_alike_is_no_pair_and_a_copy_within_it_is():
    random = np.random.default_rng(4)
    others = random.normal(size=(200, 64))
    series = 4 * random.normal(size=64) + random.normal(size=(12, 64))  # nearer to each other than all else
    copied = series[3] + 0.02 * random.normal(size=64)
    features = np.concatenate([others, series, [copied]]).astype(np.float32)
    assert find_near_duplicates(features, np.zeros(213, int)).pairs.tolist() == [[203, 212]]
    directions = (features - features.mean(0)) / features.std(0)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    apart = 1 - directions @ directions.T
    # Each of the series is nearer to the others than a fifth of what is usual: that alone would make them pairs.
    usual = np.median(np.sort(apart, axis=1)[:, 5])
    assert apart[200:212, 200:212].max() < 0.2 * usual


def test_more_than_five_copies_that_are_very_near_are_found_all_the_same():
    random = np.random.default_rng(5)
    features = np.concatenate(
        [random.normal(size=(200, 64)), random.normal(size=64) + 1e-2 * random.normal(size=(9, 64))]
    )
    found = find_near_duplicates(features.astype(np.float32), np.zeros(209, int))
    assert set(found.pairs.ravel().tolist()) == set(range(200, 209))


def versions(count, seed, jitter=0.2):
    """Features in five classes, 15 of which have so many versions each; their number, and (n,) of which one each is."""
    random = np.random.default_rng(seed)
    means, kinds = 0.6 * random.normal(size=(5, 256)), random.integers(0, 5, 300)
    rows = random.normal(size=(300, 64)) @ random.normal(size=(64, 256)) / 8 + means[kinds]
    changed = np.repeat(rows[:15], count - 1, axis=0)
    changed += jitter * rows.std() * random.normal(size=changed.shape)
    which = np.concatenate([np.arange(300), np.repeat(np.arange(15), count - 1)])
    return np.concatenate([rows, changed]).astype(np.float32), kinds[which], which


@pytest.mark.parametrize("count", [4, 5, 6, 7, 8])
@pytest.mark.parametrize("seed", [0, 1])
def test_however_many_versions_of_an_example_there_are_all_are_held_out_together(count, seed):
    features, kinds, which = versions(count, seed)
    found = find_near_duplicates(features, kinds)
    groups = group_duplicates(found.together, len(features), None)
    for one in range(15):
        (group,) = np.unique(groups[which == one])
        assert set(which[groups == group]) == {one}  # and nothing else is with them
    named = set(map(tuple, found.pairs.tolist()))
    assert named <= set(map(tuple, found.together.tolist()))
