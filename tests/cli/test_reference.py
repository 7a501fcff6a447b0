"""The reference of commands is current; every command shows how it is called."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from transfer.cli.group import COMMANDS, transfer
from transfer.cli.reference import examples_of, write_reference
from transfer.cli.sections import SECTIONS


def every_command():
    root = click.Context(transfer, info_name="transfer")
    found = {}
    for name in COMMANDS:
        command = transfer.get_command(root, name)
        found |= {name: command, **{f"{name} {each}": sub for each, sub in getattr(command, "commands", {}).items()}}
    return found


def test_the_reference_is_current():
    written = Path(__file__).parents[2].joinpath("COMMANDS.md").read_text()
    assert written == write_reference(), "python -m transfer.cli.reference > COMMANDS.md"


@pytest.mark.parametrize("name", every_command())
def test_a_command_has_a_sentence_and_an_example_in_its_help(name):
    command = every_command()[name]
    assert (command.help or "").strip().partition("\n")[0]
    assert any(line.lstrip().startswith(f"transfer {name}") for line in examples_of(command))


@pytest.mark.parametrize("name", every_command())
def test_every_option_says_what_it_is(name):
    command = every_command()[name]
    options = [param for param in command.params if isinstance(param, click.Option)]
    assert [param.name for param in options if not param.help] == []


def test_every_command_stands_in_one_section_of_the_help():
    named = [name for names in SECTIONS.values() for name in names]
    assert len(named) == len(set(named))
    assert set(COMMANDS) <= set(named)


def test_the_help_of_all_lists_them_by_section_each_in_a_line(call):
    printed = call("--help").stdout
    for title, texts in SECTIONS.items():
        section = printed.partition(f"\n{title}:\n")[2].partition("\n\n")[0]
        lines = [line.split(maxsplit=1) for line in section.splitlines()]
        assert lines == [[name, text] for name, text in texts.items() if name in COMMANDS]


def test_the_help_of_all_imports_no_command():
    code = (
        "import sys\nfrom transfer.cli.group import transfer\n"
        "transfer.main(['--help'], standalone_mode=False)\n"
        "heavy = {'numpy', 'h5py', 'rich', 'tensorflow', 'transfer.cli.finetuning'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"
