"""A finished run as one page that a browser opens: written whole, and over nothing but a page of the same run.

Neither Keras nor TensorFlow is imported where the page is made of what lies in the run's folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, TransferError
from transfer.evidence.run_comparisons import Comparison
from transfer.graphs.graph import Graph
from transfer.jobs.pages.gathering_contents import CloserLook, gather_contents
from transfer.jobs.runs.comparing_runs import compare
from transfer.jobs.runs.known_runs import name_runs
from transfer.jobs.runs.run_folders import ASKED, PAGE
from transfer.placing import placed_file, refuse_existing
from transfer.reports.contents import Page
from transfer.reports.rendering import render
from transfer.results import Run
from transfer.specs import Progress, silent

_LAST = 65536  # bytes of a file in which its mark is looked for


def write_report(
    runs: Run | str | os.PathLike[str] | Sequence[Run | str | os.PathLike[str]],
    out: str | os.PathLike[str] | None = None,
    *,
    data: LabelledSet | str | os.PathLike[str] | None = None,
    force: bool = False,
    custom_objects: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> Path:
    """Write what finished runs found out as one HTML page that stands alone: it loads nothing and needs no network.

    One run is told with its scores, its network, what it learnt from, where it errs and how it is repeated. Several
    are held against each other first. What a run did not keep, and what would take the examples, is left out with the
    reason.

    Args:
        runs: a run, its folder, or several.
        out: the page; by default `report.html` in the folder of the one run.
        data: the examples of the one run, or their path, wherever they lie now: then pictures are drawn anew, and
            saturation and drift are looked at, which takes TensorFlow and some time.
        force: whether a file that is no page of these very runs may be replaced.
        custom_objects: classes of the caller's that the run holds, by name; for `data` alone.
        progress: told of what is going on.

    Returns:
        Where it is.

    Raises:
        DataError: if a folder is no finished run, a run lies in none, or `data` holds none of its test examples.
        OutputError: if something else stands there, or it cannot be written.
    """
    folders = _folders(runs)
    if len(folders) > 1 and (out is None or data is not None):
        what = "Say where a page of several runs goes" if out is None else "Examples go with the page of one run"
        raise DataError(f"{what}.", next_step="give out=…, -o PAGE" if out is None else "leave out data, or name one")
    target = Path(out) if out is not None else folders[0] / PAGE
    mark = _mark(folders)
    refuse_existing(target, force=force or _bears(target, mark))
    looks: list[CloserLook | None] = [None] * len(folders)
    if data is not None:
        # Keras and TensorFlow are for this alone.
        from transfer.jobs.pages.looking_closer import look_closer

        looks = [look_closer(folders[0], data, custom_objects=custom_objects, progress=progress)]
    return _write(folders, looks, target, mark, force=force)


def with_page(run: Run, graph: Graph | None = None) -> Run:
    """A run that lies in a folder with a page there; whatever goes wrong with it is told, and the run stays whole.

    Args:
        run: that was written.
        graph: of its network; None to read it from the folder.
    """
    if run.folder is None:
        return run
    try:
        mark = _mark([run.folder])
        page = _write([run.folder], [None], run.folder / PAGE, mark, force=False, graph=graph)
    except Exception as error:  # noqa: BLE001  # whatever it is, a run that took long is not lost to its page
        told = error.summary if isinstance(error, TransferError) else f"{type(error).__name__}: {error}"
        again = f"the run is whole without it; 'transfer report {run.folder}' tries again"
        return replace(run, troubles=(*run.troubles, f"no report was written ({str(told)[:300].rstrip('.')}); {again}"))
    return replace(run, report=page)


def _write(
    folders: Sequence[Path],
    looks: Sequence[CloserLook | None],
    target: Path,
    mark: str,
    *,
    force: bool,
    graph: Graph | None = None,
) -> Path:
    contents = [gather_contents(each, look=look, graph=graph) for each, look in zip(folders, looks, strict=True)]
    if len(folders) > 1:
        names = name_runs([Path(os.path.realpath(each)) for each in folders])
        contents = [replace(each, name=name) for each, name in zip(contents, names, strict=True)]
    text = render(Page(tuple(contents), _comparison(folders)))
    with placed_file(target, force=force or _bears(target, mark)) as temporary:
        temporary.write_text(f"{text.rstrip()}\n{mark}\n", encoding="utf-8")
    return target


def _folders(runs: Run | str | os.PathLike[str] | Sequence[Run | str | os.PathLike[str]]) -> list[Path]:
    several = [runs] if isinstance(runs, Run | str | os.PathLike) else list(runs)
    if not several:
        raise DataError("There is no run to tell of.", next_step="name the folder of one")
    if any(isinstance(each, Run) and each.folder is None for each in several):
        raise DataError(
            "A run that lies in no folder kept nothing that a page could be made of.",
            next_step="give finetune a folder: out='runs/photos'",
        )
    found = [Path(each.folder or "") if isinstance(each, Run) else Path(each) for each in several]
    return list({os.path.realpath(each): each for each in found}.values())


def _comparison(folders: Sequence[Path]) -> Comparison | None:
    """Of several runs; None where they share no test example."""
    if len(folders) < 2:
        return None
    found = compare(folders)
    return found if found.pairs else None


def _mark(folders: Sequence[Path]) -> str:
    """By what a page of these runs is known again: a comment at its end."""
    digests = []
    for folder in folders:
        try:
            digest = str(json.loads((folder / ASKED).read_text())["digest"])
        except (OSError, ValueError, KeyError, TypeError):
            digest = ""  # what reads the run says what is wrong
        known = re.fullmatch(r"[0-9a-f]{64}", digest)
        digests.append(digest if known else hashlib.sha256(digest.encode()).hexdigest())
    return f"<!-- transfer report {' '.join(digests)} -->"


def _bears(path: Path, mark: str) -> bool:
    """Whether a file is a page of these very runs."""
    try:
        if path.is_symlink():
            return False
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - _LAST))
            return stream.read().rstrip().endswith(mark.encode())
    except OSError:
        return False
