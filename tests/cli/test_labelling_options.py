"""Several outputs on the command line: what is typed, what is shown, what is refused."""

import json

import click
import pytest

import transfer
from transfer.cli.head_texts import AskedHead, HeadType, made_heads
from transfer.labellings import Labelling, Output

LABELLING = Labelling(
    (
        Output("digit", classes=("zero", "one", "two")),
        Output("shape", classes=("round", "other"), parent="digit", under=("zero", "two")),
        Output("tags", "sigmoid", ("even", "line")),
    )
)


def parse(text: str) -> AskedHead:
    return HeadType().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("label:5", AskedHead("label", 5)),
        ("tags:7:sigmoid", AskedHead("tags", 7, "sigmoid")),
        ("food:softmax", AskedHead("food", None, "softmax")),
        ("food", AskedHead("food")),
        ("tags:7,kind=sigmoid,hidden=256+64", AskedHead("tags", 7, "sigmoid", {"hidden": (256, 64)})),
        ("x:3,dropout=0.3,pool=concat", AskedHead("x", 3, None, {"dropout": 0.3, "pool": "concat"})),
    ],
)
def test_heads_are_read(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize("text", [":5", "a:b:c", "a:softmax:5", "a:5:6", "a:5:soft", "a::5", "a:5,depth=2"])
def test_other_texts_are_refused(text):
    with pytest.raises(click.BadParameter, match="is not NAME:CLASSES"):
        parse(text)


def test_a_labelling_says_the_classes_of_heads():
    heads = made_heads([parse("tags"), parse("digit,hidden=8")], LABELLING)
    assert [(each.name, each.classes, each.kind, each.hidden) for each in heads] == [
        ("tags", 2, "sigmoid", ()),
        ("digit", 3, "softmax", (8,)),
    ]
    assert [each.name for each in made_heads([], LABELLING)] == ["digit", "shape", "tags"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tag", "no such output; nearest: .tags"),
        ("tags:softmax", "is sigmoid there, not softmax"),
        ("tags:5", "has 2 classes there, not 5; '--head tags' takes them all"),
    ],
)
def test_a_head_that_is_not_that_of_the_labelling_is_refused_by_name(text, message):
    with pytest.raises(click.UsageError, match=message):
        made_heads([parse(text)], LABELLING)


def test_a_head_without_classes_needs_a_labelling():
    with pytest.raises(click.UsageError, match="say how many classes, food:5"):
        made_heads([parse("food")], None)


@pytest.fixture
def table(pictures, tmp_path):
    """A table of several outputs beside the folder of pictures; some cells are empty."""
    rows = []
    for place, path in enumerate(sorted(pictures.rglob("*.png"))):
        digit = path.parent.name
        tags = {"digit_0": "even", "digit_1": "line", "digit_2": "even"}[digit] if place % 3 else ""
        rows.append(f"{path.relative_to(pictures)},{digit},{tags},{place / 10},{place // 2}\n")
    labels = tmp_path / "labels.csv"
    labels.write_text("file,digit,tags,weight,writer\n" + "".join(rows))
    return labels


HEADS = ("--head", "digit", "--head", "tags:sigmoid", "--head", "weight")


def test_a_run_with_several_outputs_is_learnt_asked_and_scored(call, pictures, table, tmp_path):
    ended = call("finetune", "digits_mlp", pictures, "--labels", table, *HEADS, "-o", tmp_path / "run")
    assert ended.code == 0, ended.stderr
    assert "digit: one of digit_0, digit_1, digit_2" in ended.stderr
    assert "tags: any of even, line" in ended.stderr
    assert "weight: a number" in ended.stderr
    assert "3 outputs" in ended.stdout
    asked = call("predict", tmp_path / "run", pictures, "--json").json["answers"]
    assert {tuple(each["outputs"]) for each in asked} == {("digit", "tags", "weight")}
    printed = call("predict", tmp_path / "run", pictures).stdout.splitlines()
    assert printed[0].split() == ["input", "digit", "tags", "weight"]
    scored = call("evaluate", tmp_path / "run", pictures, "--labels", table, "--json").json
    assert [each["name"] for each in scored["outputs"]["outputs"]] == ["digit", "tags", "weight"]
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert scored["score"]["correct"] == result["score"]["correct"]


def test_groups_stay_together(call, pictures, table, tmp_path):
    ended = call(
        "finetune", "digits_mlp", pictures, "--labels", table, *HEADS, "--group-by", "writer", "-o", tmp_path / "run"
    )
    assert ended.code == 0, ended.stderr
    split = json.loads((tmp_path / "run" / "run.json").read_text())["split"]
    names = [str(path.relative_to(pictures)) for path in sorted(pictures.rglob("*.png"))]
    sides = [{names.index(name) // 2 for name in split[side]} for side in ("train", "test")]
    assert not sides[0] & sides[1]


def test_a_labelling_in_a_file_decides(call, pictures, table, tmp_path):
    told = tmp_path / "digits.toml"
    told.write_text(
        '[outputs.digit]\nclasses = ["digit_2", "digit_1", "digit_0"]\n'
        '[outputs.tags]\nkind = "sigmoid"\nclasses = ["even", "line"]\nparent = "digit"\nunder = "digit_1"\n'
    )
    table.write_text(table.read_text().replace(",even,", ",,"))
    ended = call("finetune", "digits_mlp", pictures, "--labels", table, "--labelling", told, "-o", tmp_path / "run")
    assert ended.code == 0, ended.stderr
    run = transfer.load_run(tmp_path / "run")
    assert run.result.labelling["digit"].classes == ("digit_2", "digit_1", "digit_0")
    assert run.result.labelling["tags"].under == ("digit_1", "digit_1")


def test_a_dry_run_tells_the_outputs_and_writes_nothing(call, pictures, table, tmp_path):
    ended = call("finetune", "digits_mlp", pictures, "--labels", table, *HEADS, "--dry-run")
    assert ended.code == 0, ended.stderr
    assert "would learn 3 outputs (digit, tags, weight)" in ended.stdout
    assert not (tmp_path / "run").exists()


def test_wrong_cells_are_6_with_their_lines(call, pictures, table, tmp_path):
    with table.open("a") as stream:
        stream.write("nope.png,digit_0,,1,1\n")
    ended = call("finetune", "digits_mlp", pictures, "--labels", table, *HEADS, "-o", tmp_path / "run", "--json")
    assert ended.code == 6
    assert "nope.png" in ended.stderr


def test_a_head_that_the_table_has_not_is_said_by_name(call, pictures, table, tmp_path):
    ended = call("finetune", "digits_mlp", pictures, "--labels", table, "--head", "digits", "-o", tmp_path / "run")
    assert ended.code != 0
    assert "digits" in ended.stderr


def test_extract_attaches_the_heads_of_a_labelling(call, tmp_path):
    told = tmp_path / "labels.toml"
    told.write_text(
        '[outputs.food]\nclasses = ["a", "b", "c"]\n[outputs.tags]\nkind = "sigmoid"\nclasses = ["x", "y"]\n'
    )
    ended = call("extract", "digits_mlp", "--drop-last", "--labelling", told, "-o", tmp_path / "student.keras")
    assert ended.code == 0, ended.stderr
    assert "attached food:3, tags:2" in ended.stdout


def test_what_labels_are_taken_for_is_printed_as_a_file_that_says_the_same(call, pictures, table, tmp_path):
    ended = call("labelling", pictures, "--labels", table, *HEADS)
    assert ended.code == 0, ended.stderr
    assert "[outputs.tags]" in ended.stdout
    assert "3 outputs: digit (softmax of 3" in ended.stderr
    told = tmp_path / "told.toml"
    told.write_text(ended.stdout)
    again = call("labelling", pictures, "--labels", table, "--labelling", told)
    assert again.stdout == ended.stdout
    assert call("labelling", pictures, "--labels", table, "--labelling", told, "--json").json["outputs"][1][
        "classes"
    ] == [
        "even",
        "line",
    ]


def test_options_of_a_head_that_would_have_no_effect_are_refused(call, pictures, table, tmp_path):
    ended = call(
        "finetune", "digits_mlp", pictures, "--labels", table, "--head", "digit,hidden=64", "-o", tmp_path / "r"
    )
    assert ended.code == 2
    assert "--head digit: hidden would have no effect" in ended.stderr
    assert not (tmp_path / "r").exists()


def test_what_a_table_may_have_been_misread_for_is_a_warning(call, pictures, tmp_path):
    paths = [path.relative_to(pictures) for path in sorted(pictures.rglob("*.png"))]
    sorts = ["round" if place < 16 else "other" for place in range(24)]
    fine = [f"{path.parent.name}{'' if place % 2 else '_too'}" for place, path in enumerate(paths)]
    rows = [f"{path},{sort},{kind}" for path, sort, kind in zip(paths, sorts, fine, strict=True)]
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(["file,sort,kind", *rows]))
    ended = call("labelling", pictures, "--labels", labels)
    assert 'parent = "sort"  # every kind has one sort' in ended.stdout
    assert "warning" not in ended.stderr
    labels.write_text("\n".join(["file,sort,kind", rows[0].replace("round", "other"), *rows[1:]]))
    warning = "warning: kind would stand under sort but for 1 of 24 rows: labels.csv line 2 ('digit_0_too' with 'other'"
    ended = call("labelling", pictures, "--labels", labels)
    assert warning in ended.stderr
    assert "parent" not in ended.stdout
    probe = ("finetune", "digits_mlp", pictures, "--labels", labels, "--recipe", "probe")
    assert warning in call(*probe, "--dry-run").stderr
    assert warning in call(*probe, "-o", tmp_path / "run").stderr
    assert any(warning[9:] in each for each in transfer.load_run(tmp_path / "run").result.warnings)


def test_a_class_that_looks_misspelled_is_a_warning(call, pictures, tmp_path):
    paths = [path.relative_to(pictures) for path in sorted(pictures.rglob("*.png"))]
    rows = [f"{path},{'animals' if place % 2 else 'plants'}" for place, path in enumerate(paths)]
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(["file,label", *rows[:-2], f"{paths[-2]},plnats", f"{paths[-1]},plants"]))
    near = "'plnats' (1 example: digit_2"
    assert f"warning: {near}" in call("labelling", pictures, "--labels", labels).stderr
    ended = call("finetune", "digits_mlp", pictures, "--labels", labels, "-o", tmp_path / "run")
    assert ended.code == 6
    assert "looks like class 'plants' (12)" in ended.stderr
    some = {paths[0], paths[2]}
    labels.write_text(
        "\n".join(
            ["file,label", *(f"{path},Animals" if path in some else row for path, row in zip(paths, rows, strict=True))]
        )
    )
    probe = ("finetune", "digits_mlp", pictures, "--labels", labels, "--recipe", "probe")
    near = "'Animals' (1 example: digit_0"
    assert near in call(*probe, "--dry-run").stdout
    assert f"warning: {near}" in call(*probe, "-o", tmp_path / "run").stderr


def test_one_column_of_several_labels_a_cell_is_one_output_from_labelling_to_evaluation(call, pictures, tmp_path):
    tags = ("even;round", "line", "even;line")
    paths = sorted(path.relative_to(pictures) for path in pictures.rglob("*.png"))
    rows = [f"{path},{tags[int(path.parent.name[-1])]}" for path in paths]
    labels = tmp_path / "tags.csv"
    labels.write_text("\n".join(["path,tags", *rows]))
    assert '[outputs.tags]\nkind = "sigmoid"' in call("labelling", pictures, "--labels", labels).stdout
    learn = ("finetune", "digits_mlp", pictures, "--labels", labels, "--recipe", "probe")
    assert "would learn 1 output (tags) from" in call(*learn, "--dry-run").stdout
    ended = call(*learn, "-o", tmp_path / "run")
    assert "tags: any of even, line, round" in ended.stderr
    assert "1 output, 18 examples to learn from" in ended.stdout
    labels.write_text(labels.read_text().replace("even;round", '"even, round"'))
    found = call("evaluate", tmp_path / "run", pictures, "--labels", labels)
    assert found.code == 6
    assert "'even, round'; with ';' between it is 'even' and 'round'" in found.stderr
