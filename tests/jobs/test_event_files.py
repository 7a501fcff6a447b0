"""Epochs as TensorBoard reads them, read back with TensorFlow's own reader."""

import pytest
import tensorflow as tf

from transfer.errors import OutputError
from transfer.jobs.runs.event_files import EventFiles
from transfer.training.history import Epoch

FIRST = Epoch(1, 0.75, {"conv": 0.125}, 0.5, validation_loss=0.25, validation_accuracy=1.0)
SECOND = Epoch(2, 0.5, {"conv": 0.0625}, 0.25)


def events(path) -> list:
    return [tf.compat.v1.Event.FromString(each.numpy()) for each in tf.data.TFRecordDataset(str(path))]


def test_each_number_of_an_epoch_is_there_as_soon_as_it_is_told(tmp_path):
    files = EventFiles(tmp_path / "run")
    files.tell("stage_1", FIRST)
    files.tell("stage_1", SECOND)
    files.tell("trial_1", FIRST)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["stage_1", "trial_1"]
    (path,) = (tmp_path / "run" / "stage_1").glob("events.out.tfevents.*")
    version, start, *rest = events(path)
    assert version.file_version == "brain.Event:2"
    assert (start.step, start.session_log.status) == (0, tf.compat.v1.SessionLog.START)
    found = [(each.step, {one.tag: one.simple_value for one in each.summary.value}) for each in rest]
    first = {"loss": 0.75, "rate": 0.5, "validation_loss": 0.25, "validation_accuracy": 1.0, "updates/conv": 0.125}
    assert found == [(1, first), (2, {"loss": 0.5, "rate": 0.25, "updates/conv": 0.0625})]


def test_files_that_are_there_already_stay(tmp_path):
    for _ in range(2):
        files = EventFiles(tmp_path)
        files.tell("stage_1", FIRST)
        files.break_off(True)
    first, second = sorted((tmp_path / "stage_1").iterdir())
    assert [len(events(first)), len(events(second))] == [3, 3]


def test_a_folder_that_cannot_be_made_or_written_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written for TensorBoard"):
        EventFiles(tmp_path / "file" / "run")
    files = EventFiles(tmp_path / "run")
    (tmp_path / "run" / "stage_1").touch()
    with pytest.raises(OutputError, match="cannot be written for TensorBoard"):
        files.tell("stage_1", FIRST)
