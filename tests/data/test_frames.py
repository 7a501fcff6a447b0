"""Tables of pandas give what the same table as CSV gives."""

import subprocess
import sys

import numpy as np
import pandas
import pytest
from PIL import Image

import transfer
from transfer.data.reading import read_labelled
from transfer.errors import DataError
from transfer.labellings import Labelling, Output

FRAME = pandas.DataFrame(
    {
        "file": [f"{place}.png" for place in range(5)],
        "topic": ["art", "sport", None, "art", "sport"],
        "tags": ["x;y", "x", "-", "", "y"],
        "loud": [True, False, True, None, False],
        "price": [1.5, 2.0, np.nan, 7, -3],
        "stars": pandas.array([3, 4, None, 3, 5], dtype="Int64"),
        "who": pandas.Categorical(["p", "q", "q", "p", "r"]),
    }
)


@pytest.fixture
def photos(tmp_path):
    for place in range(5):
        Image.fromarray(np.full((5, 5), place, np.uint8)).save(tmp_path / f"{place}.png")
    return tmp_path


def problems(function, *arguments, **options) -> list[tuple[str, str, str]]:
    with pytest.raises(DataError) as caught:
        function(*arguments, **options)
    return [(each.where, each.expected, each.found) for each in caught.value.problems]


def same(ours, theirs) -> None:
    assert ours.labelling == theirs.labelling
    assert (ours.names, ours.inputs) == (theirs.names, theirs.inputs)
    for first, second in zip(ours.targets, theirs.targets, strict=True):
        np.testing.assert_array_equal(first, second)
    assert ours.groups.tolist() == theirs.groups.tolist()


def test_a_frame_gives_what_its_csv_gives(photos):
    FRAME.to_csv(photos / "labels.csv", index=False)
    same(
        transfer.from_frame(FRAME, root=photos, group_by="who"),
        transfer.read_labelled(photos / "labels.csv", group_by="who"),
    )


def test_absolute_paths_count_from_the_folder_that_holds_them_all(photos):
    absolute = FRAME.assign(file=[str(photos / name) for name in FRAME["file"]])
    same(transfer.from_frame(absolute, group_by="who"), transfer.from_frame(FRAME, root=photos, group_by="who"))
    absolute.loc[1, "file"] = "1.png"
    found = problems(transfer.from_frame, absolute)
    assert (
        "frame row 0",
        "",
        f"{str(photos / '0.png')!r} is an absolute path; those of a table start from its folder",
    ) in found
    assert ("frame row 1", "", "'1.png' does not exist") in found


def test_where_a_root_is_given_no_path_leads_elsewhere(photos, tmp_path_factory):
    absolute = FRAME.assign(file=[str(photos / name) for name in FRAME["file"]])
    assert len(problems(transfer.from_frame, absolute, root=tmp_path_factory.mktemp("other"))) == len(FRAME)


def test_the_outputs_are_these(photos):
    found = transfer.from_frame(FRAME, root=photos, group_by="who")
    assert str(found.labelling).splitlines() == [
        "topic: one of art, sport",
        "tags: any of x, y",
        "loud: any of loud",
        "price: a number",
        "stars: one of 3, 4, 5",
    ]
    assert found.targets[4].tolist() == [0, 1, -1, 0, 2]


def test_cells_may_be_lists_of_labels(photos):
    frame = FRAME[["file"]].assign(tags=[["a;b", "c"], [], ["c"], None, {"a;b"}])
    found = transfer.from_frame(frame, root=photos, outputs=["tags"])
    assert found.labelling == Labelling((Output("tags", "sigmoid", ("a;b", "c")),))
    assert found.targets[0].tolist() == [[1, 1], [0, 0], [0, 1], [1, 0]]
    assert [each.where for each in found.problems] == ["frame row 3"]


def test_the_column_of_paths_may_be_named(photos, monkeypatch):
    monkeypatch.chdir(photos)
    frame = FRAME.rename(columns={"file": "scan"})[["topic", "scan", "tags"]]
    found = transfer.from_frame(frame.assign(path=range(5)), inputs="scan", outputs=["topic", "tags"])
    assert found.names == tuple(f"{place}.png" for place in range(5))
    assert [each.found for each in found.problems] == ["column 'path' is not used"]


def test_a_frame_of_one_label_is_a_set_of_one_label(photos):
    found = transfer.from_frame(FRAME[["file", "topic"]].dropna(), root=photos)
    assert (found.classes, found.names) == (("art", "sport"), ("0.png", "3.png", "1.png", "4.png"))


def test_inputs_may_be_columns_of_numbers():
    frame = pandas.DataFrame({"a": [1, 2, 3], "b": [0.5, 1, 2], "kind": ["u", "v", ""], "tags": ["x", "y", ""]})
    found = transfer.from_frame(frame, inputs=["a", "b"])
    assert found.inputs.tolist() == [[1, 0.5], [2, 1]]
    assert found.labelling.names == ("kind", "tags")
    assert found.names == ("x[0]", "x[1]")
    assert [(each.where, each.found) for each in found.problems] == [("frame row 2", "nothing is known of it")]
    assert problems(transfer.from_frame, frame, inputs=["a", "b"], strict=True)[0][0] == "frame row 2"
    assert problems(transfer.from_frame, frame, inputs=["a", "kind"]) == [("column 'kind'", "numbers", "str")]
    assert problems(transfer.from_frame, frame, inputs=["a", "bb"])[0][0] == "bb"
    assert [where for where, _, _ in problems(transfer.from_frame, frame.assign(a=np.nan), inputs=["a"])] == ["x"]


def test_rows_that_are_wrong_are_told_by_their_number(photos):
    frame = FRAME[["file", "topic", "tags"]].assign(file=["0.png", "gone.png", "2.png", "3.png", "0.png"])
    labelling = Labelling((Output("topic", classes=("art", "play")), Output("tags", "sigmoid", ("x", "y"))))
    assert problems(transfer.from_frame, frame, root=photos, labelling=labelling) == [
        ("frame row 1", "a class of 'topic'", "'sport'; there are 'art', 'play'"),
        ("frame row 1", "", "'gone.png' does not exist"),
        ("frame row 4", "a class of 'topic'", "'sport'; there are 'art', 'play'"),
    ]


def test_what_is_no_table_of_examples_is_refused():
    twice = pandas.DataFrame([["0.png", "a", "b"]], columns=["file", "x", "x"])
    assert problems(transfer.from_frame, twice) == [("column 'x'", "once", "twice")]
    assert problems(transfer.from_frame, FRAME[:0])[0][0] == "frame"


def test_a_parquet_file_is_read_as_its_frame(photos, monkeypatch):
    (photos / "labels.parquet").write_bytes(b"PAR1 and what pandas makes of the rest")
    monkeypatch.setattr(pandas, "read_parquet", lambda _: FRAME)
    expected = transfer.from_frame(FRAME, root=photos, group_by="who")
    same(read_labelled(photos / "labels.parquet", group_by="who"), expected)
    (photos / "more").mkdir()
    (photos / "labels.parquet").rename(photos / "more/labels.parquet")
    beside = read_labelled(photos, labels=photos / "more/labels.parquet", group_by="who")
    same(beside, expected)
    assert beside.source == str(photos)


@pytest.mark.parametrize(
    ("raised", "word"), [(ImportError("no engine"), "needs pyarrow"), (OSError("cut"), "cannot be")]
)
def test_a_parquet_file_that_cannot_be_read_says_why(photos, monkeypatch, raised, word):
    def refuse(_):
        raise raised

    (photos / "labels.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr(pandas, "read_parquet", refuse)
    with pytest.raises(DataError, match=word) as caught:
        read_labelled(photos / "labels.parquet")
    assert isinstance(raised, OSError) or "h5transfer[parquet]" in caught.value.next_step


def test_reading_other_sets_does_not_load_pandas():
    code = "import sys, transfer.data.reading; print('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
