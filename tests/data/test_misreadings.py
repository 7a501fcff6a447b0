"""Columns that may be more than they were taken for, on tables written by hand."""

from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image

import transfer
from transfer.data.cells import holds_several
from transfer.data.misreadings import find_misreadings
from transfer.data.reading import read_labelled
from transfer.labellings import Labelling, Output


@pytest.fixture
def photos(tmp_path) -> Path:
    (tmp_path / "a").mkdir()
    for place in range(100):
        Image.fromarray(np.full((2, 2, 3), place, np.uint8)).save(tmp_path / f"a/{place}.png")
    return tmp_path


def table(folder: Path, header: str, *labels: str) -> Path:
    rows = [f"a/{place}.png,{each}" for place, each in enumerate(labels)]
    (folder / "tags.csv").write_text("\n".join([*([f"path,{header}"] if header else []), *rows]) + "\n")
    return folder / "tags.csv"


@pytest.mark.parametrize(
    ("cells", "is_several"),
    [
        (["animals;alive", "animals;alive;old", "alive"], True),
        (["animals;alive", "plants;alive"], True),
        (["sedan;4 doors", "coupe", "van"], False),  # a name with a semicolon in it
        (["sedan;4 doors", "sedan", "sedan;4 doors"], False),  # likewise
        (["a;b", "c;d"], False),  # nothing comes again
        (["a;b", "a;b", ""], False),  # the same cell, twice
        (["a", "b"], False),
    ],
)
def test_cells_hold_several_names_where_names_come_again_in_other_cells(cells, is_several):
    assert holds_several(cells, ";") is is_several


@pytest.mark.parametrize("between", [";", "|"])
@pytest.mark.parametrize("header", ["tags", "label"])
def test_one_column_of_several_labels_a_cell_is_read_as_if_it_were_asked_for(photos, between, header):
    cells = [each.replace(";", between) for each in ("animals;alive", "animals;alive;old", "alive", "-", "old")]
    given = table(photos, header, *cells)
    found = read_labelled(given)
    assert found.labelling == Labelling((Output(header, "sigmoid", ("alive", "animals", "old")),))
    assert found.targets[0].tolist() == [[1, 1, 0], [1, 1, 1], [1, 0, 0], [0, 0, 0], [0, 0, 1]]
    asked = read_labelled(given, outputs=[header])
    assert (found.labelling, found.names, found.notes) == (asked.labelling, asked.names, ())


def test_so_is_one_of_a_table_in_memory_whose_cells_are_lists(photos):
    frame = pandas.DataFrame({"file": ["a/0.png", "a/1.png"], "tags": [["loud"], ["old", "new"]]})
    found = transfer.from_frame(frame, root=photos)
    assert found.labelling == Labelling((Output("tags", "sigmoid", ("loud", "new", "old")),))


def test_what_can_be_learnt_beside_such_a_column_is_told(photos):
    given = table(photos, "label,kind", "a;b,x", "a;b;c,y", "c,x")
    assert [each.found for each in read_labelled(given).problems] == [
        "column 'kind' is not used; --head label --head kind learns both"
    ]


def test_a_class_that_has_a_semicolon_in_its_name_stays_one(photos):
    found = read_labelled(table(photos, "label", "sedan; 4 doors", "van", "van", "sedan; 4 doors"))
    assert found.labelling == Labelling.of_classes(("sedan; 4 doors", "van"))
    assert found.notes == ()


def test_where_whole_cells_are_asked_for_they_are_the_classes(photos):
    given = table(photos, "tags", "a;b", "a;b;c", "c")
    found = read_labelled(given, outputs=[("tags", "softmax")])
    assert found.labelling["tags"].classes == ("a;b", "a;b;c", "c")


def test_without_a_header_cells_stay_whole_and_a_note_says_what_a_header_does(photos):
    found = read_labelled(table(photos, "", "a;b", "a;b;c", "c"))
    assert found.classes == ("a;b", "a;b;c", "c")
    assert found.notes == ("cells hold ';' between labels; under a header such as file,tags they can be several",)


COMMAS = ('"animals, alive"', '"animals, alive, old"', '"alive, old"', "animals")


@pytest.mark.parametrize("options", [{}, {"outputs": ["tags"]}, {"outputs": [("tags", "sigmoid")]}])
def test_commas_between_labels_that_come_again_are_told(photos, options):
    given = table(photos, "tags", *COMMAS)
    assert read_labelled(given, **options).notes == (
        "cells of 'tags' hold commas; with --separator ',' (separator=',') they are several labels",
    )
    said = read_labelled(given, separator=",", **options)
    assert said.labelling == Labelling((Output("tags", "sigmoid", ("alive", "animals", "old")),))
    assert said.notes == ()


def test_of_commas_nothing_is_said_where_they_stand_in_names_or_whole_cells_are_asked_for(photos):
    towns = ('"Paris, France"', '"Lyon, France"', '"Rome, Italy"', '"Ghent, Belgium"')
    assert read_labelled(table(photos, "town", *towns)).notes == ()
    assert read_labelled(table(photos, "tags", *COMMAS), outputs=[("tags", "softmax")]).notes == ()


KINDS = ("food,bread", "food,cake", "animals,mammals", "animals,birds")


def test_a_row_that_speaks_against_finer_classes_is_told_with_its_line(photos):
    rows = [KINDS[place % 4] for place in range(100)]
    kind = read_labelled(table(photos, "topic,kind", *rows))
    assert (kind.labelling["kind"].parent, kind.notes) == ("topic", ())
    rows[22] = "food,mammals"
    found = read_labelled(table(photos, "topic,kind", *rows))
    assert found.labelling["kind"].parent == ""
    assert len(found.notes) == 1
    assert found.notes[0].startswith(
        "kind would stand under topic but for 1 of 100 rows: tags.csv line 24 ('mammals' with 'food'; 'animals' "
        "elsewhere); mend it, or write a labelling with parent = 'topic'"
    )
    assert read_labelled(photos / "tags.csv", labelling=found.labelling).notes == ()


def told(coarse: list[str], fine: list[str]) -> tuple[str, ...]:
    outputs = [Output(name, classes=tuple(sorted(set(cells)))) for name, cells in (("c", coarse), ("f", fine))]
    return find_misreadings(Labelling(tuple(outputs)), {"c": coarse, "f": fine}, "row {}".format)


def nested(count: int, wrong: int) -> tuple[list[str], list[str]]:
    fine = [f"f{place % 4}" for place in range(count)]
    return [
        f"c{int(name[1]) // 2 if place >= wrong else 1 - int(name[1]) // 2}" for place, name in enumerate(fine)
    ], fine


@pytest.mark.parametrize(
    ("count", "wrong", "is_told"), [(100, 0, False), (100, 5, True), (100, 6, False), (400, 20, True), (500, 21, False)]
)
def test_of_few_rows_alone_it_is_said_that_they_speak_against_it(count, wrong, is_told):
    assert bool(told(*nested(count, wrong))) is is_told


def test_three_rows_are_written_out_and_the_others_counted():
    (note,) = told(*nested(100, 5))
    assert "5 of 100 rows: row 0 ('f0' with 'c1'; 'c0' elsewhere), row 1" in note
    assert "row 2 ('f2' with 'c0'; 'c1' elsewhere), 2 more; mend them" in note


def test_a_column_that_would_not_be_finer_without_these_rows_is_not_told():
    coarse = ["a", "b"] * 50
    fine = ["p", "q"] * 49 + ["q", "p"]
    assert told(coarse, fine) == ()  # as many classes
    assert told(coarse, ["p", "q"] * 48 + ["p", "r", "q", "q"]) == ()  # one finer class under a


def test_of_arrays_it_is_told_by_row():
    topic, kind = (np.array(each) for each in nested(100, 1))
    found = transfer.from_arrays(np.ones((100, 2)), {"topic": topic, "kind": kind})
    assert found.notes[0].startswith("kind would stand under topic but for 1 of 100 rows: row 0 ('f0' with 'c1';")
    numbers = {name: np.unique(each, return_inverse=True)[1] for name, each in (("topic", topic), ("kind", kind))}
    assert "row 0 ('0' with '1'; '0' elsewhere)" in transfer.from_arrays(np.ones((100, 2)), numbers).notes[0]
    said = transfer.from_arrays(np.ones((100, 2)), {"topic": topic, "kind": kind}, labelling=found.labelling)
    assert said.notes == ()
