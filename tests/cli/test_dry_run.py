"""`transfer finetune --dry-run` tells the cost and writes nothing."""


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
    assert [each["kind"] for each in found["stages"]] == ["probe"]
    assert found["stages"][0]["once_macs"] == 24 * (784 * 64 + 64 * 64)
    assert sorted(here.iterdir()) == before


def test_without_a_place_for_the_run_a_dry_run_is_offered(call, pictures):
    ended = call("finetune", "digits_mlp", pictures)
    assert ended.code == 2
    assert "--dry-run" in ended.stderr
