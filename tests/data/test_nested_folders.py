"""Folders within class folders are finer classes where these are asked for, and nothing otherwise."""

import numpy as np
import pytest
from PIL import Image

from transfer.data.reading import read_labelled
from transfer.errors import DataError
from transfer.labellings import Labelling, Output

PATHS = (
    "dessert/cake/1",
    "dessert/cake/old/2",
    "dessert/other/1",
    "drink/1",
    "fruit/apple/1",
    "fruit/apple/2",
    "fruit/loose",
    "fruit/other/1",
)
COARSE = Output("food", classes=("dessert", "drink", "fruit"))
FINE = Output(
    "kind",
    classes=("cake", "dessert/other", "apple", "fruit/other"),
    parent="food",
    under=("dessert", "dessert", "fruit", "fruit"),
)


@pytest.fixture
def photos(tmp_path):
    for place, path in enumerate(PATHS):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((5, 5), place, np.uint8)).save(tmp_path / f"{path}.png")
    return tmp_path


def problems(path, **options) -> list[tuple[str, str, str]]:
    with pytest.raises(DataError) as caught:
        read_labelled(path, **options)
    return [(each.where, each.expected, each.found) for each in caught.value.problems]


def test_folders_within_folders_say_nothing_where_nothing_is_asked(photos):
    assert read_labelled(photos).labelling == Labelling.of_classes(("dessert", "drink", "fruit"))


@pytest.mark.parametrize("outputs", [("food", "kind"), (("food", "softmax"), ("kind", "softmax"))])
def test_two_names_ask_for_a_class_and_a_finer_one(photos, outputs):
    found = read_labelled(photos, outputs=outputs)
    assert found.labelling == Labelling((COARSE, FINE))
    assert found.names == tuple(sorted(f"{path}.png" for path in PATHS))
    by_name = dict(zip(found.names, zip(*(values.tolist() for values in found.targets), strict=True), strict=True))
    assert [by_name[f"{path}.png"] for path in PATHS] == [
        (0, 0),
        (0, 0),
        (0, 1),
        (1, -1),
        (2, 2),
        (2, 2),
        (2, -1),
        (2, 3),
    ]


def test_a_labelling_orders_classes_and_may_have_more(photos):
    labelling = Labelling(
        (
            Output("food", classes=("fruit", "drink", "dessert"), class_weights="balanced"),
            Output(
                "kind",
                classes=("pear", "apple", "fruit/other", "tea", "dessert/other", "cake"),
                parent="food",
                under=("fruit", "fruit", "fruit", "drink", "dessert", "dessert"),
            ),
        )
    )
    found = read_labelled(photos, labelling=labelling)
    assert found.labelling == labelling
    assert sorted(found.targets[1].tolist()) == [-1, -1, 1, 1, 2, 4, 5, 5]
    single = Labelling((Output("food", classes=("fruit", "more", "drink", "dessert"), focal=2.0),))
    found = read_labelled(photos, labelling=single)
    assert (found.labelling, sorted(found.labels.tolist())) == (single, [0, 0, 0, 0, 2, 3, 3, 3])


def test_folders_that_are_no_classes_are_told_with_the_nearest(photos):
    fine = Output("kind", classes=("cakes", "apple"), parent="food", under=("dessert", "fruit"))
    assert problems(photos, labelling=Labelling((COARSE, fine))) == [
        ("dessert/cake", "a class of 'kind'", "nearest: 'dessert/cakes'"),
        ("dessert/other", "a class of 'kind'", "nearest: 'dessert/cakes'"),
        ("fruit/other", "a class of 'kind'", "nearest: 'fruit/apple'"),
    ]
    assert problems(photos, labelling=Labelling.of_classes(("desserts", "drink", "fruit")))[0][0] == "dessert"


def test_finer_classes_of_few_examples_are_not_known(photos):
    found = read_labelled(photos, outputs=("food", "kind"), min_examples=2)
    assert found.labelling["kind"] == Output(
        "kind", classes=("cake", "apple"), parent="food", under=("dessert", "fruit")
    )
    assert sorted(found.targets[1].tolist()) == [-1, -1, -1, -1, 0, 0, 1, 1]
    assert [(each.where, each.found) for each in found.problems] == [
        ("kind 'dessert/other'", "1: not known"),
        ("kind 'fruit/other'", "1: not known"),
    ]
    assert len(problems(photos, outputs=("food", "kind"), min_examples=3)) == 4
    assert read_labelled(photos, min_examples=3).labelling.is_single


def test_one_name_is_that_of_the_class(photos):
    assert read_labelled(photos, outputs=["food"]).labelling.names == ("food",)


@pytest.mark.parametrize(
    "options",
    [
        {"outputs": [("food", "sigmoid"), "kind"]},
        {"outputs": ["a", "b", "c"]},
        {"group_by": "who"},
        {"labelling": Labelling((COARSE, Output("tags", "sigmoid", ("x",))))},
    ],
)
def test_what_folders_cannot_say_is_refused(photos, options):
    with pytest.raises(DataError, match="no table of labels"):
        read_labelled(photos, **options)


def test_a_finer_class_is_refused_where_there_are_no_folders_of_them(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / name / "1.png")
    assert problems(tmp_path, outputs=("food", "kind"))[0][0] == str(tmp_path)
