"""`transfer pretrain`."""

import json

BUILDER = """
import keras
def build():
    x = inputs = keras.Input((28, 28, 1), name="image")
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu", name="conv")(x)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="mean")(x), name="tiny")
def decoder(code, shape):
    return keras.Sequential([keras.Input((code,)), keras.layers.Dense(784, name="all"), keras.layers.Reshape(shape)])
"""


def test_it_is_printed_and_given_as_json_and_the_file_is_fine_tuned(call, pictures, tmp_path):
    (tmp_path / "encoders.py").write_text(BUILDER)
    out = tmp_path / "encoder.weights.h5"
    how = ("pretrain", f"{tmp_path / 'encoders.py'}:build", str(pictures), "--epochs", "2", "-o", str(out))
    printed = call(*how, "--set", "share=0.4")
    assert printed.code == 0
    assert "labels are not used" in printed.stdout
    assert f"written   {out}, and {tmp_path / 'encoder.pretraining'}/" in printed.stdout
    again = call(*how, "--set", "share=0.4")
    assert "of this very request already; nothing was done" in again.stdout
    refused = call(*how, "--set", "share=0.3")
    assert refused.code == 8
    forced = call(*how, "--set", "share=0.3", "--force", "--json")
    found = json.loads(forced.stdout)
    assert found["asked"]["options"]["share"] == 0.3
    assert len(found["history"]) == 2
    assert call("finetune", str(out), str(pictures), "--recipe", "probe", "-o", str(tmp_path / "run")).code == 0


def test_a_decoder_of_ones_own_is_imported_and_checked(call, pictures, tmp_path):
    (tmp_path / "encoders.py").write_text(BUILDER)
    file = tmp_path / "encoders.py"
    how = ("pretrain", f"{file}:build", str(pictures), "--epochs", "1", "-o", str(tmp_path / "e.weights.h5"))
    assert call(*how, "--decoder", f"{file}:decoder").code == 0
    refused = call(*how, "--decoder", f"{file}:decode", "--force")
    assert refused.code == 5
    assert "nearest: 'decoder'" in refused.stderr


def test_settings_that_say_nothing_are_refused(call, pictures, tmp_path):
    how = ("pretrain", "digits_mlp", str(pictures), "-o", str(tmp_path / "e.weights.h5"))
    assert call(*how, "--set", "share").code == 2
    assert call(*how, "--set", "shares=1").code == 6
    assert call(*how, "--method", "simclr").code == 2
    for rate in ("nan", "inf", "0", "-1"):
        assert call(*how, "--rate", rate).code == 2


def test_the_control_is_part_of_the_command(call, pictures, tmp_path, monkeypatch):
    for module in ("contending", "proving"):
        monkeypatch.setattr(f"transfer.jobs.pretraining.{module}.steps_from_scratch", lambda examples: 5)  # noqa: ARG005
    (tmp_path / "encoders.py").write_text(BUILDER)
    out = tmp_path / "encoder.weights.h5"
    how = ("pretrain", f"{tmp_path / 'encoders.py'}:build", str(pictures), "--epochs", "1", "-o", str(out))
    proving = ("--prove", str(pictures), "--shots", "1", "--divisions", "2")
    printed = call(*how, *proving)
    assert printed.code == 0
    kept = json.loads((tmp_path / "encoder.pretraining" / "proof.json").read_text())
    assert all(f"verdict   {each}" in printed.stdout for each in kept["verdicts"])
    assert {each["way"] for each in kept["points"]} >= {"masked probe", "masked lp-ft", "random features", "scratch"}
    weights = out.read_bytes()
    again = call(*how, *proving, "--json")
    assert again.json["proof"] == {name: each for name, each in kept.items() if name != "request"}
    assert out.read_bytes() == weights
    first = (tmp_path / "encoder.pretraining" / "proof.json").read_bytes()
    other = call(*how, *proving, "--prove-steps", "3", "--no-backbone")
    assert other.stdout.endswith(f"written   {tmp_path / 'encoder.pretraining' / 'proof_2.json'}\n")
    assert "mobilenet" not in other.stdout.partition("\n\n")[2]
    assert "take as many steps of at most 32 examples: 3 at 1 labels a class" in other.stdout
    assert (tmp_path / "encoder.pretraining" / "proof.json").read_bytes() == first
    assert sorted(each.name for each in out.with_name("encoder.pretraining").glob("proof*")) == [
        "proof.json",
        "proof_2.json",
    ]


def test_a_proof_that_cannot_be_made_is_refused_before_anything_is_pretrained(call, pictures, tmp_path):
    out = tmp_path / "e.weights.h5"
    how = ("pretrain", "digits_mlp", str(pictures), "-o", str(out))
    assert call(*how, "--prove", str(pictures), "--shots", "900").code == 6
    assert call(*how, "--prove", str(tmp_path / "nowhere")).code == 6
    idle = call(*how, "--shots", "1,5", "--labels", "labels.csv")
    assert idle.code == 2
    assert "--shots and --labels would have no effect without --prove" in idle.stderr
    assert call(*how, "--no-backbone").code == 2
    assert call(*how, "--prove", str(pictures), "--backbone", "digits_mlp", "--no-backbone").code == 2
    lacking = call(*how, "--prove", str(pictures), "--shots", "1", "--backbone", str(tmp_path / "no.h5"))
    assert lacking.code == 3
    assert not out.exists()
