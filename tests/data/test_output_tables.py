"""Tables with several columns of labels: each is an output, and each cell that is wrong is told with its line."""

import random
from pathlib import Path

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import transfer
from transfer.data.binding import bind_columns
from transfer.data.encoding import encode_columns
from transfer.data.labelling_files import format_labelling
from transfer.data.reading import read_labelled
from transfer.errors import DataError
from transfer.labellings import Labelling, Output

FOOD = Output("food", classes=("dessert", "fruit", "drink"))
KIND = Output(
    "kind",
    classes=("cake", "dessert/other", "apple", "fruit/other"),
    parent="food",
    under=("dessert", "dessert", "fruit", "fruit"),
)


@pytest.fixture
def photos(tmp_path) -> Path:
    for place in range(8):
        (tmp_path / "photos/a").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((6, 6, 3), place, np.uint8)).save(tmp_path / f"photos/a/{place}.png")
    return tmp_path / "photos"


def table(folder: Path, header: str, *labels: str, name: str = "labels.csv") -> Path:
    rows = [f"a/{place}.png,{each}" for place, each in enumerate(labels)]
    (folder / name).write_text("\n".join([f"file,{header}", *rows]) + "\n", encoding="utf-8")
    return folder / name


def problems(path, **options) -> list[tuple[str, str, str]]:
    with pytest.raises(DataError) as caught:
        read_labelled(path, **options)
    assert len(str(caught.value)) < 2048
    return [(each.where, each.expected, each.found) for each in caught.value.problems]


def test_several_columns_are_several_outputs(photos):
    given = table(
        photos, "topic,tags,loud,price", "art,x;y,1,1.5", "sport,,0,", "art,-,,2", "N/A,z,yes,7", "sport,y,no,1e3"
    )
    found = read_labelled(given)
    assert str(found.labelling).splitlines() == [
        "topic: one of art, sport",
        "tags: any of x, y, z",
        "loud: any of loud",
        "price: a number",
    ]
    topic, tags, loud, price = found.targets
    assert topic.tolist() == [0, 1, 0, -1, 1]
    assert tags.tolist() == [[1, 1, 0], [-1, -1, -1], [0, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert loud.tolist() == [[1], [0], [-1], [1], [0]]
    np.testing.assert_equal(price, [[1.5], [np.nan], [2], [7], [1000]])
    assert found.names == tuple(f"a/{place}.png" for place in range(5))
    assert (found.problems, found.groups) == ((), None)


def test_the_order_of_rows_makes_no_difference(photos):
    labels = ["art,u,1", "sport,v,2", "art,w,2", "sport,u,1"]
    expected = read_labelled(table(photos, "topic,mood,age", *labels))
    lines = (photos / "labels.csv").read_text().splitlines()
    rows = lines[1:]
    random.Random(1).shuffle(rows)
    (photos / "labels.csv").write_text("\n".join([lines[0], *rows]))
    found = read_labelled(photos)
    assert (found.names, found.labelling) == (expected.names, expected.labelling)
    assert [values.tolist() for values in found.targets] == [values.tolist() for values in expected.targets]


def test_a_labelling_says_what_columns_mean_and_a_file_may_say_it(photos, tmp_path):
    labelling = Labelling(
        (FOOD, KIND, Output("cut", "sigmoid", ("peeled", "sliced"), parent="kind", under=("apple",) * 2))
    )
    given = table(
        photos,
        "cut,kind,food,more",
        "peeled,apple,fruit,1",
        ",other,fruit,2",
        "-,cake,dessert,3",
        ",dessert/other,,4",
        "sliced;peeled,,,5",
        ",,drink,6",
        "-,apple,,7",
    )
    (tmp_path / "labels.toml").write_text(format_labelling(labelling))
    for each in (labelling, tmp_path / "labels.toml", str(tmp_path / "labels.toml")):
        found = read_labelled(given, labelling=each)
        assert found.labelling == labelling
        food, kind, cut = found.targets
        assert food.tolist() == [1, 1, 0, 0, 1, 2, 1], "what stands under it says it where its cell is empty"
        assert kind.tolist() == [2, 3, 0, 1, 2, -1, 2]
        assert cut.tolist() == [[1, 0], [-1, -1], [-1, -1], [-1, -1], [1, 1], [-1, -1], [0, 0]]
        assert [problem.found for problem in found.problems] == ["column 'more' is not used"]


def test_the_public_names_are_these(photos, tmp_path):
    labelling = transfer.Labelling((transfer.Output("mood", classes=("glad", "sad")),))
    (tmp_path / "labels.toml").write_text(format_labelling(labelling))
    assert transfer.read_labelling(tmp_path / "labels.toml") == labelling
    given = table(photos, "topic,mood", "a,sad", "b,glad")
    assert transfer.read_labelled(given, labelling=labelling).labels.tolist() == [0, 1], "by class"


def test_what_is_inferred_and_written_reads_the_same_again(photos, tmp_path):
    columns = [
        ("Food type,fine,tags", ["f,a,x;y", "f,b,-", "d,c,y", "d,e,x", ",,x"]),
        ("loud,old", ["1,0", "0,1", ",1", "1,"]),
        ("tags.a,tags.b,box.x,box.y,note", ["1,0,1,2,u", "0,1,3.5,2,v", ",1,,9,u", "1,,1,1,v"]),
    ]
    for header, labels in columns:
        inferred = read_labelled(table(photos, header, *labels))
        (tmp_path / "again.toml").write_text(format_labelling(inferred.labelling))
        again = read_labelled(photos, labelling=tmp_path / "again.toml")
        assert again.labelling == inferred.labelling
        for ours, theirs in zip(again.targets, inferred.targets, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_every_cell_that_is_wrong_is_told_at_once_with_its_line(photos):
    labelling = Labelling((FOOD, KIND, Output("tags", "sigmoid", ("loud", "old")), Output("price", "regression")))
    given = table(
        photos,
        "food,kind,tags,price",
        "friut,,,",
        "fruit,cake,old,",
        "dessert,cake,lood;old,3",
        ",other,,",
        "drink,other,,inf",
        ",,,1e999",
        "fruit,,,many",
    )
    with given.open("a") as stream:
        stream.write("a/0.png,drink,,,\ngone.png,fruit,,,\n../x.png,fruit,,,\na/7.png,,,,\na/1.png,fruit,,,,more\n")
    found = problems(given, labelling=labelling)
    assert found == [
        ("labels.csv line 2", "a class of 'food'", "'friut'; nearest: 'fruit'"),
        ("labels.csv line 3", "", "kind stands under 'dessert', and food is 'fruit'"),
        ("labels.csv line 4", "labels of 'tags'", "'lood'; nearest: 'loud'"),
        ("labels.csv line 5", "one of dessert/other, fruit/other", "'other'"),
        ("labels.csv line 6", "a class of 'kind'", found[4][2]),
        ("labels.csv line 6", "a finite number, or nothing", "'inf'"),
        ("labels.csv line 7", "a finite number, or nothing", "'1e999'"),
        ("labels.csv line 8", "a finite number, or nothing", "'many'"),
        ("labels.csv line 10", "", "'gone.png' does not exist"),
        ("labels.csv line 11", "", "'../x.png' leads out of the folder"),
        ("labels.csv line 13", "5 cells", found[-1][2]),
    ]


def test_a_picture_that_stands_twice_with_other_labels_is_told_and_with_the_same_left_out(photos):
    given = table(photos, "topic,tags", "art,x;y", "sport,x", "art,y;x")
    (photos / "a/link.png").symlink_to(photos / "a/1.png")
    with given.open("a") as stream:
        stream.write("a/./0.png,art,y;x\na/link.png,sport,y\n")
    assert problems(given) == [
        ("labels.csv line 6", "", "'a/link.png' is tags y here and tags x on line 3"),
    ]
    given.write_text(given.read_text().replace("a/link.png,sport,y", "a/2.png,art,x;y"))
    found = read_labelled(given)
    assert [(each.where, each.found) for each in found.problems] == [
        ("labels.csv line 5", "'a/0.png' stands on line 2 already"),
        ("labels.csv line 6", "'a/2.png' stands on line 4 already"),
    ]


def test_a_row_of_which_nothing_is_known_is_left_out(photos):
    given = table(photos, "topic,tags", "art,x;y", ",nan", "sport,")
    found = read_labelled(given)
    assert found.names == ("a/0.png", "a/2.png")
    assert [(each.where, each.found) for each in found.problems] == [
        ("labels.csv line 3", "nothing is known of 'a/1.png'")
    ]
    assert [where for where, _, _ in problems(given, strict=True)] == ["labels.csv line 3"]


def test_damaged_pictures_are_told_or_left_out(photos):
    (photos / "a/1.png").write_bytes(b"")
    given = table(photos, "topic,tags", "art,x;y", "sport,x", "sport,y")
    expected = "'a/1.png' cannot be used: the file is empty (0 bytes)"
    assert problems(given) == [("labels.csv line 3", "", expected)]
    assert [each.found for each in read_labelled(given, skip_unreadable=True).problems] == [expected]


def test_outputs_are_chosen_by_name_and_kind(photos):
    given = table(photos, "label,tags,sick", "art,x,1", "sport,y,0", "art,x;y,1")
    assert read_labelled(given).labelling.is_single, "a column of labels known by its name is the only one"
    found = read_labelled(given, outputs=[("sick", "softmax"), "tags"])
    assert found.labelling == Labelling((Output("tags", "sigmoid", ("x", "y")), Output("sick", classes=("0", "1"))))
    assert [each.found for each in found.problems] == ["column 'label' is not used"]
    assert read_labelled(given, outputs=["label"]).labelling == Labelling((Output("label", classes=("art", "sport")),))
    assert problems(given, outputs=["tag", "sick"]) == [
        ("labels.csv", "a column for the output 'tag'", problems(given, outputs=["tag"])[0][2])
    ]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"outputs": [("label", "many")]}, "not right"),
        ({"outputs": ["label", "label"]}, "not right"),
        ({"outputs": ["label"], "labelling": Labelling.of_classes(("a",))}, "without one"),
        ({"group_by": "who"}, "groups"),
        ({"labelling": Labelling((FOOD, KIND))}, "lacks"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(photos, options, word):
    with pytest.raises(DataError, match=word):
        read_labelled(table(photos, "label,age", "a,1", "b,2"), **options)


def test_groups_are_numbers_of_equal_cells_and_the_set_stays_one_of_one_label(photos):
    given = table(photos, "label,patient", "b,p7", "a,p1", "b,p7", "a,p3")
    found = read_labelled(given, group_by="patient")
    assert found.classes == ("a", "b")
    assert found.names == ("a/1.png", "a/3.png", "a/0.png", "a/2.png")
    assert found.groups.tolist() == [0, 1, 2, 2]
    given.write_text(given.read_text().replace("p3", ""))
    assert problems(given, group_by="patient") == [("labels.csv line 5", "", "no group in column 'patient'")]


def test_labels_may_lie_elsewhere_than_the_pictures(photos, tmp_path):
    (tmp_path / "sheets").mkdir()
    given = table(tmp_path / "sheets", "topic,tags", "art,x", "sport,x;y", name="mine.tsv")
    found = read_labelled(photos, labels=given)
    assert found.source == str(photos)
    assert found.inputs == (photos / "a/0.png", photos / "a/1.png")
    assert [each.where for each in found.problems] == [f"a/{place}.png" for place in range(2, 8)]
    table(tmp_path / "sheets", "label", "art", "sport", name="mine.tsv")
    assert read_labelled(photos, labels=given).classes == ("art", "sport")
    for wrong in (photos / "a/0.png", tmp_path / "nowhere"):
        with pytest.raises(DataError):
            read_labelled(wrong, labels=given)
    with pytest.raises(DataError, match="does not exist"):
        read_labelled(photos, labels=tmp_path / "none.csv")


def test_a_run_of_one_label_reads_a_table_whatever_its_column_is_called(photos):
    given = table(photos, "class,width", "b,1", "a,2", "b,3")
    found = read_labelled(given, labelling=Labelling.of_classes(("a", "b", "c")))
    assert found.classes == ("a", "b", "c")
    assert found.labels.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("labels", "where"),
    [(("art,", "art,"), "column 'topic'"), ((",", ","), "column 'topic'")],
)
def test_nothing_to_tell_apart_is_refused(photos, labels, where):
    assert problems(table(photos, "topic,mood", *labels))[0][0] == where


def test_by_a_labelling_a_set_may_lack_classes_and_labels_but_not_pictures(photos):
    labelling = Labelling((FOOD, Output("tags", "sigmoid", ("x", "y"))))
    found = read_labelled(table(photos, "food,tags", "fruit,", "fruit,"), labelling=labelling)
    assert [values.tolist() for values in found.targets] == [[1, 1], [[-1, -1]] * 2]
    for place in range(2):
        (photos / f"a/{place}.png").write_bytes(b"")
    told = problems(table(photos, "food,tags", "fruit,", "fruit,"), labelling=labelling, skip_unreadable=True)
    assert [where for where, _, _ in told] == ["labels.csv line 2", "labels.csv line 3", "labels.csv"]
    assert problems(table(photos, "food,tags", "fruit,x", "fruit,y"), outputs=["food", "tags"])[0][0] == "column 'food'"


def test_columns_that_cannot_be_told_are_listed(photos):
    for header in ("", "image,topic", "id"):
        with pytest.raises(DataError) as caught:
            read_labelled(table(photos, f"{header},x" if header == "" else header, "a,b", "c,d"))
        assert caught.value.problems


def encode(output: Output, cells: list[str], **options):
    bound = bind_columns(Labelling((output,)), (output.name,), "t", free=(0,))
    (values,), faults = encode_columns(bound, (output.name,), [cells], **options)
    return values, faults


TAG = st.sampled_from(["loud", "old", "new", "a b"])


@given(st.lists(st.lists(TAG, unique=True), min_size=1, max_size=12), st.sampled_from(["|", ";", ", "]))
def test_labels_of_a_cell_are_what_pandas_makes_of_them(rows, between):
    cells = [between.join(row) for row in rows]
    classes = ("a b", "loud", "new", "old")
    expected = pandas.Series(cells).str.get_dummies(sep=between).reindex(columns=classes, fill_value=0).to_numpy()
    values, faults = encode(Output("tags", "sigmoid", classes), [cell or "-" for cell in cells], separator=between)
    assert faults == []
    assert values.tolist() == expected.tolist()


@given(st.lists(st.none() | st.floats(-1e12, 1e12, allow_subnormal=False), min_size=1))
def test_numbers_of_cells_are_what_they_were(numbers):
    values, faults = encode(Output("price", "regression"), ["" if each is None else repr(each) for each in numbers])
    assert faults == []
    np.testing.assert_array_equal(values[:, 0], [np.nan if each is None else each for each in numbers])


def test_yes_under_two_classes_at_once_is_a_fault():
    output = Output("parts", "sigmoid", ("crust", "core"), parent="food", under=("dessert", "fruit"))
    labelling = Labelling((FOOD, output))
    header = ("food", "parts")
    columns = [["", "fruit", "fruit"], ["crust;core", "core", "crust"]]
    targets, faults = encode_columns(bind_columns(labelling, header, "t", free=(0, 1)), header, columns)
    assert {each.row for each in faults} == {0, 2}
    assert targets[1][1].tolist() == [-1, 1], "the crust does not apply to fruit"


def test_a_wanted_output_finds_its_column_in_other_case(photos):
    given = table(photos, "Food,Is Loud,width", "f,1,2", "d,0,3", "f,0,2")
    found = read_labelled(given, outputs=["food", "is_loud"])
    assert found.labelling == Labelling(
        (Output("food", classes=("d", "f")), Output("is_loud", "sigmoid", ("is_loud",)))
    )
    assert read_labelled(given, labelling=found.labelling).labelling == found.labelling


def test_columns_of_yes_and_no_are_wanted_by_the_name_of_their_one_output(photos):
    given = table(photos, "id,loud,old", "1,1,0", "2,0,1", "3,1,")
    expected = Labelling((Output("labels", "sigmoid", ("loud", "old")),))
    assert read_labelled(given).labelling == expected
    assert read_labelled(given, outputs=["labels"]).labelling == expected


def test_labels_that_no_class_can_have_are_told_with_their_lines(photos):
    given = table(photos, "topic,tags", "art,x;" + "y" * 256, "sp\vort,x", "art,y")
    assert problems(given) == [
        ("labels.csv line 2", "", "a label of 256 characters; a class's name has at most 255"),
        ("labels.csv line 3", "", "a label with control characters: 'sp\\x0bort'"),
    ]


CELL = st.text(st.sampled_from("ab;|-.1\t \x1f/é"), max_size=5) | st.sampled_from(["nan", "yes", "no", "1.5", "none"])


@given(st.lists(CELL, min_size=1, max_size=4), st.data())
def test_any_columns_give_a_set_or_an_error_and_the_same_again_by_what_was_inferred(header, data):
    row = st.tuples(*[CELL] * len(header))
    cells = data.draw(st.lists(row, min_size=1, max_size=8))
    frame = pandas.DataFrame(cells, columns=[f"c{place}{name}" for place, name in enumerate(header)])
    columns = {f"x{place}": np.arange(float(len(cells))) for place in range(2)}
    try:
        found = transfer.from_frame(frame.assign(**columns), inputs=["x0", "x1"])
    except DataError:
        return
    again = transfer.from_frame(frame.assign(**columns), inputs=["x0", "x1"], labelling=found.labelling)
    assert again.labelling == found.labelling
    assert again.names == found.names
    for ours, theirs in zip(again.targets, found.targets, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_cell_with_another_separator_comes_with_the_option_that_divides_it(photos):
    labelling = Labelling((Output("tags", "sigmoid", ("alive", "old")),))
    given = table(photos, "tags", '"alive, old"', "old alive", "old", "alive shiny")
    assert [found for _, _, found in problems(given, labelling=labelling)] == [
        "'alive, old'; with --separator ',' (separator=',') it is 'alive' and 'old'",
        "'old alive'; with --separator ' ' (separator=' ') it is 'old' and 'alive'",
        "'alive shiny'; nearest: 'alive'",
    ]
    with pytest.raises(DataError) as caught:
        read_labelled(given, labelling=labelling)
    assert "or read it with the --separator that is named" in caught.value.next_step
    assert read_labelled(table(photos, "tags", '"alive, old"', "old"), labelling=labelling, separator=",").targets[
        0
    ].tolist() == [[1, 1], [0, 1]]
    given = table(photos, "tags", '"alive, old"', "old;alive")
    assert problems(given, labelling=labelling)[0][2] == "'alive, old'; with ';' between it is 'alive' and 'old'"
