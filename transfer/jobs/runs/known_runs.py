"""Reading runs to compare them: no model is built and TensorFlow is not imported."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from transfer.analysis.counting_flops import count_graph_flops
from transfer.errors import TransferError
from transfer.evidence.known_runs import KeptAnswers, KnownRun, NoRun, RunCost
from transfer.graphs.graph import Graph
from transfer.graphs.input_shapes import input_shapes, is_closed
from transfer.graphs.summarizing import summarize
from transfer.jobs.runs.kept_answers import read_answers
from transfer.jobs.runs.run_folders import MODEL, RESULT, TIMING, read_asked
from transfer.results import Result
from transfer.specs import Json
from transfer.surgery.planning import own_graph
from transfer.weights.opening import open_checkpoint


def read_runs(folders: Sequence[Path]) -> tuple[KnownRun | NoRun, ...]:
    """Each folder as a run, or with the reason why it is none; one that is given twice is read once.

    Args:
        folders: of runs, in any order, which is kept.
    """
    places = list(dict.fromkeys(Path(os.path.realpath(each)) for each in folders))
    given = dict(reversed([(Path(os.path.realpath(each)), each) for each in folders]))
    return tuple(_read(given[place], name) for place, name in zip(places, name_runs(places), strict=True))


def name_runs(places: Sequence[Path]) -> list[str]:
    """The last part of each path, and as much before it as tells it from the others."""

    def tail(place: Path, length: int) -> str:
        return "/".join(part for part in place.parts[-length:] if part != "/") or str(place)

    found = []
    for place in places:
        others = [each for each in places if each != place]
        lengths = range(1, len(place.parts) + 1)
        found.append(
            next((t for n in lengths if (t := tail(place, n)) not in {tail(o, n) for o in others}), str(place))
        )
    return found


def _read(folder: Path, name: str) -> KnownRun | NoRun:
    try:
        asked = read_asked(folder)
        if not isinstance(asked, dict):
            raise ValueError("run.json holds no request")
        result = Result.from_json(json.loads((folder / RESULT).read_text()))
        run = _known(folder, name, asked, result)
        _ = run.task, run.tested, run.learnt  # what is of another kind shows here
    except TransferError as error:
        reason = error.problems[0].found if error.problems else error.summary
        return NoRun(name, str(folder), reason)
    except FileNotFoundError:
        return NoRun(name, str(folder), f"no {RESULT}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return NoRun(name, str(folder), f"a damaged run: {str(error)[:120] or type(error).__name__}")
    return run


def _known(folder: Path, name: str, asked: Json, result: Result) -> KnownRun:
    last = result.score.name if result.score else None
    answers, problems = _answers(folder)
    ways = result.outputs
    first = next((each for each in ways if last in (None, each.name)), None)
    simple = {each.name for each in result.baselines} or {each.name for each in ways[-2:] if len(ways) > 2}
    run = KnownRun(
        name=name,
        folder=str(folder),
        score=result.score,
        outputs=first.outputs if first else (),
        baselines=result.baselines,
        baseline_outputs=tuple(each.outputs for each in ways if each.name in simple),
        cost=_cost(folder, asked),
        asked=asked,
        answers=answers,
        problems=problems,
        benchmark=result.benchmark,
    )
    own = run.own
    if answers is not None and run.score is not None and (own is None or int(own.sum()) != run.score.correct):
        told = f"{name}: its answers do not fit its result and were not used"
        return replace(run, answers=None, problems=(*problems, told))
    return run


def _answers(folder: Path) -> tuple[KeptAnswers | None, tuple[str, ...]]:
    try:
        return read_answers(folder), ()
    except ValueError as error:
        return None, (f"{folder.name}: {error} and was not used",)


def _cost(folder: Path, asked: Json) -> RunCost:
    cost = _architecture(folder, asked)
    seconds: float | None = None
    with suppress(OSError, ValueError, TypeError, AttributeError):  # a run is compared without it
        seconds = float(sum(json.loads((folder / TIMING).read_text()).values()))
    sizes = [each.stat().st_size for each in folder.rglob("*") if each.is_file() and not each.is_symlink()]
    return replace(cost, seconds=seconds, size_bytes=sum(sizes))


def _architecture(folder: Path, asked: Json) -> RunCost:
    """Parameters and FLOPs; nothing of a model that cannot be read."""
    try:
        with open_checkpoint(folder / MODEL) as checkpoint:
            graph = own_graph(checkpoint)
        layers = summarize(graph)
    except (TransferError, OSError):
        return RunCost()
    known = [each for each in layers if each.parameters is not None]
    told = asked.get("trained_parameters")
    trained = told if isinstance(told, int) else sum(each.trainable or 0 for each in known)
    cost = RunCost(sum(each.parameters or 0 for each in known), trained)
    if not is_closed(graph):
        sizes = _sizes(graph, asked.get("input") or {})
        if sizes is None:
            return cost
    else:
        sizes = {}
    try:
        flops = count_graph_flops(graph, sizes, shapes={})
    except TransferError:
        return cost
    return replace(cost, flops=flops.flops, is_least=bool(flops.uncounted))


def _sizes(graph: Graph, fed: Json) -> dict[str, tuple[int, ...]] | None:
    """Of the input, where the run says to what its pictures are fitted; None where it does not."""
    own, size = input_shapes(graph), fed.get("size")
    if len(own) != 1 or not isinstance(size, list) or len(size) != 2:
        return None
    ((name, shape),) = own.items()
    whole = tuple(size[place] if place < 2 and each is None else each for place, each in enumerate(shape))
    return None if None in whole else {name: tuple(int(each) for each in whole if each is not None)}
