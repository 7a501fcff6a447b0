"""A folder of pictures, one subfolder a class."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from transfer.data.images import MAX_PIXELS, SUFFIXES, ImageError, OversizedImageError, check_image
from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, Problem

_JUNK = frozenset({"thumbs.db", "desktop.ini"})  # what desktops leave behind; so are names that begin with a dot
_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing", "eval", "evaluation"})


def read_folder(
    folder: Path, *, strict: bool = False, skip_unreadable: bool = False, max_pixels: int | None = MAX_PIXELS
) -> LabelledSet:
    """The pictures below each subfolder of `folder`, labelled with that subfolder's name.

    Headers are read, and checksums of PNG files; nothing is decoded. Classes are in the order of their names, pictures
    within a class in the order of their paths. Hidden files are passed over; what else is left out (files that are no
    pictures, pictures beside the class folders, links that lead away, pictures that are too large) stands in
    `.problems`.

    Args:
        folder: holds one folder for each class, which may have subfolders.
        strict: whether anything left out is an error.
        skip_unreadable: whether damaged pictures are left out too, and not an error. `strict` comes first.
        max_pixels: larger pictures are left out; None where none is opened.

    Raises:
        DataError: if there is no such folder, it is not laid out as one subfolder a class with at least two of them,
            a class has no picture, or pictures are damaged.
    """
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing of that name"
        raise DataError(
            f"{folder} is not a folder.",
            [Problem(str(folder), "a folder with one subfolder a class", found)],
            "give the folder that holds the class folders",
        )
    try:
        top = _list(folder, folder)
        below = {place.name: _list_below(place, folder) for place in top.folders}
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be listed: {error.strerror}.", next_step="make it readable, or move it away"
        ) from error
    loose = [Problem(_name(path, folder), found="lies in no class folder") for path in top.pictures]
    left_out = [*top.left_out, *loose, *(problem for listing in below.values() for problem in listing.left_out)]
    pictures = {name: listing.pictures for name, listing in below.items()}
    _refuse_other_layouts(folder, pictures, left_out, len(loose))

    oversized, unreadable = _check(folder, pictures, max_pixels)
    left_out += oversized
    if skip_unreadable and not strict:
        left_out += unreadable
        unreadable = []
    dropped = {problem.where for problem in (*left_out, *unreadable)}
    kept = {name: [path for path in paths if _name(path, folder) not in dropped] for name, paths in pictures.items()}
    _refuse_faults(folder, pictures, kept, unreadable, left_out, strict=strict)
    return LabelledSet.of_labels(
        source=str(folder),
        names=tuple(_name(path, folder) for paths in kept.values() for path in paths),
        labels=np.repeat(np.arange(len(kept), dtype=np.int64), [len(paths) for paths in kept.values()]),
        classes=tuple(kept),
        inputs=tuple(path for paths in kept.values() for path in paths),
        problems=tuple(sorted(left_out, key=lambda problem: problem.where)),
    )


def list_pictures(folder: Path) -> tuple[tuple[Path, ...], tuple[Problem, ...]]:
    """All pictures below a folder in the order of their names, unlabelled, and what is left out.

    Raises:
        DataError: if a folder cannot be listed.
    """
    try:
        listing = _list_below(folder, folder)
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be listed: {error.strerror}.", next_step="make it readable"
        ) from error
    return tuple(listing.pictures), tuple(listing.left_out)


@dataclass(frozen=True, slots=True)
class _Listing:
    """What lies in a folder: its subfolders, its pictures by their names, and what is left out."""

    folders: list[Path]
    pictures: list[Path]
    left_out: list[Problem]


def _list(place: Path, root: Path) -> _Listing:
    listing = _Listing([], [], [])
    for path in sorted(place.iterdir()):
        if path.name.startswith(".") or path.name.lower() in _JUNK:
            continue
        reason = _reason_to_leave_out(path, root)
        if reason:
            listing.left_out.append(Problem(_name(path, root), found=reason))
        else:
            (listing.folders if path.is_dir() else listing.pictures).append(path)
    return listing


def _list_below(place: Path, root: Path) -> _Listing:
    """All that lies below `place`, its pictures in the order of their names."""
    first = _list(place, root)
    pictures, left_out, waiting = first.pictures, first.left_out, list(first.folders)
    while waiting:
        each = _list(waiting.pop(), root)
        pictures.extend(each.pictures)
        left_out.extend(each.left_out)
        waiting.extend(each.folders)
    return _Listing(first.folders, sorted(pictures, key=lambda path: _name(path, root)), left_out)


def _reason_to_leave_out(path: Path, root: Path) -> str:
    try:
        path.name.encode()
    except UnicodeEncodeError:
        return "its name is not valid UTF-8"
    if path.is_symlink():
        if not path.exists():
            return "a link that leads nowhere"
        if path.is_dir():
            return "a link to a folder; such links are not followed"
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
            return "a link that leads out of the folder"
    if path.is_dir():
        return ""
    if not path.is_file():
        return "neither a file nor a folder"
    return "" if path.suffix.lower() in SUFFIXES else "not a picture by its name"


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix().encode(errors="backslashreplace").decode()


def _refuse_other_layouts(
    folder: Path, pictures: Mapping[str, Sequence[Path]], left_out: Sequence[Problem], loose: int
) -> None:
    """Refuse a folder without labelled pictures, and one whose subfolders are parts of a set.

    Raises:
        DataError: in these two cases.
    """
    expected = "one subfolder a class, with pictures below it"
    if not any(pictures.values()):
        if loose:
            found = f"{loose} pictures that lie loose in the folder"
            step = "move each picture into a folder named after its class"
        else:
            found = f"{len(pictures)} subfolders and no picture ({', '.join(sorted(SUFFIXES))})"
            step = "give the folder that holds the class folders"
        raise DataError(f"{folder} has no labelled pictures.", [Problem(str(folder), expected, found), *left_out], step)
    if len(pictures) > 1 and all(name.lower() in _SPLITS for name in pictures):
        raise DataError(
            f"The subfolders of {folder} are parts of a set, not classes.",
            [Problem(str(folder), expected, f"the subfolders {', '.join(map(repr, pictures))}")],
            f"give one part, such as {folder / next(iter(pictures))}",
        )


def _check(
    folder: Path, pictures: Mapping[str, Sequence[Path]], max_pixels: int | None
) -> tuple[list[Problem], list[Problem]]:
    """The pictures that are too large, and those that cannot be read."""
    oversized: list[Problem] = []
    unreadable: list[Problem] = []
    if max_pixels is None:
        return oversized, unreadable
    for path in (path for paths in pictures.values() for path in paths):
        try:
            check_image(path, max_pixels=max_pixels)
        except ImageError as error:
            kind = oversized if isinstance(error, OversizedImageError) else unreadable
            kind.append(Problem(_name(path, folder), found=error.problems[0].found))
    return oversized, unreadable


def _refuse_faults(
    folder: Path,
    pictures: Mapping[str, Sequence[Path]],
    kept: Mapping[str, Sequence[Path]],
    unreadable: Sequence[Problem],
    left_out: Sequence[Problem],
    *,
    strict: bool,
) -> None:
    """Raise one error for everything that is wrong.

    Raises:
        DataError: if there is a single class, a class without pictures, an unreadable picture, or, where `strict`,
            anything that was left out.
    """
    problems: list[Problem] = []
    steps: list[str] = []
    if len(pictures) == 1:
        only = next(iter(pictures))
        problems.append(Problem(str(folder), "at least 2 class folders", f"1 class folder, {only!r}"))
        nested = {path.relative_to(folder / only).parts[0] for path in pictures[only]}
        deeper = len(nested) > 1 and all((folder / only / name).is_dir() for name in nested)
        steps.append(f"give {folder / only} if its subfolders are the classes" if deeper else "add a second class")
    empty = tuple(name for name in pictures if not kept[name])
    for name in empty:
        lost = len(pictures[name])
        problems.append(Problem(name, "pictures of this class", f"{lost}, and none can be used" if lost else "none"))
    refused = [
        problem for problem in left_out if strict or problem.where.startswith(tuple(f"{name}/" for name in empty))
    ]
    if empty:
        steps.append("add pictures, or remove the folder, of each class that has none")
    if unreadable:
        problems.extend(unreadable)
        steps.append("remove damaged files, or leave them out with --skip-unreadable (skip_unreadable=True)")
    problems.extend(refused)
    if strict and refused:
        steps.append("move away what cannot be used, or do without --strict (strict=True)")
    if problems:
        things = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise DataError(f"{folder} cannot be used as a labelled set: {things}.", problems, "; ".join(steps))
