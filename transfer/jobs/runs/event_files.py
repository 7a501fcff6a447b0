"""Epochs as TensorBoard reads them: a folder for each stage. The package `tensorboard` is not needed to write them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import tensorflow as tf

from transfer.errors import OutputError
from transfer.results import Run
from transfer.training.history import Epoch


class EventFiles:
    """A folder in which every stage of a run has one of its own."""

    def __init__(self, folder: Path) -> None:
        """Make the folder, before anything is computed.

        Raises:
            OutputError: if it cannot be made.
        """
        self.folder = folder
        self._writers: dict[str, Any] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _refused(folder, str(error.strerror)) from error

    def tell(self, stage: str, epoch: Epoch) -> None:
        """Write down an epoch, so that it is seen at once.

        Raises:
            OutputError: if it cannot be written.
        """
        try:
            if stage not in self._writers:
                self._writers[stage] = _begin(self.folder / stage)
            values = [tf.compat.v1.Summary.Value(tag=name, simple_value=each) for name, each in epoch.scalars().items()]
            _write(self._writers[stage], step=epoch.number, summary=tf.compat.v1.Summary(value=values))
            self._writers[stage].flush()
        except (OSError, tf.errors.OpError) as error:
            raise _refused(self.folder, str(error)) from error

    def finish(self, _run: Run) -> None:
        """Close the files."""
        self.break_off(False)

    def break_off(self, _interrupted: bool, /) -> None:
        """Close the files; what is in them stays."""
        for each in self._writers.values():
            each.close()


def _begin(folder: Path) -> Any:
    """A new file; TensorBoard forgets what older ones in its folder say of the same steps."""
    folder.mkdir(exist_ok=True)
    writer = tf.io.TFRecordWriter(str(folder / f"events.out.tfevents.{time.time_ns()}"))
    _write(writer, file_version="brain.Event:2")
    _write(writer, step=0, session_log=tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START))
    return writer


def _write(writer: Any, **fields: Any) -> None:
    writer.write(tf.compat.v1.Event(wall_time=time.time(), **fields).SerializeToString())


def _refused(folder: Path, why: str) -> OutputError:
    return OutputError(f"{folder} cannot be written for TensorBoard: {why}.", next_step="choose another folder")
