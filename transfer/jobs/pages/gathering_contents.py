"""What a report shows of a finished run, from what lies in its folder; neither Keras nor TensorFlow is imported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from transfer.analysis.drift import Drift
from transfer.analysis.findings import Finding
from transfer.evidence.known_runs import KeptAnswers
from transfer.graphs.graph import Graph
from transfer.graphs.input_shapes import input_shapes, is_closed
from transfer.jobs.pages.gathering_layers import gather_layers
from transfer.jobs.pages.gathering_outputs import gather_outputs
from transfer.jobs.pages.noting_absences import NotingAbsences
from transfer.jobs.pages.telling_verdicts import tell_verdict
from transfer.jobs.runs.checking_requests import check_asked
from transfer.jobs.runs.finding_wrong_answers import surest_wrong
from transfer.jobs.runs.kept_answers import read_answers
from transfer.jobs.runs.kept_examples import KeptExamples, read_examples_of_run
from transfer.jobs.runs.kept_predictions import KeptPredictions, read_predictions
from transfer.jobs.runs.run_folders import ASKED, COMMAND, MODEL, TIMING, read_asked, read_history, read_result
from transfer.jobs.runs.sibling_runs import rank_beside
from transfer.labellings import Labelling
from transfer.reports.contents import Contents, LayerRow, Suspect, WrongAnswer
from transfer.reports.receipt_tree import grow_tree
from transfer.results import Result
from transfer.specs import Json
from transfer.surgery.planning import own_graph
from transfer.weights.opening import open_checkpoint

T = TypeVar("T")
_LONGEST_SECONDS = 1e10
_WITH_DATA = "'transfer report RUN --data DATA' does"


@dataclass(frozen=True, slots=True)
class CloserLook:
    """What takes the examples and the network to find out, where somebody has looked.

    Attributes:
        predictions: for the test examples; None for those that the run kept.
        examples: pictures of them, and more; None likewise.
        findings: saturation and other faults.
        saturated: share of the units that are saturated or dead, by layer.
        drift: of the input; None where it was not looked at.
        absent: by the name of a section, why there is nothing in it.
    """

    predictions: KeptPredictions | None = None
    examples: KeptExamples | None = None
    findings: tuple[Finding, ...] = ()
    saturated: Mapping[str, float] = field(default_factory=dict)
    drift: Drift | None = None
    absent: Mapping[str, str] = field(default_factory=dict)


def gather_contents(folder: Path, *, look: CloserLook | None = None, graph: Graph | None = None) -> Contents:
    """Gather what the page of a run shows. What is damaged or missing is left out with the reason.

    Args:
        folder: of the run.
        look: what somebody found who had the examples and the network; None for nobody.
        graph: of the run's network; None to read it from the folder.

    Raises:
        DataError: if the folder is no finished run.
        CheckpointError: if its request or its result is damaged.
    """
    asked = read_asked(folder)
    check_asked(folder, asked)
    result = read_result(folder)
    reading = NotingAbsences(OSError, KeyError, TypeError, AttributeError)
    labelling = result.labelling or Labelling.of_classes(result.classes)
    split = (asked.get("split") or {}).get("test") or ()
    answers = reading("scores", lambda: read_answers(folder))
    kept = reading("calibration", lambda: read_predictions(folder, labelling, tuple(map(str, split))))
    examples = reading("wrong", lambda: read_examples_of_run(folder, labelling))
    seconds = reading("reproduce", lambda: _read_seconds(folder / TIMING))
    told = look or CloserLook()
    predictions, examples = told.predictions or kept, told.examples or examples or KeptExamples()
    network = graph or reading("network", lambda: _read_graph(folder))
    found = Contents(
        name=folder.resolve().name,
        result=result,
        verdict=tell_verdict(result, answers, seconds),
        asked=asked,
        receipt=reading("restored", lambda: _receipt(asked)),
        history=read_history(folder),
        seconds=seconds,
        command=_read_text(folder / COMMAND),
        outputs=gather_outputs(
            result, labelling, predictions, learnt=examples.learnt, groups=_groups(answers, predictions)
        ),
        layers=reading("network", lambda: _layers(network, asked, told)) or () if network is not None else (),
        wrong=_wrong(predictions, result, examples),
        suspects=tuple(_pictured(each, examples) for each in examples.suspects),
        findings=told.findings,
        drift=told.drift,
        leaderboard=rank_beside(folder, asked),
    )
    return replace(found, absent={**_absent(found, predictions), **examples.absent, **told.absent, **reading.absent})


def _absent(found: Contents, predictions: KeptPredictions | None) -> dict[str, str]:
    """Why sections are empty, where nothing went wrong."""
    why: dict[str, str] = {}
    if predictions is None:
        old = f"The run did not keep what it answers to each example; {_WITH_DATA}."
        why |= dict.fromkeys(("confusion", "calibration", "wrong"), old)
    elif not found.wrong:
        why["wrong"] = "No class or label of a test example was answered wrongly."
    if not any(each.confusion for each in found.outputs) and predictions is not None:
        why["confusion"] = "No output is one class of several."
    if not found.suspects:
        why["suspects"] = "The run did not look for labels that are likely wrong; 'transfer audit FILE DATA' does."
    if not found.findings:
        why["saturation"] = f"The run did not look; {_WITH_DATA}."
    if found.drift is None:
        why["drift"] = f"The run did not look; {_WITH_DATA}."
    if found.leaderboard is None:
        why["leaderboard"] = "No other run of this task lies beside this one."
    if not found.receipt:
        why["restored"] = "The caller restored the weights; the run holds no receipt of it."
    return why


def _layers(graph: Graph, asked: Json, look: CloserLook) -> tuple[LayerRow, ...]:
    stages = ((asked.get("recipe") or {}).get("stages") or [{}])[:1]
    fresh = any(bool(each.get("fresh")) for each in stages)
    return gather_layers(graph, sizes=_sizes(graph, asked.get("input") or {}), fresh=fresh, saturated=look.saturated)


def _sizes(graph: Graph, fed: Json) -> dict[str, tuple[int, ...]]:
    """Of the input, where the run says to what its pictures are fitted and the network leaves it open."""
    own, size = input_shapes(graph), fed.get("size")
    if is_closed(graph) or len(own) != 1 or not isinstance(size, list) or len(size) != 2:
        return {}
    ((name, shape),) = own.items()
    whole = tuple(size[place] if place < 2 and each is None else each for place, each in enumerate(shape))
    return {} if None in whole else {name: tuple(int(each) for each in whole if each is not None)}


def _wrong(predictions: KeptPredictions | None, result: Result, examples: KeptExamples) -> tuple[WrongAnswer, ...]:
    if predictions is None:
        return ()
    labelling = predictions.labelling
    return tuple(
        WrongAnswer(
            "" if labelling.is_single else labelling.names[each.output],
            predictions.names[each.row],
            each.wanted,
            each.answered,
            each.confidence,
            examples.pictures.get(predictions.names[each.row]),
        )
        for each in surest_wrong(predictions, result.decisions)
    )


def _pictured(suspect: Suspect, examples: KeptExamples) -> Suspect:
    return replace(suspect, picture=examples.pictures.get(suspect.example))


def _groups(answers: KeptAnswers | None, predictions: KeptPredictions | None) -> NDArray[np.int64] | None:
    """(n,) of the predicted examples; one of which nothing is known stands alone."""
    if answers is None or predictions is None or not answers.groups:
        return None
    known = dict(zip(answers.examples, answers.groups, strict=True))
    own = [known.get(name, f"alone {name}") for name in predictions.names]
    return np.unique(np.array(own), return_inverse=True)[1].astype(np.int64)


def _receipt(asked: Json) -> Json:
    """As the run has it, if a tree grows of it."""
    found = asked.get("receipt")
    try:
        grow_tree(found)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise ValueError(f"The receipt in {ASKED} is not as a run writes it ({str(error)[:100]})") from error
    return found


def _read_graph(folder: Path) -> Graph:
    with open_checkpoint(folder / MODEL) as checkpoint:
        return own_graph(checkpoint)


def _read_seconds(path: Path) -> Json:
    found = json.loads(path.read_text()) if path.exists() else None
    if not isinstance(found, dict | None):
        raise ValueError(f"{path.name} does not say by name where the time went")
    if any(isinstance(each, int | float) and not 0 <= each <= _LONGEST_SECONDS for each in (found or {}).values()):
        raise ValueError(f"{path.name} tells of times that no run takes")
    return found


def _read_text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""
