"""Folders within class folders as finer classes: `fruit/apple/1.png` is fruit, and an apple."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from transfer.data.labelled import LabelledSet
from transfer.data.labelling_files import fine_classes
from transfer.data.targets import UNKNOWN
from transfer.data.wanted import Wanted
from transfer.errors import DataError, Problem, near_names
from transfer.labellings import Labelling, Output

_STEP = "write a labels.csv, or give a table (--labels, labels=…)"


def relabel_folder(found: LabelledSet, folder: Path, wanted: Wanted) -> LabelledSet:
    """The pictures of class folders with the outputs that are asked for: a class, or a class and a finer one.

    Args:
        found: one class each, names as they lie below the folder.
        folder: for messages.
        wanted: a labelling of one softmax output, or of one under another; or as many names.

    Raises:
        DataError: if something else is asked for, or folders are no classes of the labelling.
    """
    labelling, kinds = wanted.labelling, wanted.kinds or {}
    outputs = labelling.outputs if labelling is not None else ()
    is_chain = len(outputs) == 2 and outputs[1].parent == outputs[0].name and outputs[1].kind == "softmax"
    if wanted.group_by or any(kind not in (None, "softmax") for kind in kinds.values()):
        raise _refusal(folder, "groups, labels of yes and no, or numbers")
    if len(kinds) == 1:
        return found.renamed(next(iter(kinds)))
    if labelling is not None and labelling.is_single:
        return _with_classes(found, folder, labelling)
    if labelling is not None and is_chain:
        return _nested(found, folder, labelling)
    if len(kinds) == 2:
        coarse, fine = kinds
        return _nested(found, folder, infer_nesting(found, folder, coarse, fine))
    if labelling is None and not kinds:
        return found
    raise _refusal(folder, f"{len(outputs) or len(kinds)} outputs that are no class and a finer one under it")


def infer_nesting(found: LabelledSet, folder: Path, coarse: str, fine: str) -> Labelling:
    """Class folders and the folders within them as two outputs.

    Raises:
        DataError: if no class folder has folders with pictures.
    """
    grouped = [
        (name, sorted({parts[1] for parts in map(_parts, found.names) if parts[0] == name and parts[1]}))
        for name in found.classes
    ]
    classes, under = fine_classes([(name, several) for name, several in grouped if several])
    if not classes:
        raise DataError(
            f"The class folders of {folder} have no folders of finer classes.",
            [Problem(str(folder), "pictures in folders such as fruit/apple", "pictures right in the class folders")],
            _STEP,
        )
    return Labelling((Output(coarse, classes=found.classes), Output(fine, classes=classes, parent=coarse, under=under)))


def keep_frequent(found: LabelledSet, least: int) -> LabelledSet:
    """The same with finer classes of fewer examples than so many not known, which `.problems` tells.

    Args:
        found: a class, and a finer one.
        least: examples of a finer class.
    """
    fine, values = found.labelling.outputs[1], found.targets[1]
    counts = np.bincount(values[values >= 0], minlength=len(fine.classes))
    rare = [place for place, count in enumerate(counts.tolist()) if count < least]
    if not rare:
        return found
    problems = tuple(
        Problem(f"{fine.name} {fine.classes[place]!r}", f"at least {least} examples", f"{counts[place]}: not known")
        for place in rare
    )
    kept = [place for place in range(len(fine.classes)) if place not in rare]
    if not kept:
        raise DataError(
            f"No finer class of {found.source} has {least} examples.", problems, "ask for fewer (min_examples=…)"
        )
    places = np.full(len(fine.classes) + 1, UNKNOWN, np.int64)  # the last serves those that are not known
    places[kept] = np.arange(len(kept))
    output = replace(
        fine, classes=tuple(fine.classes[place] for place in kept), under=tuple(fine.under[place] for place in kept)
    )
    return replace(
        found,
        labelling=Labelling((found.labelling.outputs[0], output)),
        targets=(found.targets[0], places[values]),
        problems=(*found.problems, *problems),
    )


def _parts(name: str) -> tuple[str, str]:
    """The class folder of a picture, and the folder within it; empty where it lies right in the class folder."""
    parts = name.split("/")
    return parts[0], parts[1] if len(parts) > 2 else ""


def _with_classes(found: LabelledSet, folder: Path, labelling: Labelling) -> LabelledSet:
    output = labelling.outputs[0]
    _refuse_strange([name for name in found.classes if name not in output.classes], folder, output)
    places = np.array([output.classes.index(name) for name in found.classes], np.int64)
    return replace(found, labelling=labelling, targets=(places[found.labels],))


def _nested(found: LabelledSet, folder: Path, labelling: Labelling) -> LabelledSet:
    coarse, fine = labelling.outputs
    _refuse_strange([name for name in found.classes if name not in coarse.classes], folder, coarse)
    known = {(above, name): place for place, (above, name) in enumerate(zip(fine.under, fine.classes, strict=True))}
    known |= {(above, name.removeprefix(f"{above}/")): place for (above, name), place in known.items()}
    pairs = [_parts(name) for name in found.names]
    strange = [f"{above}/{name}" for above, name in dict.fromkeys(pairs) if name and (above, name) not in known]
    _refuse_strange(strange, folder, fine)
    places = np.array([coarse.classes.index(above) for above, _ in pairs], np.int64)
    finer = np.array([known[pair] if pair[1] else UNKNOWN for pair in pairs], np.int64)
    return replace(found, labelling=labelling, targets=(places, finer))


def _refuse_strange(names: Sequence[str], folder: Path, output: Output) -> None:
    """Refuse folders that are no classes.

    Raises:
        DataError: if there are some; names all of them.
    """
    if not names:
        return
    shown = [f"{above}/{name}" for above, name in zip(output.under, output.classes, strict=False)] or output.classes
    raise DataError(
        f"{folder} has folders that are no classes of {output.name!r}.",
        [Problem(name, f"a class of {output.name!r}", near_names(name, shown) or "none like it") for name in names],
        "rename the folders, or add the classes to the labelling",
    )


def _refusal(folder: Path, what: str) -> DataError:
    return DataError(
        f"{folder} has no table of labels: folders say a class, and a finer one.",
        [Problem(str(folder), "one softmax output, or one under another", what)],
        _STEP,
    )
