"""How commands are found and how they end: exit codes, errors as text and as JSON, results on stdout alone."""

import subprocess
import sys

import h5py
import pytest
from PIL import Image

import transfer
from transfer.errors import (
    CheckpointError,
    DataError,
    LayerError,
    MatchError,
    OutputError,
    Problem,
    TrainingError,
)

MODULE = "functional_models:create_functional_model"


def test_help_ends_with_0_and_lists_every_command(call):
    ended = call("--help")
    assert ended.code == 0
    assert ended.stderr == ""
    for name in ("checkpoints", "evaluate", "extract", "finetune", "inspect", "predict"):
        assert f"\n  {name} " in ended.stdout


def test_version_is_that_of_the_package(call):
    assert call("--version").stdout == f"transfer, version {transfer.__version__}\n"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("inspct", "inspect"), ("fine-tune", "finetune"), ("Predict", "predict"), ("eval", "evaluate")],
)
def test_an_unknown_command_names_the_nearest_first(call, written, meant):
    ended = call(written, "x")
    assert ended.code == 2
    assert f"There is no command '{written}'. Nearest: '{meant}'" in ended.stderr
    assert ended.stdout == ""


def test_restoring_which_is_no_command_is_told_where_it_happens(call):
    ended = call("restore", "weights.h5")
    assert ended.code == 2
    assert all(name in ended.stderr for name in ("'match'", "'extract'", "'finetune'"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect",),
        ("inspect", "digits_mlp", "--nonsense"),
        ("extract", "digits_mlp", "--drop-last"),
        ("extract", "digits_mlp", "--head", "label", "-o", "out.keras"),
        ("extract", "digits_mlp", "--head", "label:0", "-o", "out.keras"),
        ("finetune", "digits_mlp", "nowhere", "-o", "run", "--size", "0"),
        ("finetune", "digits_mlp", "nowhere", "-o", "run", "--test-share", "1"),
        ("finetune", "digits_mlp", "nowhere", "-o", "run", "--preprocessing", "resnet"),
        ("finetune", "digits_mlp", "nowhere", "-o", "run", "--seed", "-1"),
        ("finetune", "digits_mlp", "nowhere", "-o", "run", "--rate", "0"),
        ("predict", "run"),
    ],
    ids=" ".join,
)
def test_a_slip_on_the_command_line_is_2(call, here, arguments):
    before = sorted(here.iterdir())
    ended = call(*arguments)
    assert ended.code == 2
    assert ended.stdout == ""
    assert "Error: " in ended.stderr
    assert sorted(here.iterdir()) == before


def provoked(name: str, here) -> tuple[str, ...]:
    """Arguments that end with the error of that name."""
    (here / "damaged.h5").write_bytes(b"no HDF5 file")
    (here / "taken.keras").write_bytes(b"mine")
    (here / "empty").mkdir()
    for folder in ("one/cat", "hollow/cat", "hollow/dog"):
        (here / folder).mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(here / "one/cat/1.png")
    Image.new("RGB", (8, 8)).save(here / "hollow/cat/1.png")
    return {
        "damaged file": ("inspect", "damaged.h5"),
        "no such file": ("inspect", "pretraind.weights.h5"),
        "no architecture": ("extract", "pretrained.weights.h5", "--drop-last", "-o", "out.keras"),
        "does not fit": (
            "extract",
            "pretrained.weights.h5",
            "--into",
            "functional_models:create_narrow_model",
            "-o",
            "out.h5",
        ),
        "no such layer": ("extract", "digits_mlp", "--at", "dense_7", "-o", "out.keras"),
        "no such function": (
            "extract",
            "pretrained.weights.h5",
            "--into",
            "functional_models:create",
            "-o",
            "out.keras",
        ),
        "no such module": ("extract", "pretrained.weights.h5", "--into", "models_of_mine:create", "-o", "out.keras"),
        "no labelled set": ("finetune", "digits_mlp", "empty", "-o", "run"),
        "one class": ("finetune", "digits_mlp", "one", "-o", "run"),
        "an empty class": ("finetune", "digits_mlp", "hollow", "-o", "run"),
        "no such set": ("finetune", "digits_mlp", "nowhere", "-o", "run"),
        "no run": ("predict", "empty", "taken.keras"),
        "nothing there": ("evaluate", "empty", "nowhere"),
        "exists already": ("extract", "digits_mlp", "--drop-last", "-o", "taken.keras"),
        "no suffix": ("extract", "digits_mlp", "--drop-last", "-o", "out.txt"),
        "no folder": ("extract", "digits_mlp", "--drop-last", "-o", "nowhere/out.keras"),
        "not a run": ("finetune", "digits_mlp", "empty", "-o", "empty"),
    }[name]


CODES = {
    "damaged file": 3,
    "no such file": 3,
    "no architecture": 3,
    "does not fit": 4,
    "no such layer": 5,
    "no such function": 5,
    "no such module": 5,
    "no labelled set": 6,
    "one class": 6,
    "an empty class": 6,
    "no such set": 6,
    "no run": 6,
    "nothing there": 6,
    "exists already": 8,
    "no suffix": 8,
    "no folder": 8,
    "not a run": 8,
}
KINDS = {3: "CheckpointError", 4: "MatchError", 5: "LayerError", 6: "DataError", 8: "OutputError"}


@pytest.mark.parametrize("name", CODES)
def test_an_error_ends_with_its_code_says_what_next_and_writes_nothing(call, here, name):
    arguments = provoked(name, here)
    before = {path: path.read_bytes() for path in here.rglob("*.*") if "__pycache__" not in path.parts}
    ended = call(*arguments)
    assert ended.code == CODES[name]
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: ")
    assert "Traceback" not in ended.stderr
    assert {path: path.read_bytes() for path in here.rglob("*.*") if "__pycache__" not in path.parts} == before
    as_json = call(*arguments, "--json")
    assert as_json.code == CODES[name]
    assert as_json.stdout == ""
    assert as_json.error["error"] == KINDS[CODES[name]]
    assert as_json.error["exit_code"] == CODES[name]
    assert ended.stderr.startswith(f"error: {as_json.error['summary']}\n")


@pytest.mark.usefixtures("here")
def test_an_error_as_text_says_expected_found_and_next(call):
    ended = call("extract", "pretrained.weights.h5", "--into", "functional_models:create_narrow_model", "-o", "out.h5")
    assert "dense_1/kernel" in ended.stderr
    assert "\n    expected  (784, 32)" in ended.stderr
    assert "\n    found     (784, 64)" in ended.stderr
    assert "\n  next: " in ended.stderr


@pytest.mark.usefixtures("here")
def test_an_error_as_json_has_the_fields_of_the_text(call):
    ended = call(
        "extract", "pretrained.weights.h5", "--into", "functional_models:create_narrow_model", "-o", "out.h5", "--json"
    )
    assert set(ended.error) == {"schema", "error", "exit_code", "summary", "problems", "next"}
    kernel = next(each for each in ended.error["problems"] if each["where"].endswith("dense_1/kernel"))
    assert kernel["expected"].startswith("(784, 32)")
    assert kernel["found"].startswith("(784, 64)")
    assert ended.error["next"]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (transfer.TransferError, 1),
        (CheckpointError, 3),
        (MatchError, 4),
        (LayerError, 5),
        (DataError, 6),
        (TrainingError, 7),
        (OutputError, 8),
    ],
)
def test_every_error_of_the_tree_ends_with_its_own_code(call, monkeypatch, kind, code):
    def fail(_file):
        raise kind("It went wrong.", [Problem("here", "this", "that")], next_step="do it again")

    monkeypatch.setattr("transfer.weights.opening.open_checkpoint", fail)
    ended = call("inspect", "x.h5")
    assert ended.code == kind.exit_code == code
    assert (
        ended.stderr == "error: It went wrong.\n  here\n    expected  this\n    found     that\n  next: do it again\n"
    )
    assert call("inspect", "x.h5", "--json").error == {
        "schema": "transfer/error/1",
        "error": kind.__name__,
        "exit_code": code,
        "summary": "It went wrong.",
        "problems": [{"where": "here", "expected": "this", "found": "that"}],
        "next": "do it again",
    }


def test_an_interruption_from_the_keyboard_is_130(call, monkeypatch):
    def interrupt(_file):
        raise KeyboardInterrupt

    monkeypatch.setattr("transfer.weights.opening.open_checkpoint", interrupt)
    ended = call("inspect", "digits_mlp")
    assert ended.code == 130
    assert ended.stdout == ""
    assert "Interrupted" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_interruption_while_a_file_is_written_leaves_none(call, here, monkeypatch):
    def interrupt(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("transfer.weights.signing.verify_written", interrupt)
    before = sorted(here.iterdir())
    assert call("extract", "digits_mlp", "--drop-last", "-o", "out.keras").code == 130
    assert sorted(here.iterdir()) == before


def test_inspect_lists_every_tensor_with_its_numbers(call):
    ended = call("inspect", "digits_mlp")
    assert ended.code == 0
    assert ended.stderr == ""
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert ["dense_1/kernel", "784", "x", "64", "float32", "50,176", "200,704"] in lines
    assert ["6", "tensors", "55,050", "220,200"] in lines
    described = call("inspect", "digits_mlp", "--json").json
    assert described["parameters"] == 55_050
    assert described["size_bytes"] == 220_200
    assert described["schema"] == "transfer/inspect/1"
    assert [each["name"] for each in described["tensors"]][:2] == ["dense_1/kernel", "dense_1/bias"]


def test_inspect_reads_the_file_of_stock_keras(call, here):
    described = call("inspect", "pretrained.weights.h5", "--json").json
    with h5py.File(here / "pretrained.weights.h5") as file:
        shapes = []
        file.visititems(lambda _, each: shapes.append(list(each.shape)) if isinstance(each, h5py.Dataset) else None)
    assert sorted(each["shape"] for each in described["tensors"]) == sorted(shapes)
    assert described["card"] is None
    assert not described["has_architecture"]


INPUTS = {
    "digits_mlp": " grey pictures, 28 x 28 ",
    "languages_attention": " letters (n, 64) ",
    "languages_gru": " letters (n, 64) ",
    "mobilenet_v2_imagenet": " rgb pictures, 160 x 160 ",
}


def test_checkpoints_lists_what_is_shipped(call):
    listed = call("checkpoints", "--json").json["checkpoints"]
    assert [each["checkpoint"] for each in listed] == [
        "digits_mlp",
        "languages_attention",
        "languages_gru",
        "mobilenet_v2_imagenet",
    ]
    assert all(each["card"]["licence"] and each["card"]["origin"] for each in listed)
    printed = call("checkpoints")
    assert (printed.code, printed.stderr) == (0, "")
    for each in listed:
        row = next(line for line in printed.stdout.splitlines() if line.split()[:1] == [each["checkpoint"]])
        assert f" {each['parameters']:,} " in row
        assert INPUTS[each["checkpoint"]] in row


def test_a_process_ends_with_the_code_of_its_error(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "transfer", "inspect", "nowhere.h5"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 3
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: There is no file nowhere.h5")
