"""Opening whatever holds tensors: a checkpoint of Keras, or a safetensors file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from transfer.weights.checkpoint import Checkpoint
from transfer.weights.opening import open_checkpoint
from transfer.weights.safetensors import Safetensors, is_safetensors, open_safetensors

Tensors: TypeAlias = Checkpoint | Safetensors


def open_tensors(path: str | os.PathLike[str]) -> Tensors:
    """Open a file by what is in it.

    Raises:
        CheckpointError: if there is no such file, it is something else, or damaged.
    """
    file = Path(path)
    return open_safetensors(file) if is_safetensors(file) else open_checkpoint(path)
