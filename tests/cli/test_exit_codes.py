"""Each exit code by a process of its own, and what is said when it is interrupted."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image
from terminals import speak

from transfer.cli.interrupting import describe_interruption
from transfer.cli.topics import read_topic


def prepared(place):
    """Files that commands trip over."""
    (place / "damaged.h5").write_bytes(b"no HDF5 file")
    (place / "taken.keras").write_bytes(b"mine")
    (place / "plain.h5").write_bytes(b"")
    (place / "one/cat").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(place / "one/cat/1.png")
    (place / "recipe.toml").write_text("[[stages]]\nkind = 'nonsense'\n")
    return place


TABLE = {
    0: ("inspect", "digits_mlp"),
    2: ("inspect",),
    3: ("inspect", "damaged.h5"),
    4: ("match", "digits_mlp", "--into", "languages_gru"),
    5: ("extract", "digits_mlp", "--at", "dense_7", "--dry-run"),
    6: ("recipe", "check", "recipe.toml"),
    8: ("extract", "digits_mlp", "--drop-last", "-o", "taken.keras"),
}


@pytest.mark.parametrize("code", TABLE)
def test_a_process_ends_with_its_code(tmp_path, code):
    ended = speak(*TABLE[code], cwd=prepared(tmp_path))
    assert ended.code == code, ended.stderr
    assert bool(ended.stderr) == (code != 0)
    assert "Traceback" not in ended.stderr
    assert re.search(rf"^ +{code}  ", read_topic("exit-codes"), re.MULTILINE)


def test_a_file_that_records_nothing_to_verify_is_1(here):
    assert speak("verify", here / "pretrained.weights.h5").code == 1


def test_no_time_for_anything_is_7(call, pictures, tmp_path):
    assert call("finetune", "digits_mlp", pictures, "-o", tmp_path / "run", "--time-limit", "0.1").code == 7


@pytest.mark.parametrize(
    "words",
    [
        ["finetune", "x.h5", "my photos/", "-o", "runs/a b"],
        ["finetune", "x.h5", "my photos/", "-oruns/a b"],
        ["finetune", "x.h5", "my photos/", "--out", "runs/a b"],
        ["pretrain", "x.h5", "my photos/", "--out=runs/a b"],
    ],
)
def test_the_command_that_goes_on_is_told_where_there_is_something_to_go_on_from(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    assert describe_interruption(words) == ("Interrupted; no result was written.", "The same command begins anew.")
    (tmp_path / "runs/.a b.unfinished").mkdir(parents=True)
    said, step = describe_interruption(words)
    assert said == "Interrupted."
    assert shlex.split(step.partition(": ")[2]) == ["transfer", *words]


def test_without_an_output_there_is_nothing_to_go_on_from():
    for words in (["inspect", "x.h5"], [], ["finetune", "-o"]):
        assert describe_interruption(words)[0] == "Interrupted; no result was written."


@pytest.mark.slow
def test_an_interrupted_run_ends_with_130_and_tells_the_command_that_goes_on(pictures, tmp_path):
    words = ["finetune", "digits_mlp", str(pictures), "-o", "run", "--epochs", "1000000", "--shots", "5"]
    heard = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", heard, sys.executable, "-m", "transfer", *words]
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        until = time.monotonic() + 300
        while not any(each.suffix == ".state" for each in tmp_path.glob(".run.unfinished/**/*")):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (130, "")
    assert stderr == f"Interrupted. To go on from where it was: {shlex.join(['transfer', *words])}\n"
