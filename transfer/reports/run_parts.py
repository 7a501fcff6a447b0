"""A run's contents, section by section, as the templates take them."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from transfer.reports.answering_ways import explain_ways, kept_of
from transfer.reports.class_tables import tabulate_counts, tabulate_scores
from transfer.reports.confusions import map_confusion
from transfer.reports.contents import SECTIONS, Contents, Picture, Suspect, WrongAnswer
from transfer.reports.interval_charts import IntervalChart, chart_scores, chart_ways
from transfer.reports.layer_charts import (
    draw_drift,
    draw_flops,
    draw_saturation,
    part_of,
    tabulate_dearest,
    tabulate_drift,
    tabulate_layers,
)
from transfer.reports.learning_curves import draw_learning
from transfer.reports.network_drawing import draw_network
from transfer.reports.receipt_tree import grow_tree
from transfer.reports.reliability import draw_reliability, tabulate_bins, tabulate_thresholds
from transfer.reports.reproducing import reproduce
from transfer.reports.shown_text import part_headings, shown, told
from transfer.reports.tables import Table, table_of
from transfer.reports.verdicts import find_headlines
from transfer.results import Result
from transfer.tabulating import format_scaled

TITLES = {
    "verdict": "Verdict",
    "scores": "Scores",
    "restored": "Restored weights",
    "network": "Network",
    "data": "Data",
    "learning": "Learning curves",
    "confusion": "What was taken for what",
    "classes": "Class by class",
    "calibration": "Probabilities and thresholds",
    "wrong": "Most surely wrong",
    "suspects": "Labels to look at again",
    "flops": "What it costs",
    "saturation": "Saturation",
    "drift": "Drift",
    "leaderboard": "Leaderboard",
    "reproduce": "How to reproduce",
}
_NOTHING = {
    "verdict": "Nothing was found out.",
    "restored": "The weights were restored by the caller; the run has no receipt.",
    "learning": "Nothing was learnt in epochs.",
    "confusion": "No output is a choice of one class of several, or the run kept no answers.",
    "wrong": "No test example was answered wrongly, or the run kept no answers.",
    "suspects": "No label stands out as likely wrong.",
    "leaderboard": "No other runs of this task lie beside this one.",
}


@dataclass(frozen=True, slots=True)
class Part:
    """A section of a page.

    Attributes:
        id: of its place, unique on the page.
        name: of the section.
        title: its heading.
        view: what its template takes; None where there is nothing to show.
        absent: why there is nothing, or not all; else empty.
    """

    id: str
    name: str
    title: str
    view: Any
    absent: str


def part_sections(contents: Contents, prefix: str) -> tuple[Part, ...]:
    """Every section of a run, in order; one without contents says why.

    Args:
        contents: of the run.
        prefix: of the ids on the page.
    """
    views = _views(contents, prefix)
    parts = []
    for name in SECTIONS:
        view = views.get(name)
        why = "" if view is not None else _NOTHING.get(name, "The run kept nothing of this.")
        parts.append(Part(f"{prefix}{name}", name, TITLES[name], view, told(contents.absent.get(name) or why)))
    return tuple(parts)


def _views(contents: Contents, prefix: str) -> dict[str, Any]:
    result, outputs = contents.result, contents.outputs
    return {
        "verdict": {
            "headlines": find_headlines(result),
            "text": told(contents.verdict),
            "warnings": tuple(map(told, result.warnings)),
        },
        "scores": {
            "charts": chart_result(result),
            "tables": [table_of("scores on the test examples", *each) for each in result.tables],
            "meant": explain_ways(result),
            "standing": "\n".join(map(told, result.standing)),
            "outputs": _measures(result),
        },
        "restored": grow_tree(contents.receipt),
        "network": _network(contents, prefix),
        "data": _data(contents),
        "learning": draw_learning(contents.history),
        "confusion": _listed(map_confusion(each) for each in outputs),
        "classes": _listed(tabulate_scores(each) for each in outputs),
        "calibration": _calibration(contents),
        "wrong": _listed(map(_wrong, contents.wrong)),
        "suspects": _listed(map(_suspect, contents.suspects)),
        "flops": _flops(contents),
        "saturation": _saturation(contents),
        "drift": _drift(contents),
        "leaderboard": _boards(contents),
        "reproduce": reproduce(contents),
    }


def _listed(found: Any) -> list[Any] | None:
    """Those that are there; None where none is."""
    return [each for each in found if each is not None] or None


def chart_result(result: Result) -> list[tuple[str, IntervalChart]]:
    """(name of the output, its ways of answering with intervals); of one output without a name."""
    if result.labelling is None:
        name = result.score.name if result.score else ""
        return [("", chart_scores(result.scores, len(result.baselines), name))] if result.scores else []
    kept = kept_of(result)
    charts = [(shown(each.name), chart_ways(result, place)) for place, each in enumerate(kept.outputs if kept else ())]
    return [(name, chart) for name, chart in charts if chart is not None]


def _measures(result: Result) -> list[Table]:
    """All measures of the outputs of the model that was kept."""
    kept = kept_of(result)
    if kept is None:
        return []
    columns = ("output", "measure", "value", "95 % interval", "examples")
    rows = [row for output in kept.outputs for row in output.rows]
    return [table_of("all measures of the model that was kept", columns, rows, ("value", "examples"))] if rows else []


def _network(contents: Contents, prefix: str) -> dict[str, Any] | None:
    drawing = draw_network(contents.layers, prefix)
    return None if drawing is None else {"drawing": drawing, "table": tabulate_layers(contents.layers)}


def _data(contents: Contents) -> dict[str, Any]:
    result = contents.result
    asked = contents.asked if isinstance(contents.asked, dict) else {}
    data = asked["data"] if isinstance(asked.get("data"), dict) else {}
    left_out = [(each.where, each.found, each.expected) for each in result.left_out]
    columns = ("left out", "because", "expected")
    return {
        "source": shown(data.get("source", "")),
        "learnt": result.train_examples,
        "tested": result.test_examples,
        "counts": _listed(tabulate_counts(each) for each in contents.outputs) or [],
        "left_out": table_of("what was left out", columns, left_out) if left_out else None,
        "notes": tuple(map(told, result.notes)),
    }


def _calibration(contents: Contents) -> list[dict[str, Any]] | None:
    found = []
    for output in contents.outputs:
        chart, thresholds = draw_reliability(output), tabulate_thresholds(output)
        if chart or thresholds:
            error = output.calibration_error
            found.append(
                {
                    "name": shown(output.name),
                    "parent": shown(output.parent, 60),
                    "chart": chart,
                    "bins": tabulate_bins(output),
                    "thresholds": thresholds,
                    "error": "" if error is None else f"{error:.3f}",
                }
            )
    return found or None


def _wrong(answer: WrongAnswer) -> dict[str, Any]:
    return {
        "output": shown(answer.output, 60),
        "example": shown(answer.example),
        "lines": (("is", shown(answer.wanted)), ("answered", shown(answer.answered))),
        "share": answer.confidence,
        "said": f"{100 * answer.confidence:.0f} % sure",
        "picture": _picture(answer.picture, f"{shown(answer.example)}, {shown(answer.wanted)}"),
    }


def _suspect(suspect: Suspect) -> dict[str, Any]:
    return {
        "output": shown(suspect.output, 60),
        "example": shown(suspect.example),
        "lines": (("labelled", shown(suspect.given)), ("more likely", shown(suspect.likely))),
        "share": suspect.probability,
        "said": f"label has {_percent(suspect.probability)}",
        "picture": _picture(suspect.picture, f"{shown(suspect.example)}, labelled {shown(suspect.given)}"),
    }


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.1g} %"


def _picture(picture: Picture | None, text: str) -> dict[str, str] | None:
    if picture is None:
        return None
    attention = "" if picture.attention is None else b64encode(picture.attention).decode()
    return {"jpeg": b64encode(picture.jpeg).decode(), "attention": attention, "text": text}


def _flops(contents: Contents) -> dict[str, Any] | None:
    macs = sum(row.macs for row in contents.layers)
    if not macs:
        return None
    trained = sum(row.parameters for row in contents.layers if row.part in ("trained", "new"))
    return {
        "chart": draw_flops(contents.layers),
        "parts": [(part, part) for part in dict.fromkeys(part_of(row) for row in contents.layers if row.macs)],
        "flops": format_scaled(2 * macs).rstrip(),
        "parameters": f"{sum(row.parameters for row in contents.layers):,}",
        "trained": f"{trained:,}",
        "table": tabulate_dearest(contents.layers),
    }


def _saturation(contents: Contents) -> dict[str, Any] | None:
    chart = draw_saturation(contents.layers)
    if not chart and not contents.findings:
        return None
    findings = [
        {
            "severity": each.severity,
            "kind": each.kind,
            "layers": shown(", ".join(each.layers[:8]) or "all layers", 300)
            + (f" and {len(each.layers) - 8} more" if len(each.layers) > 8 else ""),
            "lines": (told(each.cause), told(each.evidence)),
            "advice": told(each.advice),
        }
        for each in contents.findings
    ]
    return {"chart": chart, "findings": findings}


def _drift(contents: Contents) -> dict[str, Any] | None:
    drift = contents.drift
    if drift is None:
        return None
    return {
        "verdict": told(drift.verdict),
        "about": f"{drift.examples} examples of {shown(drift.data)}, held against {shown(drift.source)}",
        "advice": tuple(map(told, drift.advice)),
        "remarks": tuple(map(told, drift.remarks)),
        "inputs": told(str(drift.inputs)),
        "chart": draw_drift(drift),
        "table": tabulate_drift(drift) if drift.layers else None,
    }


def _boards(contents: Contents) -> dict[str, Any] | None:
    board = contents.leaderboard
    if board is None or not board.boards:
        return None
    return {
        "boards": [
            {
                "title": shown(each.title, 300),
                "table": table_of(
                    each.title,
                    *each.table,
                    [place for place, one in enumerate(each.standings) if one.name == contents.name],
                ),
                "remarks": [(heading, told(text)) for heading, text in each.remarks],
            }
            for each in board.boards
        ],
        "closing": part_headings(board.closing),
    }
