"""`transfer doctor`: a line for each thing, and an end with 1 where something fails, TensorFlow above all."""

import os
from pathlib import Path

import pytest
from terminals import speak


def findings(ended):
    return {each["what"]: each for each in ended.json["findings"]}


def test_doctor_finds_this_installation_in_order(call):
    ended = call("doctor", "--json")
    assert ended.stderr == ""
    found = findings(ended)
    for what in ("python", "tensorflow", "keras", "numpy", "h5py", "HDF5", "pictures", "memory", "cache"):
        assert found[what]["found"]
    assert found["restoring"]["found"].startswith("digits_mlp, 6 tensors, outputs verified")
    assert (found["tensorflow at work"]["state"], found["predicting"]["state"]) == ("ok", "ok")
    assert ended.json["healthy"] == (ended.code == 0)
    assert {"extra parquet", "extra mlflow"} <= set(found)
    assert "extra dev" not in found


def test_doctor_prints_a_line_a_thing(call):
    ended = call("doctor", "--no-test")
    lines = [line for line in ended.stdout.splitlines() if not line.startswith(" ")]
    assert {line.split()[0] for line in lines} <= {"ok", "warn", "fail"}
    assert ended.stderr == ""
    assert "predicting" not in ended.stdout


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise ImportError('libcudart.so.12: cannot open shared object file')", "libcudart.so.12"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "killed by SIGILL"),
        ("import sys; sys.exit(3)", "ended with 3"),
    ],
    ids=["cannot be imported", "crashes", "ends"],
)
def test_doctor_reports_a_tensorflow_that_is_broken_and_ends_with_1(tmp_path, monkeypatch, call, code, told):
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow/__init__.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ended = call("doctor", "--json")
    assert ended.code == 1
    assert not ended.json["healthy"]
    (broken,) = (each for each in ended.json["findings"] if each["state"] == "fail")
    assert told in broken["found"]
    assert broken["advice"]


def test_doctor_itself_does_not_import_tensorflow_and_ends_with_1_as_a_process(tmp_path):
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow/__init__.py").write_text("raise ImportError('broken')")
    paths = os.pathsep.join([str(Path(__file__).parents[2]), str(tmp_path)])
    ended = speak("doctor", env={"PYTHONPATH": paths})
    assert ended.code == 1
    assert "\nfail  " in ended.stdout
    assert "next: pip install --force-reinstall tensorflow" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_a_cache_that_cannot_be_written_to_fails(call, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRANSFER_CACHE", str(tmp_path / "file/features"))
    ended = call("doctor", "--no-test", "--json")
    assert (ended.code, findings(ended)["cache"]["state"]) == (1, "fail")
