"""By what the same examples are known again, wherever they lie."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from transfer.data.named_arrays import digest_rows
from transfer.errors import DataError, Problem

if TYPE_CHECKING:
    from transfer.data.inputs import Examples


def digest_examples(examples: Examples) -> tuple[str, ...]:
    """32 hex digits of SHA-256 for each example: of a file's bytes, or of a row's type, shape and bytes.

    Raises:
        DataError: if files have gone or cannot be read.
    """
    if not isinstance(examples.inputs, tuple):
        return digest_rows(examples.inputs)
    digests, problems = [], []
    for name, path in zip(examples.names, examples.inputs, strict=True):
        try:
            with path.open("rb") as stream:
                digests.append(hashlib.file_digest(stream, "sha256").hexdigest()[:32])
        except OSError as error:
            problems.append(Problem(name, found=error.strerror or str(error)))
    if problems:
        raise DataError(
            f"{len(problems)} of {len(examples)} files of {examples.source} cannot be read any more.",
            problems,
            "leave the files in place while they are used",
        )
    return tuple(digests)
