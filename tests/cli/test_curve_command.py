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


def test_shots_that_are_no_numbers_are_refused(call, pictures):
    refused = call("curve", "digits_mlp", str(pictures), "--shots", "1,few")
    assert refused.code == 2
    assert "expected whole numbers above 0 with commas between, as 1,5,10; found '1,few'" in refused.stderr
