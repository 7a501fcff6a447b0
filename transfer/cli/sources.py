"""What a command looks at: a checkpoint, or the folder of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from transfer.weights.checkpoint import Checkpoint


def open_source(file: str, into: str | None) -> Path | Checkpoint:
    """The folder where a run lies there, else the checkpoint; TensorFlow is imported meanwhile.

    Raises:
        UsageError: if an architecture is named for a run, which has its own.
        CheckpointError: if the file cannot be opened.
    """
    from transfer.cli.quieting import import_tensorflow
    from transfer.jobs.runs.run_folders import ASKED
    from transfer.weights.opening import begin_opening

    if (Path(file) / ASKED).is_file():
        if into is not None:
            raise click.UsageError("--into is for checkpoints; a run knows its network.")
        import_tensorflow()
        return Path(file)
    with begin_opening(file) as opening:  # another process reads the structure while TensorFlow is imported
        import_tensorflow()
        return opening.checkpoint()
