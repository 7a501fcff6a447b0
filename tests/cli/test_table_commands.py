"""The commands take a table of pictures and classes where they take a folder."""

import shutil

import pytest

import transfer


@pytest.fixture
def labels(pictures, tmp_path):
    """A table beside its pictures, which lie in one folder, whatever their class."""
    rows = []
    for path in sorted(pictures.rglob("*.png")):
        copy = tmp_path / "photos" / f"{path.parent.name}_{path.name}"
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
        rows.append(f"{copy.name}\t{path.parent.name}\n")
    table = tmp_path / "photos" / "labels.tsv"
    table.write_text("file\tlabel\n" + "".join(rows))
    return table


def test_finetune_and_evaluate_take_a_table(call, labels, more_pictures, tmp_path):
    ended = call("finetune", "digits_mlp", labels, "-o", tmp_path / "run", "--shots", "5")
    assert (ended.code, ended.stderr) == (0, "")
    assert "3 classes, 15 examples to learn from, 9 to test on" in ended.stdout
    assert transfer.load_run(tmp_path / "run").result.classes == ("digit_0", "digit_1", "digit_2")
    more = shutil.copytree(more_pictures, tmp_path / "more")
    rows = [f"{path.relative_to(more)},{path.parent.name}\n" for path in more.rglob("*.png")]
    (more / "some.csv").write_text("file,label\n" + "".join(rows))
    found = call("evaluate", tmp_path / "run", more / "some.csv", "--json").json
    assert found == call("evaluate", tmp_path / "run", more_pictures, "--json").json


def test_a_table_that_is_wrong_is_6_with_its_lines(call, labels, tmp_path):
    with labels.open("a") as stream:
        stream.write("nope.png\tdigit_0\ndigit_0.png\t\n")
    ended = call("finetune", "digits_mlp", labels, "-o", tmp_path / "run", "--json")
    assert ended.code == 6
    assert [(each["where"], each["found"]) for each in ended.error["problems"]] == [
        ("labels.tsv line 26", "'nope.png' does not exist"),
        ("labels.tsv line 27", "'digit_0.png' has no label"),
        ("labels.tsv line 27", "'digit_0.png' does not exist"),
    ]
    assert not (tmp_path / "run").exists()
