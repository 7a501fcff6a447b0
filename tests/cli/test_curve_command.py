"""`transfer curve`."""

import json


def test_a_curve_is_printed_and_given_as_json(call, pictures):
    how = ("curve", "digits_mlp", str(pictures), "--recipe", "probe", "--divisions", "2", "--no-cache")
    printed = call(*how, "--shots", "1,4,30")
    assert printed.code == 0
    assert printed.stdout.splitlines()[0].split() == ["shots", "way", "accuracy", "95", "%", "interval", "divisions"]
    assert "left out  30 shots: the smallest class has 6 to learn from" in printed.stdout
    assert "paid      4 shots: probe - " in printed.stdout
    found = json.loads(call(*how, "--shots", "1,4,30", "--json").stdout)
    assert {each["shots"] for each in found["points"]} == {1, 4}
    assert found["reference"] in found["without"]


def test_it_is_told_before_how_long_training_from_random_weights_takes(call, pictures):
    how = ("curve", "digits_mlp", str(pictures), "--divisions", "2", "--no-cache", "--shots", "1")
    ended = call(*how, "--recipe", "scratch", "--json")
    assert ended.code == 0, ended.stderr
    assert "scratch   trains for about " in ended.stderr
    assert " s here in all\n" in ended.stderr
    assert json.loads(ended.stdout)["enough"] == []
    assert "trains for" not in call(*how, "--recipe", "probe").stderr


def test_shots_that_are_no_numbers_are_refused(call, pictures):
    refused = call("curve", "digits_mlp", str(pictures), "--shots", "1,few")
    assert refused.code == 2
    assert "expected whole numbers above 0 with commas between, as 1,5,10; found '1,few'" in refused.stderr
