"""`transfer finetune --features`."""


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
