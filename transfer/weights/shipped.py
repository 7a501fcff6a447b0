"""The checkpoints that come with the project, by name."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_FOLDERS = (_PACKAGE / "checkpoints", _PACKAGE.parent / "checkpoints")  # in a wheel; in a clone
_SUFFIXES = (".weights.h5", ".h5", ".keras")


def shipped_checkpoints() -> dict[str, Path]:
    """Name to file, sorted by name."""
    found: dict[str, Path] = {}
    for folder in _FOLDERS:
        for path in sorted(folder.glob("*")):
            suffix = next((each for each in _SUFFIXES if path.name.endswith(each)), None)
            if suffix:
                found.setdefault(path.name.removesuffix(suffix), path)
    return dict(sorted(found.items()))
