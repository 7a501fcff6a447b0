"""How much a command says: `-q`, `-v`, colour on a terminal alone, and nothing of TensorFlow's on stderr."""

import re

import pytest
from terminals import speak, without_escapes

from transfer.cli.group import COMMANDS, transfer
from transfer.cli.volume import describe_time

FOREIGN = re.compile(r"tensorflow|absl|onednn|cuda|xla|^[IWEF]\d{4} |warning: all log", re.IGNORECASE)


def every_command():
    import click

    ctx = click.Context(transfer)
    found = {}
    for name in COMMANDS:
        command = transfer.get_command(ctx, name)
        found |= {name: command, **{f"{name} {each}": sub for each, sub in getattr(command, "commands", {}).items()}}
    return found


@pytest.mark.parametrize("name", every_command())
def test_every_command_takes_quiet_and_verbose_once(name):
    command = every_command()[name]
    options = [option for param in command.params for option in param.opts]
    assert sorted(each for each in options if each in {"-q", "--quiet", "-v", "--verbose"}) == [
        "--quiet",
        "--verbose",
        "-q",
        "-v",
    ]


@pytest.mark.parametrize("place", ["before", "behind"])
def test_verbose_tells_on_stderr_where_time_and_memory_went(call, place):
    words = ("-v", "inspect", "digits_mlp") if place == "before" else ("inspect", "digits_mlp", "-v")
    ended = call(*words)
    assert ended.code == 0
    assert re.match(r"time      \d+\.\d\d s, \d+\.\d\d s of processors\n", ended.stderr)
    assert re.search(r"\nmemory    [\d,]+ MB at the most\n$", ended.stderr)
    assert ended.stdout == call("inspect", "digits_mlp").stdout


def test_verbose_gives_the_receipt_in_full(call):
    words = ("extract", "digits_mlp", "--drop-last", "--dry-run")
    brief, full = call(*words), call(*words, "-v")
    assert brief.stderr == ""
    assert "  matched  " not in brief.stdout
    assert full.stdout == brief.stdout
    assert "  matched     dense_1/kernel\n" in full.stderr


def test_quiet_leaves_warnings_and_notes_out_and_keeps_errors(call, pictures):
    loud, quiet = call("labelling", pictures), call("labelling", pictures, "-q")
    assert loud.code == quiet.code == 0
    assert "24 pictures" in loud.stderr
    assert quiet.stderr == ""
    assert quiet.stdout == loud.stdout
    failed = call("inspect", "nowhere.h5", "--quiet")
    assert failed.code == 3
    assert failed.stderr.startswith("error: ")


def test_quiet_and_verbose_at_once_is_a_slip(call):
    for words in (("-q", "inspect", "digits_mlp", "-v"), ("inspect", "digits_mlp", "-v", "-q")):
        ended = call(*words)
        assert ended.code == 2
        assert "--quiet or --verbose" in ended.stderr


def test_where_time_went_is_told_by_size_and_what_is_not_named_is_the_rest():
    lines = describe_time({"a": 1.0, "b": 2.5}, 5.0, 7.25)
    assert lines[:4] == [
        "time      5.00 s, 7.25 s of processors",
        "              2.50 s  b",
        "              1.00 s  a",
        "              1.50 s  the rest",
    ]


@pytest.mark.parametrize(
    ("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, True)]
)
def test_colour_is_for_terminals_that_want_it(env, coloured):
    table = speak("checkpoints", on_terminal=("stdout",), env=env)
    assert ("\x1b[" in table.stdout) == coloured
    assert "digits_mlp" in table.stdout
    failed = speak("inspect", "nowhere.h5", on_terminal=("stderr",), env=env)
    assert ("\x1b[" in failed.stderr) == coloured
    assert without_escapes(failed.stderr).startswith("error: There is no file nowhere.h5")


def test_no_colour_in_a_pipe_beside_a_terminal():
    assert "\x1b" not in speak("checkpoints", on_terminal=("stderr",)).stdout
    assert "\x1b" not in speak("inspect", "nowhere.h5", on_terminal=("stdout",)).stderr


def test_stderr_in_a_pipe_holds_our_lines_alone(pictures, tmp_path):
    words = ("finetune", "digits_mlp", pictures, "-o", tmp_path / "run", "--shots", "5", "--epochs", "1")
    ended = speak(*words, "-v", "--recipe", "lp-ft")
    assert ended.code == 0, ended.stderr
    lines = ended.stderr.splitlines()
    assert lines[0].endswith("digits_mlp.h5 (legacy .h5 weights)")
    assert [line for line in lines if FOREIGN.search(line) and not line.endswith(" s  importing TensorFlow")] == []
    assert all(re.match(r"  (matched|note) |  \d+ of |time   |memory  |  +\d+\.\d\d s  ", line) for line in lines[1:])


@pytest.mark.slow
def test_stderr_on_a_terminal_holds_our_lines_alone(pictures, tmp_path):
    words = ("finetune", "digits_mlp", pictures, "-o", tmp_path / "run", "--shots", "5", "--epochs", "1")
    ended = speak(*words, on_terminal=("stderr", "stdout"))
    assert ended.code == 0
    assert not FOREIGN.search(without_escapes(ended.stderr))
    assert re.search(r"\d:\d\d:\d\d", ended.stderr)  # the time left
