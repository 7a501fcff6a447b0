"""What `--json` prints has a form that ships: a schema for each command, and none without."""

import json

import click
import pytest
from json_forms import check_form
from jsonschema import Draft202012Validator, ValidationError

from transfer.cli.group import COMMANDS, transfer
from transfer.cli.json_schemas import list_schemas, read_schema

# What commands print beside their own.
BESIDE = {"error", "features-dry-run", "finetune-dry-run", "finetune-features-dry-run", "recipe-names"}


def commands():
    """Those that print something, with the options that each takes."""
    ctx = click.Context(transfer, info_name="transfer")
    found = {}
    for name in COMMANDS:
        command = transfer.get_command(ctx, name)
        if not isinstance(command, click.Group) or command.invoke_without_command:
            found[name] = command
        found |= {f"{name}-{each}": sub for each, sub in getattr(command, "commands", {}).items()}
    return {name: [option for param in command.params for option in param.opts] for name, command in found.items()}


def test_every_command_takes_json_and_has_a_schema_and_no_schema_is_left_over():
    assert [name for name, options in commands().items() if "--json" not in options] == []
    assert set(list_schemas()) == set(commands()) | BESIDE


@pytest.mark.parametrize("name", list_schemas())
def test_a_schema_is_one_says_what_it_is_of_and_wants_its_name(name):
    schema = read_schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["title"]
    assert schema["properties"]["schema"] == {"const": f"transfer/{name}/1"}
    assert "schema" in schema["required"]


@pytest.mark.parametrize(
    "words",
    [
        ("checkpoints",),
        ("recipe", "show"),
        ("recipe", "show", "gradual"),
        ("cache",),
        ("cache", "clear", "--yes"),
        ("inspect", "mobilenet_v2_imagenet", "--health"),
        ("match", "languages_gru"),
        ("graph", "digits_mlp"),
        ("flops", "digits_mlp", "--training"),
        ("verify", "digits_mlp"),
        ("extract", "digits_mlp", "--drop-last", "--head", "x:2", "--dry-run"),
        ("help",),
        ("help", "json"),
        ("completion", "zsh"),
    ],
    ids=" ".join,
)
def test_what_quick_commands_print_is_of_its_form(call, words, monkeypatch, tmp_path):
    monkeypatch.setenv("TRANSFER_CACHE", str(tmp_path))
    ended = call(*words, "--json")
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.json["schema"].startswith(f"transfer/{words[0]}")


def test_a_checked_recipe_and_a_converted_file_are_of_their_form(call, here):
    (here / "mine.toml").write_text(call("recipe", "show", "probe").stdout)
    assert call("recipe", "check", "mine.toml", "--json").json["schema"] == "transfer/recipe-check/1"
    done = call("convert", "pretrained.weights.h5", "x.safetensors", "--json")
    assert done.json["schema"] == "transfer/convert/1"


@pytest.mark.parametrize(
    ("words", "code", "kind"),
    [
        (("inspct", "x"), 2, "UsageError"),
        (("inspect", "x", "--nonsense"), 2, "UsageError"),
        (("match", "x", "--era", "now"), 2, "UsageError"),
        (("inspect", "nowhere.h5"), 3, "CheckpointError"),
    ],
)
def test_every_error_is_of_the_form_of_errors(call, words, code, kind):
    ended = call(*words, "--json")
    assert (ended.code, ended.stdout) == (code, "")
    assert len(ended.stderr.splitlines()) == 1
    error = ended.error
    assert error["schema"] == "transfer/error/1"
    assert (error["error"], error["exit_code"]) == (kind, code)
    assert error["summary"]
    assert error["next"]


def test_an_interruption_is_of_the_form_of_errors(call, monkeypatch):
    def interrupt(_file):
        raise KeyboardInterrupt

    monkeypatch.setattr("transfer.weights.opening.open_checkpoint", interrupt)
    ended = call("inspect", "digits_mlp", "--json")
    assert (ended.code, ended.error["error"], ended.error["exit_code"]) == (130, "Interrupted", 130)


def test_a_field_that_the_schema_does_not_know_is_found(call):
    values = json.loads(call("recipe", "show", "--json").stdout)
    assert check_form(values) == values
    with pytest.raises(ValidationError, match="more"):
        check_form({**values, "more": 1})
    with pytest.raises(ValidationError, match="recipes"):
        check_form({"schema": values["schema"]})
