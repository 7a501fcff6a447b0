"""What the documents name is there: tests behind the promises, files, headings, scripts and the commands' own names."""

import ast
import re
from pathlib import Path

import pytest

from transfer.cli.group import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(path.name for path in ROOT.glob("*.md"))


def headings(text: str) -> set[str]:
    """Anchors of a document's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in found}


def promises() -> list[str]:
    """The numbered promises of the README, each with the tests that it names."""
    section = (ROOT / "README.md").read_text().split("\n## Why trust it\n")[1].split("\n## ")[0]
    return re.findall(r"^\d\. .*?(?=^\d\. |^\n?\S|\Z)", section, re.M | re.S)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_test_that_a_document_names_exists(name):
    named = re.findall(r"(tests/[\w/]+\.py)::(\w+)", (ROOT / name).read_text())
    for file, function in named:
        tree = ast.parse((ROOT / file).read_text())
        assert function in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}, f"{file}::{function}"


def test_each_of_the_six_promises_names_tests():
    assert len(promises()) == 6
    for each in promises():
        assert len(re.findall(r"`tests/[\w/]+\.py::test_\w+`", each)) >= 2, each


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_within_the_repository_leads_somewhere(name):
    text = (ROOT / name).read_text()
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", text):
        assert (ROOT / path).exists(), path
        if anchor:
            assert anchor in headings((ROOT / (path or name)).read_text()), f"{path}#{anchor}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_script_and_command_that_a_document_runs_is_there(name):
    text = (ROOT / name).read_text()
    for script in re.findall(r"python ((?:tests|examples|checkpoints)/[\w/]+\.py)", text):
        assert (ROOT / script).is_file(), script
    assert set(re.findall(r"^transfer ([a-z]+)\b", text, re.M)) <= set(COMMANDS)


def test_the_chinese_readme_starts_and_shows_and_promises_what_the_english_one_does():
    chinese, english = ((ROOT / name).read_text() for name in ("README.zh.md", "README.md"))
    blocks = re.findall(r"^```(?:sh)?\n(.*?)^```", chinese, re.M | re.S)
    assert blocks[0] == re.search(r"^```sh\n(.*?)^```", english, re.M | re.S)[1]
    shown = [line for line in blocks[1].splitlines() if line not in english]
    assert shown == []
    assert re.findall(r"^(\d)\. ", chinese, re.M) == [str(place) for place in range(1, 7)]


def test_each_number_stands_beside_its_command():
    section = (ROOT / "README.md").read_text().split("\n## Numbers\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    rows = [row for row in rows if row[0] != "what"]
    assert len(rows) > 30
    for place, (what, number, command) in enumerate(rows):
        assert re.search(r"\d|all", number), what
        assert command.startswith("`") or (command == "the same" and place > 0), what


def test_the_readme_names_every_command_and_every_folder_of_the_house():
    text = (ROOT / "README.md").read_text()
    assert [name for name in COMMANDS if f"transfer {name}" not in text] == []
    folders = {path.parent.name for path in (ROOT / "transfer").glob("*/__init__.py")}
    assert [name for name in folders if f"`transfer/{name}/`" not in text] == []
