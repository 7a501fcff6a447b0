"""`transfer rank`: what it prints, as text and as JSON, and how it ends."""

import json
import shlex
import shutil
from pathlib import Path

import keras
import pytest


def test_files_are_ranked_and_the_command_for_the_best_can_be_typed(call, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = call("rank", "digits_mlp", "random:digits_mlp", "nowhere.h5", "--on", pictures, "--no-cache")
    assert ended.code == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert "24 examples, 3 classes; a probe on each cut, 2 x 5 folds" in lines[0]
    assert lines[1].split()[:3] == ["candidate", "cut", "at"]
    assert [line.split()[0] for line in lines[2:4]] == ["digits_mlp", "digits_mlp"]
    assert any(line.startswith("order     digits_mlp") for line in lines)
    assert any(line.startswith("failed    nowhere.h5: There is no file") for line in lines)
    assert any(line.startswith("audit     nothing can be said of LogME, H-score") for line in lines)
    assert "note      scores are audited on trained cuts alone, without 2 that have random weights" in lines
    typed = shlex.split(next(line for line in lines if line.startswith("next      ")).removeprefix("next"))
    assert typed[:4] == ["transfer", "extract", "digits_mlp", "--at"]
    assert call(*typed[1:]).code == 0
    assert keras.saving.load_model(typed[-1]).output_shape == (None, 3)
    going_on = commands(ended.stdout)["or"]
    assert going_on[:6] == ["transfer", "finetune", "digits_mlp", str(pictures), "--at", typed[4]]
    ended = call(*going_on[1:], "--no-cache")
    assert ended.code == 0, ended.stderr
    assert f"backbone ends at '{typed[4]}'" in ended.stdout + ended.stderr
    asked = json.loads((tmp_path / going_on[-1] / "run.json").read_text())
    assert (asked["data"]["classes"], asked["recipe"]["seed"]) == (["digit_0", "digit_1", "digit_2"], 0)


def commands(printed):
    """The words of each command that a ranking ends in, by what stands before it."""
    found = [line.partition(" ") for line in printed.splitlines() if line.startswith(("next ", "or "))]
    return {name: shlex.split(rest) for name, _, rest in found}


@pytest.mark.parametrize(("count", "told"), [(1, "it is"), (2, "they are"), (3, "")])
def test_it_is_told_before_and_after_that_one_or_two_fine_tuned_cuts_make_no_order(call, pictures, count, told):
    ended = call("rank", "digits_mlp", "--on", pictures, "--no-cache", "--verify", f"{count}", "--random")
    assert ended.code == 0, ended.stderr
    note = f"note      fine-tuning {count} of the cuts says how good {told}, and nothing of whether the probe"
    for printed in (ended.stdout, ended.stderr):
        assert any(line.startswith(note) for line in printed.splitlines()) is bool(told)
    assert "fewer than 3 tells nothing" in " ".join(call("rank", "--help").stdout.split())


def test_json_holds_all_cuts_with_a_schema(call, pictures):
    found = call("rank", "digits_mlp", "--on", pictures, "--no-cache", "--random", "--cuts", "1", "--json").json
    assert found["schema"] == "transfer/rank/1"
    assert [(cut["candidate"], cut["is_random"]) for cut in found["cuts"]] == [
        ("digits_mlp", False),
        ("random:digits_mlp", True),
    ]
    assert found["best"] == {"candidate": "digits_mlp", "at": "dense_2"}
    assert found["cuts"][0]["scores"]["leep"] < 0
    assert len(found["cuts"][0]["folds"]) == 10


def test_it_ends_with_the_code_of_the_worst_only_if_all_fail(call, pictures, tmp_path):
    (tmp_path / "broken.h5").write_bytes(b"nothing")
    ended = call("rank", tmp_path / "broken.h5", "nowhere.h5", "--on", pictures, "--no-cache")
    assert ended.code == 3
    assert "None of the 2 candidates can be ranked." in ended.stderr
    ended = call("rank", tmp_path / "broken.h5", "languages_gru", "--on", pictures, "--no-cache", "--json")
    assert (ended.code, ended.error["exit_code"]) == (6, 6)


@pytest.mark.usefixtures("here")
def test_architectures_go_with_all_files_or_with_one_by_its_name(call, pictures):
    builder = "functional_models:create_functional_model"
    options = ("--on", pictures, "--no-cache", "--size", "28", "--preprocessing", "unit", "--cuts", "1", "--json")
    found = call("rank", "pretrained.weights.h5", "--into", builder, *options).json
    assert found["command"].startswith(f"transfer extract pretrained.weights.h5 --into {builder} --at dense_2 ")
    named = call("rank", "pretrained.weights.h5", "digits_mlp", "--into", f"pretrained.weights.h5={builder}", *options)
    assert {cut["candidate"] for cut in named.json["cuts"]} == {"pretrained.weights.h5", "digits_mlp"}
    slip = call("rank", "pretrained.weights.h5", "digits_mlp", "--into", f"other.h5={builder}", *options)
    assert (slip.code, "FILE=ARCH" in slip.stderr) == (2, True)


def test_the_command_that_goes_on_says_of_architecture_pictures_and_labels_what_was_said(here, call, pictures):
    shutil.copytree(pictures, here / "my pictures")
    files = sorted((here / "my pictures").rglob("*.png"))
    rows = [f"{file.relative_to(here / 'my pictures')},{file.parent.name},{len(file.stem)}" for file in files]
    (here / "two.csv").write_text("\n".join(["file,digit,length", *rows]))
    options = ["--into", "functional_models:create_functional_model", "--rule", "dense_1=dense_1", "--seed", "3"]
    options += ["--size", "28", "--preprocessing", "unit", "--head", "digit:3", "--skip-unreadable"]
    options += ["--labels", "two.csv"]
    ranked = call("rank", "pretrained.weights.h5", "--on", "my pictures", *options, "--cuts", "1", "--no-cache")
    assert ranked.code == 0, ranked.stderr
    extracting, going_on = (commands(ranked.stdout)[name] for name in ("next", "or"))
    assert " ".join(going_on) == (
        "transfer finetune pretrained.weights.h5 my pictures --into functional_models:create_functional_model "
        "--rule dense_1=dense_1 --at dense_2 --size 28x28 --preprocessing unit --labels two.csv --head digit:3 "
        "--skip-unreadable --seed 3 -o pretrained_dense_2"
    )
    assert extracting[5:7] == ["--rule", "dense_1=dense_1"]
    assert call(*extracting[1:]).code == 0
    ended = call(*going_on[1:], "--no-cache")
    assert ended.code == 0, ended.stderr
    asked = json.loads((here / "pretrained_dense_2" / "run.json").read_text())
    assert "backbone ends at 'dense_2'" in ended.stdout + ended.stderr
    assert (asked["data"]["classes"], asked["recipe"]["seed"]) == (["digit_0", "digit_1", "digit_2"], 3)
    assert asked["input"]["size"] == [28, 28]


def test_several_outputs_are_refused_with_the_option_that_chooses_one(call):
    data = Path(__file__).parents[2] / "examples" / "data"
    table = ("--labels", data / "clipart_kinds.csv", "--head", "category", "--head", "kind")
    ended = call("rank", "digits_mlp", "--on", data / "clipart", *table, "--no-cache")
    assert (ended.code, ended.stdout) == (6, "")
    assert "one class each" in ended.stderr
    assert "--head NAME" in ended.stderr
