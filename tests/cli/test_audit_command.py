"""`audit`: what is printed, what is written, and that a corrected table can be given back."""

import csv
import shutil

import pytest


@pytest.fixture
def mislabelled(pictures, tmp_path):
    """Pictures of which one lies in a wrong folder."""
    folder = tmp_path / "digits"
    shutil.copytree(pictures, folder)
    first = sorted((folder / "digit_0").iterdir())[0]
    first.rename(folder / "digit_1" / "wrong.png")
    return folder


def test_a_picture_in_the_wrong_folder_is_named_and_corrected_by_the_table(call, mislabelled, tmp_path):
    table = tmp_path / "suspects.csv"
    ended = call("audit", "digits_mlp", mislabelled, "-o", table, "--no-cache")
    assert ended.code == 0, ended.stderr
    assert "of 24 are likely wrong" in ended.stdout
    (row,) = [line.split() for line in ended.stdout.splitlines() if line.startswith("digit_1/wrong.png")]
    assert row[1:3] == ["digit_1", "digit_0"]
    with table.open() as stream:
        rows = list(csv.DictReader(stream))
    assert (rows[0]["file"], rows[0]["suggested"]) == ("digit_1/wrong.png", "digit_0")
    for each in rows:
        each["label"] = each["suggested"] or each["label"]
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    again = call("audit", "digits_mlp", mislabelled, "--labels", table, "--no-cache", "--json")
    assert again.code == 0, again.stderr
    assert again.json["left_out"] == []  # what the audit wrote beside the labels is no surprise
    assert again.json["labels"] == 24
    assert again.json["likely_wrong"] == 0


def test_json_says_what_is_printed_and_an_existing_table_stays(call, mislabelled, tmp_path):
    found = call("audit", "digits_mlp", mislabelled, "--no-cache", "--json").json
    assert found["schema"] == "transfer/audit/1"
    assert found["suspects"][0]["name"] == "digit_1/wrong.png"
    assert set(found["shares"]) == {""}
    (tmp_path / "there.csv").write_text("mine")
    ended = call("audit", "digits_mlp", mislabelled, "-o", tmp_path / "there.csv")
    assert ended.code == 8
    assert (tmp_path / "there.csv").read_text() == "mine"


def test_whether_corrections_help_shows_on_examples_with_checked_labels(call, mislabelled, more_pictures, tmp_path):
    table = tmp_path / "suspects.csv"
    call("audit", "digits_mlp", mislabelled, "-o", table, "--no-cache")
    rows = table.read_text().replace("digit_1/wrong.png,digit_1,", "digit_1/wrong.png,digit_0,")
    table.write_text(rows)
    learn = ("finetune", "digits_mlp", mislabelled, "--test", more_pictures, "--recipe", "probe")
    assert call(*learn, "-o", tmp_path / "before").code == 0
    ended = call(*learn, "--labels", table, "--benchmark", tmp_path / "before", "-o", tmp_path / "after")
    assert ended.code == 0, ended.stderr
    assert "benchmark run before" in ended.stdout
    assert "on the same 9 examples" in ended.stdout
    compared = call("compare", tmp_path / "before", tmp_path / "after", "--json").json
    (pair,) = compared["pairs"]
    assert pair["examples"] == 9
