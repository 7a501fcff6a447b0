"""One door: what lies at a path decides how it is read."""

import numpy as np
import pytest
from PIL import Image

from transfer.data.forms import as_examples, as_labelled
from transfer.data.reading import read_labelled
from transfer.errors import DataError


@pytest.fixture
def photos(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        Image.new("L", (6, 6)).save(tmp_path / "photos" / name / "1.png")
    return tmp_path / "photos"


def refused(path) -> DataError:
    with pytest.raises(DataError) as caught:
        read_labelled(path)
    return caught.value


def test_folder_is_read_as_pictures(photos):
    examples = read_labelled(str(photos))
    assert (examples.kind, examples.classes) == ("images", ("cat", "dog"))


def test_options_reach_the_folder(photos):
    (photos / "cat/2.png").write_bytes(b"")
    assert len(read_labelled(photos, skip_unreadable=True).problems) == 1
    with pytest.raises(DataError):
        read_labelled(photos, strict=True, skip_unreadable=True)
    with pytest.raises(DataError, match="cannot be used"):
        read_labelled(photos, skip_unreadable=True, max_pixels=35)


def test_npz_is_known_by_its_content(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 3)), y=[0, 1])
    (tmp_path / "a.npz").rename(tmp_path / "a.data")
    assert read_labelled(tmp_path / "a.data").kind == "arrays"


def test_missing_path_lists_the_nearest_names(photos):
    error = refused(photos.parent / "fotos")
    assert error.summary == f"{photos.parent / 'fotos'} does not exist."
    assert error.next_step == "nearest there: 'photos'"


def test_missing_path_that_nothing_is_called_like_says_what_can_be_given(photos):
    assert refused(photos.parent / "zzz").next_step.startswith("give a folder of pictures with one subfolder a class")


def test_a_table_of_labels_that_lies_in_the_folder_is_pointed_to(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (photos / "labels_2.csv").write_text("file,label\n")
    with pytest.raises(DataError) as caught:
        read_labelled(photos, labels="labels_2.csv")
    inside = photos / "labels_2.csv"
    assert caught.value.summary == "labels_2.csv does not exist."
    assert caught.value.next_step == f"one lies in {photos}: --labels {inside} (labels={str(inside)!r})"


def test_missing_folder_above_is_named(tmp_path):
    assert refused(tmp_path / "a/b").summary.endswith(f"nor does the folder {tmp_path / 'a'}.")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"a,b\n1,2\n", "a file that starts with b'a,b\\n1,2\\n'"),
        (b"PK\x05\x06" + bytes(18), "PK"),
    ],
)
def test_other_files_are_refused_with_what_can_be_read(tmp_path, content, found):
    (tmp_path / "a.npz").write_bytes(content)
    error = refused(tmp_path / "a.npz")
    assert found in error.problems[0].found
    assert "one subfolder a class" in error.problems[0].expected
    assert ".npz" in error.problems[0].expected


def test_dangling_link_and_device_are_refused(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    assert refused(tmp_path / "link").problems[0].found == "a link that leads nowhere"
    assert refused("/dev/null").problems[0].found == "neither a file nor a folder"


def test_a_set_a_path_and_two_arrays_are_labelled_examples(tmp_path):
    x, y = np.arange(6.0).reshape(3, 2), [0, 1, 1]
    np.savez(tmp_path / "a.npz", x=x, y=y)
    read = read_labelled(tmp_path / "a.npz")
    assert as_labelled(read) is read
    for given in (str(tmp_path / "a.npz"), tmp_path / "a.npz", (x, y), [x, y]):
        found = as_labelled(given)
        assert (found.labels.tolist(), found.inputs.tolist()) == (y, x.tolist())


@pytest.mark.parametrize(
    ("given", "told"), [(np.zeros((3, 2)), "an array (3, 2) float64"), ((np.zeros(3),), "tuple"), (None, "NoneType")]
)
def test_what_has_no_labels_says_what_to_give(given, told):
    with pytest.raises(DataError, match="two arrays") as caught:
        as_labelled(given)
    assert caught.value.summary.endswith(f"not {told}.")
    assert caught.value.next_step == "give (x, y), or what transfer.read_labelled(path) gave"


def test_examples_without_labels_come_from_a_set_a_path_or_an_array(tmp_path):
    x = np.arange(6.0).reshape(3, 2)
    np.savez(tmp_path / "a.npz", x=x)
    for given in (tmp_path / "a.npz", str(tmp_path / "a.npz"), x):
        assert as_examples(given).inputs.tolist() == x.tolist()
    whole = as_examples(x)
    assert as_examples(whole) is whole
    for wrong in (3, "nowhere", np.zeros(3), np.array([["a", "b"]])):
        with pytest.raises(DataError) as caught:
            as_examples(wrong)
        assert caught.value.next_step or caught.value.problems
