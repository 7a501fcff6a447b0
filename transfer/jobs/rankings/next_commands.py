"""The commands that go on with the best network of a ranking at its cut."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import PurePath

from transfer.graphs.attaching import free_name
from transfer.graphs.shapes import shape_of
from transfer.jobs.rankings.features_of_cuts import Fitting
from transfer.jobs.rankings.opening_candidates import OpenedCandidate
from transfer.labellings import Labelling
from transfer.rankings import RankedCut
from transfer.specs import PREPROCESSINGS, Restoring

_AXES = 3  # of an image: height, width, channels


def extract_command(
    best: RankedCut, opened: OpenedCandidate, labelling: Labelling, fitting: Fitting, restoring: Restoring
) -> str:
    """What to type to have it in a file, for images as it was ranked; empty where `can_be_typed` says no."""
    if not can_be_typed(best, opened):
        return ""
    output = labelling.outputs[0]
    head = f"{free_name(opened.network.graph, output.name)}:{len(output.classes)}"
    _, size = fitting.of(opened.network)
    is_image = len(shape_of(opened.network.graph, opened.network.graph.inputs[0])) == _AXES
    sized = ["--input-size", f"{size[0]}x{size[1]}"] if size and is_image else []
    words = [*_taking("extract", best, opened, [], restoring), *sized, "--head", head]
    return shlex.join([*words, "-o", f"{_stem(best, opened)}.keras"])


def finetune_command(
    best: RankedCut, opened: OpenedCandidate, data: Sequence[str], fitting: Fitting, restoring: Restoring, seed: int
) -> str:
    """What to type to fine-tune it at once; empty where `can_be_typed` says no, or an option cannot.

    Args:
        best: the cut.
        opened: the network.
        data: how the examples are named and read, word by word; none where they are no file.
        fitting: of images, as it was ranked.
        restoring: likewise.
        seed: of the split and of training.
    """
    preprocessing, size = fitting.of(opened.network)
    name = preprocessing if isinstance(preprocessing, str | None) else _named(preprocessing)
    if not data or name == "" or not can_be_typed(best, opened):
        return ""
    words = _taking("finetune", best, opened, data[:1], restoring)
    words += ["--size", f"{size[0]}x{size[1]}"] if size else []
    words += ["--preprocessing", name] if name else []
    words += [*data[1:], *(["--seed", f"{seed}"] if seed else [])]
    return shlex.join([*words, "-o", _stem(best, opened)])


def can_be_typed(best: RankedCut, opened: OpenedCandidate) -> bool:
    """Whether it is a file, was trained, and did not go into an architecture in memory."""
    return bool(opened.candidate.file) and not best.is_random and isinstance(opened.into, str | None)


def _taking(
    command: str, best: RankedCut, opened: OpenedCandidate, behind: Sequence[str], restoring: Restoring
) -> list[str]:
    """The command, what it takes, and how that is restored and cut."""
    into = ["--into", str(opened.into)] if opened.into else []
    return ["transfer", command, opened.candidate.file, *behind, *into, *_options(restoring), "--at", best.at]


def _options(restoring: Restoring) -> list[str]:
    """Those that differ from what goes without saying."""
    plain = Restoring()
    named = {"era": "--era", "backend": "--backend", "min_coverage": "--min-coverage", "check": "--check"}
    several = [("--rule", each) for each in restoring.rules] + [("--skip", each) for each in restoring.skip]
    single = [
        (option, str(getattr(restoring, name)))
        for name, option in named.items()
        if getattr(restoring, name) != getattr(plain, name)
    ]
    return [word for pair in (*several, *single) for word in pair]


def _named(preprocessing: object) -> str:
    return next((name for name, each in PREPROCESSINGS.items() if each == preprocessing), "")


def _stem(best: RankedCut, opened: OpenedCandidate) -> str:
    """A name in the current folder."""
    stem = PurePath(opened.candidate.file).name.split(".")[0]
    return re.sub(r"[^\w.-]+", "_", f"{stem}_{best.at}")
