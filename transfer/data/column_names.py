"""What columns of tables are called: those of paths, those of labels, those that number the rows."""

from __future__ import annotations

import re
from collections.abc import Iterable

PATHS = frozenset(
    [
        "file",
        "files",
        "filename",
        "file_name",
        "filepath",
        "file_path",
        "path",
        "paths",
        "image",
        "images",
        "image_file",
        "image_name",
        "image_path",
        "img",
        "img_path",
        "picture",
        "pictures",
        "photo",
        "photos",
        "url",
        "urls",
        "uri",
        "address",
        "image_url",
        "image_uri",
    ]
)
LABELS = frozenset(["label", "labels", "class", "classes", "class_name", "category", "target"])
CORRECTIONS = ("file", "label", "suggested", "score")  # of a table that an audit writes
NUMBERING = frozenset(["", "id", "index", "row", "no", "nr", "unnamed:_0"])


def plain_name(name: str) -> str:
    """A column's name as it is compared: lower case, one underscore for spaces and hyphens."""
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def names_both(cells: Iterable[str]) -> bool:
    """Whether a row is a header with a column of paths and one of labels, by their names."""
    names = set(map(plain_name, cells))
    return bool(names & PATHS and names & LABELS)


def output_name(column: str, place: int = 0) -> str:
    """What the output of a column is called, and its head: what a layer may be called, as near as that comes."""
    cleaned = re.sub(r"[^A-Za-z0-9_.-]+", "_", column.strip()).strip("_.-")
    return cleaned or f"output_{place + 1}"
