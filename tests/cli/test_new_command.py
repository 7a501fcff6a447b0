"""`transfer new`: files that the tool's own readers read, and a builder that builds."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import transfer
from transfer.cli.starting import TASKS as OFFERED
from transfer.jobs.installation.starting_projects import TASKS, start_project
from transfer.models.architectures import build_named

SIZES = {  # of the heads
    "images": {"label": 3},
    "table": {"kind": 3, "price": 1},
    "multilabel": {"tags": 3},
    "hierarchy": {"food": 2, "kind": 4},
}


@pytest.fixture(params=TASKS)
def project(request, tmp_path, monkeypatch):
    """A project of each kind, with pictures for what its table names."""
    start_project(request.param, tmp_path / "mine")
    monkeypatch.chdir(tmp_path / "mine")
    names = [f"{number}.jpg" for number in range(1, 5)]
    if request.param == "images":
        names = [f"{label}/{number}.jpg" for label in ("cat", "dog", "other") for number in range(2)]
    for place, name in enumerate(names):
        path = tmp_path / "mine/photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 20 * place, np.uint8)).save(path)
    return request.param


def test_what_is_offered_is_what_there_is():
    assert tuple(TASKS) == OFFERED


def test_the_recipe_and_the_labelling_are_read_back(project, call):
    recipe = transfer.read_recipe("recipe.toml")
    assert (recipe.name, [stage.kind for stage in recipe.stages]) == ("mine", ["probe", "tune"])
    assert call("recipe", "check", "recipe.toml").code == 0
    labelling = transfer.read_labelling("labelling.toml")
    assert [each.name for each in labelling] == list(SIZES[project])


def test_the_table_is_read_by_the_labelling(project):
    data = transfer.read_labelled("photos" if project == "images" else "labels.csv", labelling="labelling.toml")
    assert data.labelling == transfer.read_labelling("labelling.toml")
    assert len(data) == {"images": 6, "table": 3, "multilabel": 3, "hierarchy": 3}[project]  # one row knows nothing


def test_the_builder_builds_an_encoder_and_a_head_for_each_output(project):
    encoder = build_named("builder.py:create_encoder")
    assert encoder.output_shape == (None, 256)
    model = build_named("builder.py:create_model")
    given = model(np.zeros((2, 96, 96, 3), np.float32))
    given = given if isinstance(given, dict) else {model.output_names[0]: given}
    assert {name: tuple(each.shape) for name, each in given.items()} == {
        name: (2, size) for name, size in SIZES[project].items()
    }
    labelling = transfer.read_labelling("labelling.toml")
    assert {each.name: max(1, len(each.classes)) for each in labelling} == SIZES[project]
    assert all(keras.activations.serialize(model.get_layer(name).activation) == "linear" for name in given)


@pytest.mark.usefixtures("project")
def test_the_builder_is_code_as_ruff_wants_it_and_the_readme_has_five_steps():
    subprocess.run([sys.executable, "-m", "ruff", "check", "--isolated", "-q", "builder.py"], check=True)
    subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "120", "--check", "-q", "builder.py"],
        check=True,
    )
    lines = Path("README.md").read_text().splitlines()
    assert [line[:2] for line in lines if line[:1].isdigit()] == ["1.", "2.", "3.", "4.", "5."]


def test_new_says_what_it_wrote_and_refuses_what_is_there(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = call("new", "images")
    names = ["README.md", "builder.py", "labelling.toml", "recipe.toml"]
    assert (ended.code, ended.stdout.splitlines()) == (0, [f"images/{name}" for name in names])
    (tmp_path / "images/recipe.toml").write_text("mine")
    again = call("new", "images")
    assert (again.code, again.stdout) == (8, "")
    assert "images" in again.stderr
    assert (tmp_path / "images/recipe.toml").read_text() == "mine"
    elsewhere = call("new", "table", "a/b", "--json").json
    assert (elsewhere["folder"], "labels.csv" in elsewhere["files"]) == ("a/b", True)
    assert "Nearest: 'hierarchy'" in call("new", "hierarchi").stderr
