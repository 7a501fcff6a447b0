"""`transfer baselines`."""

import json


def test_it_is_printed_and_given_as_json(call, pictures):
    how = ("baselines", "digits_mlp", str(pictures), "--folds", "2", "--repeats", "2", "--shots", "3", "--no-cache")
    printed = call(*how)
    assert printed.code == 0
    assert "2 x 2 folds, learnt from 3 of each class; difference = probe - way" in printed.stdout
    assert "order     " in printed.stdout
    found = json.loads(call(*how, "--json").stdout)
    assert found["model"] == "probe"
    assert len(found["ways"]) == 6
    assert f"verdict   {found['verdict']}" in printed.stdout


def test_a_recipe_that_is_not_known_is_refused_before_any_work(call, pictures):
    refused = call("baselines", "digits_mlp", str(pictures), "--recipe", "prob")
    assert refused.code == 6
    assert "nearest: 'probe'" in refused.stderr


def test_more_shots_than_a_fold_leaves_are_refused_with_the_classes(call, pictures):
    refused = call("baselines", "digits_mlp", str(pictures), "--shots", "40", "--no-cache")
    assert refused.code == 6
    assert "too few examples for 40 shots" in refused.stderr
