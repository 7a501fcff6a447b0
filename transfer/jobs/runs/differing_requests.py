"""In what two requests for a run differ, in the names that the command line has for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from transfer.errors import DataError, OutputError, Problem
from transfer.jobs.runs.run_folders import read_asked
from transfer.specs import Json
from transfer.tabulating import shorten

_SHOWN = 6  # settings written out; the others are named
_NAMES = {
    "preprocessing.size": "size",
    "data.source": "data",
    "data.digest": "data, its examples and labels",
    "test.source": "test",
    "test.digest": "test, its examples and labels",
    "benchmark.digest": "benchmark, its answers",
    "features.digest": "features, their shards",
    "features.solver": "--head-solver, or what fits into --memory",
    "network.graph": "network, its layers and preprocessing",
    "network.tensors": "network, its weights",
}
_DIGEST = 12  # digits of one that are told


def refuse_other(folder: Path, asked: Json) -> None:
    """Refuse to put a run where one of another request is, naming what differs.

    Args:
        folder: where a finished run may be.
        asked: of the run that is to come.

    Raises:
        OutputError: if another run is there.
    """
    try:
        problems = differences(asked, read_asked(folder))
    except (DataError, LookupError, TypeError, AttributeError):  # no run, or one that cannot be read
        return
    more = problems[_SHOWN:]
    if more:
        problems[_SHOWN:] = [Problem(f"{len(more)} more", found=shorten([each.where for each in more]))]
    raise OutputError(
        f"{folder} holds a run with other settings or inputs.",
        problems,
        "choose another folder with -o (out=…), or replace the run with --force (force=True)",
    )


def differences(asked: Json, there: Json) -> list[Problem]:
    """What is asked for now, as `expected`, and what a run was asked for, as `found`, where they differ.

    Args:
        asked: as `describe_request` gives it.
        there: the same, or as `run.json` holds it.
    """
    now, then = (_settings(json.loads(json.dumps(each, default=str))) for each in (asked, there))
    changed = [name for name in {**now, **then} if now.get(name) != then.get(name)]
    if "stages" in changed:
        changed = [name for name in changed if not name.startswith("stages.")]
    if "benchmark" in changed:
        changed = [name for name in changed if name != "benchmark.digest"]
    if any(name == "seed" or name.startswith("preprocessing.") for name in changed):  # both stand in the graph
        changed = [name for name in changed if name != "network.graph"]
    return [
        Problem(_NAMES.get(name, name), _told(name, now.get(name)), _told(name, then.get(name))) for name in changed
    ]


def _settings(asked: Json) -> dict[str, Json]:
    """Each setting by its path, the plainest first; those that follow from others are left out."""
    recipe, network, stages = asked["recipe"], dict(asked["network"]), asked["recipe"]["stages"]
    network.pop("layers", None)
    found = {
        "recipe": recipe.get("name"),
        "seed": recipe.get("seed"),
        **{name: asked.get(name) for name in ("shots", "test_share", "time_limit", "baselines", "devices", "workers")},
        **_benchmark(asked.get("benchmark")),
        **_flat({name: asked.get(name) for name in ("preprocessing", "data", "test")}),
        "stages": [stage["kind"] for stage in stages],
        **_flat({f"stages.{place}": stage for place, stage in enumerate(stages)}),
        "validation": recipe.get("validation"),
        **_flat({"network": network, "versions": asked.get("versions")}),
    }
    return found if asked.get("preprocessing") else {**found, **_flat({"input": asked.get("input")})}


def _benchmark(asked: Json) -> dict[str, Json]:
    """What is called by its name, with the digest of its answers; a number stands for itself."""
    if not isinstance(asked, dict):
        return {"benchmark": asked, "benchmark.digest": None}
    return {"benchmark": asked.get("name"), "benchmark.digest": asked.get("digest")}


def _flat(values: Mapping[str, Json], above: str = "") -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, value in values.items():
        inner = _flat(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}": value}
        found |= inner
    return found


def _told(name: str, value: Json) -> str:
    if isinstance(value, list):
        names = [str(each) for each in value]
        return (" x ".join(names) if name.endswith(".size") else shorten(names)) or "none"
    if value is None or value == "":
        return "none"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)[:_DIGEST] if name.endswith((".digest", ".graph", ".tensors")) else str(value)
