"""Tables give the pictures that they name, whatever they say of them."""

import pandas
import pytest
from PIL import Image

from transfer.data.table_inputs import read_table_inputs
from transfer.errors import DataError


@pytest.fixture
def folder(tmp_path):
    for name in "abc":
        Image.new("L", (4, 4)).save(tmp_path / f"{name}.png")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "names", "is_labelled"),
    [
        ("file,label\nb.png,x\na.png,x\n", ["b.png", "a.png"], True),
        ("file,label\nb.png,\na.png,x\n", ["b.png", "a.png"], True),
        ("file\nc.png\na.png\n", ["c.png", "a.png"], False),
        ("c.png\nb.png\n", ["c.png", "b.png"], False),
        ("c.png,x\nb.png,y\n", ["c.png", "b.png"], True),
        ("id;file;speed\n1;c.png;7\n2;b.png;nan\n", ["c.png", "b.png"], True),
        ("file,label\na.png,x\na.png,y\nb.png,z\n", ["a.png", "b.png"], True),
    ],
)
def test_pictures_are_named_in_the_order_of_the_rows_each_once(folder, text, names, is_labelled):
    (folder / "some.csv").write_text(text)
    found, labelled = read_table_inputs(folder / "some.csv")
    assert list(found.names) == names
    assert found.inputs == tuple(folder / name for name in names)
    assert labelled is is_labelled
    assert found.problems == ()


def test_rows_without_a_picture_are_left_out_and_told(folder):
    (folder / "some.csv").write_text("file,label\na.png,x\nnone.png,y\n../b.png,z\n")
    found, _ = read_table_inputs(folder / "some.csv")
    assert found.names == ("a.png",)
    assert [(each.where, each.found) for each in found.problems] == [
        ("some.csv line 3", "'none.png' does not exist"),
        ("some.csv line 4", "'../b.png' leads out of the folder"),
    ]
    (folder / "some.csv").write_text("file,label\nnone.png,y\n")
    with pytest.raises(DataError, match="no picture"):
        read_table_inputs(folder / "some.csv")


def test_a_parquet_file_is_a_table(folder):
    pytest.importorskip("pyarrow")
    pandas.DataFrame({"file": ["c.png", "a.png"], "label": [1.0, None]}).to_parquet(folder / "some.parquet")
    assert read_table_inputs(folder / "some.parquet")[0].names == ("c.png", "a.png")
