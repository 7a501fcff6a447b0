"""The promises of the house as a whole: cheap help, imports that go down, public names that are told of."""

import ast
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from written_runs import write_run

import transfer
from transfer.cli.group import COMMANDS
from transfer.cli.options import PREPROCESSING_NAMES
from transfer.specs import PREPROCESSINGS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "transfer"
FRAMEWORKS = ("keras", "tensorflow")
HEAVY = ("numpy", "h5py", "pandas", "PIL", "sklearn", *FRAMEWORKS)
PUBLIC = [name for name in transfer.__all__ if name != "__version__"]


def loaded_after(code: str, *names: str) -> list[str]:
    """Which of `names` a fresh interpreter has imported after running `code`."""
    code += (
        f"\nimport sys, json\nprint(json.dumps([each for each in {names!r} if each in sys.modules]), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stderr.splitlines()[-1])


def calling(*arguments: str, ends_with: int = 0) -> str:
    """Code that calls the command line and checks its exit code."""
    return f"""
from transfer.cli.group import transfer
try:
    transfer.main({list(arguments)!r}, prog_name="transfer")
except SystemExit as stop:
    assert stop.code == {ends_with}, stop.code
"""


@pytest.mark.parametrize("arguments", [("--help",), *((name, "--help") for name in COMMANDS)], ids=" ".join)
def test_help_loads_no_library_that_takes_time(arguments):
    assert loaded_after(calling(*arguments), *HEAVY) == []


def test_importing_the_package_loads_no_library_that_takes_time():
    assert loaded_after("import transfer", *HEAVY) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "digits_mlp"),
        ("checkpoints",),
        ("recipe", "show", "bit", "--set", "stages.1.rate=1e-3"),
        ("checkpoints", "--json"),
        ("cache",),
        ("help", "recipes"),
        ("help", "architectures"),
        ("doctor", "--no-test"),
        ("cache", "clear", "--yes", "--json"),
        ("flops", "mobilenet_v2_imagenet", "--input", "224,224,3", "--training"),
    ],
    ids=" ".join,
)
def test_looking_at_files_loads_neither_tensorflow_nor_keras(arguments):
    assert loaded_after(calling(*arguments), *FRAMEWORKS) == []


def test_comparing_runs_loads_neither_tensorflow_nor_keras(tmp_path):
    runs = [str(write_run(tmp_path / name, [True] * 9 + [name == "one"])) for name in ("one", "two")]
    assert loaded_after(calling("compare", *runs), *FRAMEWORKS) == []
    assert loaded_after(calling("leaderboard", str(tmp_path)), *FRAMEWORKS) == []
    assert loaded_after(calling("report", *runs, "-o", str(tmp_path / "both.html")), *FRAMEWORKS) == []
    assert loaded_after(calling("report", runs[0]), *FRAMEWORKS) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("extract", "digits_mlp", "--drop-last", "--at", "dense_1", "-o", "student.keras"),
        ("finetune", "digits_mlp", "nowhere", "-o", "run", "--size", "none"),
    ],
    ids=" ".join,
)
def test_a_slip_on_the_command_line_shows_before_tensorflow_is_loaded(arguments):
    assert loaded_after(calling(*arguments, ends_with=2), *FRAMEWORKS) == []


def test_recipes_are_read_without_tensorflow_and_without_libraries_that_take_time():
    code = "from transfer import named_recipe, read_recipe\nfrom transfer.training.recipe_texts import format_recipe"
    assert loaded_after(f"{code}\nformat_recipe(named_recipe('lora', examples=3))", *HEAVY) == []


def test_imports_go_down_the_house():
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"[1-9]\d* kept, 0 broken", done.stdout)


def test_every_floor_of_the_house_stands_in_a_contract():
    contracts = (ROOT / "pyproject.toml").read_text()
    floors = {path.stem for path in PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"}
    floors -= {"__init__", "__main__", "__pycache__"}
    floors = {name for name in floors if not (PACKAGE / name).is_dir() or (PACKAGE / name / "__init__.py").is_file()}
    named = set(re.findall(r'"([a-z_| ]+)",', contracts.split("layers = [")[1].split("]")[0]))
    assert {each.strip() for line in named for each in line.split("|")} == floors


def test_no_file_of_the_package_goes_through_the_keras_inside_tensorflow():
    assert [str(path) for path in PACKAGE.rglob("*.py") if "tf.keras" in path.read_text()] == []


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_there_and_says_what_it_is(name):
    found = getattr(transfer, name)
    assert found.__name__ == name
    assert found.__doc__
    assert not found.__doc__.startswith(f"{name}("), "a docstring that dataclass wrote"


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_stands_in_a_test_and_in_an_example(name):
    used = re.compile(rf"\btransfer\.{name}\b|\bimport [\w, ]*\b{name}\b")
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
    examples = [*(ROOT / "examples").rglob("*.py"), ROOT / "README.md"]
    assert any(used.search(path.read_text()) for path in tests), f"no test uses {name}"
    assert any(used.search(path.read_text()) for path in examples), f"no example uses {name}"


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'restroe'"):
        _ = transfer.restroe


def test_dir_lists_the_public_names_and_a_name_is_resolved_once():
    assert dir(transfer) == sorted(transfer.__all__)
    assert transfer.restore is transfer.restore
    assert "restore" in vars(transfer)


def test_type_checkers_see_every_public_name():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname: node.module for node in block.body for alias in node.names}
    assert seen == transfer._HOMES


def test_the_version_is_the_one_that_is_distributed():
    assert f'version = "{transfer.__version__}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_help_with_an_example(name):
    command = importlib.import_module(COMMANDS[name]).command
    assert isinstance(command, click.Command)
    assert command.name == name
    summary, _, rest = command.help.partition("\n")
    assert summary.endswith((".", ":"))
    assert f"transfer {name}" in rest


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_has_help(name):
    command = importlib.import_module(COMMANDS[name]).command
    for each in command.commands.values() if isinstance(command, click.Group) else [command]:
        options = [option for option in each.params if isinstance(option, click.Option)]
        assert [option.name for option in options if not option.help] == []
        assert "--json" in [text for option in options for text in option.opts]


def test_the_command_line_names_every_preprocessing():
    assert sorted(PREPROCESSING_NAMES) == sorted(PREPROCESSINGS)
    assert len(set(PREPROCESSING_NAMES)) == len(PREPROCESSING_NAMES)
