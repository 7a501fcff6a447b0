"""The library that reads HDF5."""

from __future__ import annotations

import h5py


def hdf5_version() -> str:
    """With the version of its Python binding: `1.14.6 (h5py 3.15.1)`."""
    return f"{h5py.version.hdf5_version} (h5py {h5py.version.version})"
