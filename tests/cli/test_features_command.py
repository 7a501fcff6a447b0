"""`transfer features`."""

import json
import sys

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


def test_a_dry_run_says_what_it_needs_and_writes_nothing(call, pictures, tmp_path):
    out = tmp_path / "features"
    how = ("features", "digits_mlp", str(pictures), "-o", str(out), "--dry-run")
    printed = call(*how)
    assert printed.code == 0
    assert printed.stdout.startswith("to do     24 examples in 1 shard, ")
    told = call(*how, "--json").json
    assert (told["examples"], told["workers"], told["written_bytes"]) == (24, 1, 24 * (64 * 4 + 120))
    assert told["seconds"] == 24 * told["seconds_each"] > 0
    assert not out.exists()


def test_options_of_a_cluster_need_one(call, pictures, tmp_path):
    refused = call("features", "digits_mlp", str(pictures), "-o", str(tmp_path / "out"), "--workers", "2")
    assert (refused.code, "add --engine ray" in refused.stderr) == (2, True)


def test_where_nothing_is_there_resuming_is_refused(call, pictures, tmp_path):
    how = ("features", "digits_mlp", str(pictures), "-o", str(tmp_path / "out"))
    refused = call(*how, "--resume")
    assert (refused.code, "holds nothing to go on with" in refused.stderr) == (8, True)
    assert call(*how).code == 0
    assert "nothing was computed" in call(*how, "--resume").stdout


def test_without_ray_the_extra_is_named_before_any_work(call, pictures, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    out = tmp_path / "out"
    refused = call("features", "digits_mlp", str(pictures), "-o", str(out), "--engine", "ray")
    assert (refused.code, out.exists()) == (7, False)
    assert "pip install 'h5transfer[ray]'" in refused.stderr
