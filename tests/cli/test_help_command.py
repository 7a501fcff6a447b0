"""`transfer help`: topics with what there is filled in, commands as their `--help`, a pager on a terminal."""

import re

import pytest
from terminals import speak, without_escapes

from transfer import errors
from transfer.cli.caching import default_folder
from transfer.cli.topics import list_topics, read_topic
from transfer.jobs.runs import run_folders
from transfer.training.named_recipes import NAMED
from transfer.weights.shipped import shipped_checkpoints


def test_help_lists_every_topic_with_what_it_is_about(call):
    ended = call("help")
    assert (ended.code, ended.stderr) == (0, "")
    for name, first in list_topics().items():
        assert re.search(rf"^  {name} +{re.escape(first.partition(': ')[2])}$", ended.stdout, re.MULTILINE)


@pytest.mark.parametrize("name", list_topics())
def test_a_topic_is_printed_whole_and_fits_a_terminal_of_120_columns(call, name):
    ended = call("help", name)
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == read_topic(name)
    assert not re.search(r"\{[a-z]+\}", ended.stdout)
    assert max(map(len, ended.stdout.splitlines())) <= 120 or name in {"files", "json"}  # paths are as long as they are


def test_topics_hold_what_there_is():
    assert all(re.search(rf"^  {name} ", read_topic("recipes"), re.MULTILINE) for name in NAMED)
    assert all(f"\n  {name}\n" in read_topic("architectures") for name in shipped_checkpoints())
    assert "MobileNetV2," in read_topic("architectures")
    assert str(default_folder()) in read_topic("files")
    endings = (".json", ".npz", ".jsonl", ".html", ".txt", ".keras")
    names = {each for name, each in vars(run_folders).items() if name.isupper() and str(each).endswith(endings)}
    assert len(names) >= 4
    assert [name for name in names if f"{name} " not in read_topic("files")] == []
    kinds = [errors.TransferError, *errors.TransferError.__subclasses__()]
    codes = {int(line.split()[0]) for line in read_topic("exit-codes").splitlines() if re.match(r" +\d+  ", line)}
    assert codes == {0, 2, 130} | {each.exit_code for each in kinds}


@pytest.mark.parametrize("words", [("finetune",), ("recipe", "show"), ("help",)])
def test_help_of_a_command_is_what_its_own_help_prints(call, words):
    assert call("help", *words).stdout == call(*words, "--help").stdout


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("recipse",), "'recipes'"),
        (("finetun",), "'finetune'"),
        (("recipe", "shwo"), "'show'"),
        (("exit",), "'exit-codes'"),
    ],
)
def test_an_unknown_topic_offers_the_nearest(call, words, meant):
    ended = call("help", *words)
    assert (ended.code, ended.stdout) == (2, "")
    assert f"There is no command or topic '{' '.join(words)}'." in ended.stderr
    assert meant in ended.stderr


def test_a_word_behind_a_command_that_has_none_is_a_slip(call):
    ended = call("help", "finetune", "now")
    assert ended.code == 2
    assert "Nearest" not in ended.stderr


def test_on_a_terminal_a_pager_shows_it(tmp_path):
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\nsed 's/^/paged: /'\n")
    pager.chmod(0o755)
    shown = speak("help", "recipes", on_terminal=("stdin", "stdout"), env={"PAGER": str(pager)})
    assert shown.code == 0
    assert "paged: Recipes: what a run trains" in without_escapes(shown.stdout)
    for env in ({"PAGER": ""}, {"PAGER": "cat"}, {"PAGER": str(pager), "TERM": "dumb"}):
        assert speak("help", "recipes", on_terminal=("stdin", "stdout"), env=env).stdout == read_topic("recipes")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("pretrain", "digits_mlp", "x", "-o", "y.h5", "--method", "contrastiv"), "Nearest: 'contrastive'"),
        (("match", "digits_mlp", "--era", "aply"), "Nearest: 'apply'"),
        (("inspect", "digit_mlp"), "did you mean 'digits_mlp'"),
        (("recipe", "show", "gradul"), "nearest: 'gradual'"),
        (("extract", "digits_mlp", "--at", "dense2", "--dry-run"), "'dense_2'"),
        (("extract", "digits_mlp", "--freeze", "dens_1", "--dry-run"), "'dense_1'"),
        (("extract", "digits_mlp", "--drop-lst"), "--drop-last"),
    ],
)
def test_a_slip_in_a_name_offers_what_was_meant(call, words, meant):
    ended = call(*words)
    assert ended.code in {2, 3, 5, 6}
    assert meant in ended.stderr
