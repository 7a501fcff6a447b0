"""`transfer sweep`."""

import json
import shlex

from json_forms import check_form


def test_a_sweep_is_printed_gone_on_with_and_its_command_can_be_typed(call, pictures, tmp_path):
    out = tmp_path / "swept"
    how = ("sweep", "digits_mlp", str(pictures), "--recipe", "lp-ft", "--set", "stages.1.epochs=1", "--seed", "4")
    how = (*how, "--over", "stages.1.rate=1e-4,1e-2", "--folds", "2", "--no-cache", "-o", str(out))
    printed = call(*how)
    assert printed.code == 0, printed.stderr
    lines = printed.stdout.splitlines()
    assert "2 trials (grid) on 2 folds of the" in lines[0]
    assert lines[1].split()[:3] == ["trial", "stages.1.rate", "validation"]
    assert {line.split("  ")[0] for line in lines[2:5]} == {"as it is", "1", "2"}
    (typed,) = (line.removeprefix("next      ") for line in lines if line.startswith("next "))
    words = shlex.split(typed)
    assert words[:4] == ["transfer", "finetune", "digits_mlp", str(pictures)]
    assert words[4:] == ["--recipe", str(out / "best.toml"), "-o", "RUN"]
    again = call(*how, "--resume", "--json")
    found = check_form(json.loads(again.stdout))
    assert found["reused"]
    run = call(*words[1:-1], str(tmp_path / "run"), "--no-report", "--json")
    best = "best" if found["best"] else "as it is"
    assert json.loads(run.stdout)["score"]["accuracy"] == found["tested"][best]["accuracy"]


def test_everything_that_is_wrong_is_told_before_anything_is_read_or_written(call, pictures, tmp_path):
    out = tmp_path / "swept"
    how = ("sweep", "digits_mlp", str(pictures), "-o", str(out))
    refused = call(*how, "--over", "stages.1.rat=1..2", "--over", "stages.1.ema=0..1")
    assert refused.code == 6
    assert "2 things wrong in what is swept over." in refused.stderr
    assert not out.exists()
    assert call(*how).code == 2
    assert call(*how, "--over", "stages.1.ema=0..0.5", "--shots", "2", "--test", str(pictures)).code == 2
    there = call(*how, "--over", "stages.1.ema=0..0.5", "--resume")
    assert there.code == 8
    assert not out.exists()
