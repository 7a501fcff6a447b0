"""The command that takes the best network at its cut."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePath

from transfer.graphs.attaching import free_name
from transfer.jobs.opening_candidates import OpenedCandidate
from transfer.labellings import Labelling
from transfer.rankings import RankedCut


def extract_command(best: RankedCut, opened: OpenedCandidate, labelling: Labelling) -> str:
    """What to type for it; empty where the network is no file, has random weights, or came from a builder in memory."""
    file, into = opened.candidate.file, opened.into
    if not file or best.is_random or not isinstance(into, str | None):
        return ""
    output = labelling.outputs[0]
    head = f"{free_name(opened.network.graph, output.name)}:{len(output.classes)}"
    stem = PurePath(file).name.split(".")[0]
    out = re.sub(r"[^\w.-]+", "_", f"{stem}_{best.at}.keras")
    words = [
        "transfer",
        "extract",
        file,
        *(["--into", into] if into else []),
        "--at",
        best.at,
        "--head",
        head,
        "-o",
        out,
    ]
    return shlex.join(words)
