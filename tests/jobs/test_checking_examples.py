"""Every example is looked at before a run, and divided as the run divides it."""

import numpy as np
import pytest
from PIL import Image

import transfer
from transfer.errors import DataError
from transfer.jobs.examples.feeding import make_feed
from transfer.jobs.finetuning.checking_examples import check_examples, look_at_examples
from transfer.jobs.finetuning.learning import Learning
from transfer.models.building import read_model


@pytest.fixture
def feed(student, digits_folder):
    return make_feed(read_model(student), transfer.read_labelled(digits_folder))


@pytest.fixture
def folder(digits, write_pictures, truncate, tmp_path):
    """Thirty digits, three of them damaged so that only decoding tells, and a white one."""
    written = write_pictures(tmp_path / "pictures", *digits)
    for name in ("digit_0/90.jpg", "digit_1/91.jpg", "digit_1/92.jpg"):
        truncate(written / name)
    Image.fromarray(np.full((28, 28), 255, np.uint8)).save(written / "digit_2" / "93.png")
    return written


def test_all_that_cannot_be_decoded_and_all_that_is_blank_is_named(feed, folder):
    data = transfer.read_labelled(folder)
    seen = look_at_examples(feed, data)
    assert [problem.where for _, problem in seen.unreadable] == ["digit_0/90.jpg", "digit_1/91.jpg", "digit_1/92.jpg"]
    assert [data.names[place] for place, _ in seen.unreadable] == [problem.where for _, problem in seen.unreadable]
    assert [data.names[place] for place in seen.blank] == ["digit_2/93.png"]
    assert (seen.seen, len(seen.spread), len(seen.images)) == (34, 31, 16)
    chosen = transfer.read_labelled(folder).subset(seen.spread)
    assert np.array_equal(seen.pixels, feed.load(chosen, 8))  # 28 x 28 is small enough to stay as it is


def test_of_very_many_a_part_is_read_and_places_are_those_of_the_whole(feed, folder):
    data = transfer.read_labelled(folder)
    seen = look_at_examples(feed, data, most=20, seed=1)
    assert seen.seen == 20
    assert all(data.names[place] == problem.where for place, problem in seen.unreadable)
    assert len(seen.spread) == 20 - len(seen.unreadable)
    assert np.array_equal(seen.pixels, feed.load(data.subset(seen.spread), 8))


def test_a_run_learns_from_and_tests_on_the_same_examples(feed, student, folder):
    checked = check_examples(feed, transfer.read_labelled(folder), Learning(shots=6))
    run = transfer.finetune(student, transfer.read_labelled(folder), shots=6, skip_unreadable=True)
    names = transfer.read_labelled(folder).names
    assert sorted(names[place] for place in checked.learnt) == run.asked["split"]["train"]
    assert sorted(names[place] for place in checked.tested) == run.asked["split"]["test"]


def test_what_cannot_be_read_stands_beside_classes_that_are_too_small(feed, folder):
    with pytest.raises(DataError) as refused:
        check_examples(feed, transfer.read_labelled(folder), Learning(shots=11))
    wheres = [each.where for each in refused.value.problems]
    assert wheres[:2] == ["class 'digit_0'", "class 'digit_1'"]
    assert wheres[-3:] == ["digit_0/90.jpg", "digit_1/91.jpg", "digit_1/92.jpg"]


def test_a_test_set_of_its_own_is_looked_at_too(feed, digits_folder, folder):
    checked = check_examples(feed, transfer.read_labelled(digits_folder), Learning(test=transfer.read_labelled(folder)))
    assert (len(checked.learnt), len(checked.tested)) == (30, 31)
    assert [each.where for each in checked.doubts.unreadable] == [
        f"test/{name}" for name in ("digit_0/90.jpg", "digit_1/91.jpg", "digit_1/92.jpg")
    ]
    assert len(checked.doubts.leaked) == 30
    assert checked.doubts.counts == (("digit_0", 10), ("digit_1", 10), ("digit_2", 10))


def test_what_was_left_out_is_told_once(feed, folder):
    (folder / "digit_0" / "notes.txt").write_text("no picture")
    checked = check_examples(feed, transfer.read_labelled(folder), Learning())
    assert [each.where for each in checked.doubts.left_out] == ["digit_0/notes.txt"]


def test_a_class_that_nothing_is_learnt_of_is_refused(feed, digits_folder):
    data = transfer.read_labelled(digits_folder)
    with pytest.raises(DataError, match="no training example") as refused:
        check_examples(feed, data.subset(np.flatnonzero(data.labels != 1)), Learning(test=data))
    assert [each.where for each in refused.value.problems] == ["class 'digit_1'"]
