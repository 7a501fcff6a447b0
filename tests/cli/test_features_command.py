"""`transfer features`."""

import json

from transfer.cli.interrupting import describe_interruption


def test_it_is_printed_given_as_json_found_again_and_refused_for_another_request(call, pictures, tmp_path):
    out = tmp_path / "features"
    how = ("features", "digits_mlp", str(pictures), "-o", str(out))
    printed = call(*how)
    assert (printed.code, printed.stderr) == (0, "")
    assert printed.stdout.startswith(f"24 rows of 64 features, of {pictures}, in 1 shard\n")
    assert printed.stdout.endswith(f"written   {out}\n")
    again = call(*how, "--json").json
    assert (again["rows"], again["computed"], again["failed"], again["shards"]) == (24, 0, 0, 1)
    assert again["asked"] == json.loads((out / "manifest.json").read_text())["asked"]
    assert "finished  before: nothing was computed" in call(*how).stdout
    refused = call(*how, "--shard-rows", "5", "--json")
    assert refused.code == 8
    assert [each["where"] for each in refused.error["problems"]] == ["--shard-rows"]


def test_a_folder_without_pictures_and_a_layer_that_is_not_there_leave_nothing(call, pictures, tmp_path):
    out = tmp_path / "features"
    (tmp_path / "empty").mkdir()
    assert call("features", "digits_mlp", str(tmp_path / "empty"), "-o", str(out)).code == 6
    ended = call("features", "digits_mlp", str(pictures), "--at", "dense9", "-o", str(out))
    assert (ended.code, out.exists()) == (5, False)


def test_an_interruption_says_that_the_same_command_goes_on_where_shards_are_done(tmp_path):
    words = ["features", "digits_mlp", "photos", "-o", str(tmp_path)]
    assert "begins anew" in describe_interruption(words)[1]
    (tmp_path / "unfinished").mkdir()
    assert describe_interruption(words)[1] == f"To go on from where it was: transfer {' '.join(words)}"
