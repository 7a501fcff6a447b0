"""Which rows a folder of cached features holds, looked up without touching it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import h5py


def read_kept_keys(folder: Path) -> frozenset[str]:
    """The keys of all rows in the shards of one piece of a network; none where the folder is not there.

    Nothing is checked, marked as used or taken away, as `find_shards` does for those who go on to read the rows.
    """
    keys: set[str] = set()
    with suppress(OSError):
        for path in sorted(folder.glob("*.h5")):
            with suppress(OSError, KeyError), h5py.File(path, "r") as file:
                keys.update(key.decode("ascii") for key in file["keys"][()].tolist())
    return frozenset(keys)
