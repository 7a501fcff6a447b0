"""`transfer finetune --features`."""

import shutil

import pytest


@pytest.mark.parametrize("columns", ["file,label", "file,label,wet"])
def test_a_table_that_names_pictures_which_are_not_there_or_damaged_goes_through(call, pictures, tmp_path, columns):
    folder = shutil.copytree(pictures, tmp_path / "pictures")
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    (folder / paths[0]).write_bytes(b"no picture")
    gone = ["digit_0/gone [1], 'x'.png", "no/folder.png"]
    rows = [f'"{each}",{each[6] if each[6:7].isdigit() else 1}' for each in (*paths, *gone)]
    rows = [f"{row},{('yes', 'no')[place % 2]}" if "wet" in columns else row for place, row in enumerate(rows)]
    table = folder / "table.csv"
    table.write_text("\n".join([columns, *rows]) + "\n")
    features, run = tmp_path / "features", tmp_path / "run"
    assert call("features", "digits_mlp", table, "-o", features).code == 0
    assert len((features / "failed.csv").read_text().splitlines()) == 4
    how = ("finetune", "digits_mlp", table, "--features", features, "--no-report", "-o", run, "--json")
    refused = call(*how)
    assert refused.code == 6
    assert "3 labelled examples have no features" in refused.error["summary"]
    assert {paths[0], *gone} == {each["where"] for each in refused.error["problems"]}
    assert "--skip-unreadable" in refused.error["next"]
    assert call(*how, "--strict", "--skip-unreadable").code == 6
    told = call(*how, "--skip-unreadable")
    assert told.code == 0, told.stderr
    assert {each["where"] for each in told.json["left_out"]} - {"table.csv"} == {paths[0], *gone}
    assert "3 labelled examples have no features: left out" in told.json["notes"]


def test_a_class_none_of_whose_pictures_has_features_is_told(call, pictures, tmp_path):
    folder = shutil.copytree(pictures, tmp_path / "pictures")
    table = folder / "table.csv"
    rows = [f"{path.relative_to(folder).as_posix()},{path.parent.name}" for path in sorted(folder.rglob("*.png"))]
    table.write_text("\n".join(["file,label", *rows, "gone/1.png,gone", "gone/2.png,gone"]) + "\n")
    features = tmp_path / "features"
    assert call("features", "digits_mlp", table, "-o", features).code == 0
    how = ("finetune", "digits_mlp", table, "--features", features, "--no-report", "--skip-unreadable")
    refused = call(*how, "-o", tmp_path / "run", "--json")
    assert refused.code == 6
    assert refused.error["problems"][0]["where"] == "class 'gone'"


def test_a_head_is_learnt_on_features_and_the_recipe_is_probe(call, pictures, tmp_path):
    features, run = tmp_path / "features", tmp_path / "run"
    assert call("features", "digits_mlp", pictures, "-o", features).code == 0
    how = ("finetune", "digits_mlp", pictures, "--features", features, "--no-report")
    told = call(*how, "-o", run, "--json")
    assert told.code == 0, told.stderr
    assert [each["name"] for each in told.json["stages"]] == ["probe"]
    assert call(*how, "-o", run).code == 0
    refused = call(*how, "--recipe", "lp-ft", "-o", tmp_path / "other", "--json")
    assert (refused.code, refused.error["problems"][0]["where"]) == (7, "recipe")
    assert call(*how, "-o", tmp_path / "other", "--time-limit", "10m").code == 2
    assert call(*how[:3], "--features", tmp_path, "-o", tmp_path / "other").code == 8
    assert not (tmp_path / "other").exists()


def test_a_dry_run_tells_the_way_and_what_it_reads_and_writes_nothing(call, pictures, tmp_path):
    features, run = tmp_path / "features", tmp_path / "run"
    assert call("features", "digits_mlp", pictures, "-o", features).code == 0
    how = ("finetune", "digits_mlp", pictures, "--features", features, "--dry-run")
    before = sorted(tmp_path.rglob("*"))
    told = call(*how, "-o", run, "--json").json
    assert (told["schema"], told["way"], told["out"]) == (
        "transfer/finetune-features-dry-run/1",
        "logistic",
        str(run),
    )
    assert (told["train_examples"], told["test_examples"], told["classes"]) == (
        18,
        6,
        ["digit_0", "digit_1", "digit_2"],
    )
    assert (told["feature_bytes"], told["passes"]) == (24 * 64 * 4, {"least": 1, "most": 1})
    printed = call(*how)
    assert printed.code == 0, printed.stderr
    assert "would learn 3 classes from 18 examples and test on 6, with 64 features each; nothing" in printed.stdout
    streamed = call(*how, "--head-solver", "ridge", "--json").json
    assert (streamed["way"], streamed["passes"]) == ("streamed ridge", {"least": 1, "most": 1})
    assert streamed["solving_bytes"] == 16 * 8 * 64**2
    assert call(*how, "--shots", "9").code == 6  # as the run would
    assert sorted(tmp_path.rglob("*")) == before
