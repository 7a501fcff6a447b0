"""What TAB offers, by click's own interface and in a real shell."""

import os
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
from click.shell_completion import BashComplete

from transfer.cli.completion import VARIABLE
from transfer.cli.group import COMMANDS, transfer
from transfer.cli.topics import list_topics
from transfer.training.named_recipes import NAMED
from transfer.weights.shipped import shipped_checkpoints


def offered(*words: str) -> list[str]:
    """For the last word, with those before it on the line."""
    completing = BashComplete(transfer, {}, "transfer", VARIABLE)
    return [each.value for each in completing.get_completions(list(words[:-1]), words[-1])]


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_commands_options_and_their_values_are_offered():
    assert offered("") == list(COMMANDS)
    assert offered("fi") == ["finetune"]
    assert offered("recipe", "") == ["check", "show"]
    assert "--unfreeze-from" in offered("finetune", "--unf")
    assert offered("match", "x.h5", "--era", "") == ["refuse", "apply", "ignore"]
    assert offered("completion", "") == ["bash", "zsh", "fish"]


@pytest.mark.usefixtures("empty")
def test_names_that_ship_are_offered_where_a_file_is_asked_for():
    shipped = list(shipped_checkpoints())
    assert offered("inspect", "") == shipped
    assert offered("rank", "digits_mlp", "lang") == ["languages_attention", "languages_gru"]
    assert offered("match", "x.h5", "--into", "app:VGG") == ["app:VGG16", "app:VGG19"]
    assert offered("finetune", "x", "y", "--recipe", "") == list(NAMED)
    assert offered("recipe", "show", "l") == ["lp-ft", "lora"]


def test_files_stand_beside_names_and_alone_where_no_name_fits(empty):
    (empty / "digits_of_mine.h5").touch()
    (empty / "with space.h5").touch()
    assert offered("inspect", "digits") == ["digits_mlp", "digits_of_mine.h5"]
    assert offered("inspect", "") == [*shipped_checkpoints(), "digits_of_mine.h5"]
    completing = BashComplete(transfer, {}, "transfer", VARIABLE)
    assert [(each.type, each.value) for each in completing.get_completions(["inspect"], "runs/x")] == [
        ("file", "runs/x")
    ]


def test_topics_and_commands_are_offered_to_help():
    assert offered("help", "") == list(dict.fromkeys([*list_topics(), *COMMANDS]))
    assert offered("help", "recipe", "") == ["check", "show"]
    assert offered("help", "recipes", "") == []


def test_layers_of_the_file_on_the_line_are_offered():
    layers = ["dense_1", "dense_2", "predictions"]
    assert [each for each in offered("extract", "digits_mlp", "--at", "") if each in layers] == layers
    assert offered("extract", "digits_mlp", "--at", "fea") == ["features"]
    assert offered("extract", "digits_mlp", "--freeze", "dense_1", "--freeze", "dense") == ["dense_1", "dense_2"]
    assert offered("extract", "digits_mlp", "--freeze-up-to", "dense") == ["dense_1", "dense_2"]
    assert offered("finetune", "digits_mlp", "photos/", "--unfreeze-from", "de") == ["dense_1", "dense_2"]
    assert offered("finetune", "mobilenet_v2_imagenet", "photos/", "--at", "block_13_expand_r") == [
        "block_13_expand_relu"
    ]
    assert offered("extract", "x.h5", "--into", "digits_mlp", "--at", "pred") == ["predictions"]
    assert offered("extract", "--at", "") == ["features"]


def test_layers_of_weights_alone_are_offered_by_their_tensors(here):
    assert set(offered("extract", str(here / "pretrained.weights.h5"), "--freeze", "d")) == {"dense_1", "dense_2"}


def damage(path, how):
    if how == "no HDF5":
        path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 40)
    elif how == "a folder":
        path.mkdir()
    elif how == "a pipe":
        os.mkfifo(path)
    elif how == "not there":
        pass
    return path


@pytest.mark.parametrize("how", ["no HDF5", "a folder", "a pipe", "not there"])
def test_what_cannot_be_read_offers_no_layers_and_says_nothing(tmp_path, capfd, how):
    path = damage(tmp_path / "x.h5", how)
    assert offered("extract", str(path), "--at", "") == ["features"]
    assert capfd.readouterr() == ("", "")


def test_names_that_a_shell_would_read_otherwise_are_not_offered(tmp_path):
    hostile = ["$(touch pwned)", "a;b", "two\nlines", "-rf", "back`tick`", "fine_1"]
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["layer_names"] = [each.encode() for each in hostile]
        for name in hostile:
            group = file.create_group(name)
            group.attrs["weight_names"] = [b"kernel"]
            group["kernel"] = np.zeros((2, 2), np.float32)
    assert offered("extract", str(tmp_path / "x.h5"), "--freeze", "") == ["backbone", "fine_1"]


def shell(tmp_path, words):
    """What bash offers for the last of the words, by the script that `transfer completion bash` prints."""
    program = tmp_path / "bin" / "transfer"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -X importtime -m transfer "$@" 2>> {tmp_path}/imported\n')
    program.chmod(0o755)
    typed = " ".join(f"'{word}'" for word in words)
    script = (
        'eval "$(transfer completion bash)"; '
        f"COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _transfer_completion transfer; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = f"{program.parent}:{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-c", script], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    assert ended.stderr == ""
    return ended.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_offers_layers_without_importing_tensorflow(tmp_path):
    found = shell(tmp_path, ["transfer", "finetune", "digits_mlp", "photos/", "--at", "dense"])
    assert found == ["dense_1", "dense_2"]
    imported = (tmp_path / "imported").read_text()
    assert "transfer.cli.completing" in imported
    assert "tensorflow" not in imported
    assert "keras\n" not in imported


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_script_is_printed_for_each_shell(call, name):
    ended = call("completion", name)
    assert (ended.code, ended.stderr) == (0, "")
    assert f"{VARIABLE}={name}_complete" in ended.stdout
    program = shutil.which(name)
    if program is not None:  # it is at least a script of that shell
        subprocess.run([program, "-n"], input=ended.stdout, text=True, check=True, capture_output=True)
