"""`transfer finetune --dry-run` tells the cost and what is wrong with the examples, and writes nothing."""

import shutil

import numpy as np
import pytest
from PIL import Image


def test_a_dry_run_tells_the_stages_and_writes_nothing(call, here, pictures):
    before = sorted(here.iterdir())
    ended = call("finetune", "digits_mlp", pictures, "--unfreeze-from", "dense_2", "--epochs", "3", "--dry-run")
    assert ended.code == 0, ended.stderr
    assert "would learn 3 classes from 18 examples and test on 6; nothing was written" in ended.stdout
    assert [line.split()[:4] for line in ended.stdout.splitlines() if line.startswith(("probe", "tune"))] == [
        ["probe", "label", "195", "54,400"],
        ["tune", "dense_2", "4,355", "50,240"],
    ]
    found = call("finetune", "digits_mlp", pictures, "-o", "run", "--dry-run", "--json").json
    assert [each["kind"] for each in found["stages"]] == ["probe", "tune"]
    assert found["stages"][0]["once_macs"] == 24 * (784 * 64 + 64 * 64)
    assert sorted(here.iterdir()) == before


def test_without_a_place_for_the_run_a_dry_run_is_offered(call, pictures):
    ended = call("finetune", "digits_mlp", pictures)
    assert ended.code == 2
    assert "--dry-run" in ended.stderr


@pytest.fixture
def damaged(pictures, tmp_path):
    """Pictures of which one has no header, one is cut off, and two contradict each other."""
    folder = tmp_path / "damaged"
    shutil.copytree(pictures, folder)
    first = min((folder / "digit_0").iterdir())
    shutil.copy(first, folder / "digit_1" / "copy.png")
    (folder / "digit_2" / "empty.png").write_bytes(b"nothing")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(
        folder / "digit_2" / "cut.jpg"
    )
    cut = folder / "digit_2" / "cut.jpg"
    cut.write_bytes(cut.read_bytes()[:1500])
    return folder, first.name


def test_all_that_is_wrong_with_the_examples_is_told_and_what_a_run_refuses_is_an_error(call, damaged):
    folder, first = damaged
    ended = call("finetune", "digits_mlp", folder, "--dry-run")
    assert ended.code == 6
    assert "2 of 27 examples" in ended.stderr
    told = ended.stdout.split("\ndata\n")[1].splitlines()
    assert told[0] == "  all 27 examples were tried; 2 cannot be read"
    assert [line.split(":")[0].strip() for line in told[1:3]] == ["digit_2/empty.png", "digit_2/cut.jpg"]
    assert f"    digit_0/{first} (digit_0) = digit_1/copy.png (digit_1)" in told
    assert call("finetune", "digits_mlp", folder, "-o", folder.parent / "run").code == 6


def test_where_a_run_would_leave_them_out_a_dry_run_is_no_error(call, damaged):
    folder, _ = damaged
    ended = call("finetune", "digits_mlp", folder, "--skip-unreadable", "--dry-run", "--json")
    assert ended.code == 0
    data = ended.json["data"]
    assert [each["where"] for each in data["unreadable"]] == ["digit_2/cut.jpg"]
    assert [each["where"] for each in data["left_out"]] == ["digit_2/empty.png"]
    assert data["same_bytes_other_class"][0]["classes"] == ["digit_0", "digit_1"]
    assert data["examples_to_learn_from"] == {"digit_0": 6, "digit_1": 7, "digit_2": 6}


def test_seconds_and_bytes_are_told_by_part_and_features_of_an_earlier_run_are_found(call, here, pictures):
    asked = ("finetune", "digits_mlp", pictures, "--recipe", "probe", "--cache", here / "cache")
    found = call(*asked, "--dry-run", "--json").json
    assert found["kept_features"] == {
        "bytes": 24 * 64 * 4,
        "folder": str(here / "cache"),
        "examples_found": 0,
        "in_memory": True,
    }
    for what in ("seconds", "memory_bytes"):
        parts = dict(found[what])
        assert parts.pop("total") == pytest.approx(sum(parts.values()))
    assert not (here / "cache").exists()
    assert call(*asked, "-o", here / "run").code == 0
    again = call(*asked, "--dry-run", "--json").json
    assert again["kept_features"]["examples_found"] == 24
    assert again["seconds"]["features"] == 0


def test_a_time_limit_that_is_hopeless_is_no_error_of_a_dry_run_and_one_that_is_long_is_said_to_be_enough(
    call, pictures
):
    asked = ("finetune", "digits_mlp", pictures, "--recipe", "probe", "--no-cache", "--dry-run", "--time-limit")
    ended = call(*asked, "1", "--json")
    assert ended.code == 0
    assert ended.json["time_limit"]["outcome"] == "no run"
    assert "\n  the time limit of 2.0 h is enough: all is learnt after about" in call(*asked, "2h").stdout


def test_lines_of_cost_stay_narrow(call, pictures):
    asked = ("finetune", "digits_mlp", pictures, "--recipe", "lp-ft", "--no-cache", "--dry-run", "--time-limit", "2")
    printed = call(*asked).stdout
    assert "there would be no run" in " ".join(printed.split())
    assert max(map(len, printed.splitlines())) <= 92
