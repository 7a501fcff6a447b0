"""Runs side by side: who is better on the same examples, and what makes their scores hard to compare."""

import json
import shutil
from itertools import combinations

import numpy as np
import pytest
from written_runs import NAMES, write_run

import transfer
from transfer.errors import DataError
from transfer.evidence.share_differences import differ_on_same


def right(count, *wrong):
    """Answers to `count` examples, wrong from one place to another."""
    found = np.ones(count, bool)
    for start, end in wrong:
        found[start:end] = False
    return found


@pytest.fixture
def three(tmp_path):
    """Two that differ in a few examples, and one that is worse than both."""
    answers = {"a": right(100, (0, 10)), "b": right(100, (2, 14)), "c": right(100, (0, 60))}
    return [write_run(tmp_path / name, each) for name, each in answers.items()]


def test_runs_are_ordered_on_the_same_examples_with_ties(three):
    found = transfer.compare(three)
    assert isinstance(found, transfer.Comparison)
    assert [str(each) for each in found.orders] == ["a ≈ b > c"]
    assert found.winner is None
    assert found.warnings == ()
    pair = found.pairs[0]
    assert (pair.first, pair.second, pair.told_apart) == ("a", "b", False)
    assert pair.difference == differ_on_same(right(100, (0, 10)), right(100, (2, 14)))
    # Holm: of three, the smallest p-value counts three times.
    smallest = min(found.pairs, key=lambda each: each.p_value)
    assert smallest.p_value == pytest.approx(3 * smallest.difference.p_value)
    assert str(found).count("\n") + 1 == 1 + 3 + 1 + 1 + 3 + 1 + 2


def test_who_is_told_apart_from_all_others_is_the_winner_whatever_the_order(three, tmp_path):
    three[1] = write_run(tmp_path / "d", right(100, (0, 40)))
    for order in (three, three[::-1]):
        found = transfer.compare(order)
        assert str(found.orders[0]) == "a > d > c"
        assert found.winner == "a"
        assert [run.name for run in found.runs] == [each.name for each in order]


def test_the_same_run_twice_with_one_seed_differs_by_nothing_and_wins_nothing(digits_run, tmp_path):
    copy = shutil.copytree(digits_run.folder, tmp_path / "again")
    asked = json.loads((copy / "run.json").read_text())
    score = digits_run.result.score
    answers = {
        "examples": asked["split"]["test"],
        "ways": {"probe": [place < score.correct for place in range(score.examples)]},
    }
    first = shutil.copytree(digits_run.folder, tmp_path / "first")
    for folder in (first, copy):
        (folder / "answers.json").write_text(json.dumps(answers))
    found = transfer.compare([first, copy])
    (pair,) = found.pairs
    assert (pair.difference.value, pair.p_value) == (0.0, 1.0)
    assert found.winner is None
    assert found.settings == ()
    assert found.warnings == ()


def test_what_a_network_costs_is_told_from_its_file(digits_run):
    (run,) = transfer.compare([digits_run.folder]).runs
    model = digits_run.model
    assert run.cost.parameters == model.count_params()
    assert run.cost.trained == sum(int(np.prod(each.shape)) for each in model.trainable_weights)
    assert run.cost.flops == 2 * (784 * 64 + 64 * 64 + 64 * 3)
    assert run.cost.size_bytes == sum(each.stat().st_size for each in digits_run.folder.iterdir())
    timing = json.loads((digits_run.folder / "timing.json").read_text())
    assert run.cost.seconds == pytest.approx(sum(timing.values()))
    assert run.score == digits_run.result.score


def test_a_folder_that_is_no_run_is_a_row_with_its_reason(three, tmp_path):
    (tmp_path / "empty").mkdir()
    half = write_run(tmp_path / "half", right(3))
    (half / "result.json").unlink()
    odd = write_run(tmp_path / "odd", right(3))
    (odd / "run.json").write_text('{"schema": 1, "split": [1], "data": 3}')
    found = transfer.compare([*three, tmp_path / "empty", tmp_path / "nowhere", half, odd])
    assert [run.name for run in found.runs] == ["a", "b", "c"]
    reasons = {each.name: each.reason for each in found.unread}
    assert reasons["empty"] == "no run.json"
    assert reasons["nowhere"] == "no such folder"
    assert reasons["half"] == "no result.json"
    assert reasons["odd"].startswith("a damaged run")
    assert all(each in str(found) for each in reasons.values())


def test_without_a_run_it_is_an_error_that_names_each_folder(tmp_path):
    with pytest.raises(DataError) as caught:
        transfer.compare([tmp_path / "one", tmp_path])
    assert [each.found for each in caught.value.problems] == ["no such folder", "no run.json"]


def test_other_test_examples_are_compared_on_the_common_ones(tmp_path):
    one = write_run(tmp_path / "one", right(60, (0, 30)), tested=NAMES[:60])
    two = write_run(tmp_path / "two", right(60), tested=NAMES[20:80][::-1])
    found = transfer.compare([one, two])
    (pair,) = found.pairs
    assert (pair.difference.examples, pair.difference.first_alone, pair.difference.second_alone) == (40, 0, 10)
    assert found.orders[0].means == {"one": 0.75, "two": 1.0}
    assert found.warnings == (
        "one and two have 60 and 60 test examples, 40 of them in common: they are compared on these, their scores are "
        "of all",
    )


def other_splits(folder, count):
    """Runs that were tested on 100 of 200 examples each, drawn for each; the first is far better."""
    runs = []
    for seed in range(count):
        random = np.random.default_rng(seed)
        tested = [NAMES[place] for place in sorted(random.permutation(200)[:100])]
        answers = random.random(100) < (0.95 if seed == 0 else 0.3)
        runs.append(write_run(folder / f"s{seed}", answers, tested=tested))
    return runs


def test_runs_of_many_splits_are_compared_pair_by_pair_on_what_these_two_share(tmp_path):
    runs = other_splits(tmp_path, 9)
    found = transfer.compare(runs)
    tested = [set(json.loads((each / "answers.json").read_text())["examples"]) for each in runs]
    assert not set.intersection(*tested)
    shared = [len(one & other) for one, other in combinations(tested, 2)]
    assert [each.difference.examples for each in found.pairs] == shared
    alone = transfer.compare([runs[0], runs[4]]).pairs[0]
    assert found.pairs[3].difference == alone.difference
    smallest = min(each.difference.p_value for each in found.pairs)
    assert min(each.p_value for each in found.pairs) == pytest.approx(36 * smallest)
    assert found.orders == ()
    assert found.winner == "s0"
    (told,) = (each for each in found.warnings if "no order" in each)
    assert told.startswith("no example is common to all 9")
    assert sum("compared on these" in each for each in found.warnings) == 36


def test_the_order_of_other_splits_is_by_what_all_share(tmp_path):
    runs = other_splits(tmp_path, 3)
    found = transfer.compare(runs)
    kept = [json.loads((each / "answers.json").read_text()) for each in runs]
    common = set.intersection(*(set(each["examples"]) for each in kept))
    shares = [
        np.mean([right for name, right in zip(each["examples"], each["ways"]["probe"], strict=True) if name in common])
        for each in kept
    ]
    assert found.orders[0].means == pytest.approx(dict(zip(("s0", "s1", "s2"), shares, strict=True)))
    assert [len(each) for each in found.orders[0].tiers] == [1, 2]
    assert found.winner == "s0"


def test_no_order_is_told_against_a_pair_that_is_told_apart(tmp_path):
    # On the ten examples that all share, one is worse than two; on the 100 that these two share, far better.
    one = write_run(tmp_path / "one", right(100, (0, 5)), tested=NAMES[:100])
    two = write_run(tmp_path / "two", right(100, (10, 70)), tested=NAMES[:100])
    three = write_run(tmp_path / "three", right(20), tested=[*NAMES[:10], *NAMES[100:110]])
    found = transfer.compare([one, two, three])
    assert found.pairs[0].told_apart
    assert found.orders == ()
    assert sum("the other way round" in each for each in found.warnings) == 1


def test_runs_without_common_examples_are_not_compared(tmp_path, three):
    other = write_run(tmp_path / "other", right(20), tested=NAMES[150:170])
    found = transfer.compare([*three, other])
    assert [str(each) for each in found.orders] == ["a ≈ b > c", "other"]
    assert found.winner is None
    assert len(found.pairs) == 3
    assert found.warnings == ("a, b, c and other have no test example in common: they are not compared",)


def test_an_example_that_the_other_one_learnt_from_is_told(tmp_path):
    one = write_run(tmp_path / "one", right(50), learnt=NAMES[50:100])
    two = write_run(tmp_path / "two", right(50), tested=NAMES[10:60], learnt=[*NAMES[:8], *NAMES[60:100]])
    told = transfer.compare([one, two]).warnings
    assert told[0] == "two learnt from 8 of the 50 examples that one is tested on"
    assert told[1] == "one learnt from 10 of the 50 examples that two is tested on"


def test_with_digests_an_example_is_known_by_its_content(tmp_path):
    digests = [f"{place:032}" for place in range(30)]
    one = write_run(tmp_path / "one", right(30, (0, 6)), more={"digests": digests})
    moved = {"source": "elsewhere", "examples": 30, "classes": ["cat", "dog"], "digest": "d" * 64}
    names = [f"moved/{place}.png" for place in range(30)]
    two = write_run(tmp_path / "two", right(30), tested=names, more={"digests": digests}, data=moved, learnt=[])
    found = transfer.compare([one, two])
    assert found.pairs[0].difference.examples == 30
    assert found.warnings == ()
    asked = json.loads((two / "run.json").read_text())
    (two / "run.json").write_text(json.dumps({**asked, "learnt": digests[:4]}))
    assert "two learnt from 4 of the 30 examples that one is tested on" in transfer.compare([one, two]).warnings


def test_names_of_another_set_count_with_a_warning_and_places_in_arrays_do_not(tmp_path):
    other = {"source": "/more/photos", "examples": 9, "classes": ["cat", "dog"], "digest": "d" * 64}
    one, two = (write_run(tmp_path / "one", right(30))), write_run(tmp_path / "two", right(30), data=other)
    assert "two have test sets of other digests" in transfer.compare([one, two]).warnings[0]
    three = write_run(tmp_path / "three", right(30), data={**other, "source": "arrays"})
    found = transfer.compare([one, three])
    assert found.pairs == ()
    assert "no test example in common" in found.warnings[0]


def test_runs_that_ask_something_else_are_not_compared(tmp_path):
    other = {"source": "/data/photos", "examples": 200, "classes": ["cat", "cow"], "digest": "c" * 64}
    found = transfer.compare(
        [write_run(tmp_path / "one", right(30)), write_run(tmp_path / "two", right(30), data=other)]
    )
    assert found.pairs == ()
    assert found.warnings == ("one and two answer other questions: they are not compared",)


def test_a_run_that_kept_no_answers_stands_beside_the_others(three, tmp_path):
    old = write_run(tmp_path / "old", right(100, (0, 50)), kept=False)
    found = transfer.compare([*three, old])
    assert found.warnings == ("old kept no answers, as older runs did not: its score stands alone",)
    assert found.winner is None
    assert len(found.pairs) == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nothing", "cannot be read"),
        ('{"examples": ["x"], "ways": {"probe": [1]}}', "does not say of each example"),
        ('{"examples": ["x"], "ways": {"probe": [true]}}', "do not fit its result"),
        ('{"examples": ["x"], "ways": {"probe": [true]}, "digests": ["a", "b"]}', "of other examples"),
    ],
)
def test_damaged_answers_are_told_and_not_used(tmp_path, text, told):
    run = write_run(tmp_path / "one", right(10))
    (run / "answers.json").write_text(text)
    found = transfer.compare([run])
    assert told in found.warnings[0]
    assert found.runs[0].answers is None
    assert found.runs[0].score.correct == 10


def test_examples_of_groups_prove_no_more_than_their_groups(tmp_path):
    groups = [str(place // 10) for place in range(40)]
    for name, wrong in (("one", ()), ("two", ((0, 20),))):
        write_run(tmp_path / name, right(40, *wrong), more={"groups": groups})
    found = transfer.compare([tmp_path / "one", tmp_path / "two"])
    assert found.pairs[0].p_value == 0.5  # two groups of four differ
    assert found.winner is None


def test_groups_that_one_run_kept_count_whatever_the_order_of_the_runs(tmp_path):
    groups = [str(place // 10) for place in range(120)]
    one = write_run(tmp_path / "one", right(120, (90, 120)))
    two = write_run(tmp_path / "two", right(120, (50, 120)), more={"groups": groups})
    for order in ((one, two), (two, one)):
        found = transfer.compare(order)
        assert found.pairs[0].p_value == 2 / 2**4  # four groups of twelve differ, all to one side
        assert found.winner is None
    third = write_run(tmp_path / "third", right(120, (51, 120)))
    for order in ((one, third, two), (third, two, one)):
        raw = [each.difference.p_value for each in transfer.compare(order).pairs]
        assert sorted(raw) == [0.125, 0.125, 1.0]


def test_groups_that_runs_kept_otherwise_are_joined(tmp_path):
    # One run joins tens from 0 on, the other from 5 on: by way of one another all are one group.
    kept = {"one": [str(place // 10) for place in range(40)], "two": [str((place + 5) // 10) for place in range(40)]}
    wrong = {"one": (0, 0), "two": (0, 20)}
    runs = [write_run(tmp_path / name, right(40, wrong[name]), more={"groups": kept[name]}) for name in kept]
    for order in (runs, runs[::-1]):
        assert transfer.compare(order).pairs[0].p_value == 1.0


def test_groups_that_nobody_kept_are_seen_by_the_interval(tmp_path):
    runs = [write_run(tmp_path / name, right(100, (0, wrong))) for name, wrong in (("one", 0), ("two", 50))]
    result = json.loads((runs[1] / "result.json").read_text())
    result["score"]["accuracy"] |= {"low": 0.2, "high": 0.8}
    (runs[1] / "result.json").write_text(json.dumps(result))
    found = transfer.compare(runs)
    assert found.winner is None
    assert "two: its examples are of groups" in found.warnings[0]


def test_what_was_asked_otherwise_is_listed(tmp_path):
    recipe = {"name": "probe", "seed": 3, "validation": 0.2, "stages": [{"kind": "probe"}]}
    runs = [write_run(tmp_path / "one", right(9)), write_run(tmp_path / "two", right(9), recipe=recipe, shots=5)]
    runs.append(write_run(tmp_path / "three", right(9), shots=7))
    found = {each.name: each.values for each in transfer.compare(runs).settings}
    assert found == {"seed": {"one": "0", "two": "3"}, "shots": {"one": "none", "two": "5", "three": "7"}}


def test_folders_of_one_name_are_told_apart_and_one_given_twice_is_one(tmp_path):
    runs = [write_run(tmp_path / name / "run", right(9)) for name in ("x", "y")]
    found = transfer.compare([*runs, tmp_path / "x" / ".." / "x" / "run"])
    assert [run.name for run in found.runs] == ["x/run", "y/run"]


def test_a_folder_of_runs_is_told_from_a_run_with_what_to_type(three, tmp_path):
    with pytest.raises(DataError) as refused:
        transfer.compare([tmp_path])
    assert refused.value.problems[0].found == f"a folder of 3 runs: {tmp_path}/*"
    assert refused.value.next_step == f"name each run: transfer compare {tmp_path}/*"
    found = transfer.compare([three[0], tmp_path])
    assert [each.reason for each in found.unread] == [f"a folder of 3 runs: {tmp_path}/*"]
    (tmp_path / "empty").mkdir()
    assert transfer.compare([three[0], tmp_path / "empty"]).unread[0].reason == "no run.json"
