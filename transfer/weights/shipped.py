"""The checkpoints that come with the project, by name."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED, _CLONED = _PACKAGE / "checkpoints", _PACKAGE.parent / "checkpoints"
_SUFFIXES = (".weights.h5", ".h5", ".keras")


def shipped_checkpoints() -> dict[str, Path]:
    """Name to file, sorted by name."""
    found: dict[str, Path] = {}
    for path in sorted((_INSTALLED if _INSTALLED.is_dir() else _CLONED).glob("*")):
        suffix = next((each for each in _SUFFIXES if path.name.endswith(each)), None)
        if suffix:
            found.setdefault(path.name.removesuffix(suffix), path)
    return dict(sorted(found.items()))
