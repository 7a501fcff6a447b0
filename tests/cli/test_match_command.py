"""`transfer match` says what a restore would do, ends as it would end, and writes nothing."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import transfer
from transfer.errors import MatchError

L = keras.layers
MODULE = "functional_models:create_functional_model"
NARROW = "functional_models:create_narrow_model"
OLD = Path(__file__).parents[1] / "weights" / "files"


def wide():
    inputs = keras.Input((784,))
    x = L.Dense(64, activation="relu", name="dense_1")(inputs)
    x = L.Dense(64, activation="relu", name="dense_2")(x)
    return keras.Model(inputs, L.Dense(10, name="predictions")(x))


def narrow():
    inputs = keras.Input((784,))
    return keras.Model(inputs, L.Dense(10, name="predictions")(L.Dense(32, name="dense_1")(inputs)))


@pytest.fixture
def stored(here):
    """Architectures in files beside the weights of `here`: archives, a full `.h5`-like card, JSON configs."""
    for name, build in (("wide", wide), ("narrow", narrow)):
        build().save(here / f"{name}.keras")
        (here / f"{name}.json").write_text(build().to_json())
    transfer.save_weights(wide(), here / "carded.weights.h5")
    return here


ARCHITECTURES = ["wide.keras", "wide.json", "carded.weights.h5", MODULE, "functional_models.py:create_functional_model"]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("into", ARCHITECTURES)
def test_the_receipt_is_that_of_a_restore(call, into):
    ended = call("match", "pretrained.weights.h5", "--into", into, "--json")
    assert (ended.code, ended.stderr) == (0, "")
    restored = transfer.restore("pretrained.weights.h5", wide).receipt.to_json()
    plan = json.loads(json.dumps(restored))["plan"]
    assert ended.json["plan"] == plan
    assert ended.json["fits"] is True
    assert ended.json["coverage"] == 1
    printed = call("match", "pretrained.weights.h5", "--into", into)
    assert printed.code == 0
    assert printed.stdout.splitlines()[-1] == (
        "  6 of 6 tensors matched; 55,050 of 55,050 parameters (100 %); outputs not checked: nothing was restored"
    )


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("into", ["narrow.keras", "narrow.json", NARROW])
def test_what_does_not_fit_ends_as_a_restore_and_shows_the_whole_plan(call, into):
    with pytest.raises(MatchError) as caught:
        transfer.restore("pretrained.weights.h5", narrow)
    ended = call("match", "pretrained.weights.h5", "--into", into)
    assert ended.code == caught.value.exit_code == 4
    assert ended.stderr == f"error: {caught.value.summary}\n  next: {caught.value.next_step}\n"
    lines = [" ".join(line.split()) for line in ended.stdout.splitlines()]
    assert "misshapen dense_1/kernel: expected (784, 32) in layer 'dense_1', found (784, 64) in the file" in lines
    assert "unexpected dense_2/kernel" in lines
    as_json = call("match", "pretrained.weights.h5", "--into", into, "--json")
    assert as_json.json["fits"] is False
    assert {each["where"] for each in as_json.json["plan"]["misshapen"]} >= {"dense_1/kernel"}
    assert as_json.error["error"] == "MatchError"
    assert [each["where"] for each in as_json.error["problems"]] == [each.where for each in caught.value.problems]


@pytest.mark.usefixtures("stored")
def test_what_is_missing_is_named_once_and_the_last_line_says_what_next(call):
    ended = call("match", "digits_mlp", "--into", "app:VGG16")
    printed = ended.stdout + ended.stderr
    assert ended.code == 4
    assert printed.count("block1_conv1/kernel") == 1
    assert "Is it the right one? 0 of the model's tensors are in the file." in ended.stderr
    assert printed.splitlines()[-1].startswith("  next: give the architecture that the weights were trained in: --into")


def test_a_file_that_holds_its_architecture_needs_none(call):
    ended = call("match", "digits_mlp")
    assert ended.code == 0
    assert "6 of 6 tensors matched" in ended.stdout


def test_a_shipped_checkpoint_may_be_the_architecture(call, stored):
    transfer.restore("digits_mlp").model.save_weights(stored / "again.weights.h5")
    assert call("match", "again.weights.h5", "--into", "digits_mlp").code == 0


@pytest.mark.usefixtures("stored")
def test_weights_alone_and_no_architecture_is_an_error_of_the_file(call):
    ended = call("match", "pretrained.weights.h5")
    assert ended.code == 3
    assert "--into: module:function" in ended.stderr
    assert call("match", "digits_mlp", "--into", "pretrained.weights.h5").code == 3


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("into", ["wide.keras", MODULE])
def test_rules_skips_and_coverage_are_heeded(call, into):
    kept = call("match", "pretrained.weights.h5", "--into", into, "--skip", "predictions/*", "--json").json
    assert kept["plan"]["skipped"] == ["predictions/kernel", "predictions/bias"]
    assert call("match", "pretrained.weights.h5", "--into", into, "--rule", "nothing=there").code == 4
    assert call("match", "pretrained.weights.h5", "--into", into, "--min-coverage", "2").code == 2


def test_a_rule_renames(call, here):
    inputs = keras.Input((784,))
    x = L.Dense(64, name="first_hidden")(inputs)
    keras.Model(inputs, L.Dense(10, name="predictions")(L.Dense(64, name="second")(x))).save(here / "other.keras")
    rules = ("--rule", "dense_1=first_hidden", "--rule", "dense_2=second")
    ended = call("match", "pretrained.weights.h5", "--into", "other.keras", *rules, "--json")
    assert ended.code == 0
    assert {each["wanted"] for each in ended.json["plan"]["pairs"] if each["how"] == "rule"} == {
        *("first_hidden/kernel", "first_hidden/bias", "second/kernel", "second/bias")
    }


@pytest.mark.usefixtures("stored")
def test_nothing_is_written(call, stored):
    before = {path: path.read_bytes() for path in stored.rglob("*.*") if "__pycache__" not in path.parts}
    for into in ("wide.keras", "narrow.json", MODULE):
        call("match", "pretrained.weights.h5", "--into", into)
    assert {path: path.read_bytes() for path in stored.rglob("*.*") if "__pycache__" not in path.parts} == before


@pytest.mark.usefixtures("stored")
def test_what_a_config_is_not_is_told(call, stored):
    (stored / "broken.json").write_text('{"class_name": ')
    (stored / "picture.png").write_bytes(b"\x89PNG")
    (stored / "alien.json").write_text('{"class_name": "Mine", "config": {"name": "mine"}}')
    assert call("match", "pretrained.weights.h5", "--into", "broken.json").code == 3
    assert call("match", "pretrained.weights.h5", "--into", "picture.png").code == 3
    assert call("match", "pretrained.weights.h5", "--into", "alien.json").code == 5
    missing = call("match", "pretrained.weights.h5", "--into", "nowhere.json")
    assert missing.code == 5
    assert "There is no file nowhere.json" in missing.stderr
    assert "'narrow.json'" in missing.stderr


def test_a_layer_that_only_keras_can_tell_is_built(call, here):
    inputs = keras.Input((784,))
    x = L.Dense(64, name="dense_1")(inputs)
    x = L.Dense(64, name="dense_2")(keras.ops.cumprod(x, axis=1))
    keras.Model(inputs, L.Dense(10, name="predictions")(x)).save(here / "sliced.keras")
    assert call("match", "pretrained.weights.h5", "--into", "sliced.keras").code == 0


FRESH = """
import sys
from transfer.cli.group import transfer
try:
    transfer.main(sys.argv[1:], prog_name="transfer")
except SystemExit as stop:
    code = stop.code
print([name for name in ("keras", "tensorflow") if name in sys.modules], code)
"""


@pytest.mark.parametrize(
    ("into", "code"), [("wide.json", 0), ("wide.keras", 0), ("narrow.keras", 4), ("digits_mlp", 0)]
)
def test_stored_architectures_need_neither_tensorflow_nor_keras(stored, into, code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FRESH, "match", "pretrained.weights.h5", "--into", into],
        cwd=stored,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PYTHONPATH": str(Path(transfer.__file__).parents[1]), "PATH": ""},
    )
    assert done.stdout.splitlines()[-1] == f"[] {code}"


def lstm_of_today(folder):
    """The architecture of `d_lstm` as somebody builds it now, in a file and as a builder."""
    inputs = keras.Input((7,), dtype="int32", name="tok")
    x = L.LSTM(6, name="lstm")(L.Embedding(50, 8, name="emb")(inputs))
    keras.Model(inputs, L.Dense(3, activation="softmax", name="cls")(x), name="lstmclf").save(folder / "today.keras")
    (folder / "today.py").write_text(
        "import keras\n\n\ndef create():\n    return keras.models.load_model('today.keras', compile=False)\n"
    )


@pytest.mark.parametrize("into", ["today.keras", "today.py:create"])
def test_defaults_of_another_era_are_refused_applied_or_ignored_as_in_a_restore(call, here, into):
    lstm_of_today(here)
    old = OLD / "keras-1.2.2-tf" / "d_lstm__weights.h5"
    with pytest.raises(MatchError) as caught:
        transfer.restore(old, keras.models.load_model(here / "today.keras"))
    refused = call("match", old, "--into", into)
    assert refused.code == 4
    assert refused.stderr == f"error: {caught.value}\n"
    assert "6 of 6 tensors matched" in refused.stdout
    applied = call("match", old, "--into", into, "--era", "apply")
    assert applied.code == 0
    assert "  note  " in applied.stdout
    assert call("match", old, "--into", into, "--era", "ignore").code == 0


def test_a_backend_that_the_file_does_not_name_is_asked_for(call):
    old = OLD / "keras-1.2.2-theano" / "b_cnn__full.h5"
    refused = call("match", old)
    assert refused.code == 4
    assert "--backend" in refused.stderr
    for backend in ("theano", "tensorflow"):
        assert call("match", old, "--backend", backend).code == 0
