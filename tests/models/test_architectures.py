"""Architectures by name: a builder that the user wrote, a known application, a shipped checkpoint."""

import sys

import pytest

from transfer.errors import LayerError
from transfer.models.architectures import build_named

BUILDER = """
import keras

def create():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])

def count():
    return 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "my_networks.py").write_text(BUILDER)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("my_networks", None)


def fault(name):
    with pytest.raises(LayerError) as caught:
        build_named(name)
    return caught.value


@pytest.mark.usefixtures("folder")
def test_a_module_in_the_current_folder_is_imported_and_its_function_called():
    before = list(sys.path)
    assert build_named("my_networks:create").count_params() == 8
    assert sys.path == before


def test_a_file_is_named_by_its_path(folder):
    (folder / "sub").mkdir()
    (folder / "my_networks.py").rename(folder / "sub" / "other.py")
    assert build_named("sub/other.py:create").count_params() == 8
    assert build_named(f"{folder}/sub/other.py:create").count_params() == 8


def test_a_shipped_checkpoint_gives_its_architecture():
    model = build_named("digits_mlp")
    assert [layer.name for layer in model.layers][1:3] == ["dense_1", "dense_2"]
    assert model.count_params() == 55_050


def test_an_application_of_keras_is_built_without_weights():
    assert build_named("app:MobileNetV2").count_params() == 3_538_984  # as Keras's documentation says


def test_an_application_is_built_at_a_size_that_is_asked_for_where_it_takes_one():
    smaller = build_named("app:MobileNetV2", (96, 64))
    assert smaller.input_shape == (None, 96, 64, 3)
    assert smaller.layers[-2].name == "global_average_pooling2d"
    assert build_named("app:MobileNetV3Small", (96, 64)).input_shape == (None, None, None, 3)
    with pytest.raises(LayerError, match="MobileNetV2 takes no images of that size") as refused:
        build_named("app:MobileNetV2", (16, 16))
    assert refused.value.problems[0].found.startswith("(16, 16): ")


@pytest.mark.usefixtures("folder")
def test_what_is_not_there_is_told_with_what_is():
    assert "'create'" in fault("my_networks:creat").next_step
    assert "no module 'my_network'" in fault("my_network:create").summary
    assert "no file gone.py" in fault("gone.py:create").summary
    assert "'MobileNetV2'" in fault("app:MobilNetV2").next_step
    assert "'mobilenet_v2_imagenet'" in fault("mobilenet_v2").next_step


@pytest.mark.usefixtures("folder")
def test_a_function_that_gives_no_model_is_refused():
    assert fault("my_networks:count").summary == "my_networks:count gave int; expected a Keras model."


def test_a_module_inside_that_is_missing_is_named_and_not_the_users(folder):
    (folder / "my_networks.py").write_text("import a_package_that_is_not_there\n")
    assert "'a_package_that_is_not_there'" in fault("my_networks:create").summary


@pytest.mark.parametrize(
    "name", ["", ":", "a:", ":b", "app:", "../x.py:", "a.b.c:d", "app:keras", "app:preprocess_input"]
)
@pytest.mark.usefixtures("folder")
def test_names_that_name_nothing_are_refused(name):
    fault(name)


def test_a_builder_that_fails_is_told_with_its_line(tmp_path):
    path = tmp_path / "builders.py"
    path.write_text("def fails():\n    raise ValueError('boom')\n\n\ndef needs(size):\n    return size\n")
    with pytest.raises(LayerError, match="failed: ValueError: boom") as caught:
        build_named(f"{path}:fails")
    assert caught.value.problems[0].where == f"{path}:2"
    with pytest.raises(LayerError, match="missing 1 required positional argument"):
        build_named(f"{path}:needs")
